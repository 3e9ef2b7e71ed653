//! Classes at birth: a process is classed when it runs another program or becomes another user, and
//! not at the next scan, by which a cron job may have taken all there is.
//!
//! Forks are not listened to. The kernel gives a child its parent's `oom_score_adj`, and its class is
//! the parent's until it runs another program, becomes another user or takes another name: cron's
//! child is root's until its setuid, php-fpm's worker is php-fpm. So there is nothing to set at a
//! fork, the scan that comes before each choice finds the child, and half of all messages are saved.
//!
//! Nor are ends: each would wake the guard on a node at rest, and who has ended hurts nobody in the table.
//! A few of those are taken out at each birth when the table gets full, the others at the next scan.
//!
//! Values are written here and not by `decide`, which looks at memory and walks over all processes:
//! too much for each of a thousand execs a second. The core chooses them all the same, by
//! [`Policy::score_to_set`].

use std::time::Duration;

use headroom_api::status::Missing;
use headroom_core::policy::{Class, Policy};
use headroom_core::snapshot::{Moment, Process};
use headroom_sys::connector::{Connector, Event, Kind};
use headroom_sys::own;
use headroom_sys::wait::{Interest, Waiter};

use crate::act::Hands;
use crate::sense::Senses;
use crate::table::Whom;
use crate::tokens::BIRTH;
use crate::view::missing;

/// What is listened to.
const KINDS: [Kind; 3] = [Kind::Exec, Kind::Uid, Kind::Comm];
/// Processes examined in one go, each in some 50 µs: between two goes relief has its turn.
const EXAMINED: usize = 16;
/// Messages read in one go, each in about 1 µs.
const MESSAGES: usize = 128;
/// After a go that left something undone, everybody else has as long a turn: whoever starts programs
/// or changes names in a loop cannot have the guard, which runs before all others, take a core whole.
const REST: Duration = Duration::from_millis(1);
/// After a loss all processes are scanned, but not again before this time is over.
const BETWEEN_SCANS: Duration = Duration::from_millis(250);

/// An expendable that runs its program for no longer than this has just begun.
const NEWBORN: Duration = Duration::from_secs(2);

/// Losses are said no more often than this.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(10);

/// What has happened to processes and has not been looked at yet.
#[derive(Debug)]
pub(crate) struct Births {
    connector: Option<Connector>,
    /// Whom something happened to, each once.
    changed: Vec<i32>,
    /// Messages were lost, and not made good yet.
    lost: bool,
    losses: Losses,
    /// When all were last scanned for a loss.
    made_good: Option<Moment>,
    sweep: Option<Sweep>,
    /// Out of the waiter's sight for [`REST`].
    resting: bool,
    /// An expendable began, which may become a job that has to wait.
    newborn: bool,
}

#[cfg(test)]
impl Births {
    /// Births that nobody is told of but through [`Self::lose`], at that moment.
    pub(crate) fn deaf(senses: &mut Senses, waiter: &Waiter) -> Self {
        senses.snapshot.births_heard = true;
        Self::open(senses, waiter, &mut Vec::new())
    }

    /// The kernel says that messages were lost; then they are made good, as far as one go does.
    pub(crate) fn lose(
        &mut self,
        waiter: &Waiter,
        senses: &mut Senses,
        policy: &Policy,
        hands: &mut Hands,
        now: Moment,
    ) {
        self.lost = true;
        self.losses.count += 1;
        self.take_in_at(waiter, senses, policy, hands, now);
    }
}

/// How often messages were lost, and when that was last said.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    count: u64,
    said: u64,
    said_at: Option<Moment>,
}

/// After a loss: everybody who was examined before it is examined again, a few at a time.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    next_pid: i32,
    lost_at: Moment,
}

impl Births {
    /// Begins to listen, where that can be.
    pub(crate) fn open(senses: &Senses, waiter: &Waiter, lacking: &mut Vec<Missing>) -> Self {
        let connector = if senses.proc.is_live() {
            Connector::open(&KINDS).map_err(|refused| refused.to_string()).and_then(|connector| {
                let added = waiter.add(&connector, Interest::Readable, BIRTH);
                added.map(|()| connector).map_err(|error| error.to_string())
            })
        } else {
            Err("/proc is not the running kernel's".into())
        };
        if let Err(why) = &connector {
            lacking.push(missing("proc connector", why, "rescan each second"));
        }
        let changed = Vec::with_capacity(EXAMINED);
        Self {
            connector: connector.ok(),
            changed,
            lost: false,
            losses: Losses::default(),
            made_good: None,
            sweep: None,
            resting: false,
            newborn: false,
        }
    }

    /// What the log says of it at the start.
    pub(crate) fn introduction(&self) -> Option<String> {
        let bytes = self.connector.as_ref()?.queue_bytes()?;
        Some(format!("processes are classed at birth; {} KiB of events may wait", bytes / 1024))
    }

    /// What the log is to say of losses, now and then.
    pub(crate) fn complaint(&mut self) -> Option<String> {
        let Losses { count, said, said_at } = self.losses;
        let now = own::now();
        if count == said || said_at.is_some_and(|at| now.since(at) < BETWEEN_COMPLAINTS) {
            return None;
        }
        self.losses = Losses { count, said: count, said_at: Some(now) };
        let times = count - said;
        Some(format!("events of processes were lost {times} times; looked at all processes again"))
    }

    /// Whether an expendable began since this was last asked.
    pub(crate) const fn take_newborn(&mut self) -> bool {
        std::mem::replace(&mut self.newborn, false)
    }

    /// Whether births are heard.
    pub(crate) const fn are_heard(&self) -> bool {
        self.connector.is_some()
    }

    /// How long it may be left alone when nothing new is heard.
    pub(crate) const fn patience(&self) -> Duration {
        if self.resting || self.sweep.is_some() {
            REST
        } else if self.lost {
            BETWEEN_SCANS
        } else {
            Duration::MAX
        }
    }

    /// Looks at some of those to whom something happened, and gives them what their class asks for.
    /// Takes a bounded time and returns with the rest undone: call it again when nothing is more
    /// urgent. Never allocates, unless after a loss more processes are found than ever before.
    pub(crate) fn take_in(
        &mut self,
        waiter: &Waiter,
        senses: &mut Senses,
        policy: &Policy,
        hands: &mut Hands,
    ) {
        self.take_in_at(waiter, senses, policy, hands, own::now());
    }

    fn take_in_at(
        &mut self,
        waiter: &Waiter,
        senses: &mut Senses,
        policy: &Policy,
        hands: &mut Hands,
        now: Moment,
    ) {
        let heard_all = self.hear();
        self.rest(waiter, !heard_all);
        while let Some(pid) = self.changed.pop() {
            let Senses { proc, snapshot, table, .. } = &mut *senses;
            table.make_room(proc, snapshot);
            let process = class_one(senses, policy, hands, pid, now);
            if let Some(process) = process.filter(|p| is_newborn(p, now)) {
                self.newborn = true;
                let Senses { proc, readiness, .. } = &mut *senses;
                readiness.take_newborn(proc, process.id, now);
            }
        }
        self.make_good(senses, policy, hands, now);
    }

    /// Has the waiter look away for a while, or look again.
    fn rest(&mut self, waiter: &Waiter, rests: bool) {
        let Some(connector) = self.connector.as_ref().filter(|_| rests != self.resting) else {
            return;
        };
        let changed = if rests {
            waiter.remove(connector)
        } else {
            waiter.add(connector, Interest::Readable, BIRTH)
        };
        if changed.is_ok() {
            self.resting = rests;
        }
    }

    /// Reads what happened, and says whether that was all.
    fn hear(&mut self) -> bool {
        let Some(connector) = &mut self.connector else { return true };
        for _ in 0..MESSAGES {
            match connector.next_event() {
                Ok(None) => return true,
                Ok(Some(Event::Happened { pid, .. })) => {
                    if !self.changed.contains(&pid) {
                        self.changed.push(pid);
                    }
                }
                // Whatever else the kernel answers, something may not have been heard.
                Ok(Some(Event::Lost)) | Err(_) => {
                    self.lost = true;
                    self.losses.count += 1;
                }
            }
            if self.changed.len() == EXAMINED {
                break;
            }
        }
        false
    }

    /// After a loss: the scan finds whoever is new, the sweep whoever changed.
    fn make_good(&mut self, senses: &mut Senses, policy: &Policy, hands: &mut Hands, now: Moment) {
        // Not by the age of the table: before choices it is looked at again and again, and not all of it.
        let is_soon = self.made_good.is_some_and(|last| now.since(last) < BETWEEN_SCANS);
        if self.lost && self.sweep.is_none() && !is_soon {
            self.made_good = Some(now);
            // Where /proc cannot be read the loop says so.
            self.lost = senses.scan(policy, Whom::All).is_err();
            self.sweep = Some(Sweep { next_pid: 0, lost_at: now });
        }
        let Some(Sweep { mut next_pid, lost_at }) = self.sweep.take() else { return };
        let mut left = EXAMINED;
        while let Some((process, examined)) = senses.table.next_from(&senses.snapshot, next_pid) {
            if left == 0 {
                self.sweep = Some(Sweep { next_pid, lost_at });
                return;
            }
            let pid = process.id.pid;
            if examined < lost_at {
                class_one(senses, policy, hands, pid, now);
                left -= 1;
            } else {
                set_score(senses, policy, hands, &process);
            }
            next_pid = pid.saturating_add(1);
        }
    }
}

fn class_one(
    senses: &mut Senses,
    policy: &Policy,
    hands: &mut Hands,
    pid: i32,
    now: Moment,
) -> Option<Process> {
    let Senses { proc, snapshot, table, .. } = senses;
    let process = table.examine_one(proc, snapshot, policy, pid, now)?;
    set_score(senses, policy, hands, &process);
    Some(process)
}

fn is_newborn(process: &Process, now: Moment) -> bool {
    process.class == Class::Expendable && !process.ending && process.age(now) < NEWBORN
}

fn set_score(senses: &mut Senses, policy: &Policy, hands: &mut Hands, process: &Process) {
    let Senses { proc, snapshot, .. } = senses;
    if process.ending || process.id.pid == snapshot.own_pid {
        return;
    }
    if let Some(value) = policy.score_for(process) {
        hands.set_score(proc, snapshot, process.id, value);
    }
}
