//! Carries out what was decided. Chooses nothing.
//!
//! A paused process is written down first, in a file that outlives the guard: none stays stopped for
//! ever because the guard died.
//!
//! Before a signal the process is opened as a pidfd and checked against its start time, so that a
//! reused pid is never hit. A process that vanished is not an error.

use std::time::Duration;

use headroom_api::trial;
use headroom_core::action::{Relief, Report, Verdict};
use headroom_core::snapshot::{Moment, Process, ProcessId, Snapshot};
use headroom_sys::ReadError;
use headroom_sys::own;
use headroom_sys::proc::Proc;
use headroom_sys::process::Target;
use headroom_sys::wait::{Interest, Waiter};

use crate::held::Held;
use crate::protect;
use crate::table::Table;
use crate::tokens::VICTIM;

/// How long a process is waited for that was sent SIGSTOP, this often ...
const STILL_EVERY: Duration = Duration::from_micros(200);
/// ... and that many times: 10 ms.
const STILL_TRIES: u32 = 50;

/// So many of a family are looked at.
const FAMILY: usize = 16;

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
}

impl Hands {
    pub(crate) fn new(dry_run: bool, held: Held) -> Self {
        Self {
            dry_run,
            awaited: Vec::with_capacity(MOST),
            scores_refused: false,
            held,
            sent: Moment::default(),
        }
    }

    /// Lets everybody go on that an earlier guard left stopped, or that this one holds.
    pub(crate) fn thaw_all(&mut self, proc: &mut Proc) -> usize {
        let mut thawed = 0;
        while let Some(id) = self.held.any() {
            if Target::open(proc, id).is_ok_and(|target| target.resume().is_ok()) {
                thawed += 1;
            }
            self.held.remove(id);
        }
        thawed
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
            Relief::Pause { .. } => return Some(self.pause(proc, &process, snapshot)),
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
        if self.held.contains(id) {
            // A stopped process takes SIGTERM only when it goes on.
            let _gone_already = target.resume();
            self.held.remove(id);
        }
        // Also after SIGTERM: where no handler catches it the process is dying already, and its own
        // way out may be long while it competes for a processor. With a handler the kernel says
        // EINVAL, and nothing is lost.
        let _still_has_a_handler = target.reap();
        if self.awaited.len() < MOST {
            self.awaited.push((id, target));
        }
        Some(Report::Signalled)
    }

    /// Ends one more of a family. Nobody waits for it: the next scan says whether it is still there.
    pub(crate) fn end_too(&mut self, proc: &mut Proc, id: ProcessId) {
        if self.dry_run {
            return;
        }
        if let Ok(target) = Target::open(proc, id) {
            let _gone_already = target.kill();
        }
        self.held.remove(id);
    }

    /// Stops a process and looks, now that nothing can change any more, whether it could hold a lock
    /// behind some connection, its own or one of those it works together with. If so its pause is on
    /// trial.
    fn pause(&mut self, proc: &mut Proc, process: &Process, snapshot: &Snapshot) -> Report {
        let id = process.id;
        let target = match Target::open(proc, id) {
            Ok(target) => target,
            Err(error) => return report_of(error),
        };
        if !self.held.add(id, own::now()) {
            return Report::Refused;
        }
        if let Err(error) = target.stop() {
            self.held.remove(id);
            return report_of(error);
        }
        wait_until_still(proc, id.pid);
        let mut together = family_of(process, snapshot).map(|p| p.id.pid).take(FAMILY);
        let is_connected = |proc: &mut Proc, pid| proc.has_connection(pid).unwrap_or(true);
        if is_connected(proc, id.pid) || together.any(|pid| is_connected(proc, pid)) {
            self.held.put_on_trial(id, own::now());
            return Report::OnTrial;
        }
        Report::Signalled
    }

    /// Goes the way of a pause and of its end on this very process, which is never stopped.
    pub(crate) fn rehearse(&mut self, proc: &mut Proc, snapshot: &Snapshot, own: &Process) {
        if self.held.add(own.id, own::now()) {
            self.held.put_on_trial(own.id, own::now());
        }
        wait_until_still(proc, 0);
        let _nobody = family_of(own, snapshot).count();
        // SIGCONT, of all signals the one that a running process takes no notice of.
        let _it_runs = self.thaw(proc, own.id);
        self.held.remove(own.id);
    }

    /// Those whose pause is on trial.
    pub(crate) fn on_trial(&self) -> impl Iterator<Item = &trial::Held> {
        self.held.on_trial()
    }

    fn thaw(&mut self, proc: &mut Proc, id: ProcessId) -> Report {
        let sent = Target::open(proc, id).and_then(|target| target.resume());
        // Whom it could not reach stays on the list: it is tried again, at the latest by the next guard.
        if matches!(sent, Ok(()) | Err(ReadError::Gone)) {
            self.held.remove(id);
        }
        sent.map_or_else(report_of, |()| Report::Signalled)
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

/// Others of its session: what one of them holds it may hold for as long as a pipe between them is full.
fn family_of<'s>(of: &Process, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s Process> {
    let (id, family) = (of.id, of.family);
    let is_near = move |p: &&Process| family != 0 && p.family == family && p.id != id && !p.ending;
    snapshot.processes.iter().filter(is_near)
}

/// Waits until a process that was sent SIGSTOP runs no more of its own code: it is stopped, or in the
/// middle of a call into the kernel from which it will not come back before it goes on.
fn wait_until_still(proc: &mut Proc, pid: i32) {
    for _ in 0..STILL_TRIES {
        match proc.stat(pid) {
            Ok(stat) if !stat.is_stopped() && stat.state != b'D' => std::thread::sleep(STILL_EVERY),
            _ => return,
        }
    }
}

const fn report_of(error: ReadError) -> Report {
    match error {
        ReadError::Gone => Report::Vanished,
        ReadError::Forbidden | ReadError::Malformed { .. } | ReadError::Other(_) => Report::Refused,
    }
}
