//! Where admission and relief meet: turns become verdicts, and whoever is slain waits no longer.

use alloc::vec::Vec;
use core::time::Duration;

use super::admission::room_in;
use super::job::Turn;
use super::together::{above, below, way};
use super::{SLOWEST, State, family, is_fresh, open, relief};
use crate::action::{Action, Ending, Measured, Outcome, Relief, Trigger, Verdict, Way};
use crate::policy::{Class, Policy};
use crate::snapshot::{Process, ProcessId, Snapshot, ZoneIndex};

/// How often jobs are looked at while they grow or were just born, ...
const SCAN_GROWING: Duration = Duration::from_millis(60);
/// ... while it grows slowly and none was born, ...
const SCAN_GROWING_SLOWLY: Duration = Duration::from_millis(120);
/// ... and how much less often for each that may go: looking at a thousand takes its time as well.
const SCAN_EACH: Duration = Duration::from_millis(1);
/// How often while one waits and none grows.
const SCAN_WAITING: Duration = Duration::from_millis(250);
/// How often while one is kept track of and none waits: how long it ran is to be known.
const SCAN_RUNNING: Duration = Duration::from_secs(1);
/// How often it is looked whether somebody waits for a paused job that could hold a lock.
const ON_TRIAL: Duration = Duration::from_millis(25);
/// Memory that goes faster than this, a second, goes to somebody who may be a job.
const FALLING_KIB_S: u64 = 16 * 1024;

/// Takes a step of relief in a zone.
pub(super) fn take(
    state: &mut State,
    snapshot: &Snapshot,
    index: usize,
    step: relief::Step,
    actions: &mut Vec<Action>,
) {
    if let Some(Action::Relieve(Verdict { process: Some(process), escalated, .. })) = step.action {
        state.admission.note_slain(process.id);
        if let Some(incident) = state.incident.as_mut().filter(|_| !escalated) {
            incident.slain += 1;
        }
    }
    actions.extend(step.action);
    if let Some(family) = step.family {
        let zone = ZoneIndex(u8::try_from(index).unwrap_or(u8::MAX));
        let waited_for = step.relief.victim();
        for process in family::still_there(snapshot, zone, family) {
            // What a full list has no room for is found at the next look.
            if actions.len() == actions.capacity() {
                break;
            }
            if Some(process.id) != waited_for {
                state.admission.note_slain(process.id);
                actions.push(Action::EndToo { id: process.id });
            }
        }
    }
    state.zones[index].relief = step.relief;
}

/// Pauses and thaws jobs; returns how long nothing of the kind needs to be looked at.
pub(super) fn admit(
    state: &mut State,
    snapshot: &Snapshot,
    policy: &Policy,
    actions: &mut Vec<Action>,
) -> Duration {
    let Some(machine) = state.zones.first().and_then(|z| z.measured) else { return SLOWEST };
    let off = policy.thresholds().pause_limit.0 == Duration::ZERO;
    if off && !state.admission.holds_any() {
        state.admission.take_over_nobody();
        return SLOWEST;
    }
    state.admission.try_out(snapshot);
    while let Some((process, turn)) = state.admission.next_turn() {
        carry(state, snapshot, policy, &machine, process, turn, actions);
    }
    if !state.admission.has_seen(snapshot) && is_fresh(snapshot) {
        state.admission.see(snapshot);
        if state.admission.holds_any() {
            open(state, snapshot, ZoneIndex::ROOT, Trigger::TakenOver, &machine, actions);
        }
        let zones = state.zones.iter().map(|z| z.measured);
        state.admission.turns(snapshot, policy.thresholds(), zones);
        while let Some((process, turn)) = state.admission.next_turn() {
            carry(state, snapshot, policy, &machine, process, turn, actions);
        }
        // Whoever was born meanwhile waits as well.
        for job in state.admission.held().filter(|job| job.paused) {
            stop_too(snapshot, policy, job, actions);
        }
    }
    let falls = machine.falling_kib_s >= FALLING_KIB_S;
    let growing = || SCAN_GROWING.max(SCAN_EACH.saturating_mul(who_may_go(snapshot)));
    let each = |often: Duration| (often, often);
    let (often, wait) = match () {
        () if falls || state.minds_the_young(snapshot) => each(growing()),
        () if state.admission.any_grows(snapshot.at) => each(growing().max(SCAN_GROWING_SLOWLY)),
        () if state.admission.holds_any() || state.admission.takes_over() => each(SCAN_WAITING),
        () if state.admission.watches_any() => (SCAN_RUNNING, SLOWEST),
        () => return SLOWEST,
    };
    if snapshot.at.since(snapshot.scanned) >= often && !actions.iter().any(Action::is_scan) {
        actions.push(Action::ScanToChoose);
    }
    if state.admission.any_on_trial(snapshot.at) { wait.min(ON_TRIAL) } else { wait }
}

fn who_may_go(snapshot: &Snapshot) -> u32 {
    let count = snapshot.processes.iter().filter(|p| p.class == Class::Expendable).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Makes a verdict or an outcome of one turn.
fn carry(
    state: &mut State,
    snapshot: &Snapshot,
    policy: &Policy,
    machine: &Measured,
    job: Process,
    turn: Turn,
    actions: &mut Vec<Action>,
) {
    let (zone, measured) = tightest(state, policy, &job).unwrap_or((ZoneIndex::ROOT, *machine));
    let relief = match turn {
        Turn::Pause { need, room, follows } => {
            open(state, snapshot, zone, Trigger::Horizon, &measured, actions);
            let way = way(snapshot, policy, &job);
            if !follows {
                // The farthest first, as each of them waits for the next.
                for shell in above(snapshot, &job, way).of(snapshot).rev() {
                    push_stop(snapshot, shell, job.id, actions);
                }
            }
            Relief::Pause { need, room, way }
        }
        Turn::Freed => {
            actions.push(Action::LetGo { id: job.id });
            return;
        }
        Turn::Thaw { waited, because } => Relief::Thaw { waited, because },
        Turn::Overdue { .. } => {
            return slay_overdue(state, snapshot, policy, machine, job, actions);
        }
        Turn::Vanished { waited } => {
            actions.push(Action::LetGo { id: job.id });
            actions.push(Action::Tell(Outcome {
                incident: state.incident.map_or(0, |i| i.number),
                zone,
                process: job,
                gives_back: job.gives_back,
                ending: Ending::Vanished,
                took: waited,
                available_before: measured.available,
                available_after: measured.available,
            }));
            return;
        }
    };
    actions.push(Action::Relieve(Verdict {
        incident: state.incident.map_or(0, |i| i.number),
        zone,
        trigger: Trigger::Horizon,
        measured,
        relief,
        process: Some(job),
        age: job.age(snapshot.at),
        escalated: false,
    }));
    if let (Turn::Pause { follows: false, .. }, Relief::Pause { way: Way::Stop, .. }) =
        (turn, relief)
    {
        for process in below(snapshot, &job, Way::Stop).of(snapshot) {
            push_stop(snapshot, process, job.id, actions);
        }
    }
}

/// The zone of a process that has the least room for it, by which it waits or goes on.
fn tightest(state: &State, policy: &Policy, process: &Process) -> Option<(ZoneIndex, Measured)> {
    let zones = (0u8..).map(ZoneIndex).zip(&state.zones);
    let own = zones.filter(|(zone, _)| process.is_in(*zone));
    own.filter_map(|(zone, state)| Some((zone, state.measured?)))
        .min_by_key(|(_, measured)| room_in(measured, policy.thresholds()))
}

/// Stops whoever works together with a job that waits, and does not wait yet.
fn stop_too(snapshot: &Snapshot, policy: &Policy, job: &Process, actions: &mut Vec<Action>) {
    let way = way(snapshot, policy, job);
    for process in above(snapshot, job, way).of(snapshot).rev() {
        push_stop(snapshot, process, job.id, actions);
    }
    for process in below(snapshot, job, way).of(snapshot) {
        push_stop(snapshot, process, job.id, actions);
    }
}

fn push_stop(snapshot: &Snapshot, process: &Process, with: ProcessId, actions: &mut Vec<Action>) {
    // What a full list has no room for is found at the next look.
    let is_room = actions.len() < actions.capacity();
    if is_room && !process.paused && process.id.pid != snapshot.own_pid {
        actions.push(Action::StopToo { id: process.id, with });
    }
}

/// Ends a job that waited too long, one at a time like all slaying.
fn slay_overdue(
    state: &mut State,
    snapshot: &Snapshot,
    policy: &Policy,
    measured: &Measured,
    process: Process,
    actions: &mut Vec<Action>,
) {
    let Some(relief) = state.zones.first().map(|z| z.relief).filter(|r| !r.is_busy()) else {
        return;
    };
    let incident = state.incident.map_or(0, |i| i.number);
    let now = relief::Situation {
        snapshot,
        policy,
        zone: ZoneIndex::ROOT,
        measured,
        reason: None,
        incident,
        paused_just_now: false,
    };
    let step = relief::end(&relief, &now, Trigger::Horizon, process);
    take(state, snapshot, 0, step, actions);
}
