//! One look at the node, kept: what the flight recorder writes and a replay reads.
//!
//! A sample has a fixed size, so that the loop can hand one over without allocating, and holds all
//! that a decision goes by: what was measured, the totals of the classes, and the processes that
//! matter most.

use core::time::Duration;

use crate::action::Measured;
use crate::decide::State;
use crate::policy::Class;
use crate::snapshot::{
    CgroupMemory, Memory, Moment, Pressure, Process, Snapshot, VmCounters, ZoneIndex,
};
use crate::units::Kib;

/// Processes kept of each look.
pub const TOP: usize = 32;
/// Of those, places that only processes which may be slain have: the rest shows who else holds memory.
const TOP_SLAYABLE: usize = 24;
/// Zones kept of each look, the machine included.
pub const ZONES: usize = 9;

/// In a storm each look is kept, but not more often than this (a little less, since a timer that is
/// a moment early must not cost a sample).
const IN_STORM: Duration = Duration::from_millis(95);
/// While something changes: once a second.
const CHANGING: Duration = Duration::from_millis(950);
/// While nothing changes: the writer's thread is woken for each sample, and a node at rest is to be
/// left alone.
const AT_REST: Duration = Duration::from_secs(15);
/// Memory that changes by less than this, or than a hundredth of its zone, is noise.
const NOISE: Kib = Kib::from_mib(4);
/// Memory that goes faster than this, a second, and will be gone within so many seconds is a storm in the
/// making.
const FALLING_KIB_S: u64 = 16 * 1024;
const GONE_IN_S: u64 = 60;

/// One zone as it was: what was decided by, and for a cgroup what the kernel said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneSample {
    /// Its state as the policy's numbers see it; `None` for a zone that did not exist.
    pub measured: Option<Measured>,
    /// What the kernel said of its cgroup; `None` for the machine.
    pub cgroup: Option<CgroupMemory>,
}

/// What the processes of one class held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassSample {
    /// How many they were.
    pub processes: u32,
    /// Their resident memory; pages they share count for each.
    pub rss: Kib,
}

/// The node at one moment, as far as it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The wall clock, in milliseconds since 1970.
    pub unix_ms: i64,
    /// The node's own clock.
    pub at: Moment,
    /// When the processes were looked at.
    pub scanned: Moment,
    /// The incident that was open.
    pub incident: Option<u64>,
    /// The guard's own pid.
    pub own_pid: i32,
    /// `/proc/meminfo`.
    pub memory: Memory,
    /// `/proc/pressure/memory`.
    pub pressure: Option<Pressure>,
    /// `/proc/vmstat`.
    pub vm: VmCounters,
    /// The machine and the policy's zones; those past [`Self::zone_count`] mean nothing.
    zones: [ZoneSample; ZONES],
    zone_count: u8,
    /// The totals of all classes, in the order of [`Class::ALL`].
    pub classes: [ClassSample; Class::ALL.len()],
    /// How many processes there were, kept or not.
    pub processes: u32,
    top: [Process; TOP],
    top_count: u8,
}

impl Sample {
    /// Takes the node's state in. Never allocates.
    pub fn take(&mut self, unix_ms: i64, state: &State, snapshot: &Snapshot) {
        *self = Self {
            unix_ms,
            at: snapshot.at,
            scanned: snapshot.scanned,
            incident: state.open_incident(),
            own_pid: snapshot.own_pid,
            memory: snapshot.memory,
            pressure: snapshot.pressure,
            vm: snapshot.vm,
            processes: u32::try_from(snapshot.processes.len()).unwrap_or(u32::MAX),
            ..Self::default()
        };
        for index in (0..=snapshot.zones.len()).map_while(|n| u8::try_from(n).ok()) {
            let below = usize::from(index).checked_sub(1);
            self.push_zone(ZoneSample {
                measured: state.measured(ZoneIndex(index)).copied(),
                cgroup: below.and_then(|n| snapshot.zones.get(n).copied().flatten()),
            });
        }
        for process in &snapshot.processes {
            let total = &mut self.classes[process.class as usize];
            total.processes += 1;
            total.rss = total.rss.saturating_add(process.rss);
        }
        self.choose_top(&snapshot.processes);
    }

    /// The machine and the zones below it, in the policy's order.
    #[must_use]
    pub fn zones(&self) -> &[ZoneSample] {
        self.zones.get(..usize::from(self.zone_count)).unwrap_or(&self.zones)
    }

    /// Adds a zone, while there is room for one.
    pub fn push_zone(&mut self, zone: ZoneSample) {
        if let Some(place) = self.zones.get_mut(usize::from(self.zone_count)) {
            *place = zone;
            self.zone_count += 1;
        }
    }

    /// The processes that mattered most, in the order of their pids.
    #[must_use]
    pub fn top(&self) -> &[Process] {
        self.top.get(..usize::from(self.top_count)).unwrap_or(&self.top)
    }

    /// Adds a process, while there is room for one; pids must rise.
    pub fn push_top(&mut self, process: Process) {
        if let Some(place) = self.top.get_mut(usize::from(self.top_count)) {
            *place = process;
            self.top_count += 1;
        }
    }

    /// Whether there may have been more processes that matter than were kept: one that is missing
    /// here need not have ended.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.processes > u32::from(self.top_count)
    }

    /// The paused first, then who would give back the most; after them who holds the most.
    fn choose_top(&mut self, processes: &[Process]) {
        let mut best = Best::<TOP_SLAYABLE>::new();
        for (at, p) in processes.iter().enumerate().filter(|(_, p)| p.class.may_be_slain()) {
            best.offer((p.paused, p.gives_back), at);
        }
        let mut others = Best::<{ TOP - TOP_SLAYABLE }>::new();
        for (at, p) in processes.iter().enumerate().filter(|(_, p)| !p.class.may_be_slain()) {
            others.offer((false, p.rss), at);
        }
        let mut chosen = [usize::MAX; TOP];
        let all = best.places().chain(others.places());
        for (place, at) in chosen.iter_mut().zip(all) {
            *place = at;
        }
        chosen.sort_unstable();
        for process in chosen.iter().filter_map(|at| processes.get(*at)) {
            self.push_top(*process);
        }
    }
}

/// The places of the `N` greatest, found in one pass.
struct Best<const N: usize> {
    kept: [((bool, Kib), usize); N],
    count: usize,
}

impl<const N: usize> Best<N> {
    const fn new() -> Self {
        Self { kept: [((false, Kib::ZERO), 0); N], count: 0 }
    }

    fn offer(&mut self, weight: (bool, Kib), at: usize) {
        let place = self.kept[..self.count].partition_point(|(kept, _)| *kept >= weight);
        if place == N {
            return;
        }
        self.count = (self.count + 1).min(N);
        self.kept[place..self.count].rotate_right(1);
        self.kept[place] = (weight, at);
    }

    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.kept[..self.count].iter().map(|(_, at)| *at)
    }
}

/// When the next sample is due.
#[derive(Clone, Debug, Default)]
pub struct Cadence {
    last: Option<Glimpse>,
}

/// What a sample is compared by with the one before.
#[derive(Clone, Copy, Debug)]
struct Glimpse {
    at: Moment,
    available: [Kib; ZONES],
    slayable: Kib,
    is_stalled: bool,
}

impl Cadence {
    /// Whether the node is to be kept as it is now. Never allocates.
    pub fn is_due(&mut self, state: &State, snapshot: &Snapshot) -> bool {
        let now = glimpse(state, snapshot);
        let is_due = self.last.is_none_or(|last| {
            let since = now.at.since(last.at);
            // A clock that was set back says nothing about how long ago the last one was.
            now.at < last.at
                || since >= AT_REST
                || (since >= CHANGING && (now.is_stalled || differs(state, &last, &now)))
                || (since >= IN_STORM && is_storm(state))
        });
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

fn zones(state: &State) -> impl Iterator<Item = Option<&Measured>> {
    (0u8..).take(ZONES).map(|n| state.measured(ZoneIndex(n)))
}

fn is_storm(state: &State) -> bool {
    let goes = |m: &Measured| {
        m.falling_kib_s >= FALLING_KIB_S && m.headroom().0 / m.falling_kib_s < GONE_IN_S
    };
    state.open_incident().is_some()
        || zones(state).flatten().any(|m| m.kills > 0 || goes(m) || m.headroom() < m.floor)
}

fn glimpse(state: &State, snapshot: &Snapshot) -> Glimpse {
    let mut available = [Kib::ZERO; ZONES];
    for (available, measured) in available.iter_mut().zip(zones(state)) {
        *available = measured.map_or(Kib::ZERO, |m| m.available);
    }
    let slayable = snapshot.processes.iter().filter(|p| p.class.may_be_slain());
    Glimpse {
        at: snapshot.at,
        available,
        slayable: slayable.fold(Kib::ZERO, |sum, p| sum.saturating_add(p.gives_back)),
        is_stalled: zones(state).flatten().any(|m| m.stall_percent.is_some_and(|s| s > 0)),
    }
}

fn differs(state: &State, last: &Glimpse, now: &Glimpse) -> bool {
    let moved = |from: Kib, to: Kib, noise: Kib| Kib(from.0.abs_diff(to.0)) > noise;
    let limits = zones(state).map(|m| m.map_or(Kib::ZERO, |m| m.limit));
    let mut available = last.available.iter().zip(&now.available).zip(limits);
    moved(last.slayable, now.slayable, NOISE)
        || available.any(|((from, to), limit)| moved(*from, *to, NOISE.max(limit.percent(1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::decide;
    use crate::policy::Policy;
    use crate::snapshot::ProcessId;
    use alloc::vec::Vec;

    fn process(pid: i32, class: Class, mib: u64) -> Process {
        Process {
            id: ProcessId { pid, start_ticks: 1 },
            class,
            rss: Kib::from_mib(mib),
            gives_back: if class.may_be_slain() { Kib::from_mib(mib) } else { Kib::ZERO },
            ..Process::default()
        }
    }

    fn node(available_mib: u64) -> Snapshot {
        let (total, available) = (Kib::from_mib(1280), Kib::from_mib(available_mib));
        Snapshot {
            at: Moment(1_000_000_000_000),
            memory: Memory { total, available, ..Memory::default() },
            ..Snapshot::default()
        }
    }

    fn looked_at(state: &mut State, snapshot: &Snapshot) {
        decide(state, snapshot, &Policy::built_in(), &mut Vec::new());
    }

    #[test]
    fn of_many_processes_those_that_matter_are_kept_in_the_order_of_their_pids() {
        let mut snapshot = node(900);
        for pid in 1..=500 {
            let class = if pid % 2 == 0 { Class::Essential } else { Class::Expendable };
            let mut process = process(pid, class, u64::try_from(pid % 97).unwrap());
            process.paused = pid == 3;
            snapshot.processes.push(process);
        }
        let mut sample = Sample::default();
        sample.take(7, &State::new(0, 0), &snapshot);
        let pids: Vec<i32> = sample.top().iter().map(|p| p.id.pid).collect();
        assert_eq!((pids.len(), sample.processes, sample.is_cut()), (TOP, 500, true));
        assert!(pids.is_sorted(), "{pids:?}");
        assert!(pids.contains(&3), "the paused one is small and kept all the same");
        let least = |class| {
            sample.top().iter().filter(|p| p.class == class && !p.paused).map(|p| p.rss).min()
        };
        assert!(least(Class::Expendable) >= Some(Kib::from_mib(85)));
        assert!(least(Class::Essential) >= Some(Kib::from_mib(93)));
        assert_eq!(sample.classes[Class::Expendable as usize].processes, 250);
        let all: u64 = snapshot.processes.iter().map(|p| p.rss.0).sum();
        assert_eq!(sample.classes.iter().map(|c| c.rss.0).sum::<u64>(), all);
    }

    #[test]
    fn a_node_at_rest_is_sampled_seldom_and_one_that_changes_once_a_second() {
        let (mut cadence, mut state) = (Cadence::default(), State::new(0, 0));
        let mut snapshot = node(900);
        let mut samples = |seconds: u64, change: fn(&mut Snapshot)| {
            let mut due = 0;
            for _ in 0..seconds {
                snapshot.at = snapshot.at.after(Duration::from_secs(1));
                change(&mut snapshot);
                looked_at(&mut state, &snapshot);
                due += u32::from(cadence.is_due(&state, &snapshot));
            }
            due
        };
        assert_eq!(samples(60, |_| {}), 4);
        assert_eq!(samples(10, |s| s.memory.available = Kib(s.memory.available.0 - 14_000)), 10);
    }

    #[test]
    fn in_a_storm_each_look_is_kept_but_no_more_than_ten_a_second() {
        let (mut cadence, mut state) = (Cadence::default(), State::new(0, 0));
        let mut snapshot = node(60);
        let mut due = 0;
        for _ in 0..100 {
            snapshot.at = snapshot.at.after(Duration::from_millis(20));
            looked_at(&mut state, &snapshot);
            due += u32::from(cadence.is_due(&state, &snapshot));
        }
        assert!(state.open_incident().is_some());
        assert_eq!(due, 20, "two seconds of storm");
    }
}
