//! A job as admission sees it: what it takes, whether it grows, waits, or could hold a lock.

use alloc::vec::Vec;
use core::time::Duration;

use super::kinds::{JobRun, Kinds, folded, kind_of};
use crate::action::Because;
use crate::policy::Class;
use crate::snapshot::{Holding, Moment, Process, ProcessId, Snapshot, Trial};
use crate::units::Kib;

/// Smaller processes are not worth a pause; they are reckoned with by number.
pub const SMALLEST_JOB: Kib = Kib::from_mib(15);
/// A job of a kind not seen before is expected to need at least this while it grows.
const UNKNOWN_NEED: Kib = Kib::from_mib(64);
/// One of so many of its kind that none of them shows yet what they take: at least this, so that as little as
/// possible lies with those that will wait.
const UNKNOWN_NEED_OF_MANY: Kib = Kib::from_mib(96);
/// So many of a kind are many, ...
pub(super) const MANY: usize = 4;
/// ... and where they begin together, they are jobs from this size on.
pub(super) const EARLY: Kib = Kib::from_mib(8);
/// A job that has stopped growing may still need this much.
const SETTLED_NEED: Kib = Kib::from_mib(4);
/// More than this is growth and not noise.
const GROWTH: Kib = Kib::from_mib(1);
/// A job that did not grow for this long of its own time has what it needs.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// A job that could not be paused is asked again after this, one that held a lock at the latest.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(5);
/// One that held a lock is asked again after this, and after half as long again each further time ...
const ASK_FIRST: Duration = Duration::from_millis(60);
/// ... and so much longer by its pid: those that were stopped together are not asked together.
const ASK_APART: Duration = Duration::from_millis(7);
/// What was found out about a stopped job is true for this long.
const TRUE_FOR: Duration = Duration::from_millis(500);
/// Without word of it, a worker of the shop that waits for this long waits for the stopped job.
const WORKER_WAITS: Duration = Duration::from_millis(100);

/// A job that an earlier guard had wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which one.
    pub id: ProcessId,
    /// When it was stopped.
    pub since: Moment,
    /// It could hold a lock.
    pub on_trial: bool,
}

/// A job: an expendable process large enough to matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) process: Process,
    /// The oldest job of its pipeline, mostly itself: by that one's turn all of them go.
    pub(super) lead: ProcessId,
    pub(super) kind: u64,
    pub(super) peak: Kib,
    /// What it had when it last grew, and when that was.
    pub(super) mark: Kib,
    pub(super) grew: Moment,
    pub(super) held_since: Option<Moment>,
    /// It was stopped by this and was not seen to run since, whatever was sent to it meanwhile.
    pub(super) is_stopped: bool,
    /// How long it waited in all, the present wait left out.
    pub(super) waited: Duration,
    pub(super) not_before: Moment,
    /// It is stopped and could hold a lock.
    pub(super) on_trial: bool,
    /// How often in a row it had to go on since it may have held one.
    pub(super) held_lock: u32,
    pub(super) slain: bool,
}

/// What is to be done with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Stop it: its need does not fit.
    Pause {
        /// What it is expected to take yet.
        need: Kib,
        /// What is left for it.
        room: Kib,
        /// It is not the oldest of its pipeline.
        follows: bool,
    },
    /// Let it go on.
    Thaw {
        /// How long it waited.
        waited: Duration,
        /// Why now.
        because: Because,
    },
    /// It waited longer than the policy lets anybody wait.
    Overdue {
        /// How long it waited.
        waited: Duration,
    },
    /// Somebody else let it go on.
    Freed,
    /// It ended while it was paused.
    Vanished {
        /// How long it waited.
        waited: Duration,
    },
}

impl Job {
    pub(super) fn new(process: &Process, now: Moment) -> Self {
        // An old one that is seen for the first time, when the guard starts, is not taken for growing
        // before it does.
        let is_young = process.age(now) < SETTLED_AFTER;
        Self {
            process: *process,
            lead: process.id,
            kind: kind_of(process.command.as_bytes()),
            peak: process.gives_back,
            mark: process.gives_back,
            grew: if is_young { now } else { Moment::default() },
            held_since: None,
            is_stopped: false,
            waited: Duration::ZERO,
            not_before: Moment::default(),
            on_trial: false,
            held_lock: 0,
            slain: false,
        }
    }

    /// What it took, now that it has ended.
    pub(super) fn run(&self, now: Moment) -> JobRun {
        let waits = self.held_since.map_or(Duration::ZERO, |since| now.since(since));
        let waited = self.waited.saturating_add(waits);
        JobRun {
            kind: self.kind,
            command: folded(self.process.command.as_bytes()),
            peak: self.peak,
            ran: self.process.age(now).saturating_sub(waited),
            waited,
            slain: self.slain,
        }
    }

    /// Takes in how it is now; true when somebody else let it go on.
    pub(super) fn see(&mut self, process: &Process, now: Moment) -> bool {
        self.process = *process;
        self.peak = self.peak.max(process.gives_back);
        if process.gives_back >= self.mark.saturating_add(GROWTH) {
            self.mark = process.gives_back;
            self.grew = now;
        }
        let was_held = self.held_since.is_some_and(|since| since < now);
        if (was_held || self.held_since.is_none()) && !process.paused {
            self.held_since = None;
            self.is_stopped = false;
        }
        was_held && !process.paused
    }

    /// It waits already since an earlier guard had it wait.
    pub(super) fn waiting(self, left: Option<&Left>) -> Self {
        let Some(left) = left else { return self };
        Self { held_since: Some(left.since), is_stopped: true, on_trial: left.on_trial, ..self }
    }

    /// Whether it is this room's to have it wait or run: it is neither on its way out nor stopped by somebody
    /// else. Whoever is takes nothing meanwhile.
    pub(super) fn is_ours(&self) -> bool {
        !self.slain && (self.held_since.is_some() || !self.process.paused)
    }

    /// Whether it goes by the turn of an older one.
    pub(super) fn follows(&self) -> bool {
        self.lead != self.process.id
    }

    /// It runs from now on, or waits, if it does not already.
    pub(super) fn turn(
        &mut self,
        runs: bool,
        now: Moment,
        (need, room): (Kib, Kib),
        turns: &mut Vec<(Process, Turn)>,
    ) {
        match self.held_since {
            Some(since) if runs => {
                let waited = now.since(since);
                self.held_since = None;
                self.held_lock = 0;
                self.waited = self.waited.saturating_add(waited);
                self.grew = now;
                turns.push((self.process, Turn::Thaw { waited, because: Because::Room }));
            }
            None if !runs => {
                self.held_since = Some(now);
                self.is_stopped = true;
                self.on_trial = false;
                let follows = self.follows();
                turns.push((self.process, Turn::Pause { need, room, follows }));
            }
            Some(_) | None => {}
        }
    }

    pub(super) fn is_on_trial(&self) -> bool {
        self.on_trial && self.held_since.is_some() && !self.slain
    }

    /// Why it has to go on, if it has to. What was found out is believed while it is fresh; without it
    /// a shop whose workers wait is reason enough, whatever they wait for.
    pub(super) fn verdict(&self, snapshot: &Snapshot, since: Moment) -> Option<Because> {
        let now = snapshot.at;
        let of_it = |t: &&Trial| t.id == self.process.id && now.since(t.asked) <= TRUE_FOR;
        let worst = snapshot.trials.iter().filter(of_it).map(|t| t.holding).max();
        match worst {
            Some(Holding::Nothing) => None,
            Some(Holding::Lock) => Some(Because::Lock),
            Some(Holding::Waited) => Some(Because::Waited),
            None => {
                let waits = snapshot.worker_waits?.max(since);
                (now.since(waits) >= WORKER_WAITS).then_some(Because::Waited)
            }
        }
    }

    /// It goes on, and is asked again later.
    pub(super) fn put_off(&mut self, now: Moment, waited: Duration) {
        let mut wait = ASK_FIRST;
        for _ in 0..self.held_lock.min(16) {
            wait = wait.saturating_add(wait / 2);
        }
        let apart = ASK_APART.saturating_mul(self.process.id.pid.unsigned_abs() % 8);
        self.not_before = now.after(wait.min(ASK_AGAIN).saturating_add(apart));
        self.held_lock = self.held_lock.saturating_add(1);
        self.held_since = None;
        self.on_trial = false;
        self.waited = self.waited.saturating_add(waited);
        self.grew = now;
    }

    /// It goes on to end, and is not asked to wait again for long.
    pub(super) fn let_end(&mut self, now: Moment, waited: Duration) {
        self.held_since = None;
        self.on_trial = false;
        self.not_before = now.after(ASK_AGAIN);
        self.waited = self.waited.saturating_add(waited);
    }

    pub(super) fn is_growing(&self, now: Moment) -> bool {
        self.held_since.is_none() && !self.process.paused && now.since(self.grew) < SETTLED_AFTER
    }

    /// What it is expected to take yet: by what its kind took before, by what `jobs` of its kind take that grow
    /// no more, else by what it has itself.
    pub(super) fn need(&self, kinds: &Kinds, jobs: &[Self], now: Moment) -> Kib {
        let has = self.process.gives_back;
        let may_grow = self.held_since.is_some() || self.is_growing(now);
        let settled = jobs.iter().filter(|j| may_grow && self.is_sibling(j) && j.is_settled(now));
        match kinds.peak(self.kind).max(settled.map(|j| j.process.gives_back).max()) {
            // One that had it all and gives back is about to end.
            Some(peak) if peak > has && self.peak < peak.percent(95) => peak.saturating_sub(has),
            Some(peak) if has <= peak.percent(105) => SETTLED_NEED,
            _ if may_grow => {
                let of_its_kind = jobs.iter().filter(|j| j.kind == self.kind).count();
                has.max(if of_its_kind >= MANY { UNKNOWN_NEED_OF_MANY } else { UNKNOWN_NEED })
            }
            _ => SETTLED_NEED,
        }
    }

    fn is_sibling(&self, other: &Self) -> bool {
        self.kind == other.kind && self.process.id != other.process.id
    }

    /// Whether it runs and has what it needs, as far as that shows.
    fn is_settled(&self, now: Moment) -> bool {
        let runs = self.held_since.is_none() && !self.process.paused && !self.process.ending;
        runs && !self.slain && !self.is_growing(now)
    }
}

pub(super) fn is_young(process: &Process, now: Moment) -> bool {
    process.class == Class::Expendable && !process.ending && process.age(now) < SETTLED_AFTER
}
