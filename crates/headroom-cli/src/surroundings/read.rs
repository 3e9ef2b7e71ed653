//! Reads one log that is not the kernel's and offers what it says to the collector.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use headroom_core::oomlog::{Position, Stamp};
use headroom_core::otherlog::{Collector, Entry, Format, Reader, request};

use crate::input::kept::Kept;
use crate::input::when::Clock;
use crate::input::{Gathered, open};

/// So many lines tell a log's format: a head of other programs' lines can be long.
const TELLING_LINES: usize = 400;

/// What is kept of a line. What follows on a longer one is skipped.
const LINE: u64 = 64 * 1024;

/// Incidents whose surroundings are asked of the journal, the newest.
const JOURNAL_INCIDENTS: usize = 8;

/// Reads a file, if it is a log of a known form.
pub(super) fn file(gathered: &mut Gathered, collector: &mut Collector, path: &Path) {
    let name = open::name(path);
    // A file that cannot be read was complained of when it was read for events.
    let Ok((log, clock)) = open::log(path) else { return };
    let known = gathered.sources.iter().position(|source| *source == name);
    let source = known.unwrap_or(gathered.sources.len());
    let compressed = log.compressed;
    match read(log.reader, source, &clock, collector) {
        Ok(false) => {}
        Ok(true) if known.is_none() => gathered.sources.push(name),
        Ok(true) => {}
        Err(error) => {
            gathered.notes.push(format!("{name}: {}", open::reading_explained(&error, compressed)));
            if known.is_none() {
                gathered.sources.push(name);
            }
        }
    }
}

/// Reads again what came through standard input, as far as it was kept.
pub(super) fn piped(gathered: &Gathered, collector: &mut Collector) {
    let Some(log) = gathered.piped.as_ref().and_then(Kept::take) else { return };
    let Some(source) = gathered.sources.iter().position(|name| name == "-") else { return };
    // Reading from memory does not fail, and a log of no known form has nothing to say.
    drop(read(log.as_slice(), source, &Clock::now(), collector));
}

/// Asks the journal for what cron, systemd and sshd said around the newest incidents.
pub(super) fn journal(gathered: &mut Gathered, collector: &mut Collector, spans: &[(i64, i64)]) {
    const TAGS: [&str; 8] =
        ["CRON", "CROND", "crond", "systemd", "systemd-logind", "sshd", "sshd-session", "sudo"];
    const BEFORE_S: i64 = 3600;
    const AFTER_S: i64 = 900;
    let source = gathered.sources.len();
    let mut said_anything = false;
    for (first, last) in spans.iter().rev().take(JOURNAL_INCIDENTS) {
        let (since, until) = (first / 1_000_000 - BEFORE_S, last / 1_000_000 + AFTER_S);
        let mut command = Command::new("journalctl");
        command.args(["--quiet", "--no-pager", "--output=short-unix"]);
        command.args([format!("--since=@{since}"), format!("--until=@{until}")]);
        command.args(TAGS.map(|tag| format!("SYSLOG_IDENTIFIER={tag}")));
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        // A node without systemd has no journal, which is no failure.
        let Ok(mut child) = child else { return };
        if let Some(output) = child.stdout.take() {
            said_anything |= read(output, source, &Clock::now(), collector).unwrap_or(false);
        }
        // Its exit says nothing that the missing lines do not.
        let _ = child.wait();
    }
    if said_anything {
        gathered.sources.push("journal".to_string());
    }
}

/// Reads a log to its end; whether it was one of a known form.
fn read(
    reader: impl Read,
    source: usize,
    clock: &Clock,
    collector: &mut Collector,
) -> io::Result<bool> {
    let mut reader = BufReader::with_capacity(128 * 1024, reader);
    let mut head: Vec<Vec<u8>> = Vec::new();
    let mut line = Vec::new();
    while head.len() < TELLING_LINES && next_line(&mut reader, &mut line)? {
        head.push(std::mem::take(&mut line));
    }
    let Some(format) = Format::of(head.iter().map(Vec::as_slice)) else { return Ok(false) };
    let mut sink = Sink {
        reader: Reader::new(format),
        format,
        at: Position { source: u32::try_from(source).unwrap_or(u32::MAX), line: 0 },
        clock,
        collector,
        entries: Vec::new(),
    };
    for line in head {
        sink.feed(&line);
    }
    while next_line(&mut reader, &mut line)? {
        sink.feed(&line);
    }
    sink.finish();
    Ok(true)
}

/// Reads the next line, or its first part; `false` at the end.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let count = reader.by_ref().take(LINE).read_until(b'\n', line)?;
    if u64::try_from(count).unwrap_or(u64::MAX) == LINE && line.last() != Some(&b'\n') {
        reader.skip_until(b'\n')?;
    }
    Ok(count > 0)
}

struct Sink<'s> {
    reader: Reader,
    format: Format,
    at: Position,
    clock: &'s Clock,
    collector: &'s mut Collector,
    entries: Vec<Entry>,
}

impl Sink<'_> {
    fn feed(&mut self, line: &[u8]) {
        self.at.line += 1;
        if self.format == Format::Access {
            let found = std::str::from_utf8(line).ok().and_then(request);
            if let Some(request) = found {
                let stamp = Stamp { uptime_us: None, wall: Some(request.wall) };
                if let Some(at_us) = self.clock.resolve(&stamp) {
                    self.collector.request(&request, at_us, self.at);
                }
            }
            return;
        }
        self.reader.feed(line, self.at, &mut self.entries);
        self.offer();
    }

    fn finish(&mut self) {
        self.reader.finish(&mut self.entries);
        self.offer();
    }

    fn offer(&mut self) {
        for entry in self.entries.drain(..) {
            if let Some(at_us) = self.clock.resolve(&entry.stamp) {
                self.collector.note(&entry, at_us);
            }
        }
    }
}
