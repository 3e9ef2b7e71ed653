//! A recorded storm: samples in, ground and actors out.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Actor, Ground, Path, Point, Storm, Then};
use crate::decide::kind_of;
use crate::sample::Sample;
use crate::snapshot::{Moment, Process, ProcessId};
use crate::units::Kib;

/// Samples further apart than this are not of one record: nobody looked in between.
const GAP: Duration = Duration::from_secs(60);
/// A verdict is about a process that was seen until no longer before it than this.
const LATELY_MS: i64 = 3000;

/// Something the guard did when the storm was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// When, in milliseconds since 1970.
    pub unix_ms: i64,
    /// To whom.
    pub pid: i32,
    /// What.
    pub what: DoneWhat,
}

/// What was done, as far as it matters to what is known of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoneWhat {
    /// It was to be paused.
    Paused,
    /// It was sent a signal that ends.
    Slain,
}

/// One record, as it is read.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    ground: Ground,
    seen: BTreeMap<ProcessId, Seen>,
    last: Option<(Moment, i32, Option<u64>)>,
    finished: Vec<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    process: Process,
    born: Moment,
    path: Path,
    ran: Duration,
    at: Moment,
    /// The wall clock when it was first and last seen.
    unix_ms: (i64, i64),
    was_paused: bool,
    /// What is taken to be the reason when it was not seen any more.
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was there to the last.
    None,
    /// It ended between two samples.
    Ended(Moment),
    /// The kernel killed somebody in that time.
    Killed,
}

impl Recording {
    /// Takes the next sample in; false when it is not of this record: the node was booted or the guard
    /// started anew, or nobody looked for long.
    pub fn push(&mut self, sample: &Sample) -> bool {
        let kills = sample.vm.oom_kill;
        let killed = match self.last {
            Some((at, own_pid, before)) => {
                if sample.at <= at || sample.at.since(at) > GAP || sample.own_pid != own_pid {
                    return false;
                }
                matches!((before, kills), (Some(before), Some(now)) if now > before)
            }
            None => false,
        };
        let before = self.last.map_or(sample.at, |(at, ..)| at);
        self.last = Some((sample.at, sample.own_pid, kills));
        for process in sample.top().iter().filter(|p| is_actor(p) && !p.ending) {
            self.see(process, sample, before);
        }
        self.miss(sample, killed);
        self.push_ground(sample);
        true
    }

    fn see(&mut self, process: &Process, sample: &Sample, before: Moment) {
        let (gives_back, rss) = (process.gives_back, process.rss);
        let Some(seen) = self.seen.get_mut(&process.id) else {
            // It began after the sample before, unless that one had no room for it or there was none.
            let started = Moment(process.id.start_ticks.saturating_mul(10_000_000));
            let born = started.max(before).min(sample.at);
            let mut path = Path::starting(gives_back, rss);
            let ran = sample.at.since(born);
            if ran > Duration::ZERO && started >= before {
                path = Path::starting(Kib::ZERO, Kib::ZERO);
                path.reach(ran, gives_back, rss);
            }
            let is_new = started >= before;
            self.seen.insert(
                process.id,
                Seen {
                    process: *process,
                    born: if is_new { born } else { sample.at },
                    path,
                    ran: if is_new { ran } else { Duration::ZERO },
                    at: sample.at,
                    unix_ms: (sample.unix_ms, sample.unix_ms),
                    was_paused: process.paused,
                    end: End::None,
                },
            );
            return;
        };
        if !seen.process.paused {
            seen.ran += sample.at.since(seen.at);
            seen.path.reach(seen.ran, gives_back, rss);
        }
        seen.process = *process;
        seen.was_paused |= process.paused;
        (seen.at, seen.unix_ms.1) = (sample.at, sample.unix_ms);
    }

    /// Those that are not in the sample: they ended, or there was no room for them.
    fn miss(&mut self, sample: &Sample, killed: bool) {
        let least = sample.top().iter().filter(|p| is_actor(p)).map(|p| p.gives_back);
        let least = least.min().unwrap_or(Kib::ZERO);
        let gone = |seen: &Seen| {
            seen.at < sample.at && !(sample.is_cut() && seen.process.gives_back <= least)
        };
        let ids: Vec<ProcessId> =
            self.seen.iter().filter(|(_, seen)| gone(seen)).map(|(id, _)| *id).collect();
        for mut seen in ids.iter().filter_map(|id| self.seen.remove(id)) {
            seen.end = if killed { End::Killed } else { End::Ended(sample.at) };
            self.finished.push(seen);
        }
    }

    fn push_ground(&mut self, sample: &Sample) {
        let held = |bit: Option<u32>| {
            let inside = self.seen.values().map(|s| &s.process);
            let inside = inside.filter(|p| bit.is_none_or(|bit| p.zones >> bit & 1 == 1));
            inside.fold(Kib::ZERO, |sum, p| sum.saturating_add(p.gives_back))
        };
        let mut memory = sample.memory;
        memory.available = memory.available.saturating_add(held(None));
        let zones = sample.zones().get(1..).unwrap_or_default();
        let zones = (0..).zip(zones).map(|(bit, zone)| {
            let mut cgroup = zone.cgroup?;
            cgroup.current = cgroup.current.saturating_sub(held(Some(bit)));
            Some(cgroup)
        });
        let zones = zones.collect();
        self.ground.push(Point {
            at: sample.at,
            unix_ms: sample.unix_ms,
            own_pid: sample.own_pid,
            memory,
            pressure: sample.pressure,
            vm: sample.vm,
            zones,
        });
    }

    /// The storm, now that what was done in it is known as well.
    #[must_use]
    pub fn finish(self, done: &[Done]) -> Storm {
        let mut actors: Vec<Actor> = self
            .finished
            .into_iter()
            .chain(self.seen.into_values())
            .map(|seen| seen.finish(done))
            .collect();
        actors.sort_by_key(|a| (a.born, a.process.id));
        lend_paths(&mut actors);
        Storm { ground: self.ground, actors }
    }
}

/// Whoever was slain would have taken what others of its kind took that ended by themselves: the
/// longest of them.
fn lend_paths(actors: &mut [Actor]) {
    let kind = |actor: &Actor| kind_of(actor.process.command.as_bytes());
    let mut whole: BTreeMap<u64, Path> = BTreeMap::new();
    for actor in actors.iter().filter(|a| a.path.then() == Then::Ends) {
        let known = whole.entry(kind(actor)).or_insert_with(|| actor.path.clone());
        if known.length() < actor.path.length() {
            *known = actor.path.clone();
        }
    }
    for actor in actors.iter_mut().filter(|a| a.path.then() == Then::GrowsOn) {
        let known_for = actor.path.length();
        let other = whole.get(&kind(actor)).filter(|path| path.length() > known_for);
        if let Some(other) = other {
            actor.path.go_on_as(other);
            actor.known_for = Some(known_for);
        }
    }
}

/// Whether anything may ever be done to it.
fn is_actor(process: &Process) -> bool {
    process.class.may_be_slain() || process.is_worker
}

impl Seen {
    fn finish(mut self, done: &[Done]) -> Actor {
        let (first, last) = self.unix_ms;
        let times = first - LATELY_MS..=last + LATELY_MS;
        let was = |what| {
            let pid = self.process.id.pid;
            done.iter().any(|d| d.pid == pid && d.what == what && times.contains(&d.unix_ms))
        };
        let holds_lock = !self.was_paused && was(DoneWhat::Paused);
        let then = match self.end {
            End::None => Then::Stays,
            End::Killed => Then::GrowsOn,
            End::Ended(_) if was(DoneWhat::Slain) => Then::GrowsOn,
            End::Ended(at) => {
                // What it held went back between the two samples.
                self.path.reach(self.ran + at.since(self.at), Kib::ZERO, Kib::ZERO);
                Then::Ends
            }
        };
        self.path.end_with(then);
        // What the guard of the record did to it is not done yet.
        let process = Process { paused: false, ending: false, ..self.process };
        let mut actor = Actor::new(process, self.born, self.path);
        actor.temper.holds_lock = holds_lock;
        actor
    }
}
