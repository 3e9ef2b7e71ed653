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

/// A family that ends as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// The one of it that is waited for.
    pub(super) largest: Process,
    pub(super) members: u32,
    pub(super) gives_back: Kib,
}

/// The swarm of small expendables in a zone that gives back the most, if it gives back at least `least`.
pub(super) fn swarm(
    scratch: &mut Scratch,
    snapshot: &Snapshot,
    zone: ZoneIndex,
    least: Kib,
    spared: impl Fn(ProcessId) -> bool,
) -> Option<Family> {
    let groups = scratch.groups(snapshot, |p| {
        let counts = p.class == Class::Expendable && p.family != 0;
        (counts && may_go(p, zone, snapshot.own_pid) && !spared(p.id)).then_some(p.family)
    });
    let swarms = groups.filter(|group| group.members() >= FEW && group.gives_back() >= least);
    swarms.max_by_key(Group::gives_back).and_then(|group| of(&group))
}

/// The family that a process belongs to, as a rule asks for it.
pub(super) fn family_of(
    scratch: &mut Scratch,
    snapshot: &Snapshot,
    zone: ZoneIndex,
    process: &Process,
) -> Option<Family> {
    let mut groups = scratch.groups(snapshot, |p| {
        (is_in(p, process.family) && may_go(p, zone, snapshot.own_pid)).then_some(p.family)
    });
    groups.next().and_then(|group| of(&group))
}

fn of(group: &Group<'_>) -> Option<Family> {
    Some(Family {
        largest: *group.largest()?,
        members: group.members(),
        gives_back: group.gives_back(),
    })
}

/// Whether a process belongs to a family that has a name.
pub(super) const fn is_in(process: &Process, family: u64) -> bool {
    family != 0 && process.family == family
}

/// Those of a family that are still to end.
pub(super) fn still_there(
    snapshot: &Snapshot,
    zone: ZoneIndex,
    family: u64,
) -> impl Iterator<Item = &Process> {
    let own_pid = snapshot.own_pid;
    snapshot.processes.iter().filter(move |p| is_in(p, family) && may_go(p, zone, own_pid))
}
