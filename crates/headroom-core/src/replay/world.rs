//! The storm at work: time passes, `decide` decides, what it decides is done to the model.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Actor, Storm};
use crate::action::{Action, Relief, Report, Verdict};
use crate::decide::{State, decide};
use crate::policy::Policy;
use crate::sample::Sample;
use crate::snapshot::{Holding, Moment, ProcessId, Snapshot, Trial};
use crate::units::Kib;

/// From SIGKILL to the end.
const KILLED: Duration = Duration::from_millis(15);
/// From SIGTERM to the end, for one that heeds it.
const TERMINATED: Duration = Duration::from_millis(60);
/// The guard's loop looks again this soon after an expendable was born.
const NEWBORN: Duration = Duration::from_millis(50);
/// No two looks are closer than this.
const LEAST: Duration = Duration::from_millis(1);
/// Scans in one turn, as in the guard's loop.
const SCANS_A_TURN: u32 = 2;

/// Something that was decided, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Moment,
    /// How old the knowledge of the processes was that it was decided by.
    pub scanned: Moment,
    /// What.
    pub action: Action,
}

/// A storm and a guard in it.
#[derive(Clone, Debug)]
pub struct World<'a> {
    policy: &'a Policy,
    storm: Storm,
    state: State,
    snapshot: Snapshot,
    actions: Vec<Action>,
    ending: Vec<(ProcessId, Moment)>,
    /// Who waits, and the job with which it does.
    together: Vec<(ProcessId, ProcessId)>,
    log: Vec<Deed>,
    least: (Kib, Moment),
    ran_out: Option<Moment>,
    /// The places of those who are there.
    alive: Vec<usize>,
    /// How many have been born.
    born: usize,
}

impl<'a> World<'a> {
    /// The storm at its beginning.
    #[must_use]
    pub fn new(policy: &'a Policy, mut storm: Storm) -> Self {
        storm.actors.sort_by_key(|a| (a.born, a.process.id));
        let first = storm.ground.ends().map(|(first, _)| first.at).unwrap_or_default();
        let mut world = Self {
            policy,
            state: State::new(policy.zones.len(), 0),
            snapshot: Snapshot { at: first, ..Snapshot::default() },
            storm,
            actions: Vec::with_capacity(256),
            ending: Vec::new(),
            together: Vec::new(),
            log: Vec::new(),
            least: (Kib(u64::MAX), first),
            ran_out: None,
            alive: Vec::new(),
            born: 0,
        };
        world.pass(Duration::ZERO);
        world
    }

    /// Runs for this long.
    pub fn run(&mut self, time: Duration) {
        let end = self.snapshot.at.after(time);
        while self.snapshot.at < end {
            self.step(end);
        }
    }

    /// Runs to the storm's last point, and on until nobody waits and no incident is open, but at most
    /// `longest` more.
    pub fn run_to_its_end(&mut self, longest: Duration) {
        let Some(last) = self.storm.ground.ends().map(|(_, last)| last.at) else { return };
        while self.snapshot.at < last {
            self.step(last);
        }
        let end = last.after(longest);
        while self.snapshot.at < end && self.is_unfinished() {
            self.step(end);
        }
    }

    /// Whether an incident is open or somebody waits.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.state.open_incident().is_some() || self.living().any(|a| a.process.paused)
    }

    fn step(&mut self, end: Moment) {
        let wait = self.turn();
        let now = self.snapshot.at;
        let next = self.next_event().map_or(wait, |at| at.since(now).min(wait));
        self.pass(next.max(LEAST).min(end.since(now).max(LEAST)));
    }

    /// One turn of the guard's loop. Returns how long it would wait.
    pub fn turn(&mut self) -> Duration {
        let mut wait = self.decide_and_act();
        for _ in 0..SCANS_A_TURN {
            if !self.actions.iter().any(Action::is_scan) {
                break;
            }
            self.scan();
            wait = self.decide_and_act();
        }
        while self.state.next_run().is_some() {}
        wait
    }

    /// When a process ends, or one begins that calls for a look.
    fn next_event(&self) -> Option<Moment> {
        let now = self.snapshot.at;
        let ends = self.ending.iter().map(|(_, at)| *at);
        let young = self.living().chain(self.storm.actors.get(self.born));
        let births = young.map(|a| a.born.after(NEWBORN));
        ends.chain(births).filter(|at| *at > now).min()
    }

    fn decide_and_act(&mut self) -> Duration {
        self.snapshot.trials.clear();
        for at in &self.alive {
            let actor = &self.storm.actors[*at];
            if actor.process.paused && actor.temper.holds_lock {
                let (id, asked) = (actor.process.id, self.snapshot.at);
                self.snapshot.trials.push(Trial { id, holding: Holding::Lock, asked });
            }
        }
        let Self { state, snapshot, policy, actions, .. } = self;
        let wait = decide(state, snapshot, policy, actions);
        for at in 0..self.actions.len() {
            let action = self.actions[at];
            self.carry_out(action);
        }
        wait
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Scan | Action::ScanToChoose => return,
            Action::SetScore { id, value } => {
                if let Some(actor) = self.actor(id) {
                    actor.process.oom_score_adj = Some(value);
                }
                return;
            }
            Action::Relieve(verdict) => self.relieve(&verdict),
            Action::EndToo { id } => {
                let ends = self.snapshot.at.after(KILLED);
                if let Some(actor) = self.actor(id).filter(|a| !a.temper.stuck) {
                    (actor.process.paused, actor.process.ending) = (false, true);
                    self.ending.push((id, ends));
                }
            }
            Action::StopToo { id, with } => {
                if let Some(actor) = self.actor(id) {
                    actor.process.paused = true;
                    self.together.push((id, with));
                }
            }
            Action::LetGo { id } => self.let_go(id),
            Action::Open { .. } | Action::Tell(_) | Action::Close { .. } => {}
        }
        let Snapshot { at, scanned, .. } = self.snapshot;
        self.log.push(Deed { at, scanned, action });
    }

    fn relieve(&mut self, verdict: &Verdict) {
        let Some(id) = verdict.process.map(|p| p.id) else { return };
        let now = self.snapshot.at;
        let Some(actor) = self.actor(id) else {
            return self.state.report(id, Report::Vanished, now);
        };
        let ends_in = match verdict.relief {
            Relief::Nothing | Relief::Useless { .. } => return,
            Relief::Pause { .. } => {
                actor.process.paused = true;
                let on_trial = actor.temper.holds_lock;
                let report = if on_trial { Report::OnTrial } else { Report::Signalled };
                return self.state.report(id, report, now);
            }
            Relief::Thaw { .. } => None,
            Relief::Terminate => (!actor.temper.deaf).then_some(TERMINATED),
            Relief::Kill | Relief::KillFamily { .. } | Relief::Trim { .. } => Some(KILLED),
        };
        // A stopped process takes a signal when it goes on, which it is let do.
        actor.process.paused = false;
        if let Some(ends_in) = ends_in.filter(|_| !actor.temper.stuck) {
            actor.process.ending = verdict.relief != Relief::Terminate;
            self.ending.push((id, now.after(ends_in)));
        }
        self.let_go(id);
        self.state.report(id, Report::Signalled, now);
    }

    /// Lets those go on who wait with a job.
    fn let_go(&mut self, with: ProcessId) {
        for at in (0..self.together.len()).rev() {
            if self.together[at].1 == with {
                let (id, _) = self.together.swap_remove(at);
                self.actor(id).into_iter().for_each(|actor| actor.process.paused = false);
            }
        }
    }

    /// One of those who are there.
    fn actor(&mut self, id: ProcessId) -> Option<&mut Actor> {
        let at = self.alive.iter().find(|at| self.storm.actors[**at].process.id == id)?;
        self.storm.actors.get_mut(*at)
    }

    fn living(&self) -> impl Iterator<Item = &Actor> {
        self.alive.iter().filter_map(|at| self.storm.actors.get(*at))
    }

    fn scan(&mut self) {
        let now = self.snapshot.at;
        let Self { storm, snapshot, alive, .. } = self;
        snapshot.processes.clear();
        snapshot.processes.extend(alive.iter().map(|at| storm.actors[*at].process));
        snapshot.processes.sort_unstable_by_key(|p| p.id.pid);
        (snapshot.scanned, snapshot.scanned_all) = (now, now);
    }

    /// Lets time pass, and looks at the node again.
    pub fn pass(&mut self, time: Duration) {
        let now = self.snapshot.at.after(time);
        self.snapshot.at = now;
        let Self { storm, alive, born, ending, state, .. } = self;
        while storm.actors.get(*born).is_some_and(|a| a.born <= now) {
            alive.push(*born);
            *born += 1;
        }
        alive.retain(|at| {
            let actor = &mut storm.actors[*at];
            let id = actor.process.id;
            actor.pass(time, now);
            if ending.iter().any(|(ending, at)| *ending == id && *at <= now) {
                actor.ended.get_or_insert(now);
            }
            // The loop learns of the end of whoever it waits for by a pidfd.
            if actor.ended.is_some() {
                state.report(id, Report::Ended, now);
            }
            actor.ended.is_none()
        });
        ending.retain(|(_, at)| *at > now);
        self.sense();
    }

    fn sense(&mut self) {
        let now = self.snapshot.at;
        let Some(ground) = self.storm.ground.at(now) else { return };
        let Self { storm, snapshot, policy, alive, .. } = self;
        let held = |zone: Option<u32>| {
            let actors = alive.iter().map(|at| storm.actors[*at].process);
            let inside = actors.filter(|p| zone.is_none_or(|bit| p.zones >> bit & 1 == 1));
            inside.fold(Kib::ZERO, |sum, p| sum.saturating_add(p.gives_back))
        };
        let taken = held(None);
        let short = taken > ground.memory.available;
        snapshot.own_pid = ground.own_pid;
        snapshot.memory = ground.memory;
        snapshot.memory.available = ground.memory.available.saturating_sub(taken);
        snapshot.memory.free = ground.memory.free.min(snapshot.memory.available);
        snapshot.pressure = ground.pressure;
        snapshot.vm = ground.vm;
        snapshot.zones.clear();
        snapshot.zones.extend((0..).zip(&ground.zones).take(policy.zones.len()).map(
            |(bit, zone)| {
                let mut zone = (*zone)?;
                zone.current = zone.current.saturating_add(held(Some(bit)));
                Some(zone)
            },
        ));
        snapshot.zones.resize(policy.zones.len(), None);
        self.least = self.least.min((snapshot.memory.available, now));
        if short {
            self.ran_out.get_or_insert(now);
        }
    }

    /// The node as a recorder would keep it.
    pub fn sample(&self, into: &mut Sample) {
        into.take(self.storm.ground.unix_ms(self.snapshot.at), &self.state, &self.snapshot);
    }

    /// What was decided so far.
    #[must_use]
    pub fn log(&self) -> &[Deed] {
        &self.log
    }

    /// The verdicts among it.
    pub fn verdicts(&self) -> impl Iterator<Item = (&Deed, &Verdict)> {
        self.log.iter().filter_map(|deed| match &deed.action {
            Action::Relieve(verdict) => Some((deed, verdict)),
            _ => None,
        })
    }

    /// The processes.
    #[must_use]
    pub fn actors(&self) -> &[Actor] {
        &self.storm.actors
    }

    /// The least that was available, and when.
    #[must_use]
    pub const fn least_available(&self) -> (Kib, Moment) {
        self.least
    }

    /// When more was held than there was: the kernel would have killed.
    #[must_use]
    pub const fn ran_out(&self) -> Option<Moment> {
        self.ran_out
    }

    /// The present moment.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.snapshot.at
    }

    /// The wall clock at a moment of the storm, in milliseconds since 1970.
    #[must_use]
    pub fn unix_ms(&self, at: Moment) -> i64 {
        self.storm.ground.unix_ms(at)
    }
}
