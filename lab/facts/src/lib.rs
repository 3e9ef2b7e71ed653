//! What the node of the lab tells its host: one JSON object at the end of a run.
//!
//! The node only reports what it saw; the host judges. So a judgement can be mended and run again
//! over the facts that earlier runs left behind.

mod advised;
pub mod tour;

use serde::{Deserialize, Serialize};

pub use advised::{Advised, Case, Storm};

/// Begins each line of the second serial port that is meant for the host.
pub const SAYS: &str = "LAB ";
/// In a line that says why the director gave up, stands before the reason.
pub const FAILED: &str = "failed: ";
/// Begins the one line that carries [`Facts`] as JSON.
pub const FACTS: &str = "LAB-FACTS ";

/// The scenario that is no storm but the tour (`tour`).
pub const TOUR: &str = "tour";

/// Everything the director saw in one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// `uname -r` of the node.
    pub kernel: String,
    /// What the probe saw before the storm and after it began.
    pub probe: ProbeFacts,
    /// The essential services when the probe began.
    pub before: Vec<Service>,
    /// The same services after the storm.
    pub after: Vec<Service>,
    /// Every process that was seen to belong to an essential service.
    pub essential_processes: Vec<Process>,
    /// Every process of the application's user that was seen outside them: the storm's own.
    pub job_processes: Vec<Process>,
    /// How many processes of jobs were ever seen stopped or frozen.
    pub paused: u32,
    /// Kernel OOM kills since boot (`oom_kill` of /proc/vmstat).
    pub kernel_oom_kills: u64,
    /// Jobs the scenario's crontab asks for.
    pub jobs_expected: u32,
    /// Jobs that got as far as their first line.
    pub jobs_started: u32,
    /// Jobs that reached their end.
    pub jobs_finished: u32,
    /// From the storm's start to the end of the last job that finished.
    pub last_finish_s: Option<f64>,
    /// Whether the shop answered within ten seconds when all was over.
    pub answers_after: bool,
    /// The guard's own cost, where there is a guard.
    pub guard: Option<GuardFacts>,
    /// Seconds from boot to a shop that answers.
    pub ready_s: f64,
}

/// One systemd service at one moment, as `systemctl show` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The unit's name without `.service`.
    pub name: String,
    /// Its main process, 0 when it has none.
    pub main_pid: u32,
    /// How often systemd restarted it by itself.
    pub restarts: u32,
    /// `ActiveState`.
    pub state: String,
}

/// A process once seen, known by its id and its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Start time in ticks after boot (field 22 of /proc/PID/stat).
    pub start_ticks: u64,
    /// Its name (`comm`).
    pub comm: String,
    /// The unit it was seen in, the last part of its cgroup's path.
    pub unit: String,
    /// Its command line, or the title it gave itself.
    pub title: String,
}

/// What the guard's own process cost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GuardFacts {
    /// Resident memory at the end of the storm.
    pub rss_kib: u64,
    /// The anonymous part of it.
    pub anon_kib: u64,
    /// CPU time from the probe's start to the end.
    pub cpu_ms: u64,
    /// Voluntary context switches a second over the same time: how often it slept and was woken.
    pub switches_per_s: f64,
    /// Seconds over which these were taken.
    pub over_s: f64,
}

/// The probe's two windows.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct ProbeFacts {
    /// Before the storm.
    pub base: Window,
    /// From the storm's start on.
    pub storm: Window,
    /// The least memory available (`MemAvailable`) in the storm.
    pub least_available_kib: u64,
    /// The longest time without a break in which less than the mark was available; none if it never was.
    pub short_ms: Option<u64>,
}

/// Answers over one stretch of time. Times are the node's own; an unanswered question counts with the whole
/// time limit, however soon its error came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Questions asked.
    pub probes: u32,
    /// Those answered with status 200 within the time limit.
    pub answered: u32,
    /// From the start of the first unanswered question in a row to the end of the last.
    pub longest_outage_s: f64,
    /// Median time to the page.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// The value of a line `key = value` in an `about` file; lines that begin with `#` are comments.
#[must_use]
pub fn setting<'a>(about: &'a str, key: &str) -> Option<&'a str> {
    let lines = about.lines().filter(|line| !line.starts_with('#'));
    let mut pairs = lines.filter_map(|line| line.split_once('='));
    pairs.find(|(found, _)| found.trim() == key).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_no_setting() {
        let about = "# jobs = 3 in words\njobs = 10\nhold = 75\n";
        assert_eq!(setting(about, "jobs"), Some("10"));
        assert_eq!(setting(about, "unit"), None);
    }
}
