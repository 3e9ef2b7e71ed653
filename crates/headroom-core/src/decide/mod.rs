//! The decision: from what was sensed to what is to be done. Pure, total, and without allocation
//! once its buffers have their size.
//!
//! Relief goes one process at a time in a zone: choose, signal, wait for the end, wait until its
//! memory is back, look again. Peers that kill faster kill more than they need
//! (earlyoom's issues 121 and 309).

mod admission;
mod avoided;
mod family;
mod job;
mod kills;
mod kinds;
mod rank;
mod relief;
mod together;
mod trigger;
mod trim;
mod turns;
mod zone;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::time::Duration;

pub use job::{Left, SMALLEST_JOB};
pub use kinds::{JobRun, expected_peak, folded, kind_of};
pub use rank::rank;

use crate::action::{Action, Ending, Measured, Outcome, Report, Trigger};
use crate::policy::Policy;
use crate::snapshot::{Moment, ProcessId, Snapshot, ZoneIndex};
use crate::units::Kib;
use admission::Admission;
use family::Scratch;
use kills::OwnKills;
use relief::ZoneRelief;
use zone::ZoneHistory;

/// The longest time between two looks at a node at rest. A little over a second, so that together with
/// the recorder's thread the guard wakes no more than once a second.
const SLOWEST: Duration = Duration::from_millis(1250);
/// The shortest time between two looks, in a storm.
const FASTEST: Duration = Duration::from_millis(20);
/// The same right after a pause on trial.
const ON_YOUNG_TRIAL: Duration = Duration::from_millis(8);
/// No less often than this while a storm lasts.
const STORM: Duration = Duration::from_millis(100);
/// Memory that may be filled unseen, a second: about what one core can fill with zeroes through page
/// faults. Faster fills are caught by the kernel's PSI trigger.
const FASTEST_FILL_KIB_S: u64 = 512 * 1024;
/// The same on a node at rest whose births are heard: somebody who is there already, and took nothing for a while,
/// would have to begin with it between two looks.
const FILL_AT_REST_KIB_S: u64 = FASTEST_FILL_KIB_S / 2;
/// Less than this, a second, is rest.
const RESTS_KIB_S: u64 = 1024;
/// A process table older than this is not chosen from.
const STALE: Duration = Duration::from_millis(30);
/// How often processes are looked at when nothing is short, so that new ones are classed.
const SCAN_AT_REST: Duration = Duration::from_secs(1);
/// The same where births are heard: what is left for a scan is who ended, who took another's value, and what
/// those hold that are not watched. While memory stands still, that is no news.
const SCAN_HEARD: Duration = Duration::from_secs(30);
/// The same while jobs are watched: those are looked at without it.
const SCAN_WATCHING: Duration = Duration::from_secs(5);
/// The same while memory moves.
const SCAN_MOVING: Duration = Duration::from_secs(2);
/// Where births are heard and memory moves, this for each that is there: a scan of all takes its time, and in a fork
/// bomb it is no news.
const SCAN_EACH_AT_REST: Duration = Duration::from_millis(2);
/// So many young expendables are jobs stacked on each other: a cron job is a process of cron's, a shell and
/// the job.
const STACKED: usize = 6;
/// Memory stands still when it changed by less than this since the last scan, or than a hundredth of all.
const STILL: Kib = Kib::from_mib(8);

/// What the guard remembers between two looks.
#[derive(Clone, Debug, Default)]
pub struct State {
    zones: Vec<Zone>,
    kills: OwnKills,
    incident: Option<Incident>,
    last_incident: u64,
    scored: Moment,
    /// What was available at the last scan.
    scan: (Moment, Kib),
    admission: Admission,
    /// Pauses that came to nothing, to be told of.
    refused: Vec<Outcome>,
    scratch: Scratch,
}

#[derive(Clone, Debug, Default)]
struct Zone {
    history: ZoneHistory,
    relief: ZoneRelief,
    measured: Option<Measured>,
}

#[derive(Clone, Copy, Debug)]
struct Incident {
    number: u64,
    opened: Moment,
    calm_since: Option<Moment>,
    slain: u32,
    kernel_kills_before: Option<u64>,
}

impl State {
    /// A state for a policy with this many zones, that numbers its incidents from the last one on.
    #[must_use]
    pub fn new(zones: usize, last_incident: u64) -> Self {
        let mut state = Self {
            last_incident,
            admission: Admission::new(),
            refused: Vec::with_capacity(admission::MOST),
            ..Self::default()
        };
        state.zones.resize_with(zones + 1, Zone::default);
        state
    }

    /// Makes room for another policy's zones; what was known of the machine stays.
    pub fn use_zones(&mut self, zones: usize) {
        self.zones.truncate(1);
        self.kills.forget_zones();
        self.zones.resize_with(zones + 1, Zone::default);
    }

    /// A zone's state at the last look; `None` when it did not exist then.
    #[must_use]
    pub fn measured(&self, zone: ZoneIndex) -> Option<&Measured> {
        self.zones.get(usize::from(zone.0))?.measured.as_ref()
    }

    /// The number of the incident that is open, if one is.
    #[must_use]
    pub fn open_incident(&self) -> Option<u64> {
        self.incident.map(|i| i.number)
    }

    /// Whether nothing can run short before the next look at rest, so that nobody needs to be watched closely.
    fn has_ample_room(&self) -> bool {
        let mut zones = self.zones.iter().filter_map(|zone| zone.measured);
        zones.all(|m| period(&m, FASTEST_FILL_KIB_S) >= SLOWEST)
    }

    /// How fast memory may go unseen.
    fn fastest_fill(&self, snapshot: &Snapshot) -> u64 {
        let rests = |zone: &Zone| zone.measured.is_none_or(|m| m.falling_kib_s < RESTS_KIB_S);
        let is_at_rest = snapshot.births_heard
            && self.incident.is_none()
            && !self.admission.watches_any()
            && self.zones.iter().all(rests);
        if is_at_rest { FILL_AT_REST_KIB_S } else { FASTEST_FILL_KIB_S }
    }

    /// Whether those born just now must be watched closely: where there is room for whatever they take until
    /// the next look, the next look will do, unless so many began at once that all of it may go.
    #[must_use]
    pub fn minds_the_young(&self, snapshot: &Snapshot) -> bool {
        match admission::young(snapshot) {
            0 => false,
            young => young >= STACKED || !self.has_ample_room(),
        }
    }

    /// Whether relief waits for this process to end.
    #[must_use]
    pub fn awaits(&self, id: ProcessId) -> bool {
        self.zones.iter().any(|z| z.relief.victim() == Some(id))
    }

    /// Takes over a job that an earlier guard had wait: it goes on when its turn comes. Whom [`Self::holds`]
    /// does not know once [`Self::takes_over`] is false is the caller's to let go on.
    pub fn take_over(&mut self, job: Left) {
        self.admission.take_over(job);
    }

    /// Whether there are jobs to take over that were not looked at yet.
    #[must_use]
    pub const fn takes_over(&self) -> bool {
        self.admission.takes_over()
    }

    /// Whether this job waits.
    #[must_use]
    pub fn holds(&self, id: ProcessId) -> bool {
        self.admission.holds(id)
    }

    /// How long nothing needs to be looked at at the most, now that what was decided is done and came to what
    /// [`Self::report`] was told: right after a pause on trial most of the answers come, and whoever waits for the
    /// stopped job waits that much less.
    #[must_use]
    pub fn patience(&self, now: Moment) -> Duration {
        if self.admission.any_on_young_trial(now) { ON_YOUNG_TRIAL } else { Duration::MAX }
    }

    /// Tells what jobs of a kind took in an earlier life of the guard; call it for the kinds seen longest
    /// ago first, since only so many are remembered.
    pub fn recall(&mut self, kind: u64, peak: Kib) {
        self.admission.recall(kind, peak);
    }

    /// What one of the jobs took that ended since this was last asked.
    pub fn next_run(&mut self) -> Option<JobRun> {
        self.admission.next_run()
    }

    /// Takes in what came of an action on a process. Call [`decide`] afterwards.
    pub fn report(&mut self, id: ProcessId, what: Report, at: Moment) {
        for zone in &mut self.zones {
            zone.relief.report(id, what, at);
        }
        let ending = match what {
            Report::Refused => Ending::Refused,
            Report::OnTrial => return self.admission.note_on_trial(id),
            Report::Signalled | Report::Ended | Report::Vanished => return,
        };
        if let Some(process) = self.admission.note_refused(id, at)
            && self.refused.len() < admission::MOST
        {
            let available = self
                .zones
                .first()
                .and_then(|zone| zone.measured)
                .map_or(Kib::ZERO, |m| m.available);
            self.refused.push(Outcome {
                incident: self.incident.map_or(0, |i| i.number),
                zone: ZoneIndex::ROOT,
                process,
                gives_back: Kib::ZERO,
                ending,
                took: Duration::ZERO,
                available_before: available,
                available_after: available,
            });
        }
    }
}

/// Decides. What is to be done is put into `actions`, which is emptied first; the return value says
/// how long nothing needs to be looked at unless something happens.
pub fn decide(
    state: &mut State,
    snapshot: &Snapshot,
    policy: &Policy,
    actions: &mut Vec<Action>,
) -> Duration {
    actions.clear();
    let thresholds = policy.thresholds();
    sense_zones(state, snapshot, policy);
    actions.extend(state.refused.drain(..).map(Action::Tell));

    // Jobs first: who can be made to wait need not be slain.
    let mut next = turns::admit(state, snapshot, policy, actions);
    let mut storm = state.admission.holds_any();
    let fastest_fill = state.fastest_fill(snapshot);
    for index in 0..state.zones.len() {
        let zone = ZoneIndex(u8::try_from(index).unwrap_or(u8::MAX));
        let Some(measured) = state.zones[index].measured else { continue };
        let reason = trigger::trigger(&measured, thresholds);
        if let Some(trigger) = reason {
            open(state, snapshot, zone, trigger, &measured, actions);
        }
        let incident = state.incident.map_or(0, |i| i.number);
        let zones = &state.zones;
        let spared = |id: ProcessId| zones.iter().any(|z| z.relief.victim() == Some(id));
        let step = relief::step(
            &mut state.scratch,
            &state.zones[index].relief,
            &relief::Situation {
                snapshot,
                policy,
                zone,
                measured: &measured,
                reason,
                incident,
                paused_just_now: state.admission.paused_just_now(snapshot.at),
            },
            spared,
        );
        let wait = step.wait;
        if step.has_relieved() {
            state.zones[index].history.answer();
        }
        turns::take(state, snapshot, index, step, actions);
        let calm = measured.headroom() > thresholds.calm_headroom_of(measured.limit);
        storm |= reason.is_some() || !calm || state.zones[index].relief.is_busy();
        next = next.min(period(&measured, fastest_fill)).min(wait);
    }
    close(state, snapshot, storm, thresholds.calm_time.0, actions);
    if state.incident.is_some() {
        next = next.min(STORM);
    }
    let scan_every = rest_between_scans(state, snapshot);
    if snapshot.at.since(snapshot.scanned_all) >= scan_every && !actions.iter().any(Action::is_scan)
    {
        actions.push(Action::Scan);
    }
    scores(state, snapshot, policy, actions);
    next.clamp(FASTEST, SLOWEST)
}

fn sense_zones(state: &mut State, snapshot: &Snapshot, policy: &Policy) {
    let own = state.kills.note(snapshot);
    for (index, zone) in state.zones.iter_mut().enumerate() {
        match index.checked_sub(1) {
            None => zone.history.note_machine(snapshot, policy.thresholds(), own),
            Some(below) => match snapshot.zones.get(below).copied().flatten() {
                Some(reading) => zone.history.note_cgroup(snapshot, &reading),
                None => zone.history.forget(),
            },
        }
        zone.measured = zone.history.measured(policy.thresholds());
    }
}

/// How long the process table may stand as it is when nothing calls for a scan.
fn rest_between_scans(state: &mut State, snapshot: &Snapshot) -> Duration {
    let Some(machine) = state.zones.first().and_then(|zone| zone.measured) else {
        return SCAN_AT_REST;
    };
    if state.scan.0 != snapshot.scanned_all {
        state.scan = (snapshot.scanned_all, machine.available);
    }
    let moved = Kib(state.scan.1.0.abs_diff(machine.available.0));
    let stands_still = moved < STILL.max(machine.limit.percent(1));
    if !snapshot.births_heard {
        return SCAN_AT_REST;
    }
    let often = match () {
        () if snapshot.nameless => SCAN_AT_REST,
        () if !stands_still => SCAN_MOVING,
        () if state.admission.watches_any() => SCAN_WATCHING,
        () => return SCAN_HEARD,
    };
    let count = u32::try_from(snapshot.processes.len()).unwrap_or(u32::MAX);
    often.max(SCAN_EACH_AT_REST.saturating_mul(count)).min(SCAN_HEARD)
}

/// After each scan: who does not yet carry what the class asks for. Last in the list, since nobody
/// is in danger by it now; what a full list has no room for comes with the next scan.
fn scores(state: &mut State, snapshot: &Snapshot, policy: &Policy, actions: &mut Vec<Action>) {
    if snapshot.scanned == state.scored {
        return;
    }
    state.scored = snapshot.scanned;
    let own = snapshot.own_pid;
    for process in snapshot.processes.iter().filter(|p| p.id.pid != own && !p.ending) {
        if let Some(value) = policy.score_for(process) {
            if actions.len() == actions.capacity() {
                return;
            }
            actions.push(Action::SetScore { id: process.id, value });
        }
    }
}

fn open(
    state: &mut State,
    snapshot: &Snapshot,
    zone: ZoneIndex,
    trigger: Trigger,
    measured: &Measured,
    actions: &mut Vec<Action>,
) {
    if state.incident.is_some() {
        return;
    }
    state.last_incident += 1;
    state.incident = Some(Incident {
        number: state.last_incident,
        opened: snapshot.at,
        calm_since: None,
        slain: 0,
        kernel_kills_before: snapshot
            .vm
            .oom_kill
            .map(|now| now.saturating_sub(u64::from(measured.kills))),
    });
    let incident = state.last_incident;
    actions.push(Action::Open { incident, zone, trigger, measured: *measured });
}

fn close(
    state: &mut State,
    snapshot: &Snapshot,
    storm: bool,
    calm_time: Duration,
    actions: &mut Vec<Action>,
) {
    let Some(incident) = &mut state.incident else { return };
    if storm {
        incident.calm_since = None;
        return;
    }
    let since = *incident.calm_since.get_or_insert(snapshot.at);
    if snapshot.at.since(since) < calm_time {
        return;
    }
    let kills = match (snapshot.vm.oom_kill, incident.kernel_kills_before) {
        (Some(now), Some(before)) => now.saturating_sub(before),
        _ => 0,
    };
    actions.push(Action::Close {
        incident: incident.number,
        lasted: since.since(incident.opened),
        slain: incident.slain,
        kernel_kills: u32::try_from(kills).unwrap_or(u32::MAX),
    });
    state.incident = None;
}

/// How long a zone can be left alone: as long as even the fastest fill would need to reach the floor, and
/// a quarter of what the present rate leaves.
fn period(measured: &Measured, fastest_fill: u64) -> Duration {
    let headroom = measured.headroom();
    if headroom == Kib::ZERO {
        return FASTEST;
    }
    let fill = Duration::from_millis(headroom.0.saturating_mul(1000) / fastest_fill);
    trigger::gone_in(measured).map_or(fill, |time| fill.min(time / 4))
}

/// Whether the process table is fresh enough to choose from.
fn is_fresh(snapshot: &Snapshot) -> bool {
    snapshot.at.since(snapshot.scanned) <= STALE
}
