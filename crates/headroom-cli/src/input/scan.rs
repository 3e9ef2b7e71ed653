//! Runs over a log in large blocks and feeds the parser only the lines around an event.
//!
//! Almost every line of a log is none of ours. A plain search for a few needles rejects them a block at
//! a time; where one is found, the lines before it that may be the head of the same report are fed
//! too, and all that follow until the parser says that nothing is open.

use std::io::{self, Read, Seek, SeekFrom};

use headroom_core::oomlog::needles::Search;
use headroom_core::oomlog::{Event, Parser, Position};
use memchr::{memchr, memchr_iter, memrchr};

use super::open::Log;
use super::skim::Landing;
use super::timeline::Timeline;

/// How much is read at once: small enough to stay in the processor's cache between the passes over it.
const BLOCK: usize = 128 * 1024;

/// How much of what went before is kept for a report whose first needle is not its first line.
pub(super) const BEHIND: usize = 64 * 1024;

/// How far before the first line of a report something can stand that belongs to it: the fields of a
/// journal's entry, the kernel's remark that reports were left out.
const NEAR: usize = 8 * 1024;

/// After an event, reports whose head is gone are looked for as far as this: longer than the longest task
/// table.
const CAREFUL: u64 = 2 * 1024 * 1024;

/// At the start of a log, where grep's leftovers and cut reports are whole files, as far as this: it costs
/// some hundredths of a second.
const CAREFUL_AT_FIRST: u64 = 16 * 1024 * 1024;

/// The first bytes of a file tell what kind it is.
const TELLING: u64 = 64 * 1024;

/// Rows of task tables kept, over a whole log, before only the largest of each are.
const FULL_ROWS: usize = 50_000;

/// Rows kept of a table once [`FULL_ROWS`] are.
const FEW_ROWS: usize = 16;

/// Events kept of one log. Beyond it the older half goes: the newest are those asked about.
const MOST_EVENTS: usize = 5_000;

/// How carefully is searched: at the start of a log and after an event for what is left of cut reports too.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Care {
    since_event: u64,
    at_all: u64,
}

impl Care {
    pub(super) fn careful(&self) -> bool {
        self.since_event < CAREFUL || self.at_all < CAREFUL_AT_FIRST
    }

    /// So many bytes held nothing.
    pub(super) fn passed(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(0);
        self.since_event = self.since_event.saturating_add(bytes);
        self.at_all = self.at_all.saturating_add(bytes);
    }
}

/// What was seen beside events.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How long the log is.
    pub(super) bytes: u64,
    /// Whether it holds bytes no text has.
    pub(super) binary: bool,
    /// Events that were let go.
    pub(super) forgotten: usize,
    /// When its lines were logged.
    pub(super) timeline: Timeline,
    rows: usize,
}

impl Seen {
    /// Takes what the parser has finished, within the bounds of what is kept.
    fn collect(&mut self, parser: &mut Parser, found: &mut Vec<Event>) {
        while let Some(mut event) = parser.next_event() {
            if self.rows >= FULL_ROWS {
                event.slim(FEW_ROWS);
            }
            self.rows += event.tasks.len();
            if found.len() >= MOST_EVENTS {
                found.drain(..MOST_EVENTS / 2);
                self.forgotten += MOST_EVENTS / 2;
            }
            found.push(event);
        }
    }
}

/// Reads the log to its end.
///
/// # Errors
/// Those of reading. What was found until then is in `found` all the same.
pub(super) fn scan(
    mut log: Log,
    source: u32,
    parser: &mut Parser,
    found: &mut Vec<Event>,
    seen: &mut Seen,
) -> io::Result<()> {
    let mut window = Window { bytes: vec![0; BEHIND + 3 * BLOCK], ..Window::default() };
    let search = Search::default();
    let result = loop {
        if let Some(skim) = log.skim.as_mut().filter(|_| seen.bytes > 0)
            && !window.feeding
            && skim.is_worth_while(seen.bytes)
        {
            let from = window.landing(seen.bytes);
            match skim.pass(from, &search, &mut window.care, &mut seen.timeline) {
                // What was read already is not read again.
                Ok(landing) if landing.offset > seen.bytes => {
                    skim.file().seek(SeekFrom::Start(landing.offset))?;
                    seen.bytes = landing.offset;
                    window.land(landing);
                }
                Ok(_) => {}
                Err(_) => log.skim = None,
            }
        }
        let room = window.room(&mut seen.timeline);
        match log.reader.read(room) {
            Ok(0) => break Ok(()),
            Ok(count) => {
                let block = &window.bytes[window.end..window.end + count];
                seen.binary |= seen.bytes < TELLING && memchr(0, block).is_some();
                seen.bytes += u64::try_from(count).unwrap_or(u64::MAX);
                window.end += count;
                if seen.bytes < TELLING.saturating_mul(4) {
                    seen.timeline.first(&window.bytes[..window.end]);
                }
                if seen.bytes < CAREFUL_AT_FIRST {
                    // With the line that the block before broke off in.
                    let from = memrchr(b'\n', &window.bytes[..window.end - count]).unwrap_or(0);
                    seen.timeline.boots(&window.bytes[from..window.end]);
                }
                window.run(&search, source, parser, false);
                seen.collect(parser, found);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    window.last_line(&mut seen.timeline);
    window.run(&search, source, parser, true);
    parser.finish();
    seen.collect(parser, found);
    result
}

/// The part of the log that is in memory.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    /// Where the bytes read so far end.
    end: usize,
    /// Lines up to here were fed, or found to hold no needle.
    done: usize,
    /// Lines up to here were fed, and must not be again.
    fed: usize,
    /// Newlines up to here are counted in `line`.
    counted: usize,
    /// The number of lines before `counted`.
    line: u64,
    /// Whether the parser still wants what follows.
    feeding: bool,
    care: Care,
}

impl Window {
    /// Room for the next block, made by forgetting what lies far enough behind.
    fn room(&mut self, timeline: &mut Timeline) -> &mut [u8] {
        if self.bytes.len() - self.end < BLOCK {
            let keep = self.done.saturating_sub(BEHIND);
            self.count(keep);
            if let Some(newline) = memchr(b'\n', &self.bytes[keep..self.end]) {
                timeline.sample(self.line + 2, &self.bytes[keep + newline + 1..self.end]);
            }
            self.bytes.copy_within(keep..self.end, 0);
            self.end -= keep;
            self.done -= keep;
            self.fed = self.fed.saturating_sub(keep);
            self.counted -= keep;
        }
        let from = self.end;
        let to = self.bytes.len().min(from + BLOCK);
        &mut self.bytes[from..to]
    }

    /// Where the lines begin that were not looked at yet, when so much of the log was read.
    fn landing(&self, read: u64) -> Landing {
        let between = self.counted.min(self.done)..self.done;
        let lines = memchr_iter(b'\n', &self.bytes[between]).count();
        let ahead = u64::try_from(self.end - self.done).unwrap_or(0);
        Landing {
            offset: read.saturating_sub(ahead),
            lines: self.line + u64::try_from(lines).unwrap_or(0),
        }
    }

    /// Goes on at another place of the log.
    fn land(&mut self, landing: Landing) {
        (self.end, self.done, self.fed, self.counted) = (0, 0, 0, 0);
        self.line = landing.lines;
    }

    /// Tells the timeline of the last line.
    fn last_line(&self, timeline: &mut Timeline) {
        let bytes = &self.bytes[..self.end];
        let complete = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let last = memrchr(b'\n', complete).map_or(0, |newline| newline + 1);
        timeline.sample(u64::MAX, &complete[last..]);
    }

    fn count(&mut self, to: usize) {
        if to > self.counted {
            let lines = memchr_iter(b'\n', &self.bytes[self.counted..to]).count();
            self.line += u64::try_from(lines).unwrap_or(0);
            self.counted = to;
        }
    }

    /// Works through the complete lines, or at the end through all there is.
    fn run(&mut self, search: &Search, source: u32, parser: &mut Parser, last: bool) {
        let full = self.end + BLOCK > self.bytes.len() && self.end - self.done > 2 * BLOCK;
        let complete = match memrchr(b'\n', &self.bytes[self.done..self.end]) {
            _ if last => self.end,
            Some(at) => self.done + at + 1,
            // A line longer than the window is no log line; it is taken in pieces.
            None if full => self.end,
            None => return,
        };
        while self.done < complete {
            if !self.feeding {
                let block = &self.bytes[self.done..complete];
                let Some(at) = search.first(block, self.care.careful()).map(|at| self.done + at)
                else {
                    self.care.passed(block.len());
                    self.done = complete;
                    return;
                };
                self.care.since_event = 0;
                // Before a head there is little that belongs to it.
                let head = self.bytes[at..].starts_with(b"oom-killer");
                let from = self.head_of(at, if head { NEAR } else { BEHIND });
                self.count(from);
                let next = self.line_end(at, complete);
                self.feed(from, next, source, parser);
                self.done = next;
                self.feeding = true;
            }
            while self.feeding && self.done < complete {
                let next = self.line_end(self.done, complete);
                self.feed(self.done, next, source, parser);
                self.done = next;
                self.feeding = !parser.is_idle();
            }
        }
    }

    /// Where the lines begin that may be the head of the report the needle is in.
    fn head_of(&self, needle: usize, behind: usize) -> usize {
        let reach = self.fed.max(needle.saturating_sub(behind));
        let own = memrchr(b'\n', &self.bytes[reach..needle]).map_or(reach, |at| reach + at + 1);
        // Up to the first whole line within reach, unless what was fed ends right there.
        if reach == self.fed {
            return reach;
        }
        memchr(b'\n', &self.bytes[reach..own]).map_or(own, |at| reach + at + 1)
    }

    fn line_end(&self, from: usize, complete: usize) -> usize {
        memchr(b'\n', &self.bytes[from..complete]).map_or(complete, |at| from + at + 1)
    }

    fn feed(&mut self, from: usize, to: usize, source: u32, parser: &mut Parser) {
        let mut at = from;
        while at < to {
            let next = self.line_end(at, to);
            self.count(at);
            parser.feed(&self.bytes[at..next], Position { source, line: self.line + 1 });
            at = next;
        }
        self.fed = to;
    }
}
