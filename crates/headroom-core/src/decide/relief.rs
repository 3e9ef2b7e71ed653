//! Relief in one zone: one victim at a time, from the choice to the moment its memory is back.

use core::time::Duration;

use super::avoided::Avoided;
use super::family::{self, Scratch, Unit};
use super::{FASTEST, is_fresh, rank, trim};
use crate::action::{Action, Ending, Measured, Outcome, Relief, Report, Trigger, Verdict};
use crate::policy::Policy;
use crate::snapshot::{Moment, Process, ProcessId, Snapshot, ZoneIndex};
use crate::units::Kib;

/// A victim that has not ended this long after SIGKILL sleeps uninterruptibly; another is chosen.
const STUCK: Duration = Duration::from_secs(2);
/// Ends in a row that gave nothing back, after which relief rests ...
const USELESS: u32 = 5;
/// ... for this long, and then tries one more.
const REST: Duration = Duration::from_secs(2);
/// Whoever could not be signalled is asked again after this: it may have been protected for a moment.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// What is on its way out gives its memory back within this time, or is not waited for any longer: it may
/// be another guard's victim, or the kernel's, and a second one would be one too many.
const ON_ITS_WAY: Duration = Duration::from_millis(300);
/// A single process that gives back less than this share of the floor, in per cent, is no relief where a
/// swarm gives back more.
const LITTLE: u64 = 25;
/// A worker of the shop is not ended for less than that share, nor, on a large node, for less than this.
const WORTH_A_REQUEST: Kib = Kib::from_mib(32);
/// How often it is said that nothing may be slain.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// Where relief in a zone stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ZoneRelief {
    stage: Stage,
    complained: Option<Moment>,
    /// Those that could not be signalled, for a while, and those that would not end, for ever.
    avoided: Avoided,
    /// Ends in a row that gave nothing back.
    useless: u32,
    rests_until: Option<Moment>,
    /// Since when somebody is on its way out whom this relief did not send.
    leaving_since: Option<Moment>,
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
    /// The family that ends with it.
    family: Option<Unit>,
    /// What comes back in all.
    gives_back: Kib,
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
            Report::Signalled | Report::OnTrial => return,
            Report::Ended => Ending::Gone,
            Report::Vanished => Ending::Vanished,
            Report::Refused => {
                self.avoided.add(id, at, ASK_AGAIN);
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
    /// All that is left of this family ends too.
    pub(super) family: Option<Unit>,
    pub(super) wait: Duration,
}

impl Step {
    /// Nothing to do but wait.
    const fn rest(relief: ZoneRelief, wait: Duration) -> Self {
        Self { relief, action: None, family: None, wait }
    }

    const fn with(relief: ZoneRelief, action: Action, wait: Duration) -> Self {
        Self { relief, action: Some(action), family: None, wait }
    }

    /// Whether somebody has ended and given its memory back.
    pub(super) const fn has_relieved(&self) -> bool {
        matches!(self.action, Some(Action::Tell(Outcome { ending: Ending::Gone, .. })))
    }
}

/// One step in one zone. `spared` are those that another zone's relief already waits for.
pub(super) fn step(
    scratch: &mut Scratch,
    relief: &ZoneRelief,
    now: &Situation<'_>,
    spared: impl Fn(ProcessId) -> bool + Copy,
) -> Step {
    match relief.stage {
        Stage::Idle => match now.reason {
            Some(_) if now.paused_just_now && !is_hard(now) => Step::rest(*relief, FASTEST),
            Some(trigger) => choose(scratch, relief, now, trigger, spared),
            None => Step::rest(ZoneRelief { useless: 0, ..*relief }, Duration::MAX),
        },
        Stage::Ending(victim) => wait_for_end(relief, now, victim),
        Stage::Settling { victim, ending, ended } => settle(relief, now, victim, ending, ended),
    }
}

fn choose(
    scratch: &mut Scratch,
    relief: &ZoneRelief,
    now: &Situation<'_>,
    trigger: Trigger,
    spared: impl Fn(ProcessId) -> bool + Copy,
) -> Step {
    let at = now.snapshot.at;
    if !is_fresh(now.snapshot) {
        return Step::with(*relief, Action::ScanToChoose, Duration::ZERO);
    }
    if relief.useless >= USELESS {
        return match relief.rests_until {
            None => {
                let relief = ZoneRelief { rests_until: Some(at.after(REST)), ..*relief };
                let useless = Relief::Useless { ends: relief.useless };
                let verdict = verdict(now, trigger, useless, None, false);
                Step::with(relief, Action::Relieve(verdict), FASTEST)
            }
            Some(until) if at < until => Step::rest(*relief, FASTEST),
            Some(_) => Step::rest(
                ZoneRelief { useless: USELESS - 1, rests_until: None, ..*relief },
                FASTEST,
            ),
        };
    }
    let thresholds = now.policy.thresholds();
    let least = thresholds.minimum_gain.0;
    let spared = |id: ProcessId| spared(id) || relief.avoided.holds(id, at);
    let is_leaving = now.snapshot.processes.iter().any(|p| {
        p.ending
            && p.class.may_be_slain()
            && p.is_in(now.zone)
            && p.gives_back >= least
            && !spared(p.id)
    });
    let since = is_leaving.then(|| relief.leaving_since.unwrap_or(at));
    let relief = &ZoneRelief { leaving_since: since, ..*relief };
    if since.is_some_and(|since| at.since(since) < ON_ITS_WAY) {
        return Step::rest(*relief, FASTEST);
    }
    let single = rank::first(now.snapshot, now.zone, least, |p| spared(p.id));
    if let Some(process) = single.filter(|p| p.slay_family)
        && let Some(family) = family::family_of(scratch, now.snapshot, now.zone, &process)
    {
        return end_family(relief, now, trigger, family);
    }
    let alone = single.map_or(Kib::ZERO, |p| p.gives_back);
    // Not on the horizon alone: who takes all that memory may still be small.
    if trigger != Trigger::Horizon && alone < now.measured.floor.percent(LITTLE) {
        let enough = least.max(alone.percent(200));
        if let Some(family) =
            family::swarm(scratch, now.snapshot, now.zone, (least, enough), spared)
        {
            return end_family(relief, now, trigger, family);
        }
    }
    if let Some(process) = single {
        return end(relief, now, trigger, process);
    }
    let floor = now.measured.floor;
    let worth = least.max(floor.percent(LITTLE).min(WORTH_A_REQUEST));
    // Reading pages again is no reason for a request to be lost as long as memory is left.
    if is_hard(now)
        && (now.measured.available < floor || trigger == Trigger::Kills)
        && let Some((worker, usual)) =
            trim::worker_far_above(scratch, now.snapshot, now.zone, worth, spared)
    {
        let signal = Relief::Trim { usual };
        return begin(
            relief,
            now,
            trigger,
            signal,
            Victim { killed: Some(at), ..victim(now, trigger, worker) },
        );
    }
    nobody(relief, now, trigger)
}

fn victim(now: &Situation<'_>, trigger: Trigger, process: Process) -> Victim {
    Victim {
        process,
        trigger,
        signalled: now.snapshot.at,
        killed: None,
        available_before: now.measured.available,
        family: None,
        gives_back: process.gives_back,
    }
}

fn begin(
    relief: &ZoneRelief,
    now: &Situation<'_>,
    trigger: Trigger,
    signal: Relief,
    victim: Victim,
) -> Step {
    let verdict = verdict(now, trigger, signal, Some(victim.process), false);
    Step {
        relief: ZoneRelief { stage: Stage::Ending(victim), complained: None, ..*relief },
        action: Some(Action::Relieve(verdict)),
        family: victim.family,
        wait: FASTEST,
    }
}

fn end_family(
    relief: &ZoneRelief,
    now: &Situation<'_>,
    trigger: Trigger,
    family: family::Family,
) -> Step {
    let victim = Victim {
        killed: Some(now.snapshot.at),
        family: Some(family.unit),
        gives_back: family.gives_back,
        ..victim(now, trigger, family.largest)
    };
    let family::Family { members, gives_back, .. } = family;
    begin(relief, now, trigger, Relief::KillFamily { members, gives_back }, victim)
}

/// Ends this process: the first signal, from which the rest follows.
pub(super) fn end(
    relief: &ZoneRelief,
    now: &Situation<'_>,
    trigger: Trigger,
    process: Process,
) -> Step {
    let hard = is_hard(now);
    let killed = hard.then_some(now.snapshot.at);
    let signal = if hard { Relief::Kill } else { Relief::Terminate };
    begin(relief, now, trigger, signal, Victim { killed, ..victim(now, trigger, process) })
}

fn nobody(relief: &ZoneRelief, now: &Situation<'_>, trigger: Trigger) -> Step {
    let at = now.snapshot.at;
    let wait = FASTEST * 5;
    if relief.complained.is_some_and(|said| at.since(said) < COMPLAIN_EVERY) {
        return Step::rest(*relief, wait);
    }
    let verdict = verdict(now, trigger, Relief::Nothing, None, false);
    Step::with(ZoneRelief { complained: Some(at), ..*relief }, Action::Relieve(verdict), wait)
}

fn wait_for_end(relief: &ZoneRelief, now: &Situation<'_>, victim: Victim) -> Step {
    let at = now.snapshot.at;
    let waited = at.since(victim.signalled);
    match victim.killed {
        None if is_hard(now) || waited >= now.policy.thresholds().grace() => {
            let verdict = verdict(now, victim.trigger, Relief::Kill, Some(victim.process), true);
            let victim = Victim { killed: Some(at), ..victim };
            let relief = ZoneRelief { stage: Stage::Ending(victim), ..*relief };
            Step::with(relief, Action::Relieve(verdict), FASTEST)
        }
        Some(killed) if at.since(killed) >= STUCK => {
            let mut relief = ZoneRelief { stage: Stage::Idle, ..*relief };
            relief.avoided.add(victim.process.id, at, Duration::MAX);
            Step::with(relief, Action::Tell(outcome(now, victim, Ending::Stuck, at)), FASTEST)
        }
        _ => the_rest_too(relief, now, victim),
    }
}

/// Of a family new ones may have been born while it ended.
fn the_rest_too(relief: &ZoneRelief, now: &Situation<'_>, victim: Victim) -> Step {
    if victim.family.is_some() && !is_fresh(now.snapshot) {
        return Step::with(*relief, Action::ScanToChoose, FASTEST);
    }
    Step { family: victim.family, ..Step::rest(*relief, FASTEST) }
}

fn settle(
    relief: &ZoneRelief,
    now: &Situation<'_>,
    victim: Victim,
    ending: Ending,
    ended: Moment,
) -> Step {
    let at = now.snapshot.at;
    if let Some(family) = victim.family
        && at.since(ended) < STUCK
        && (!is_fresh(now.snapshot)
            || family::still_there(now.snapshot, now.zone, family).next().is_some())
    {
        return the_rest_too(relief, now, victim);
    }
    let back = victim.available_before.saturating_add(victim.gives_back);
    let settled = at.since(ended) >= now.policy.thresholds().settle.0
        || now.measured.available >= back
        || ending != Ending::Gone;
    if !settled {
        return Step::rest(*relief, FASTEST);
    }
    // What others took meanwhile hides what came back, so a quarter of it is enough to have helped.
    let seen = victim.available_before.saturating_add(victim.gives_back.percent(25));
    let useless = match ending {
        Ending::Gone if now.measured.available < seen => relief.useless + 1,
        Ending::Gone => 0,
        _ => relief.useless,
    };
    let relief = ZoneRelief { stage: Stage::Idle, useless, rests_until: None, ..*relief };
    // Look again at once: the storm may not be over.
    Step::with(relief, Action::Tell(outcome(now, victim, ending, ended)), Duration::ZERO)
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
        gives_back: victim.gives_back,
        ending,
        took: ended.since(victim.signalled),
        available_before: victim.available_before,
        available_after: now.measured.available,
    }
}
