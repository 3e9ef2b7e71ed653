//! The loop: wait for something to happen, look, decide, act, record. No error ends it; each becomes
//! something that is said.

use std::sync::Arc;
use std::time::Duration;

use headroom_api::exit::Exit;
use headroom_api::journal::Started;
use headroom_api::status::Guard;
use headroom_core::action::{Action, Relief, Report, Way};
use headroom_core::decide::{State, decide};
use headroom_core::policy::Policy;
use headroom_core::snapshot::Moment;
use headroom_sys::kmsg::KernelLog;
use headroom_sys::notify::Notifier;
use headroom_sys::own;
use headroom_sys::psi::Trigger;
use headroom_sys::signals::{Caught, Signals};
use headroom_sys::wait::{Bell, Waiter};

use crate::act::Hands;
use crate::birth::Births;
use crate::options::Options;
use crate::peers;
use crate::policy_files::load_policy;
use crate::record::{Note, Recorder};
use crate::say::say;
use crate::sense::Senses;
use crate::settle::{Settling, Stage};
use crate::start::watch_zones;
use crate::table::{Table, Whom};
use crate::tokens::{BELL, BIRTH, LOG, PRESSURE, SIGNAL, VICTIM, ZONE};
use crate::trial::Trials;
use crate::view::{Shared, View, measured_of};
use crate::{Loaded, RELEASE};

/// Scans in one turn: one for the table's age and one for a choice from it.
const SCANS_A_TURN: u32 = 2;

/// What a full list of actions had no room for is decided at once, so many times: of a fork bomb whoever is left
/// over forks on.
const ROUNDS: u32 = 8;

/// From one turn to the next when an expendable was born meanwhile.
const NEWBORN_TURN: Duration = Duration::from_millis(50);

/// A wait as at rest.
const LONG_WAIT: Duration = Duration::from_millis(500);

/// What `status` and `rank` show is no older than this.
const SHOWN: Duration = Duration::from_secs(1);

/// Until a view is published again that somebody was just reading.
const PUBLISHED_SOON: Duration = Duration::from_millis(2);

/// Records of the kernel's log read in one go.
const LOG_RECORDS: u32 = 256;

/// Whether a line of the kernel's is an OOM kill: `Killed process N`, with `Out of memory: ` or
/// `Memory cgroup out of memory: ` before it.
fn is_kill(text: &[u8]) -> bool {
    let mark = b"Killed process ";
    text.windows(mark.len()).take(64).any(|window| window == mark)
}

/// What the loop can be woken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A victim ended: nothing else can be decided in its zone before.
    Ended,
    /// The kernel killed in a zone, or another of its memory events.
    Kill,
    /// Tasks stall for memory (PSI).
    Pressure,
    /// A signal is there.
    Signal,
    /// Somebody wants to see the state.
    Request,
    /// Something happened to a process: after all that may call for relief.
    Birth,
    /// The kernel wrote to its log; a kill is told as [`Event::Kill`].
    Log,
    /// The time to look again has come.
    Tick,
    /// The signal asks to read the policy again.
    Reload,
    /// The signal asks to end.
    Stop,
}

/// How pressing it is to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pressing {
    /// At rest.
    Not,
    /// So many began at once that all there is may go before the next look.
    Soon,
    /// In a storm.
    Now,
}

/// When the next scan may begin after the last one. The guard runs before all others: a node with so many processes
/// that looking at them takes long would have nothing else done. At rest it takes a fifth of a core, a third
/// while many begin, in a storm half of one. What is left of memory is looked at meanwhile, which takes nothing.
fn rests_until((began, ended): (Moment, Moment), pressing: Pressing) -> Moment {
    let took = ended.since(began);
    ended.after(match pressing {
        Pressing::Not => took * 4,
        Pressing::Soon => took * 2,
        Pressing::Now => took,
    })
}

const fn event_of(token: u64) -> Event {
    match token {
        SIGNAL => Event::Signal,
        BELL => Event::Request,
        PRESSURE => Event::Pressure,
        ZONE => Event::Kill,
        VICTIM => Event::Ended,
        BIRTH => Event::Birth,
        LOG => Event::Log,
        _ => Event::Tick,
    }
}

#[cfg(test)]
mod tests;

/// The guard at work.
pub(crate) struct Watch {
    pub(crate) options: Options,
    pub(crate) policy: Arc<Policy>,
    pub(crate) senses: Senses,
    pub(crate) state: State,
    pub(crate) hands: Hands,
    pub(crate) births: Births,
    pub(crate) trials: Trials,
    pub(crate) recorder: Recorder,
    pub(crate) shared: Arc<Shared>,
    pub(crate) actions: Vec<Action>,
    pub(crate) waiter: Waiter,
    pub(crate) signals: Signals,
    pub(crate) bell: Arc<Bell>,
    /// Kept open, and never asked: the kernel drops the trigger with its file.
    pub(crate) _pressure: Option<Trigger>,
    /// Read where the kernel tells of its kills in no better way.
    pub(crate) log: Option<KernelLog>,
    pub(crate) notifier: Option<Notifier>,
    pub(crate) about: Guard,
    pub(crate) woken: Moment,
    /// When the last scan began and ended.
    pub(crate) scanned: (Moment, Moment),
    pub(crate) settling: Settling,
    /// An earlier guard had jobs wait, of whom it is not known yet who goes on.
    pub(crate) takes_over: bool,
}

impl Watch {
    /// Goes round until a signal ends it.
    pub(crate) fn run(mut self) -> Exit {
        self.introduce();
        if self.takes_over {
            self.scan(Whom::All);
        }
        if let Some(notifier) = &self.notifier {
            let _nobody_waits = notifier.ready();
        }
        loop {
            if self.shared.take_reload() {
                self.reload();
            }
            let wait = self.turn();
            if let Some(notifier) = &mut self.notifier {
                let _nobody_waits = notifier.watchdog(own::now());
            }
            let event = self.wait(wait);
            self.woken = own::now();
            match event {
                Event::Reload => self.reload(),
                Event::Stop => return self.stop(),
                Event::Ended => self.collect(),
                Event::Tick
                | Event::Pressure
                | Event::Kill
                | Event::Request
                | Event::Birth
                | Event::Log
                | Event::Signal => {}
            }
        }
    }

    fn pressing(&self) -> Pressing {
        match self.state.open_incident() {
            Some(_) => Pressing::Now,
            None if self.state.minds_the_young(&self.senses.snapshot) => Pressing::Soon,
            None => Pressing::Not,
        }
    }

    /// One turn: look, decide, act, record. Returns how long to wait at most.
    fn turn(&mut self) -> Duration {
        if let Err(error) = self.senses.look(&self.policy) {
            self.recorder.note(Note::Say(format!("/proc/meminfo: {error}").into()));
            return Duration::from_secs(1);
        }
        self.collect();
        self.take_in_grants();
        let Self { trials, senses, hands, .. } = self;
        trials.look(&mut senses.proc, hands.on_trial(), &mut senses.snapshot);
        let mut wait = self.decide_and_act();
        for scans in 0..SCANS_A_TURN {
            let Some(scan) = self.actions.iter().find(|action| action.is_scan()) else { break };
            let whom = if *scan == Action::Scan { Whom::All } else { Whom::WhoMayGo };
            let is_done = whom == Whom::WhoMayGo && self.senses.scan_ready();
            if !is_done {
                let rest = rests_until(self.scanned, self.pressing()).since(own::now());
                if scans == 0 && !rest.is_zero() {
                    wait = wait.min(rest);
                    break;
                }
                if !self.scan(whom) {
                    break;
                }
            }
            wait = self.decide_and_act();
        }
        if self.takes_over && !self.state.takes_over() {
            self.takes_over = false;
            let Self { hands, senses, state, .. } = self;
            hands.keep_waiting(&mut senses.proc, |id| state.holds(id));
        }
        self.trials.ask_who_serves(self.hands.on_trial(), &self.senses.snapshot);
        self.hands.keep_only(|id| self.state.awaits(id));
        self.recorder.look_back(&mut self.state, &self.senses.snapshot);
        self.senses.hold_ready();
        if self.state.open_incident().is_none() && self.senses.find_zones(&self.policy) {
            watch_zones(&self.senses, &self.waiter);
        }
        if self.state.open_incident().is_none() {
            let Self { senses, hands, trials, waiter, policy, settling, .. } = self;
            settling.settle(Stage { senses, hands, trials, waiter, policy });
        }
        // In this order: whoever changed a setting asks for a reload and then wants a view, and must see
        // the setting in force.
        if self.shared.is_wanted() {
            if self.shared.is_reload_asked() {
                self.shared.want();
                return Duration::ZERO;
            }
            if self.senses.snapshot.at.since(self.senses.snapshot.scanned_all) >= SHOWN {
                self.scan(Whom::All);
            }
            if !self.publish() {
                return PUBLISHED_SOON;
            }
        }
        wait.min(self.senses.patience())
    }

    /// Scans the processes, and says whether that could be done.
    fn scan(&mut self, whom: Whom) -> bool {
        let table = &mut self.senses.table;
        table.frozen.clear();
        table.frozen.extend(self.hands.frozen());
        table.stopped.clear();
        table.stopped.extend(self.hands.stopped());
        let began = own::now();
        let scanned = self.senses.scan(&self.policy, whom);
        self.scanned = (began, own::now());
        if let Err(error) = &scanned {
            self.recorder.note(Note::Say(format!("/proc: {error}").into()));
        }
        scanned.is_ok()
    }

    /// Looks at those anew who were protected, or are not any more, before anything is decided.
    fn take_in_grants(&mut self) {
        let Senses { proc, table, snapshot, .. } = &mut self.senses;
        if !self.shared.take_grants(&mut table.granted) {
            return;
        }
        for at in 0..table.granted.len() {
            let pid = table.granted[at].pid;
            let _ended = table.examine_one(proc, snapshot, &self.policy, pid, self.woken);
        }
    }

    fn decide_and_act(&mut self) -> Duration {
        let mut wait = self.decide_and_act_once();
        for _ in 1..ROUNDS {
            if self.actions.len() < self.actions.capacity() {
                break;
            }
            wait = self.decide_and_act_once();
        }
        wait
    }

    fn decide_and_act_once(&mut self) -> Duration {
        let Self { state, senses, policy, actions, .. } = self;
        let wait = decide(state, &senses.snapshot, policy, actions);
        self.stop_ahead();
        for at in 0..self.actions.len() {
            let action = self.actions[at];
            self.carry_out(action);
        }
        wait.min(self.state.patience(own::now()))
    }

    /// Stops at once all those that are to wait together, before each of them is looked after.
    fn stop_ahead(&mut self) {
        let Self { senses, hands, policy, actions, .. } = self;
        let pauses = actions.iter().filter_map(|action| match action {
            Action::Relieve(verdict) => match verdict.relief {
                Relief::Pause { way: Way::Stop, .. } => Some((verdict, verdict.process?)),
                _ => None,
            },
            _ => None,
        });
        if pauses.clone().count() < 2 {
            return;
        }
        for (verdict, process) in pauses {
            if senses.look_again(policy, verdict).is_none() {
                hands.stop_ahead(&mut senses.proc, &process);
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Scan | Action::ScanToChoose => {}
            Action::SetScore { id, value } => {
                let Senses { proc, snapshot, .. } = &mut self.senses;
                self.hands.set_score(proc, snapshot, id, value);
            }
            Action::EndToo { id } => {
                let Senses { proc, snapshot, .. } = &mut self.senses;
                if self.hands.end_too(proc, id) {
                    Table::note_ending(snapshot, id);
                }
            }
            Action::StopToo { id, with } => {
                let Senses { proc, snapshot, .. } = &mut self.senses;
                let process = Table::of(snapshot, id);
                let report = process.and_then(|p| self.hands.stop_too(proc, p, with));
                if let Some(report) = report {
                    self.state.report(with, report, own::now());
                }
            }
            Action::LetGo { id } => {
                self.hands.let_go(&mut self.senses.proc, id);
                self.senses.table.look_at_all();
            }
            Action::Relieve(verdict) => {
                let report = self.senses.look_again(&self.policy, &verdict);
                let Senses { proc, snapshot, readiness, table, .. } = &mut self.senses;
                let waiter = (!readiness.is_out(snapshot.at)).then_some(&self.waiter);
                let hands = || self.hands.relieve(proc, waiter, &verdict, snapshot);
                let report = report.or_else(hands);
                let now = own::now();
                let sent = if self.hands.sent > self.woken { self.hands.sent } else { now };
                let is_pause = matches!(verdict.relief, Relief::Pause { .. });
                if is_pause || matches!(verdict.relief, Relief::Thaw { .. }) {
                    table.look_at_all();
                }
                let has_failed = matches!(report, Some(Report::Refused | Report::Vanished));
                if let Some(process) = verdict.process.filter(|_| is_pause && has_failed) {
                    self.hands.leave_alone(proc, process.id);
                }
                if let (Some(process), Some(report)) = (verdict.process, report) {
                    self.state.report(process.id, report, now);
                }
                let reflex = matches!(report, Some(Report::Signalled | Report::OnTrial))
                    .then(|| sent.since(self.woken));
                self.recorder.happened(action, reflex);
            }
            Action::Open { .. } | Action::Tell(_) | Action::Close { .. } => {
                self.recorder.happened(action, None);
            }
        }
    }

    /// Waits for what calls for a turn, and classes what is born meanwhile. A newborn expendable calls for a
    /// turn soon where memory may run out before the next: ten at once must be seen while they are small.
    ///
    /// When a birth wakes it and half of a long wait is over, it is time: one wake-up serves for two.
    fn wait(&mut self, at_most: Duration) -> Event {
        let mut until = self.woken.after(at_most);
        loop {
            let left = until.since(own::now());
            let event = self.first_of_all(left.min(self.births.patience()));
            let is_early = event == Event::Tick && self.births.patience() < left;
            if !(matches!(event, Event::Birth | Event::Log) || is_early) {
                return event;
            }
            let Self { births, waiter, senses, policy, hands, .. } = self;
            births.take_in(waiter, senses, policy, hands);
            if births.take_newborn() && self.state.minds_the_young(&senses.snapshot) {
                until = until.min(self.woken.after(NEWBORN_TURN));
            }
            if let Some(line) = self.births.complaint() {
                self.recorder.note(Note::Say(line.into()));
            }
            let half_over = own::now().since(self.woken) * 2 >= at_most;
            // Also where a turn takes longer than the wait after it those born meanwhile are classed.
            let is_time = event == Event::Birth && at_most >= LONG_WAIT && half_over;
            if left.is_zero() || is_time {
                return Event::Tick;
            }
        }
    }

    /// Waits for the first of all that may happen.
    fn first_of_all(&mut self, at_most: Duration) -> Event {
        let Ok(ready) = self.waiter.wait(Some(at_most)) else { return Event::Tick };
        // The most urgent of those that happened together; the others are still there next time.
        let event = ready.map(|r| event_of(r.token)).min().unwrap_or(Event::Tick);
        match event {
            Event::Signal => match self.signals.take() {
                Some(Caught::Reload) => Event::Reload,
                Some(Caught::Stop) => Event::Stop,
                None => Event::Tick,
            },
            Event::Log if self.kernel_killed() => Event::Kill,
            Event::Request => {
                let _rung = self.bell.silence();
                event
            }
            _ => event,
        }
    }

    /// Reads what the kernel logged, and says whether it told of a kill (mm/oom_kill.c).
    fn kernel_killed(&mut self) -> bool {
        let Some(log) = &mut self.log else { return false };
        let mut killed = false;
        for _ in 0..LOG_RECORDS {
            match log.next_record() {
                Ok(None) => break,
                Ok(Some(record)) => {
                    if record.facility == 0 {
                        self.senses.note_kernel_line(record.text, &self.policy);
                        killed |= is_kill(record.text);
                    }
                }
                Err(_) => {}
            }
        }
        killed
    }

    /// Takes in the victims that have ended.
    fn collect(&mut self) {
        while let Some(id) = self.hands.ended() {
            self.state.report(id, Report::Ended, self.woken);
        }
    }

    /// SIGHUP: the policy anew. A bad one changes nothing.
    fn reload(&mut self) {
        let Options { root, policy, state_dir, .. } = &self.options;
        let loaded = load_policy(root, policy.as_deref()).map(|l| l.with_settings(state_dir));
        let line = match loaded {
            Err(error) => format!("policy: {error}; the old one stays in force"),
            Ok(Loaded { settings_problem: Some(why), .. }) => {
                format!("settings: {why}; what was in force stays so")
            }
            Ok(Loaded { policy, files, .. }) => {
                self.policy = Arc::new(policy);
                self.recorder.note(Note::Policy(Arc::clone(&self.policy)));
                self.about.policy = self.policy.name().into();
                self.senses.use_zones(&self.policy);
                self.senses.table.forget_classes();
                self.state.use_zones(self.policy.zones.len());
                watch_zones(&self.senses, &self.waiter);
                if let Err(error) = self.senses.scan(&self.policy, Whom::All) {
                    say(&format!("/proc: {error}"));
                }
                self.settling.again();
                format!("policy reloaded: {} files, {}", files.len(), self.policy.name())
            }
        };
        self.recorder.note(Note::Say(line.into()));
    }

    /// Publishes what can be seen now, and says whether that could be done.
    fn publish(&mut self) -> bool {
        let Self { shared, senses, state, policy, about, .. } = self;
        let pid = senses.snapshot.own_pid;
        shared.take_found(&mut about.missing);
        about.rss_kib = senses.proc.stat(pid).ok().map(|s| s.rss.0);
        about.cpu_ms = senses.proc.stat(pid).ok().map(|s| s.cpu_ticks * 10);
        shared.publish(|| View {
            snapshot: senses.snapshot.clone(),
            measured: measured_of(state, policy),
            policy: (**policy).clone(),
            guard: about.clone(),
        })
    }

    /// The first lines of the log, and the journal's first record.
    fn introduce(&mut self) {
        let memory = &self.senses.snapshot.memory;
        let floor = self.policy.thresholds().floor_of(memory.total);
        let dry = if self.hands.is_dry() { ", dry run: says what it would do" } else { "" };
        let line = format!(
            "guarding {} of memory, {} available, floor {floor}, policy {}{dry}",
            memory.total,
            memory.available,
            self.policy.name()
        );
        self.recorder.note(Note::Say(line.into()));
        if let Some(line) = self.births.introduction() {
            self.recorder.note(Note::Say(line.into()));
        }
        for lack in &self.about.missing {
            let line = format!("missing: {} ({}); instead: {}", lack.what, lack.why, lack.instead);
            self.recorder.note(Note::Say(line.into()));
        }
        for peer in peers::running(&self.senses.snapshot) {
            let line = format!("beside another guard: {}; {}", peer.why, peer.instead);
            self.recorder.note(Note::Say(line.into()));
        }
        self.recorder.note(Note::Started(Box::new(Started {
            release: RELEASE.into(),
            policy: self.policy.name().into(),
            dry_run: self.hands.is_dry(),
            missing: self.about.missing.iter().map(|m| m.what.clone()).collect(),
        })));
    }

    fn stop(mut self) -> Exit {
        self.hands.thaw_all(&mut self.senses.proc);
        if let Some(notifier) = &self.notifier {
            let _nobody_waits = notifier.stopping();
        }
        self.recorder.stop();
        Exit::Done
    }
}
