//! Where logs come from, and what was found in them.

mod bundle;
mod dating;
pub(crate) mod kept;
mod live;
mod merge;
pub(crate) mod open;
mod piped;
mod progress;
mod reversed;
mod rotation;
mod scan;
mod skim;
mod timeline;
mod utf16;
pub(crate) mod when;

use std::path::{Path, PathBuf};

use headroom_core::diagnose::{self, Dated, Incident};
use headroom_core::oomlog::{Parser, Position};

use when::Clock;

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The sources' names, by their numbers in positions.
    pub(crate) sources: Vec<String>,
    /// Events in the order of time.
    pub(crate) events: Vec<Dated>,
    /// What could not be read, said for the user.
    pub(crate) problems: Vec<String>,
    /// Notes on what was read that is no failure.
    pub(crate) notes: Vec<String>,
    /// Reports that are cut.
    pub(crate) truncated_reports: u64,
    /// Lines of reports that could not be understood.
    pub(crate) unparsed_lines: u64,
    /// What each log says of time.
    logs: Vec<dating::Read>,
    /// What came through standard input, if it was not too much.
    pub(crate) piped: Option<kept::Kept>,
}

/// The times asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Range {
    pub(crate) since: Option<jiff::Timestamp>,
    pub(crate) until: Option<jiff::Timestamp>,
}

impl Range {
    /// Whether a time is asked for; an unknown one is, unless a bound was given.
    fn holds(&self, at_us: Option<i64>) -> bool {
        let Some(at_us) = at_us else { return self.since.is_none() && self.until.is_none() };
        self.since.is_none_or(|since| since.as_microsecond() <= at_us)
            && self.until.is_none_or(|until| at_us < until.as_microsecond())
    }
}

impl Gathered {
    /// The incidents with an event in the range, or only the last of them.
    pub(crate) fn incidents(&self, range: &Range, last: bool) -> Vec<Incident> {
        let mut incidents = diagnose::incidents(&self.events);
        incidents.retain(|incident| {
            incident
                .events
                .iter()
                .any(|i| self.events.get(*i).is_some_and(|event| range.holds(event.at_us)))
        });
        if last {
            incidents.drain(..incidents.len().saturating_sub(1));
        }
        incidents
    }

    /// `kern.log:131`
    pub(crate) fn place(&self, at: Position) -> String {
        format!("{}:{}", self.source(at), at.line)
    }

    /// The name of a position's source.
    pub(crate) fn source(&self, at: Position) -> &str {
        usize::try_from(at.source)
            .ok()
            .and_then(|i| self.sources.get(i))
            .map_or("?", String::as_str)
    }

    fn read(&mut self, path: &Path) {
        let source = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        let (mut log, clock) = match open::log(path) {
            Ok(opened) => opened,
            Err(problem) => return self.problems.push(problem),
        };
        if path.as_os_str() == "-" {
            self.piped = Some(log.keep());
        }
        let name = open::name(path);
        self.sources.push(name.clone());
        let problems = self.problems.len();
        if self.take(log, source, &clock) == 0 && self.problems.len() == problems {
            self.notes.push(format!("{name} is empty"));
        }
    }

    /// Reads a log to its end; gives back how many bytes it had.
    fn take(&mut self, log: open::Log, source: u32, clock: &Clock) -> u64 {
        let mut parser = Parser::new();
        let mut found = Vec::new();
        let (name, compressed) = (log.name.clone(), log.compressed);
        let mut seen = scan::Seen::default();
        if let Err(error) = scan::scan(log, source, &mut parser, &mut found, &mut seen) {
            self.problems.push(format!("{name}: {}", open::reading_explained(&error, compressed)));
        } else if seen.binary && found.is_empty() {
            self.notes.push(format!("{name} looks like no text log"));
        }
        if seen.forgotten > 0 {
            self.notes.push(format!("{name}: the oldest {} events were let go", seen.forgotten));
        }
        let counts = parser.counts();
        self.truncated_reports += counts.truncated_reports;
        self.unparsed_lines += counts.unparsed_lines;
        found.sort_by_key(|event| event.first);
        let clock = clock.clone().with_boot(seen.timeline.boot_us());
        self.events.extend(found.into_iter().map(|event| {
            let at_us = clock.resolve(&event.stamp);
            Dated { event, at_us }
        }));
        self.logs.push(dating::Read { source, clock, timeline: seen.timeline });
        seen.bytes
    }

    /// Dates the events against each other, and brings them into the order of time.
    fn order(&mut self) {
        for family in rotation::families(&self.sources, std::mem::take(&mut self.logs)) {
            dating::rotations(&family, &mut self.events);
        }
        merge::in_order(&mut self.events);
    }
}

/// Reads the files named.
pub(crate) fn files(paths: &[PathBuf]) -> Gathered {
    let mut gathered = Gathered::default();
    for path in paths {
        gathered.read(path);
    }
    gathered.order();
    gathered
}

/// Reads the node's own logs, or with `HEADROOM_ROOT` set the files under it.
pub(crate) fn live(range: &Range) -> Gathered {
    let mut gathered = Gathered::default();
    let root = std::env::var_os("HEADROOM_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from);
    live::read(&mut gathered, root.as_deref(), range);
    gathered.order();
    gathered
}
