//! Storms on a simulated node: the decision against a model of processes that grow, wait and end.

mod pausing;
mod slaying;
mod swarms;
mod together;

use super::*;
use crate::action::{Ending, Relief, Report, Verdict};
use crate::policy::Class;
use crate::snapshot::{Comm, Holding, Memory, Pressure, Process, Trial};
use alloc::vec;

const MIB: u64 = 1024;

/// A process of the model: what it is, what it has, what it takes each second, where it stops.
#[derive(Clone, Copy)]
struct Grower {
    process: Process,
    kib_s: u64,
    most: Kib,
    /// SIGTERM does not end it.
    deaf: bool,
    /// No signal ends it.
    stuck: bool,
    /// It is connected to the database, and holds a lock there in so many of each hundred milliseconds.
    locks_ms: Option<u64>,
    /// Having taken what it takes, it works for this long and ends.
    works: Option<Duration>,
}

/// A node without swap whose memory is what its processes have.
struct Node {
    snapshot: Snapshot,
    state: State,
    policy: Policy,
    growers: Vec<Grower>,
    taken_else: Kib,
    log: Vec<Action>,
    actions: Vec<Action>,
    ending_at: Vec<(ProcessId, Moment)>,
    /// Jobs that ended by themselves.
    finished: Vec<i32>,
    least_available: Kib,
    /// Who was stopped inside a lock, since when.
    holders: Vec<(ProcessId, Moment)>,
    longest_lock: Duration,
    /// How the guard learns of it: from the agent, or only from the shop's workers.
    has_agent: bool,
    /// Who waits, and the job with which it does.
    together: Vec<(ProcessId, ProcessId)>,
}

fn process(pid: i32, class: Class, mib: u64, age_s: u64) -> Process {
    Process {
        // The model begins a thousand seconds after boot.
        id: ProcessId { pid, start_ticks: (1000 - age_s) * 100 },
        comm: Comm::new(b"php"),
        class,
        rss: Kib::from_mib(mib),
        gives_back: Kib::from_mib(mib),
        oom_score_adj: Some(if class == Class::Expendable { 1000 } else { -1000 }),
        uid: 1000,
        ..Process::default()
    }
}

fn still(pid: i32, class: Class, mib: u64) -> Grower {
    Grower { process: process(pid, class, mib, 500), ..growing(pid, 0, 0) }
}

fn growing(pid: i32, mib_s: u64, most_mib: u64) -> Grower {
    Grower {
        process: process(pid, Class::Expendable, 10, 1),
        kib_s: mib_s * MIB,
        most: Kib::from_mib(most_mib),
        deaf: false,
        stuck: false,
        locks_ms: None,
        works: None,
    }
}

impl Node {
    fn new(growers: Vec<Grower>) -> Self {
        let policy = Policy::built_in();
        let mut node = Self {
            snapshot: Snapshot {
                at: Moment(1_000_000_000_000),
                memory: Memory { total: Kib::from_mib(1280), ..Memory::default() },
                own_pid: 2,
                ..Snapshot::default()
            },
            state: State::new(0, 0),
            policy,
            growers,
            taken_else: Kib::from_mib(150),
            log: Vec::new(),
            actions: Vec::with_capacity(64),
            ending_at: Vec::new(),
            finished: Vec::new(),
            least_available: Kib(u64::MAX),
            holders: Vec::new(),
            longest_lock: Duration::ZERO,
            has_agent: true,
            together: Vec::new(),
        };
        node.sense();
        node
    }

    fn sense(&mut self) {
        let taken: u64 = self.growers.iter().map(|g| g.process.rss.0).sum();
        let left = self.snapshot.memory.total.0.saturating_sub(taken + self.taken_else.0);
        self.snapshot.memory.available = Kib(left);
        self.least_available = self.least_available.min(Kib(left));
    }

    fn scan(&mut self) {
        self.snapshot.processes = self.growers.iter().map(|g| g.process).collect();
        self.snapshot.scanned = self.snapshot.at;
        self.snapshot.scanned_all = self.snapshot.at;
    }

    fn pass(&mut self, time: Duration) {
        self.snapshot.at = self.snapshot.at.after(time);
        let now = self.snapshot.at;
        for grower in self.growers.iter_mut().filter(|g| !g.process.paused) {
            let grown = grower.kib_s * u64::try_from(time.as_micros()).unwrap() / 1_000_000;
            let rss = (grower.process.rss.0 + grown).min(grower.most.0.max(grower.process.rss.0));
            grower.process.rss = Kib(rss);
            grower.process.gives_back = Kib(rss);
            if rss >= grower.most.0 {
                grower.works = grower.works.map(|left| left.saturating_sub(time));
            }
        }
        let finished = &mut self.finished;
        self.growers.retain(|g| {
            let ends = g.works == Some(Duration::ZERO) && g.process.rss >= g.most;
            finished.extend(ends.then_some(g.process.id.pid));
            !ends
        });
        let (over, later): (Vec<_>, Vec<_>) =
            self.ending_at.iter().copied().partition(|(_, at)| *at <= now);
        self.ending_at = later;
        for (id, at) in over {
            self.growers.retain(|g| g.process.id != id);
            self.state.report(id, Report::Ended, at);
        }
        self.sense();
    }

    /// What guard and agent would have found out by now.
    fn try_out(&mut self) {
        let now = self.snapshot.at;
        let first = self.holders.iter().map(|(_, since)| *since).min();
        // The next request comes to the lock, and its worker waits.
        self.snapshot.worker_waits = first.map(|since| since.after(Duration::from_millis(20)));
        self.snapshot.trials.clear();
        for grower in self.growers.iter().filter(|g| self.has_agent && g.process.paused) {
            let id = grower.process.id;
            let holding = match self.holders.iter().find(|(holder, _)| *holder == id) {
                Some((_, since)) if now.since(*since) < Duration::from_millis(20) => continue,
                Some(_) => Holding::Lock,
                None => Holding::Nothing,
            };
            self.snapshot.trials.push(Trial { id, holding, asked: now });
        }
    }

    fn act(&mut self) -> Duration {
        self.try_out();
        let mut wait = decide(&mut self.state, &self.snapshot, &self.policy, &mut self.actions);
        if self.actions.iter().any(Action::is_scan) {
            self.carry_out();
            self.scan();
            wait = decide(&mut self.state, &self.snapshot, &self.policy, &mut self.actions);
            assert!(!self.actions.iter().any(Action::is_scan), "a fresh scan is enough");
        }
        self.carry_out();
        wait
    }

    fn carry_out(&mut self) {
        let end_takes = Duration::from_millis(15);
        for action in &self.actions {
            if let Action::Relieve(Verdict { relief, process: Some(p), .. }) = action {
                let grower = self.growers.iter().find(|g| g.process.id == p.id).copied();
                let set_paused = |growers: &mut Vec<Grower>, paused| {
                    growers.iter_mut().filter(|g| g.process.id == p.id).for_each(|g| {
                        g.process.paused = paused;
                    });
                };
                match (relief, grower) {
                    (Relief::Pause { .. }, Some(g)) => {
                        set_paused(&mut self.growers, true);
                        if let Some(ms) = g.locks_ms {
                            let at = self.snapshot.at;
                            self.holders
                                .extend((at.0 / 1_000_000 % 100 < ms).then_some((p.id, at)));
                            self.state.report(p.id, Report::OnTrial, at);
                        }
                    }
                    (Relief::Thaw { .. }, _) => {
                        set_paused(&mut self.growers, false);
                        let now = self.snapshot.at;
                        let held = self.holders.iter().filter(|(id, _)| *id == p.id);
                        let longest = held.map(|(_, since)| now.since(*since)).max();
                        self.longest_lock = self.longest_lock.max(longest.unwrap_or_default());
                        self.holders.retain(|(id, _)| *id != p.id);
                    }
                    (_, None) => self.state.report(p.id, Report::Vanished, self.snapshot.at),
                    (Relief::Terminate, Some(g)) if g.deaf => {}
                    (_, Some(g)) if g.stuck => {}
                    _ => self.ending_at.push((p.id, self.snapshot.at.after(end_takes))),
                }
            }
            let thawed = match action {
                Action::StopToo { id, with } => {
                    let stopped = self.growers.iter_mut().filter(|g| g.process.id == *id);
                    stopped.for_each(|g| g.process.paused = true);
                    self.together.push((*id, *with));
                    None
                }
                Action::LetGo { id } => Some(*id),
                Action::Relieve(Verdict { relief, process, .. }) => process
                    .map(|p| p.id)
                    .filter(|_| !matches!(relief, Relief::Pause { .. } | Relief::Nothing)),
                _ => None,
            };
            if let Some(thawed) = thawed {
                let goes_on = |id| self.together.contains(&(id, thawed));
                let going_on = self.growers.iter_mut().filter(|g| goes_on(g.process.id));
                going_on.for_each(|g| g.process.paused = false);
                self.together.retain(|(_, with)| *with != thawed);
            }
            if let Action::EndToo { id } = action {
                self.ending_at.push((*id, self.snapshot.at.after(end_takes)));
            }
        }
        for (id, _) in &self.ending_at {
            let ending = self.growers.iter_mut().filter(|g| g.process.id == *id);
            ending.for_each(|g| g.process.ending = true);
        }
        self.log.extend(self.actions.iter().filter(|a| !a.is_scan()).copied());
    }

    fn run(&mut self, seconds: u64) {
        let end = self.snapshot.at.after(Duration::from_secs(seconds));
        while self.snapshot.at < end {
            let wait = self.act();
            // The loop also wakes when a victim's pidfd says that it ended.
            let ending = self.ending_at.iter().map(|(_, at)| at.since(self.snapshot.at)).min();
            self.pass(ending.map_or(wait, |e| e.min(wait)).max(Duration::from_millis(1)));
        }
    }

    fn slain(&self) -> Vec<i32> {
        self.verdicts()
            .filter(|v| !v.escalated && matches!(v.relief, Relief::Terminate | Relief::Kill))
            .filter_map(|v| v.process.map(|p| p.id.pid))
            .collect()
    }

    fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.log.iter().filter_map(|a| match a {
            Action::Relieve(v) => Some(v),
            _ => None,
        })
    }
}

fn shop() -> Vec<Grower> {
    vec![
        still(10, Class::Essential, 420),
        still(11, Class::Essential, 90),
        still(12, Class::System, 30),
    ]
}
