//! Who waits together with a job, and how it is made to wait.
//!
//! A job that has a unit of its own (a timer's service, `systemd-run --scope`) is frozen with that unit:
//! nobody sees it stopped, whatever is born in it is frozen from birth, and a signal that ends it still
//! does. All else is stopped by SIGSTOP, and with it
//!
//! - who works at the other end of its pipes, since one end soon waits for the other anyway,
//! - its children and theirs, those included that are born while it waits,
//! - and where it is in the foreground of a terminal, the shells above it, *before* it is stopped: a shell with
//!   job control that sees its job stopped says so, takes the terminal back and leaves the job in the
//!   background for good. They go on after it, and have seen nothing.
//!
//! A shell without job control, `timeout`, cron and whoever else merely waits for an end (waitpid(2) without
//! `WUNTRACED`) is not told of a stop and stays as it is. `timeout` goes on counting: the time that a job
//! waits is part of the time that it is given, as a suspended node's would be.
//!
//! Parallel jobs of one script, session or unit are jobs each, and wait one by one: what joins large
//! processes is only a pipe that no third one shares.

use super::job::{EARLY, SMALLEST_JOB};
use super::kinds::kind_of;
use crate::action::Way;
use crate::cgroup::Cgroup;
use crate::policy::{Class, Policy};
use crate::snapshot::{Process, Snapshot};

/// Those that can wait with one job.
const MOST: usize = 32;
/// From a process to its children's children: that many steps in all.
const STEPS: usize = 8;

/// Processes that belong together, by their places in the snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Members {
    at: [usize; MOST],
    len: usize,
}

impl Members {
    const fn none() -> Self {
        Self { at: [0; MOST], len: 0 }
    }

    fn has(&self, at: usize) -> bool {
        self.at[..self.len].contains(&at)
    }

    /// Adds one; false when it is there already, or there is no room.
    fn add(&mut self, at: usize) -> bool {
        if self.has(at) || self.len == MOST {
            return false;
        }
        self.at[self.len] = at;
        self.len += 1;
        true
    }

    pub(super) fn of<'m>(
        &'m self,
        snapshot: &'m Snapshot,
    ) -> impl DoubleEndedIterator<Item = &'m Process> {
        self.at[..self.len].iter().filter_map(|at| snapshot.processes.get(*at))
    }
}

/// How this job is made to wait.
pub(super) fn way(snapshot: &Snapshot, policy: &Policy, job: &Process) -> Way {
    let cgroup = job.cgroup;
    let is_zone = policy.zones.iter().any(|zone| Cgroup::of(zone.cgroup.as_bytes()) == cgroup);
    if !cgroup.is_unit() || is_zone {
        return Way::Stop;
    }
    let pipeline = pipeline(snapshot, job);
    // Nothing but this one job: neither what must not wait nor a job that has a turn of its own.
    let kind = |p: &Process| kind_of(p.command.as_bytes());
    let is_sibling = |p: &Process| p.gives_back >= EARLY && kind(p) == kind(job);
    let is_of_it = |(at, p): (usize, &Process)| {
        let is_small = || p.gives_back < SMALLEST_JOB && !is_sibling(p);
        p.ending || (may_wait(snapshot, p) && (pipeline.has(at) || is_small()))
    };
    let all = snapshot.processes.iter().enumerate().filter(|(_, p)| p.cgroup == cgroup);
    if all.into_iter().all(is_of_it) { Way::Freeze } else { Way::Stop }
}

/// The processes that a job is joined to by pipes, itself the first.
pub(super) fn pipeline(snapshot: &Snapshot, job: &Process) -> Members {
    let mut members = with_itself(snapshot, job);
    grow(snapshot, &mut members, |_, _| false);
    members
}

/// Who waits when the job does, that one left out: all of its pipeline and their children, but no job that has
/// a turn of its own.
pub(super) fn below(snapshot: &Snapshot, job: &Process, way: Way) -> Members {
    let mut members = with_itself(snapshot, job);
    match way {
        Way::Freeze => {
            let in_it = |(_, p): &(usize, &Process)| p.cgroup == job.cgroup && !p.ending;
            snapshot.processes.iter().enumerate().filter(in_it).for_each(|(at, _)| {
                members.add(at);
            });
        }
        Way::Stop => {
            grow(snapshot, &mut members, |p, of| {
                p.parent == of.id.pid && p.gives_back < SMALLEST_JOB
            });
        }
    }
    let mut small = Members::none();
    for at in &members.at[..members.len] {
        if snapshot
            .processes
            .get(*at)
            .is_some_and(|p| p.id != job.id && p.gives_back < SMALLEST_JOB)
        {
            small.add(*at);
        }
    }
    small
}

/// The shells above a job in the foreground of a terminal, the nearest first.
pub(super) fn above(snapshot: &Snapshot, job: &Process, way: Way) -> Members {
    let mut shells = Members::none();
    if !job.in_foreground || way == Way::Freeze {
        return shells;
    }
    let mut parent = job.parent;
    while let Ok(at) = snapshot.processes.binary_search_by_key(&parent, |p| p.id.pid) {
        let shell = &snapshot.processes[at];
        let is_near = job.family != 0 && shell.family == job.family;
        if !is_near || !may_wait(snapshot, shell) || !shells.add(at) {
            break;
        }
        parent = shell.parent;
    }
    shells
}

fn with_itself(snapshot: &Snapshot, job: &Process) -> Members {
    let mut members = Members::none();
    if let Ok(at) = snapshot.processes.binary_search_by_key(&job.id.pid, |p| p.id.pid) {
        members.add(at);
    }
    members
}

/// Adds who is joined to a member by a pipe or `belongs` to it, until nobody is.
fn grow(snapshot: &Snapshot, members: &mut Members, belongs: impl Fn(&Process, &Process) -> bool) {
    for _ in 0..STEPS {
        let mut grew = false;
        for (at, process) in snapshot.processes.iter().enumerate() {
            if !may_wait(snapshot, process) || members.has(at) {
                continue;
            }
            let joins = members
                .of(snapshot)
                .any(|m| belongs(process, m) || are_joined(snapshot, m, process));
            grew |= joins && members.add(at);
        }
        if !grew {
            return;
        }
    }
}

/// Whether one writes what the other reads, and no third one that is large shares the pipe: what a script's
/// children have inherited from it joins them to nobody.
fn are_joined(snapshot: &Snapshot, one: &Process, other: &Process) -> bool {
    let shared = |writer: &Process, reader: &Process| {
        (writer.pipes.writes != 0 && writer.pipes.writes == reader.pipes.reads)
            .then_some(writer.pipes.writes)
    };
    let Some(pipe) = shared(one, other).or_else(|| shared(other, one)) else { return false };
    let large = || snapshot.processes.iter().filter(|p| p.gives_back >= SMALLEST_JOB && !p.ending);
    large().filter(|p| p.pipes.writes == pipe).count() <= 1
        && large().filter(|p| p.pipes.reads == pipe).count() <= 1
}

fn may_wait(snapshot: &Snapshot, process: &Process) -> bool {
    process.class == Class::Expendable
        && !process.protected
        && !process.ending
        && process.id.pid != snapshot.own_pid
}
