//! What other logs say near an incident: what to show of it, and how far off it was.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::facts::Facts;
use crate::oomlog::{Event, Position, Task};
use crate::otherlog::{Entry, Noted, What};
use crate::units::Kib;

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;

/// What lies near an incident, in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    /// The entries worth showing.
    pub near: Vec<Near<'a>>,
}

/// An entry near an incident. Being near makes it no cause.
#[derive(Clone, Copy, Debug)]
pub struct Near<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// When it was logged.
    pub at_us: i64,
    /// How far from the incident: negative before its first event, positive after its last, 0 while it
    /// lasted.
    pub distance_us: i64,
    /// For a cron job that stands in the report's task table: what it held.
    pub running: Option<Running>,
    /// How many like it there were.
    pub times: u64,
}

/// A cron job that was still running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its PID.
    pub pid: u32,
    /// What that process held.
    pub rss: Kib,
    /// Whether it is a shell that waits for its command, which then holds more than the shell.
    pub waits: bool,
}

impl<'a> Context<'a> {
    /// What of `noted` lies near the incident from `first_us` to `last_us`.
    #[must_use]
    pub fn of(noted: &'a [Noted], first_us: i64, last_us: i64, events: &[&Event]) -> Self {
        let facts = Facts::of(events);
        let event = facts.as_ref().map(|facts| facts.event);
        // PIDs come round again: only the latest job of a PID can be the process in the table.
        let begun = noted.iter().filter(|noted| noted.at_us <= last_us);
        let latest: BTreeMap<Option<u32>, Position> =
            begun.map(|noted| (pid_of(noted), noted.entry.at)).collect();
        let mut near: Vec<Near<'a>> = Vec::new();
        for noted in noted {
            let lasted = noted.entry.lasted_us.and_then(|us| i64::try_from(us).ok()).unwrap_or(0);
            let began = noted.at_us.saturating_sub(lasted);
            let distance_us = if noted.at_us < first_us {
                noted.at_us.saturating_sub(first_us)
            } else if began > last_us {
                began.saturating_sub(last_us)
            } else {
                0
            };
            let running = event
                .filter(|_| latest.get(&pid_of(noted)) == Some(&noted.entry.at))
                .and_then(|event| running(event, noted));
            let found =
                Near { entry: &noted.entry, at_us: noted.at_us, distance_us, running, times: 1 };
            if !found.is_worth_telling() {
                continue;
            }
            // Of what says the same the nearest stays.
            match near.iter_mut().find(|other| other.says_the_same(&found)) {
                Some(other) if other.distance_us.abs() >= distance_us.abs() => {
                    *other = Near { times: other.times + 1, ..found };
                }
                Some(other) => other.times += 1,
                None => near.push(found),
            }
        }
        // The nearest of each kind.
        near.sort_by_key(|found| (found.running.is_none(), found.order()));
        let mut kept: Vec<Near<'a>> = Vec::new();
        for found in near {
            let same = |other: &&Near<'_>| {
                core::mem::discriminant(&other.entry.what)
                    == core::mem::discriminant(&found.entry.what)
            };
            if kept.iter().filter(same).count() < most(&found.entry.what) {
                kept.push(found);
            }
        }
        kept.sort_by_key(|found| (found.began_us(), found.entry.at));
        Self { near: kept }
    }

    /// Cron jobs that were still running.
    pub fn running_jobs(&self) -> impl Iterator<Item = (&Near<'a>, Running)> {
        self.near.iter().filter_map(|near| Some((near, near.running?)))
    }
}

impl Near<'_> {
    /// When it began, which for what takes no time is when it was logged.
    #[must_use]
    pub fn began_us(&self) -> i64 {
        let lasted = self.entry.lasted_us.and_then(|us| i64::try_from(us).ok()).unwrap_or(0);
        self.at_us.saturating_sub(lasted)
    }

    /// How near an entry of its kind must be.
    fn is_worth_telling(&self) -> bool {
        let within = |before: i64, after: i64| {
            (-before * MINUTE_US..=after * MINUTE_US).contains(&self.distance_us)
        };
        match &self.entry.what {
            What::Query { .. } => within(5, 0),
            What::SlowRequest { .. } => within(5, 1),
            What::WorkersExhausted { .. } => within(15, 2),
            What::MemoryLimit { .. } => within(15, 2),
            What::Complaint { .. } => within(3, 3),
            What::CronStarted { .. } => self.running.is_some() || within(15, 0),
            What::UnitKilled { .. } => within(1, 5),
            What::Package { .. } | What::Deployed { .. } => within(24 * 60, 0),
            What::Login { .. } | What::Command { .. } => within(30, 0),
            What::Requests(peak) => peak.requests > 0,
        }
    }

    fn says_the_same(&self, other: &Near<'_>) -> bool {
        if self.running.is_some() || other.running.is_some() {
            return false;
        }
        match (&self.entry.what, &other.entry.what) {
            (What::Query { statement: a, .. }, What::Query { statement: b, .. }) => {
                a == b && self.distance_us == 0 && other.distance_us == 0
            }
            (What::Requests(_), _) | (_, What::Requests(_)) => false,
            (
                What::SlowRequest { script: a, inside: x, .. },
                What::SlowRequest { script: b, inside: y, .. },
            ) => a == b && x == y,
            (
                What::CronStarted { user: a, command: x, .. },
                What::CronStarted { user: b, command: y, .. },
            ) => a == b && x == y,
            (a, b) => a == b,
        }
    }

    /// The nearest first; of queries the longest.
    fn order(&self) -> (i64, core::cmp::Reverse<u64>) {
        (self.distance_us.abs(), core::cmp::Reverse(self.entry.lasted_us.unwrap_or(0)))
    }
}

/// How many entries of a kind are shown.
fn most(what: &What) -> usize {
    match what {
        What::CronStarted { .. } => 16,
        What::Query { .. } => 6,
        What::SlowRequest { .. } => 5,
        _ => 4,
    }
}

/// The PID that a cron daemon logged.
fn pid_of(noted: &Noted) -> Option<u32> {
    match noted.entry.what {
        What::CronStarted { pid, .. } => pid,
        _ => None,
    }
}

/// The PID a cron daemon logs is that of the shell it starts, and the command's own where the shell
/// hands over to it, as dash does.
fn running(event: &Event, noted: &Noted) -> Option<Running> {
    let pid = pid_of(noted)?;
    // The daemon's own process would be a coincidence of numbers.
    let is_it = |task: &&Task| task.pid == pid && !matches!(task.comm.as_str(), "cron" | "crond");
    let task = event.tasks.iter().find(is_it)?;
    let waits = matches!(task.comm.as_str(), "sh" | "dash" | "bash" | "flock" | "timeout" | "sudo");
    Some(Running { pid, rss: event.pages(task.rss.unwrap_or(0)), waits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oomlog::Stamp;
    use alloc::string::{String, ToString};

    fn noted(line: u64, at_s: i64, lasted_s: u64, what: What) -> Noted {
        let entry = Entry {
            at: Position { source: 1, line },
            stamp: Stamp::default(),
            lasted_us: Some(lasted_s * 1_000_000),
            what,
            text: String::new(),
        };
        Noted { entry, at_us: at_s * SECOND_US }
    }

    fn cron(pid: u32, command: &str) -> What {
        What::CronStarted { user: "app".into(), pid: Some(pid), command: command.to_string() }
    }

    fn query(statement: &str) -> What {
        What::Query { examined: None, disk_tables: false, statement: statement.to_string() }
    }

    #[test]
    fn a_cron_in_the_task_table_was_still_running() {
        let event = Event {
            tasks: [Task { pid: 4711, rss: Some(1000), comm: "php".into(), ..Task::default() }]
                .into(),
            ..Event::default()
        };
        let noted =
            [noted(1, 0, 0, cron(4711, "php a.php")), noted(2, 0, 0, cron(4712, "php b.php"))];
        let at = 10_000 * SECOND_US;
        let context = Context::of(&noted, at, at, &[&event]);
        let running: Vec<_> =
            context.running_jobs().map(|(near, job)| (near.entry.at.line, job.rss)).collect();
        assert_eq!(running, [(1, Kib(4000))]);
        assert_eq!(context.near.len(), 1, "the other ended or is too long ago to tell");
    }

    #[test]
    fn a_pid_that_came_round_again_is_its_last_owners() {
        let event = Event {
            tasks: [Task { pid: 4711, rss: Some(1), comm: "php".into(), ..Task::default() }].into(),
            ..Event::default()
        };
        let noted = [
            noted(1, 100, 0, cron(4711, "old")),
            noted(2, 9_000, 0, cron(4711, "new")),
            noted(3, 10_005, 0, cron(4711, "later")),
        ];
        let at = 10_000 * SECOND_US;
        let context = Context::of(&noted, at, at, &[&event]);
        let running: Vec<u64> =
            context.running_jobs().map(|(near, _)| near.entry.at.line).collect();
        assert_eq!(running, [2]);
    }

    #[test]
    fn distances_count_from_the_incidents_ends() {
        let at = |s: i64| s * SECOND_US;
        let noted = [
            noted(1, 90, 5, query("before")),
            noted(2, 130, 50, query("during")),
            noted(3, 200, 0, What::UnitKilled { unit: "a.service".into(), ended: true }),
        ];
        let context = Context::of(&noted, at(100), at(120), &[]);
        let found: Vec<_> = context
            .near
            .iter()
            .map(|near| (near.entry.at.line, near.distance_us / SECOND_US))
            .collect();
        assert_eq!(found, [(2, 0), (1, -10), (3, 80)]);
    }

    #[test]
    fn what_says_the_same_is_told_once() {
        let noted: Vec<Noted> = (0..9)
            .map(|n| noted(n, i64::try_from(n).unwrap() * 60, 0, cron(1, "every minute")))
            .collect();
        let context = Context::of(&noted, 500 * SECOND_US, 500 * SECOND_US, &[]);
        assert_eq!(context.near.len(), 1);
        assert_eq!((context.near[0].times, context.near[0].entry.at.line), (9, 8));
    }
}
