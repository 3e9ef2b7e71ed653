//! Keeps the entries that lie near an incident, within bounds, and forgets the rest.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::access::Request;
use super::entry::{Entry, What};
use super::traffic::Traffic;
use crate::oomlog::Position;

const MINUTE_US: i64 = 60_000_000;

/// How long before an incident an entry may lie to be kept.
const REACH_US: i64 = 60 * MINUTE_US;

/// The same for what can still be going on or take long to show: cron jobs, releases, packages.
const FAR_REACH_US: i64 = 24 * 60 * MINUTE_US;

/// How long after an incident: long enough for a slow query to end and a unit to be stopped.
const AFTER_US: i64 = 15 * MINUTE_US;

/// Entries of a kind kept before and during one incident.
const MOST_BEFORE: usize = 96;

/// Entries of a kind kept after it.
const MOST_AFTER: usize = 24;

/// Incidents whose surroundings are kept, the newest: those are asked about.
const MOST_WINDOWS: usize = 200;

/// The number of [`Kind`]s.
const KINDS: usize = 11;

/// An entry whose time the caller has resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    /// The entry.
    pub entry: Entry,
    /// When it was logged, in microseconds since 1970, UTC.
    pub at_us: i64,
}

/// Collects what lies near incidents.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    windows: Vec<Window>,
}

#[derive(Clone, Debug)]
struct Window {
    first_us: i64,
    last_us: i64,
    before: [VecDeque<Noted>; KINDS],
    after: [Vec<Noted>; KINDS],
    traffic: Vec<(u32, Traffic)>,
}

impl Collector {
    /// A collector for incidents by their first and last moment.
    #[must_use]
    pub fn new(spans: &[(i64, i64)]) -> Self {
        let newest = spans.len().saturating_sub(MOST_WINDOWS);
        let window = |(first_us, last_us): &(i64, i64)| Window {
            first_us: *first_us,
            last_us: *last_us,
            before: core::array::from_fn(|_| VecDeque::new()),
            after: core::array::from_fn(|_| Vec::new()),
            traffic: Vec::new(),
        };
        Self { windows: spans.iter().skip(newest).map(window).collect() }
    }

    /// Whether there is nothing to collect for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The time before which nothing is wanted of any log.
    #[must_use]
    pub fn earliest_us(&self) -> Option<i64> {
        self.windows.iter().map(|window| window.first_us.saturating_sub(FAR_REACH_US)).min()
    }

    /// Keeps an entry if it lies near an incident.
    pub fn note(&mut self, entry: &Entry, at_us: i64) {
        let kind = kind(&entry.what);
        let reach = if is_far(&entry.what) { FAR_REACH_US } else { REACH_US };
        let lasted = entry.lasted_us.and_then(|us| i64::try_from(us).ok()).unwrap_or(0);
        for window in &mut self.windows {
            let began = at_us.saturating_sub(lasted);
            let near = at_us >= window.first_us.saturating_sub(reach)
                && began <= window.last_us.saturating_add(AFTER_US);
            if near {
                window.keep(kind, Noted { entry: entry.clone(), at_us }, began);
            }
        }
    }

    /// Counts a request.
    pub fn request(&mut self, request: &Request<'_>, at_us: i64, at: Position) {
        for window in &mut self.windows {
            if at_us < window.first_us.saturating_sub(REACH_US) || at_us > window.last_us {
                continue;
            }
            let found = window.traffic.iter_mut().find(|(source, _)| *source == at.source);
            match found {
                Some((_, traffic)) => traffic.add(request, at_us, at),
                None => {
                    let mut traffic = Traffic::around(window.first_us, window.last_us);
                    traffic.add(request, at_us, at);
                    window.traffic.push((at.source, traffic));
                }
            }
        }
    }

    /// Everything that was kept, in the order of time, each once.
    #[must_use]
    pub fn finish(self) -> Vec<Noted> {
        let mut all: Vec<Noted> = Vec::new();
        for window in self.windows {
            let first_us = window.first_us;
            all.extend(window.before.into_iter().flatten());
            all.extend(window.after.into_iter().flatten());
            let peaks = window.traffic.into_iter().filter_map(|(_, traffic)| traffic.peak());
            all.extend(peaks.map(|(at, stamp, peak)| {
                let entry = Entry::new(at, stamp, What::Requests(peak), "");
                Noted { entry, at_us: first_us }
            }));
        }
        all.sort_by_key(|noted| (noted.at_us, noted.entry.at));
        all.dedup();
        all
    }
}

impl Window {
    fn keep(&mut self, kind: usize, noted: Noted, began: i64) {
        if began > self.last_us {
            if let Some(list) = self.after.get_mut(kind).filter(|list| list.len() < MOST_AFTER) {
                list.push(noted);
            }
            return;
        }
        let Some(list) = self.before.get_mut(kind) else { return };
        if list.len() >= MOST_BEFORE {
            // Of queries the shortest goes, of everything else the oldest.
            let shortest = list
                .iter()
                .enumerate()
                .min_by_key(|(_, noted)| noted.entry.lasted_us.unwrap_or(0))
                .map_or(0, |(index, _)| index);
            list.remove(shortest);
        }
        list.push_back(noted);
    }
}

/// Entries are bounded by kind, so that a chatty one does not displace another.
fn kind(what: &What) -> usize {
    match what {
        What::Query { .. } => 0,
        What::SlowRequest { .. } => 1,
        What::WorkersExhausted { .. } => 2,
        What::MemoryLimit { .. } => 3,
        What::Complaint { .. } => 4,
        What::CronStarted { .. } => 5,
        What::UnitKilled { .. } => 6,
        What::Package { .. } => 7,
        What::Deployed { .. } => 8,
        What::Login { .. } | What::Requests(_) => 9,
        What::Command { .. } => 10,
    }
}

fn is_far(what: &What) -> bool {
    matches!(what, What::CronStarted { .. } | What::Package { .. } | What::Deployed { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oomlog::Stamp;
    use alloc::string::ToString;

    fn login(line: u64) -> Entry {
        let what = What::Login { user: "app".to_string(), from: None };
        Entry::new(Position { source: 0, line }, Stamp::default(), what, "")
    }

    #[test]
    fn only_what_lies_near_is_kept() {
        let hour = 60 * MINUTE_US;
        let mut collector = Collector::new(&[(10 * hour, 10 * hour)]);
        for (line, at_us) in [(1, 8 * hour), (2, 9 * hour + 1), (3, 10 * hour + 1), (4, 11 * hour)]
        {
            collector.note(&login(line), at_us);
        }
        let lines: Vec<u64> = collector.finish().iter().map(|noted| noted.entry.at.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn a_chatty_log_takes_no_more_than_its_share() {
        let mut collector = Collector::new(&[(1_000_000_000, 1_000_000_000)]);
        for line in 0..100_000 {
            collector.note(&login(line), 999_000_000 + i64::try_from(line).unwrap());
        }
        let kept = collector.finish();
        assert_eq!(kept.len(), MOST_BEFORE);
        assert_eq!(kept.last().unwrap().entry.at.line, 99_999, "the nearest ones");
    }

    #[test]
    fn a_query_that_ended_later_was_running_then() {
        let mut collector = Collector::new(&[(1_000_000_000, 1_000_000_000)]);
        let what = What::Query { examined: None, disk_tables: false, statement: "s".to_string() };
        let entry = Entry {
            lasted_us: Some(2_000_000_000),
            ..Entry::new(Position::default(), Stamp::default(), what, "")
        };
        collector.note(&entry, 2_500_000_000);
        assert_eq!(collector.finish().len(), 1);
    }
}
