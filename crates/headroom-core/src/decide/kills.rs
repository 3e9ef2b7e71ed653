//! Whose a kernel kill is: `/proc/vmstat` counts every one, those for a zone's own limit with them, and
//! for those the zone acts. One event is one reason.

use crate::snapshot::{Moment, Snapshot};

/// Zones whose kills are told apart; [`crate::snapshot::Process::zones`] has room for no more.
const ZONES: usize = 8;

/// The machine's own kills.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnKills {
    at: Option<Moment>,
    own: u64,
    machine: Option<u64>,
    zones: [Option<u64>; ZONES],
    /// Kills that zones counted at this look and the machine not yet, whose counter is read before theirs.
    ahead: u64,
}

impl OwnKills {
    /// Takes a look in; returns how many processes were killed for want of the machine's own memory, by a
    /// count of which only differences mean something. `None` where the kernel does not count.
    pub(super) fn note(&mut self, snapshot: &Snapshot) -> Option<u64> {
        let machine = snapshot.vm.oom_kill?;
        // Decided once more after a scan: it is still the same look.
        if self.at.replace(snapshot.at) == Some(snapshot.at) {
            return Some(self.own);
        }
        let more = machine.saturating_sub(self.machine.replace(machine).unwrap_or(machine));
        let mut of_zones = 0_u64;
        let now = snapshot.zones.iter().map(|zone| zone.and_then(|zone| zone.oom_kill));
        for (before, now) in self.zones.iter_mut().zip(now.chain(core::iter::repeat(None))) {
            // A zone that is new brings kills of its past, and one that is gone takes its own along.
            if let (Some(before), Some(now)) = (*before, now) {
                of_zones = of_zones.saturating_add(now.saturating_sub(before));
            }
            *before = now;
        }
        // What a zone was ahead by is due at the next look, or was never the machine's to count.
        let news = more.saturating_sub(self.ahead);
        self.ahead = of_zones.saturating_sub(news);
        self.own = self.own.saturating_add(news.saturating_sub(of_zones));
        Some(self.own)
    }

    /// Other zones are looked at from here on.
    pub(super) const fn forget_zones(&mut self) {
        (self.zones, self.ahead) = ([None; ZONES], 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::CgroupMemory;
    use alloc::vec;

    /// The machine's own kills after each look, of which each shows the machine's count and the zone's.
    fn own(looks: &[(u64, Option<u64>)]) -> alloc::vec::Vec<u64> {
        let mut kills = OwnKills::default();
        let mut snapshot = Snapshot::default();
        looks
            .iter()
            .map(|&(machine, zone)| {
                snapshot.at.0 += 1;
                snapshot.vm.oom_kill = Some(machine);
                let zone =
                    zone.map(|n| CgroupMemory { oom_kill: Some(n), ..CgroupMemory::default() });
                snapshot.zones = vec![zone];
                // Each look may be decided about twice.
                assert_eq!(kills.note(&snapshot), kills.note(&snapshot));
                kills.note(&snapshot).unwrap()
            })
            .collect()
    }

    #[test]
    fn a_kill_for_a_zones_limit_is_not_the_machines() {
        assert_eq!(own(&[(5, Some(3)), (6, Some(4)), (7, Some(4))]), [0, 0, 1]);
    }

    #[test]
    fn a_kill_between_two_reads_is_counted_once_whoever_shows_it_first() {
        assert_eq!(own(&[(5, Some(3)), (5, Some(4)), (6, Some(4)), (7, Some(4))]), [0, 0, 0, 1]);
        assert_eq!(own(&[(5, Some(3)), (5, Some(4)), (6, Some(5)), (7, Some(5))]), [0; 4]);
    }

    #[test]
    fn what_only_a_zone_counts_hides_no_kill_of_the_machine_for_long() {
        assert_eq!(own(&[(5, Some(3)), (5, Some(9)), (5, Some(9)), (7, Some(9))]), [0, 0, 0, 2]);
    }

    #[test]
    fn a_zone_that_comes_or_goes_says_nothing_about_now() {
        assert_eq!(own(&[(5, None), (5, Some(9)), (6, Some(9)), (7, None)]), [0, 0, 1, 2]);
    }
}
