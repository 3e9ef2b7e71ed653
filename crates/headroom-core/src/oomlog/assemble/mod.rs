//! Puts messages together into events, whatever state the log is in.
//!
//! A report is opened by its `invoked` line, or by any later part whose head is gone, takes what
//! belongs to it and is closed when it has ended and nothing more came, when another one takes its
//! place, or when the log has moved on. What is kept is bounded: see [`OPEN_REPORTS`] and
//! [`TABLE_ROWS`].

mod absorb;
mod finish;
mod report;
mod route;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::event::{Event, Position, Stamp, Wall};
use super::foreign::Foreign;
use super::message::{self, Columns, Message};
use super::prefix::{self, Fed, Many, Origin, Record, Relative};
use super::rejoin::{Cut, Line, Rejoiner};
use report::Open;

/// Reports that can be open at once; the oldest is closed when one more begins.
pub(super) const OPEN_REPORTS: usize = 16;

/// Rows of a task table that are kept; `kernel.pid_max` allows four million.
pub(super) const TABLE_ROWS: usize = 16_384;

/// Longest line that is looked at, in bytes: a journal entry in JSON can be this long.
const LONGEST_LINE: usize = 64 * 1024;

/// Lines after its last own one for which an ended report still waits for the oom_reaper.
const LINGER_LINES: u64 = 200;

/// Lines of others after which an unfinished report is given up: slab and allocation listings within
/// a report are shorter.
const PATIENCE_LINES: u64 = 1500;

/// What was seen besides events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines fed.
    pub lines: u64,
    /// Events that are not complete.
    pub truncated_reports: u64,
    /// Lines that are part of a report and could not be understood.
    pub unparsed_lines: u64,
}

/// Reads lines, yields events.
#[derive(Debug, Default)]
pub struct Parser {
    many: Many,
    foreign: Foreign,
    /// How the line being taken may have been cut.
    cut: Cut,
    /// The time of the line before, where stamps count from it.
    before: Option<Wall>,
    /// The line before, as it was fed.
    last: Vec<u8>,
    /// Heads of reports that were told, the newest last: a log may hold a report twice.
    told: VecDeque<(Position, Stamp, String)>,
    rejoiner: Rejoiner,
    open: VecDeque<Open>,
    done: VecDeque<Event>,
    counts: Counts,
    hints: Hints,
    /// Whom nohang named last; its signal comes some lines later.
    nohang_victim: Option<(u32, String)>,
}

/// What lines just before a report say about it.
#[derive(Debug, Default)]
struct Hints {
    /// When the last hint came.
    since: u64,
    /// Somebody asked for a run.
    manual: bool,
    /// So many reports were left out.
    suppressed: u64,
    /// A daemon looks for its victim.
    search: bool,
}

/// Lines for which a hint of the kernel holds.
const HINT_LINES: u64 = 5;

/// Lines nohang may take from its search for a victim to its signal: it lists all tasks between.
const SEARCH_LINES: u64 = 200;

impl Parser {
    /// A parser that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one line, with or without its newline. Positions must not go backwards within a source.
    pub fn feed(&mut self, line: &[u8], at: Position) {
        self.counts.lines += 1;
        self.expire();
        let line = &line[..line.len().min(LONGEST_LINE)];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match self.many.feed(line) {
            Fed::Taken => {}
            Fed::Finished(record) => self.take(&record, at),
            Fed::Foreign => {
                let text = String::from_utf8_lossy(line);
                let record = prefix::strip(&text);
                // Two inputs of one logger: the kernel prints no two lines in the same microsecond alike.
                if record.stamp.uptime_us.is_some() && self.last == line {
                    return;
                }
                self.last.clear();
                self.last.extend_from_slice(line);
                self.cut = Cut::of(&text);
                self.take(&record, at);
                self.cut = Cut::default();
            }
        }
    }

    /// Ends the input: every report still open is finished as far as it goes.
    pub fn finish(&mut self) {
        if let Some(record) = self.many.finish() {
            self.take(&record, Position::default());
        }
        if let Some(line) = self.rejoiner.finish() {
            self.handle(&line);
        }
        while let Some(open) = self.open.pop_front() {
            self.close(open);
        }
        self.hints = Hints::default();
    }

    /// The next finished event. Events come as they are finished; their first lines give the order.
    pub fn next_event(&mut self) -> Option<Event> {
        self.done.pop_front()
    }

    /// Whether no line to come can still belong to what was fed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.rejoiner.is_idle() && self.many.is_idle() && !self.hints.any()
    }

    /// What was seen besides events.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn take(&mut self, record: &Record<'_>, at: Position) {
        let mut record = record.clone();
        self.date(&mut record);
        for (number, text) in record.text.split('\n').enumerate() {
            // A shipper's message may hold a whole report with the prefixes of its lines.
            let own = (number > 0).then(|| prefix::strip(text)).filter(|own| own.prefixed);
            let line = match &own {
                Some(own) => self.line(at, own, &own.text),
                None => self.line(at, &record, text),
            };
            let line = line.cut(self.cut);
            let columns = self.open.iter().rev().find_map(Open::columns);
            for finished in self.rejoiner.push(line, columns).into_iter().flatten() {
                self.handle(&finished);
            }
        }
    }

    /// The line, without what a logger of unknown form put before it.
    fn line(&mut self, at: Position, record: &Record<'_>, text: &str) -> Line {
        let whole = Line::new(at, record, text);
        if matches!(record.origin, Origin::Program(_)) {
            return whole;
        }
        match self.foreign.strip(text) {
            Some(rest)
                if message::recognise(record, rest).is_some()
                    || whole.message().is_none() && self.foreign.is_sure() =>
            {
                let prefixed = Record { prefixed: true, text: "".into(), ..record.clone() };
                Line::new(at, &prefixed, rest)
            }
            _ => whole,
        }
    }

    /// Turns a stamp that counts from the line before into one that stands for itself.
    fn date(&mut self, record: &mut Record<'_>) {
        match record.relative {
            Some(Relative::Minute(wall)) => self.before = Some(wall),
            Some(Relative::Later(us)) => self.before = self.before.map(|wall| wall.later(us)),
            None => return,
        }
        record.stamp.wall = record.stamp.wall.or(self.before);
    }

    fn handle(&mut self, line: &Line) {
        if let Some(message) = line.message() {
            self.route(line, message);
        }
    }

    fn expire(&mut self) {
        let now = self.counts.lines;
        let held = if self.hints.search { SEARCH_LINES } else { HINT_LINES };
        if self.hints.any() && now > self.hints.since.saturating_add(held) {
            self.hints = Hints::default();
        }
        while let Some(at) = self.open.iter().position(|open| {
            let patience = if open.ended() { LINGER_LINES } else { PATIENCE_LINES };
            now > open.last_line.saturating_add(patience)
        }) {
            if let Some(open) = self.open.remove(at) {
                self.close(open);
            }
        }
    }

    fn close(&mut self, open: Open) {
        self.counts.unparsed_lines += open.unparsed;
        if let Some(event) = finish::finish(open) {
            if self.is_copy(&event) {
                return;
            }
            if !event.complete {
                self.counts.truncated_reports += 1;
            }
            self.done.push_back(event);
        }
    }

    /// Whether the report was told before and this copy, whose kill went to the first one, has nothing
    /// to add.
    fn is_copy(&mut self, event: &Event) -> bool {
        let Some(invoker) = &event.invoker else { return false };
        let head = |(at, stamp, comm): &(Position, Stamp, String)| {
            at.source == event.first.source
                && stamp.uptime_us.is_some()
                && stamp.uptime_us == event.stamp.uptime_us
                && *comm == invoker.comm
        };
        if event.victims.is_empty() && self.told.iter().any(head) {
            return true;
        }
        if !event.victims.is_empty() {
            if self.told.len() >= OPEN_REPORTS {
                self.told.pop_front();
            }
            self.told.push_back((event.first, event.stamp, invoker.comm.clone()));
        }
        false
    }

    fn begin(&mut self, mut open: Open) -> usize {
        let hints = core::mem::take(&mut self.hints);
        open.event.suppressed = hints.suppressed;
        open.manual = hints.manual;
        while self.open.len() >= OPEN_REPORTS {
            if let Some(oldest) = self.open.pop_front() {
                self.close(oldest);
            }
        }
        self.open.push_back(open);
        self.open.len() - 1
    }
}

impl Hints {
    fn any(&self) -> bool {
        self.manual || self.suppressed > 0 || self.search
    }
}

impl Open {
    /// The columns its rows still to come are to have.
    fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref().filter(|_| !self.ended())
    }
}

/// Whether a message can be the first one of a report whose head is gone, without doubt.
fn begins_headless(message: &Message<'_>) -> bool {
    matches!(
        message,
        Message::TableHead(_)
            | Message::Choice(_)
            | Message::Announced(_)
            | Message::Killed(_)
            | Message::Group(_)
            | Message::NoKillable
            | Message::Panic { .. }
    )
}

#[cfg(test)]
mod tests;
