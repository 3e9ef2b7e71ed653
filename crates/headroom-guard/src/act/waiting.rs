//! Has jobs wait and lets them go on.
//!
//! A paused process is written down first, in a file that outlives the guard: none stays stopped for
//! ever because the guard died. The same holds for a frozen unit (`freezer`).

use std::time::Duration;

use headroom_api::trial;
use headroom_core::action::{Report, Way};
use headroom_core::cgroup::Cgroup;
use headroom_core::snapshot::{Process, ProcessId, Snapshot};
use headroom_sys::ReadError;
use headroom_sys::own;
use headroom_sys::proc::Proc;
use headroom_sys::process::Target;

use super::{Hands, report_of};
use crate::freezer::{Freezer, Units};
use crate::protect;

/// How long a process is waited for that was sent SIGSTOP, this often ...
const STILL_EVERY: Duration = Duration::from_micros(200);
/// ... and that many times: 10 ms.
const STILL_TRIES: u32 = 50;

/// So many of a family are looked at.
const FAMILY: usize = 16;
/// Whoever waits with a job leaves this many places to jobs.
const KEPT_FOR_JOBS: usize = 32;
/// How long the end waits for what is frozen to go on; what comes after the guard sees to the rest.
const GOES_ON: Duration = Duration::from_secs(2);

impl Hands {
    /// Freezes from now on what can be frozen.
    pub(crate) fn freeze_by(&mut self, freezer: Freezer) {
        self.freezer = Some(freezer);
    }

    /// Who was sent SIGSTOP.
    pub(crate) fn stopped(&self) -> impl Iterator<Item = ProcessId> {
        self.held.all().filter(|held| !held.frozen).map(|held| held.id)
    }

    /// The units that are frozen.
    pub(crate) fn frozen(&self) -> impl Iterator<Item = Cgroup> {
        self.frozen.iter().map(|(_, unit)| *unit)
    }

    /// The jobs that an earlier guard had wait and that wait still; whoever has ended meanwhile is forgotten.
    pub(crate) fn left(&mut self, proc: &mut Proc) -> Vec<trial::Held> {
        let all: Vec<_> = self.held.all().copied().collect();
        let mut left = Vec::with_capacity(all.len());
        for held in all {
            match proc.stat(held.id.pid).map(|stat| stat.start_ticks) {
                Ok(other) if other != held.id.start_ticks => self.held.remove(held.id),
                Err(ReadError::Gone) => self.held.remove(held.id),
                // What cannot be read now may wait still.
                Ok(_) | Err(_) => left.extend((held.with == 0).then_some(held)),
            }
        }
        left
    }

    /// Whether anybody waits, be it only one that waited with a job.
    pub(crate) fn holds_any(&self) -> bool {
        self.held.any().is_some()
    }

    /// Takes over whose units are frozen.
    pub(crate) fn take_over_frozen(&mut self, proc: &mut Proc, units: &Units) {
        for id in units.jobs() {
            let mut path = [0; 512];
            if let Ok(path) = proc.cgroup(id.pid, &mut path)
                && self.frozen.len() < self.frozen.capacity()
            {
                self.frozen.push((id, Cgroup::of(path)));
            }
        }
    }

    /// Lets go on whoever is neither a job that is held, nor waits with one.
    pub(crate) fn keep_waiting(&mut self, proc: &mut Proc, is_held: impl Fn(ProcessId) -> bool) {
        let all: Vec<_> = self.held.all().copied().collect();
        for job in all.iter().filter(|job| job.with == 0 && !is_held(job.id)) {
            self.let_go(proc, job.id);
        }
        let leads =
            |other: &trial::Held| all.iter().any(|job| job.with == 0 && job.id.pid == other.with);
        for other in all.iter().filter(|other| other.with != 0 && !leads(other)) {
            let _gone_already = self.wake(proc, other.id);
            self.held.remove(other.id);
        }
    }

    /// Lets everybody go on that an earlier guard left stopped, or that this one holds.
    pub(crate) fn thaw_all(&mut self, proc: &mut Proc) -> usize {
        let mut thawed = 0;
        while let Some(id) = self.held.any() {
            thawed += usize::from(self.wake(proc, id).is_ok());
            self.strike_out(proc, id);
        }
        if let Some(freezer) = &self.freezer {
            freezer.settle(GOES_ON);
        }
        thawed
    }

    /// Has a process wait and looks, now that nothing can change any more, whether it could hold a lock
    /// behind some connection, its own or one of those it works together with. If so its pause is on
    /// trial.
    pub(super) fn pause(
        &mut self,
        proc: &mut Proc,
        process: &Process,
        way: Way,
        snapshot: &Snapshot,
    ) -> Report {
        let id = process.id;
        let target = match Target::open(proc, id) {
            Ok(target) => target,
            Err(error) => return report_of(error),
        };
        if !self.held.add(trial::Held::stopped(id, own::now())) {
            return Report::Refused;
        }
        let frozen = way == Way::Freeze && self.freeze(proc, process, snapshot);
        if !frozen {
            if let Err(error) = target.stop() {
                self.held.remove(id);
                return report_of(error);
            }
            wait_until_still(proc, id.pid);
        }
        self.left_alone = self.left_alone.filter(|other| *other != id);
        let mut on_trial = proc.has_connection(id.pid).unwrap_or(true);
        for other in family_of(process, snapshot, frozen).take(FAMILY) {
            if proc.has_connection(other.id.pid).unwrap_or(true) {
                on_trial = true;
                // What it holds is its own: it is asked about as well.
                if frozen && other.cgroup == process.cgroup && self.held.room() > KEPT_FOR_JOBS {
                    let waits = trial::Held::stopped(other.id, own::now());
                    self.held.add(trial::Held { frozen, with: id.pid, ..waits });
                    self.held.put_on_trial(other.id, own::now());
                }
            }
        }
        if on_trial {
            self.held.put_on_trial(id, own::now());
            return Report::OnTrial;
        }
        Report::Signalled
    }

    /// Sends SIGSTOP ahead to one that [`Self::relieve`] is about to have wait: until the first of many stands
    /// still some milliseconds pass, in which the others would take more. Whoever is in the foreground of
    /// a terminal is left to its turn, since the shells above it must stand still before.
    pub(crate) fn stop_ahead(&mut self, proc: &mut Proc, process: &Process) {
        let in_turn = self.dry_run || process.in_foreground;
        if in_turn || protect::at_weighing(proc, *process).protected {
            return;
        }
        let Ok(target) = Target::open(proc, process.id) else { return };
        if self.held.add(trial::Held::stopped(process.id, own::now())) && target.stop().is_err() {
            self.held.remove(process.id);
        }
    }

    /// Goes the way of a pause and of its end on this very process, which is never stopped.
    pub(crate) fn rehearse(&mut self, proc: &mut Proc, snapshot: &Snapshot, own: &Process) {
        if self.held.add(trial::Held::stopped(own.id, own::now())) {
            self.held.put_on_trial(own.id, own::now());
        }
        wait_until_still(proc, 0);
        let _nobody = family_of(own, snapshot, false).count();
        // SIGCONT, of all signals the one that a running process takes no notice of.
        let _it_runs = self.thaw(proc, own.id);
        self.let_go(proc, own.id);
    }

    /// Freezes a process's unit, unless somebody in it was protected since that was decided; false when it is
    /// not frozen.
    fn freeze(&mut self, proc: &mut Proc, process: &Process, snapshot: &Snapshot) -> bool {
        let Some(freezer) = &self.freezer else { return false };
        let mut in_it = snapshot.processes.iter().filter(|p| p.cgroup == process.cgroup);
        if in_it.any(|p| protect::at_weighing(proc, *p).protected) || !freezer.freeze(process.id) {
            return false;
        }
        if self.frozen.len() < self.frozen.capacity() {
            self.frozen.push((process.id, process.cgroup));
        }
        let held = trial::Held::stopped(process.id, own::now());
        self.held.add(trial::Held { frozen: true, ..held });
        true
    }

    /// Stops one more that works together with a job. Says of that job when its pause is on trial by it.
    pub(crate) fn stop_too(
        &mut self,
        proc: &mut Proc,
        process: Process,
        with: ProcessId,
    ) -> Option<Report> {
        let id = process.id;
        let is_free = self.held.get(id).is_none() && self.held.room() > KEPT_FOR_JOBS;
        if self.dry_run || !is_free || self.left_alone == Some(with) {
            return None;
        }
        if protect::at_weighing(proc, process).protected {
            return None;
        }
        let target = Target::open(proc, id).ok()?;
        let held = trial::Held::stopped(id, own::now());
        if !self.held.add(trial::Held { with: with.pid, ..held }) {
            return None;
        }
        if target.stop().is_err() {
            self.held.remove(id);
            return None;
        }
        wait_until_still(proc, id.pid);
        let is_connected = proc.has_connection(id.pid).unwrap_or(true);
        is_connected.then(|| {
            self.held.put_on_trial(id, own::now());
            Report::OnTrial
        })
    }

    /// A job that was to wait does not: nobody waits with it.
    pub(crate) fn leave_alone(&mut self, proc: &mut Proc, id: ProcessId) {
        self.left_alone = Some(id);
        self.let_go(proc, id);
    }

    /// Strikes out a job and lets it go on, and whoever waits with it: those last that were stopped first,
    /// since they wait for the others.
    pub(crate) fn let_go(&mut self, proc: &mut Proc, id: ProcessId) {
        let _gone_already = self.wake(proc, id);
        self.strike_out(proc, id);
    }

    fn strike_out(&mut self, proc: &mut Proc, id: ProcessId) {
        self.held.remove(id);
        while let Some(other) = self.held.last_with(id) {
            let _gone_already = self.wake(proc, other.id);
            self.held.remove(other.id);
        }
    }

    /// Lets one go on that is held, in the way that it was made to wait.
    fn wake(&mut self, proc: &mut Proc, id: ProcessId) -> Result<(), ReadError> {
        let Some(held) = self.held.get(id) else { return Err(ReadError::Gone) };
        if !held.frozen {
            return Target::open(proc, id)?.resume();
        }
        // One that is frozen with another goes on with that one.
        let thawed = self.freezer.as_ref().is_none_or(|f| held.with != 0 || f.thaw(id));
        if !thawed {
            return Err(ReadError::Forbidden);
        }
        self.frozen.retain(|(frozen, _)| *frozen != id);
        Ok(())
    }

    /// Those whose pause is on trial.
    pub(crate) fn on_trial(&self) -> impl Iterator<Item = &trial::Held> {
        self.held.on_trial()
    }

    pub(super) fn thaw(&mut self, proc: &mut Proc, id: ProcessId) -> Report {
        let sent = match self.wake(proc, id) {
            // Of one that is not held only the signal can be sent.
            Err(ReadError::Gone) => Target::open(proc, id).and_then(|target| target.resume()),
            sent => sent,
        };
        // Whom it could not reach stays on the list: it is tried again, at the latest by the next guard.
        if matches!(sent, Ok(()) | Err(ReadError::Gone)) {
            self.strike_out(proc, id);
        }
        sent.map_or_else(report_of, |()| Report::Signalled)
    }
}

/// Others of its session, and where its unit is frozen of that: what one of them holds it may hold for as long
/// as a pipe between them is full.
fn family_of<'s>(
    of: &Process,
    snapshot: &'s Snapshot,
    frozen: bool,
) -> impl Iterator<Item = &'s Process> {
    let (id, family, cgroup) = (of.id, of.family, of.cgroup);
    let is_near = move |p: &&Process| {
        let together = (family != 0 && p.family == family) || (frozen && p.cgroup == cgroup);
        together && p.id != id && !p.ending
    };
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
