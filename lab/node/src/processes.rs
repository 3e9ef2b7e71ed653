//! Watches who belongs to the shop, who to the storm, and which of the storm's own are made to wait.
//!
//! After the storm the dead cannot be asked any more, and guards name their victims by pid at best, so
//! everybody is written down while alive. The owner is looked at again and again: cron forks as root and
//! becomes the job's user only later.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lab_facts::{Process, Service};

/// Four looks a second cost the emulated core less than one part in a hundred.
const INTERVAL: Duration = Duration::from_millis(250);
/// The application's user, who runs the jobs.
const APP_UID: u32 = 1000;
/// Units all of whose processes are the shop's. Of ssh and cron only the main process is.
const WHOLE_UNITS: [&str; 3] = ["mariadb.service", "php8.2-fpm.service", "nginx.service"];

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    essential: HashMap<u32, Process>,
    jobs: HashMap<u32, Job>,
    paused: HashSet<(u32, u64)>,
    /// Processes of other users, whose unit was looked up once.
    other: HashSet<u32>,
}

struct Job {
    process: Process,
    cgroup: String,
}

impl Seen {
    /// The shop's own.
    pub(crate) fn essential(&self) -> Vec<Process> {
        self.essential.values().cloned().collect()
    }

    /// The storm's own.
    pub(crate) fn jobs(&self) -> Vec<Process> {
        self.jobs.values().map(|job| job.process.clone()).collect()
    }

    /// How many of the storm's own were ever seen stopped or frozen.
    pub(crate) fn paused(&self) -> u32 {
        u32::try_from(self.paused.len()).unwrap_or(u32::MAX)
    }

    fn look(&mut self, main_pids: &[u32]) {
        for pid in pids() {
            if self.essential.contains_key(&pid) {
                continue;
            }
            let (is_app, is_main) = (owner(pid) == Some(APP_UID), main_pids.contains(&pid));
            if is_app || is_main || self.other.insert(pid) {
                self.note(pid, is_app, is_main);
            }
        }
    }

    fn note(&mut self, pid: u32, is_app: bool, is_main: bool) {
        let Some(stat) = Stat::read(pid) else { return };
        let known = self.jobs.get(&pid).filter(|job| job.process.start_ticks == stat.start_ticks);
        if let Some(job) = known {
            if stat.state == 'T' || is_frozen(&job.cgroup) {
                self.paused.insert((pid, stat.start_ticks));
            }
            // The name changes when cron's child becomes the shell, and the shell the job.
            if job.process.comm == stat.comm {
                return;
            }
        }
        let Some(cgroup) = cgroup(pid) else { return };
        let unit = cgroup.rsplit('/').next().unwrap_or_default().to_owned();
        let title = title(pid);
        let essential = is_main || WHOLE_UNITS.contains(&unit.as_str());
        let process = Process { pid, start_ticks: stat.start_ticks, comm: stat.comm, unit, title };
        if essential {
            self.essential.insert(pid, process);
        } else if is_app {
            self.jobs.insert(pid, Job { process, cgroup });
        }
    }
}

/// A watch under way.
pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Watch {
    /// Begins to watch; `services` are the essential ones as they are now.
    pub(crate) fn begin(services: &[Service]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let main_pids: Vec<u32> = services.iter().map(|service| service.main_pid).collect();
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while !until.load(Ordering::Relaxed) {
                seen.look(&main_pids);
                thread::sleep(INTERVAL);
            }
            seen
        });
        Self { over, thread }
    }

    /// Ends it.
    pub(crate) fn end(self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// Whether any process of the application's user outside the shop is still there.
pub(crate) fn any_job_left() -> bool {
    pids().any(|pid| {
        owner(pid) == Some(APP_UID)
            && cgroup(pid).is_some_and(|path| !WHOLE_UNITS.iter().any(|unit| path.ends_with(unit)))
    })
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn owner(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|metadata| metadata.uid())
}

fn cgroup(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.trim_end().strip_prefix("0::").map(str::to_owned)
}

fn title(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    line.trim_end().chars().take(120).collect()
}

fn is_frozen(cgroup: &str) -> bool {
    let events = fs::read_to_string(format!("/sys/fs/cgroup{cgroup}/cgroup.events"));
    events.is_ok_and(|events| events.lines().any(|line| line == "frozen 1"))
}

/// The fields of /proc/PID/stat that matter here (proc(5)).
struct Stat {
    comm: String,
    state: char,
    start_ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name may hold spaces and parentheses itself: it ends at the last one.
    fn parse(text: &str) -> Option<Self> {
        let (head, tail) = text.rsplit_once(") ")?;
        let (_, comm) = head.split_once('(')?;
        let mut fields = tail.split(' ');
        let state = fields.next()?.chars().next()?;
        // Field 3 is behind us; the start time is field 22.
        let start_ticks = fields.nth(18)?.parse().ok()?;
        Some(Self { comm: comm.to_owned(), state, start_ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "77 (a) S (b) T 1 77 77 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 1 0 4242 1 2\n";
        let stat = Stat::parse(text).expect("well formed");
        assert_eq!((stat.comm.as_str(), stat.state, stat.start_ticks), ("a) S (b", 'T', 4242));
    }
}
