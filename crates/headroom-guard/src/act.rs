//! Carries out what was decided. Chooses nothing. `waiting` is the part that has jobs wait.
//!
//! Before a signal the process is opened as a pidfd and checked against its start time, so that a
//! reused pid is never hit. A process that vanished is not an error.

use headroom_api::trial;
use headroom_core::action::{Relief, Report, Verdict};
use headroom_core::cgroup::Cgroup;
use headroom_core::snapshot::{Moment, ProcessId, Snapshot};
use headroom_sys::ReadError;
use headroom_sys::own;
use headroom_sys::proc::Proc;
use headroom_sys::process::Target;
use headroom_sys::wait::{Interest, Waiter};

use crate::freezer::Freezer;
use crate::held::Held;
use crate::protect;
use crate::table::Table;
use crate::tokens::VICTIM;

mod reaper;
mod waiting;

pub(crate) use reaper::Reaper;

#[cfg(test)]
mod tests;

/// Victims that may be awaited at once: one in each zone.
const MOST: usize = 9;

/// The hands of the guard.
#[derive(Debug)]
pub(crate) struct Hands {
    dry_run: bool,
    awaited: Vec<(ProcessId, Target)>,
    /// The kernel refused to lower an `oom_score_adj`; not tried again and again.
    pub(crate) scores_refused: bool,
    held: Held,
    /// When the last victim was sent its signal: what comes after is not the reflex's.
    pub(crate) sent: Moment,
    /// A dry run takes nothing back.
    reaper: Option<Reaper>,
    /// Where this node has cgroup v2.
    freezer: Option<Freezer>,
    /// The units that are frozen, each by its job.
    frozen: Vec<(ProcessId, Cgroup)>,
    /// A job that could not be paused: nobody waits with it.
    left_alone: Option<ProcessId>,
}

impl Hands {
    pub(crate) fn new(dry_run: bool, held: Held) -> Self {
        Self {
            dry_run,
            awaited: Vec::with_capacity(MOST),
            scores_refused: false,
            held,
            sent: Moment::default(),
            reaper: None,
            freezer: None,
            frozen: Vec::with_capacity(trial::MOST_HELD),
            left_alone: None,
        }
    }

    /// Takes back the memory of victims from now on, before they get round to it.
    pub(crate) fn reap_by(&mut self, reaper: Reaper) {
        self.reaper = Some(reaper);
    }

    /// Takes back the memory of a process that was sent a signal; where it lives on nothing is lost.
    pub(crate) fn reap(&self, target: &Target) {
        if let Some(reaper) = &self.reaper {
            reaper.reap(target);
        }
    }

    pub(crate) const fn is_dry(&self) -> bool {
        self.dry_run
    }

    /// Carries out a verdict and says what came of the signal. Without a waiter, for which the kernel takes
    /// memory, a victim's end is found out at the next look.
    pub(crate) fn relieve(
        &mut self,
        proc: &mut Proc,
        waiter: Option<&Waiter>,
        verdict: &Verdict,
        snapshot: &Snapshot,
    ) -> Option<Report> {
        let process = verdict.process?;
        let id = process.id;
        // It may have been protected since it was chosen. Thawing hurts nobody.
        let is_thaw = matches!(verdict.relief, Relief::Thaw { .. });
        if self.dry_run || (!is_thaw && protect::at_weighing(proc, process).protected) {
            return Some(Report::Refused);
        }
        match verdict.relief {
            Relief::Pause { way, .. } => return Some(self.pause(proc, &process, way, snapshot)),
            Relief::Thaw { .. } => return Some(self.thaw(proc, id)),
            Relief::Nothing | Relief::Useless { .. } => return None,
            Relief::Terminate | Relief::Kill | Relief::KillFamily { .. } | Relief::Trim { .. } => {}
        }
        let target = match self.awaited.iter().position(|(awaited, _)| *awaited == id) {
            Some(at) => self.awaited.swap_remove(at).1,
            None => match Target::open(proc, id) {
                Ok(target) => target,
                Err(error) => return Some(report_of(error)),
            },
        };
        let sent = match verdict.relief {
            Relief::Terminate => target.terminate(),
            _ => target.kill(),
        };
        if let Err(error) = sent {
            return Some(report_of(error));
        }
        self.sent = own::now();
        // Readable when the process ends, if it is not waited for already. Not before the signal, since it
        // takes memory.
        let _the_next_look_finds_out = waiter.map(|w| w.add(&target, Interest::Readable, VICTIM));
        // A stopped process takes SIGTERM only when it goes on.
        self.let_go(proc, id);
        // Also after SIGTERM: where no handler catches it the process is dying already, and its own
        // way out may be long while it competes for a processor. With a handler the kernel says
        // EINVAL, and nothing is lost.
        self.reap(&target);
        if self.awaited.len() < MOST {
            self.awaited.push((id, target));
        }
        Some(Report::Signalled)
    }

    /// Ends one more of a family. Nobody waits for it: the next scan says whether it is still there.
    pub(crate) fn end_too(&mut self, proc: &mut Proc, id: ProcessId) -> bool {
        if self.dry_run {
            return false;
        }
        let is_sent = Target::open(proc, id).is_ok_and(|target| target.kill().is_ok());
        self.let_go(proc, id);
        is_sent
    }

    /// Takes out one victim that has ended, if there is one.
    pub(crate) fn ended(&mut self) -> Option<ProcessId> {
        let at = self.awaited.iter().position(|(_, target)| target.has_ended())?;
        Some(self.awaited.swap_remove(at).0)
    }

    /// Forgets those that nobody waits for any more.
    pub(crate) fn keep_only(&mut self, is_awaited: impl Fn(ProcessId) -> bool) {
        self.awaited.retain(|(id, _)| is_awaited(*id));
    }

    /// Writes an `oom_score_adj`.
    pub(crate) fn set_score(
        &mut self,
        proc: &mut Proc,
        snapshot: &mut Snapshot,
        id: ProcessId,
        value: i16,
    ) {
        let current = Table::score(snapshot, id);
        let lowers = current.is_some_and(|current| value < current);
        if self.dry_run || (lowers && self.scores_refused) {
            return;
        }
        match proc.set_oom_score_adj_of(id, value) {
            Ok(()) => Table::note_score(snapshot, id, value),
            Err(ReadError::Forbidden) if lowers => self.scores_refused = true,
            // It ended, or another user's process that root in a container may not touch.
            Err(_) => {}
        }
    }
}

const fn report_of(error: ReadError) -> Report {
    match error {
        ReadError::Gone => Report::Vanished,
        ReadError::Forbidden | ReadError::Malformed { .. } | ReadError::Other(_) => Report::Refused,
    }
}
