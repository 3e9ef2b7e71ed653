//! Pauses on trial: what the agent, the kernel's file locks and the shop's own workers say about stopped
//! jobs that could hold a lock. Looked at only while there is one.

use std::io;
use std::path::{Path, PathBuf};

use headroom_api::trial::{HOLDERS, HOLDERS_LEN, Held, Holders};
use headroom_core::policy::Class;
use headroom_core::snapshot::{Holding, Moment, Process, ProcessId, Snapshot, Trial};
use headroom_sys::file::read_from;
use headroom_sys::proc::{Doing, Proc};

use file_locks::FileLocks;
use served::Servants;

mod file_locks;
mod served;

/// Workers that are watched; a shop with more has its first ones watched.
const MOST_WORKERS: usize = 128;
/// Findings at one look.
const MOST_TRIALS: usize = 256;

/// A worker of an essential service that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    process: ProcessId,
    mark: u64,
    since: Moment,
    /// Seen at the present look.
    seen: bool,
}

/// Looks for those who wait.
#[derive(Debug)]
pub(crate) struct Trials {
    /// Where the agent answers.
    answers: PathBuf,
    /// Who may: root does, and this user.
    agent: Option<u32>,
    file_locks: Option<FileLocks>,
    servants: Option<Servants>,
    buffer: Box<[u8]>,
    held: Vec<Held>,
    waiting: Vec<Waiting>,
}

impl Trials {
    pub(crate) fn new(answers: PathBuf, agent: Option<u32>, root: &Path) -> Self {
        Self {
            // Without a thread nobody is known to wait for a file.
            file_locks: FileLocks::start(root).ok(),
            servants: None,
            answers: answers.join(HOLDERS),
            agent,
            buffer: vec![0; HOLDERS_LEN].into(),
            held: Vec::with_capacity(headroom_api::trial::MOST_HELD),
            waiting: Vec::with_capacity(MOST_WORKERS),
        }
    }

    /// Has the agent told, by a file in the guard's runtime directory, which threads of a database serve whom
    /// this guard stops.
    pub(crate) fn tell_who_serves(&mut self, root: &Path, runtime_dir: &Path) -> io::Result<()> {
        self.servants = Some(Servants::start(root, runtime_dir)?);
        Ok(())
    }

    /// Has it found out who serves those whose pause is on trial. Waits for nothing and never allocates.
    pub(crate) fn ask_who_serves<'h>(
        &self,
        held: impl Iterator<Item = &'h Held>,
        snapshot: &Snapshot,
    ) {
        if let Some(servants) = &self.servants {
            servants.find(held, snapshot);
        }
    }

    /// Room for what is found, so that none is made in a storm.
    pub(crate) fn room() -> Vec<Trial> {
        Vec::with_capacity(MOST_TRIALS)
    }

    /// Puts what is known about those who are held into the snapshot. Never allocates.
    pub(crate) fn look<'h>(
        &mut self,
        proc: &mut Proc,
        held: impl Iterator<Item = &'h Held>,
        snapshot: &mut Snapshot,
    ) {
        snapshot.trials.clear();
        snapshot.worker_waits = None;
        self.held.clear();
        self.held.extend(held.copied());
        if self.held.is_empty() {
            self.waiting.clear();
            return;
        }
        self.read_answers(snapshot);
        self.read_file_locks(snapshot);
        self.watch_workers(proc, snapshot);
    }

    /// What the agent found out, of these very stops.
    fn read_answers(&mut self, snapshot: &mut Snapshot) {
        let Ok(file) = read_from(&self.answers, self.agent, &mut self.buffer) else { return };
        let Some(holders) = Holders::decode(file) else { return };
        for held in &self.held {
            // The question before the stop is none about it.
            let told = holders.of(held).filter(|_| holders.asked >= held.since);
            // Nothing is held only when nobody holds anything who waits with it.
            let job = job_of(held);
            let of_others = || self.held.iter().filter(|other| job_of(other) == job);
            let all_told = || of_others().all(|other| holders.of(other).is_some());
            let holding = told.filter(|told| *told != Holding::Nothing || all_told());
            let id = match held.with {
                0 => Some(held.id),
                job => find(&snapshot.processes, job).map(|p| p.id),
            };
            let Some(id) = id else { continue };
            if let Some(holding) = holding {
                note(snapshot, Trial { id, holding, asked: holders.asked });
            }
        }
    }

    /// Who waits for a file lock of a stopped process, or of the `flock` that started it.
    fn read_file_locks(&self, snapshot: &mut Snapshot) {
        let Some(file_locks) = &self.file_locks else { return };
        let now = snapshot.at;
        let Snapshot { processes, trials, .. } = snapshot;
        let mut waited = |held: &Held, asked| {
            if trials.len() < trials.capacity() {
                let job = find(processes, job_of(held)).map_or(held.id, |job| job.id);
                trials.push(Trial { id: job, holding: Holding::Waited, asked });
            }
        };
        file_locks.latest(now, |read, (holder, waiter)| {
            let Some(waiter) = find(processes, waiter) else { return };
            for held in self.held.iter().filter(|held| read >= held.since) {
                let Some(job) = find(processes, held.id.pid).filter(|p| p.id == held.id) else {
                    continue;
                };
                let is_its = holder == held.id.pid || holder == job.parent;
                // A younger job that waits for an older one has to, whether that is stopped or not.
                let has_to = waiter.class == Class::Expendable
                    && waiter.id.start_ticks >= job.id.start_ticks;
                if is_its && !has_to {
                    waited(held, read);
                }
            }
        });
    }

    /// Since when one of the shop's workers waits without getting on.
    fn watch_workers(&mut self, proc: &mut Proc, snapshot: &mut Snapshot) {
        let now = snapshot.at;
        self.waiting.iter_mut().for_each(|w| w.seen = false);
        let is_worker = |p: &&Process| p.is_worker && p.class == Class::Essential && !p.ending;
        for worker in snapshot.processes.iter().filter(is_worker).take(MOST_WORKERS) {
            let Ok(Doing::Waits { mark }) = proc.doing(worker.id.pid) else { continue };
            let is_it = |w: &Waiting| w.process == worker.id;
            let since = match self.waiting.iter().position(is_it) {
                Some(at) => {
                    let known = self.waiting.swap_remove(at);
                    if known.mark == mark { known.since } else { now }
                }
                None => now,
            };
            if self.waiting.len() < MOST_WORKERS {
                self.waiting.push(Waiting { process: worker.id, mark, since, seen: true });
            }
        }
        self.waiting.retain(|w| w.seen);
        snapshot.worker_waits = self.waiting.iter().map(|w| w.since).min();
    }
}

/// The pid of the job that goes on when this one has to.
const fn job_of(held: &Held) -> i32 {
    if held.with == 0 { held.id.pid } else { held.with }
}

fn note(snapshot: &mut Snapshot, trial: Trial) {
    if snapshot.trials.len() < snapshot.trials.capacity() {
        snapshot.trials.push(trial);
    }
}

/// In the order of their pids, as /proc lists them.
fn find(processes: &[Process], pid: i32) -> Option<&Process> {
    let at = processes.binary_search_by_key(&pid, |p| p.id.pid).ok()?;
    processes.get(at)
}

#[cfg(test)]
mod tests;
