//! Many small ones: a fork bomb or a swarm of scripts, of which none gives back enough to be worth its
//! end while together they hold all there is. They are counted by family and end together.

use alloc::vec::Vec;

use super::rank::may_go;
use crate::policy::Class;
use crate::snapshot::{Process, ProcessId, Snapshot, ZoneIndex};
use crate::units::Kib;

/// Processes that are counted; the rest of a larger swarm is found by the next choice.
const MOST: usize = 2048;
/// Fewer than these are no swarm.
const FEW: u32 = 4;
/// Who gives back this much of the minimum gain, in per cent, is worth an end of its own: no swarm takes it
/// along.
const WORTH_ITS_OWN: u64 = 200;

/// Room to group processes in, so that none is made in a storm.
#[derive(Clone, Debug)]
pub(super) struct Scratch(Vec<Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    group: u64,
    gives_back: u32,
    /// Its place in the snapshot.
    at: u32,
}

impl Default for Scratch {
    fn default() -> Self {
        Self(Vec::with_capacity(MOST))
    }
}

impl Scratch {
    /// The processes for which `group` names one, in groups; in each from the leanest to the largest.
    /// Never allocates.
    pub(super) fn groups<'a>(
        &'a mut self,
        snapshot: &'a Snapshot,
        group: impl Fn(&Process) -> Option<u64>,
    ) -> impl Iterator<Item = Group<'a>> {
        self.0.clear();
        let grouped = (0u32..).zip(&snapshot.processes).filter_map(|(at, process)| {
            let gives_back = u32::try_from(process.gives_back.0).unwrap_or(u32::MAX);
            Some(Entry { group: group(process)?, gives_back, at })
        });
        self.0.extend(grouped.take(MOST));
        self.0.sort_unstable();
        self.0
            .chunk_by(|a, b| a.group == b.group)
            .map(|entries| Group { entries, processes: &snapshot.processes })
    }
}

/// Processes of one group, from the leanest to the largest; never empty.
pub(super) struct Group<'a> {
    entries: &'a [Entry],
    processes: &'a [Process],
}

impl Group<'_> {
    pub(super) fn members(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn gives_back(&self) -> Kib {
        Kib(self.entries.iter().map(|entry| u64::from(entry.gives_back)).sum())
    }

    pub(super) fn median(&self) -> Kib {
        let middle = self.entries.get(self.entries.len() / 2);
        Kib(middle.map_or(0, |entry| u64::from(entry.gives_back)))
    }

    pub(super) fn largest(&self) -> Option<&Process> {
        self.processes.get(usize::try_from(self.entries.last()?.at).ok()?)
    }
}

/// Who of a family ends together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    family: u64,
    /// Only those that give back less than this and run; `None` where a rule asks for all.
    smaller_than: Option<Kib>,
}

impl Unit {
    /// All of a process's family, as its rule asks for it; `None` when it has none.
    fn whole(process: &Process) -> Option<Self> {
        (process.family != 0).then_some(Self { family: process.family, smaller_than: None })
    }

    /// The small ones of a process's family; `None` when it is not one of them.
    fn small(process: &Process, minimum_gain: Kib) -> Option<Self> {
        let smaller_than = Some(minimum_gain.percent(WORTH_ITS_OWN));
        let unit = Self { family: process.family, smaller_than };
        (process.class == Class::Expendable && unit.has(process)).then_some(unit)
    }

    /// Whether a process ends with the others.
    fn has(&self, process: &Process) -> bool {
        let is_small = |most| process.gives_back < most && !process.paused;
        self.family != 0 && process.family == self.family && self.smaller_than.is_none_or(is_small)
    }
}

/// A family that ends together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) unit: Unit,
    /// The one of it that is waited for.
    pub(super) largest: Process,
    pub(super) members: u32,
    pub(super) gives_back: Kib,
}

/// The swarm of small expendables in a zone that gives back the most, if it gives back at least `enough`.
/// Whoever waits, or is worth an end of its own, is none of it.
pub(super) fn swarm(
    scratch: &mut Scratch,
    snapshot: &Snapshot,
    zone: ZoneIndex,
    (minimum_gain, enough): (Kib, Kib),
    spared: impl Fn(ProcessId) -> bool,
) -> Option<Family> {
    let groups = scratch.groups(snapshot, |p| {
        let unit = Unit::small(p, minimum_gain)?;
        (may_go(p, zone, snapshot.own_pid) && !spared(p.id)).then_some(unit.family)
    });
    let swarms = groups.filter(|group| group.members() >= FEW && group.gives_back() >= enough);
    let most = swarms.max_by_key(Group::gives_back)?;
    of(&most, Unit::small(most.largest()?, minimum_gain)?)
}

/// The family that a process belongs to, as a rule asks for it.
pub(super) fn family_of(
    scratch: &mut Scratch,
    snapshot: &Snapshot,
    zone: ZoneIndex,
    process: &Process,
) -> Option<Family> {
    let unit = Unit::whole(process)?;
    let mut groups = scratch.groups(snapshot, |p| {
        (unit.has(p) && may_go(p, zone, snapshot.own_pid)).then_some(p.family)
    });
    of(&groups.next()?, unit)
}

fn of(group: &Group<'_>, unit: Unit) -> Option<Family> {
    Some(Family {
        unit,
        largest: *group.largest()?,
        members: group.members(),
        gives_back: group.gives_back(),
    })
}

/// Those of a family that are still to end.
pub(super) fn still_there(
    snapshot: &Snapshot,
    zone: ZoneIndex,
    unit: Unit,
) -> impl Iterator<Item = &Process> {
    let own_pid = snapshot.own_pid;
    snapshot.processes.iter().filter(move |p| unit.has(p) && may_go(p, zone, own_pid))
}
