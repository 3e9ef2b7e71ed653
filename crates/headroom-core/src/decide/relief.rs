//! Relief in one zone: one victim at a time, from the choice to the moment its memory is back.

use core::time::Duration;

use super::{FASTEST, is_fresh, rank};
use crate::action::{Action, Ending, Measured, Outcome, Relief, Report, Trigger, Verdict};
use crate::policy::Policy;
use crate::snapshot::{Moment, Process, ProcessId, Snapshot, ZoneIndex};
use crate::units::Kib;

/// A victim that has not ended this long after SIGKILL sleeps uninterruptibly; another is chosen.
const STUCK: Duration = Duration::from_secs(2);
/// How often it is said that nothing may be slain.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Where relief in a zone stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ZoneRelief {
    stage: Stage,
    complained: Option<Moment>,
    /// The last one that would not end: never chosen again.
    stuck: Option<ProcessId>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// Signalled, not ended.
    Ending(Victim),
    /// Ended; its memory is on the way back.
    Settling { victim: Victim, ending: Ending, ended: Moment },
}

#[derive(Clone, Copy, Debug)]
struct Victim {
    process: Process,
    trigger: Trigger,
    signalled: Moment,
    killed: Option<Moment>,
    available_before: Kib,
}

impl ZoneRelief {
    pub(super) const fn victim(&self) -> Option<ProcessId> {
        match self.stage {
            Stage::Ending(v) => Some(v.process.id),
            Stage::Idle | Stage::Settling { .. } => None,
        }
    }

    pub(super) const fn is_busy(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
    }

    pub(super) fn report(&mut self, id: ProcessId, what: Report, at: Moment) {
        let Stage::Ending(victim) = self.stage else { return };
        if victim.process.id != id {
            return;
        }
        let ending = match what {
            Report::Signalled => return,
            Report::Ended => Ending::Gone,
            Report::Vanished => Ending::Vanished,
            Report::Refused | Report::MayHoldLock => {
                self.stuck = Some(id);
                Ending::Refused
            }
        };
        self.stage = Stage::Settling { victim, ending, ended: at };
    }
}

/// Everything one step goes by.
pub(super) struct Situation<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) policy: &'a Policy,
    pub(super) zone: ZoneIndex,
    pub(super) measured: &'a Measured,
    pub(super) reason: Option<Trigger>,
    pub(super) incident: u64,
    /// Jobs were paused a moment ago: what that gives must show first, if there is time.
    pub(super) paused_just_now: bool,
}

/// What one step leads to.
pub(super) struct Step {
    pub(super) relief: ZoneRelief,
    pub(super) action: Option<Action>,
    pub(super) wait: Duration,
}

/// One step in one zone. `spared` are those that another zone's relief already waits for.
pub(super) fn step(
    relief: &ZoneRelief,
    now: &Situation<'_>,
    spared: impl Fn(ProcessId) -> bool,
) -> Step {
    match relief.stage {
        Stage::Idle => match now.reason {
            Some(_) if now.paused_just_now && !is_hard(now) => {
                Step { relief: *relief, action: None, wait: FASTEST }
            }
            Some(trigger) => choose(relief, now, trigger, spared),
            None => Step { relief: *relief, action: None, wait: Duration::MAX },
        },
        Stage::Ending(victim) => wait_for_end(relief, now, victim),
        Stage::Settling { victim, ending, ended } => settle(relief, now, victim, ending, ended),
    }
}

fn choose(
    relief: &ZoneRelief,
    now: &Situation<'_>,
    trigger: Trigger,
    spared: impl Fn(ProcessId) -> bool,
) -> Step {
    if !is_fresh(now.snapshot) {
        return Step { relief: *relief, action: Some(Action::Scan), wait: Duration::ZERO };
    }
    let thresholds = now.policy.thresholds();
    let chosen = rank::first(now.snapshot, now.zone, thresholds.minimum_gain.0, |p| {
        spared(p.id) || relief.stuck == Some(p.id)
    });
    match chosen {
        Some(process) => end(relief, now, trigger, process),
        None => nobody(relief, now, trigger),
    }
}

/// Ends this process: the first signal, from which the rest follows.
pub(super) fn end(
    relief: &ZoneRelief,
    now: &Situation<'_>,
    trigger: Trigger,
    process: Process,
) -> Step {
    let at = now.snapshot.at;
    let hard = is_hard(now);
    let victim = Victim {
        process,
        trigger,
        signalled: at,
        killed: hard.then_some(at),
        available_before: now.measured.available,
    };
    let signal = if hard { Relief::Kill } else { Relief::Terminate };
    Step {
        relief: ZoneRelief { stage: Stage::Ending(victim), complained: None, ..*relief },
        action: Some(Action::Relieve(verdict(now, trigger, signal, Some(process), false))),
        wait: FASTEST,
    }
}

fn nobody(relief: &ZoneRelief, now: &Situation<'_>, trigger: Trigger) -> Step {
    let at = now.snapshot.at;
    let quiet = relief.complained.is_some_and(|said| at.since(said) < COMPLAIN_EVERY);
    let complained = if quiet { relief.complained } else { Some(at) };
    Step {
        relief: ZoneRelief { complained, ..*relief },
        action: (!quiet)
            .then(|| Action::Relieve(verdict(now, trigger, Relief::Nothing, None, false))),
        wait: FASTEST * 5,
    }
}

fn wait_for_end(relief: &ZoneRelief, now: &Situation<'_>, victim: Victim) -> Step {
    let at = now.snapshot.at;
    let waited = at.since(victim.signalled);
    match victim.killed {
        None if is_hard(now) || waited >= now.policy.thresholds().grace() => {
            let victim = Victim { killed: Some(at), ..victim };
            let process = Some(victim.process);
            Step {
                relief: ZoneRelief { stage: Stage::Ending(victim), ..*relief },
                action: Some(Action::Relieve(verdict(
                    now,
                    victim.trigger,
                    Relief::Kill,
                    process,
                    true,
                ))),
                wait: FASTEST,
            }
        }
        Some(killed) if at.since(killed) >= STUCK => Step {
            relief: ZoneRelief { stage: Stage::Idle, stuck: Some(victim.process.id), ..*relief },
            action: Some(Action::Tell(outcome(now, victim, Ending::Stuck, at))),
            wait: FASTEST,
        },
        _ => Step { relief: *relief, action: None, wait: FASTEST },
    }
}

fn settle(
    relief: &ZoneRelief,
    now: &Situation<'_>,
    victim: Victim,
    ending: Ending,
    ended: Moment,
) -> Step {
    let back = victim.available_before.saturating_add(victim.process.gives_back);
    let settled = now.snapshot.at.since(ended) >= now.policy.thresholds().settle.0
        || now.measured.available >= back
        || ending != Ending::Gone;
    if !settled {
        return Step { relief: *relief, action: None, wait: FASTEST };
    }
    Step {
        relief: ZoneRelief { stage: Stage::Idle, ..*relief },
        action: Some(Action::Tell(outcome(now, victim, ending, ended))),
        // Look again at once: the storm may not be over.
        wait: Duration::ZERO,
    }
}

/// Whether there is no time left for SIGTERM.
fn is_hard(now: &Situation<'_>) -> bool {
    now.measured.available < now.policy.thresholds().hard_floor_of(now.measured.limit)
        || now.reason == Some(Trigger::Kills)
        || now.reason == Some(Trigger::Thrashing)
}

fn verdict(
    now: &Situation<'_>,
    trigger: Trigger,
    relief: Relief,
    process: Option<Process>,
    escalated: bool,
) -> Verdict {
    Verdict {
        incident: now.incident,
        zone: now.zone,
        trigger,
        measured: *now.measured,
        relief,
        process,
        age: process.map_or(Duration::ZERO, |p| p.age(now.snapshot.at)),
        escalated,
    }
}

fn outcome(now: &Situation<'_>, victim: Victim, ending: Ending, ended: Moment) -> Outcome {
    Outcome {
        incident: now.incident,
        zone: now.zone,
        process: victim.process,
        ending,
        took: ended.since(victim.signalled),
        available_before: victim.available_before,
        available_after: now.measured.available,
    }
}
