//! Who is held ready for a signal: a few of those who may go. Where no memory is left the choice is made from
//! them, since the kernel has whoever opens anything wait for memory (`headroom_sys::proc`).

use std::time::Duration;

use headroom_core::snapshot::{CgroupMemory, Memory, Moment, Process, ProcessId, Snapshot};
use headroom_core::units::Kib;
use headroom_sys::proc::{MOST_READY, Proc};

/// Of the places this many go to the largest of each zone.
const OF_ZONES: usize = 2;
/// A newborn takes a place no more often than this: its files are seven.
const NEWBORNS: Duration = Duration::from_millis(10);
/// A zone with less than this left has none for the guard.
const NOTHING: Kib = Kib::from_mib(1);
/// The machine with less than this part of its memory available neither.
const PART: u64 = 64;
/// None was left a moment ago is as good as none.
const MOMENT: Duration = Duration::from_millis(250);

/// Keeps a few ready.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    /// When those were scanned that the places were given by.
    scanned: Moment,
    newborn: Moment,
    /// When no memory was left for the guard's own calls.
    out: Option<Moment>,
}

impl Readiness {
    /// Whether no memory is left for the guard's own calls.
    pub(crate) fn is_out(&self, now: Moment) -> bool {
        self.out.is_some_and(|at| now.since(at) < MOMENT)
    }

    /// Takes in what is left of the machine.
    pub(crate) fn note_machine(&mut self, memory: &Memory, now: Moment) {
        if memory.available.0 < memory.total.0 / PART {
            self.out = Some(now);
        }
    }

    /// Takes in what is left of a zone that the guard itself is in, and whether the kernel found that none
    /// was.
    pub(crate) fn note_own_zone(
        &mut self,
        zone: Option<&CgroupMemory>,
        ran_out: bool,
        now: Moment,
    ) {
        let is_full = zone.is_some_and(|zone| {
            zone.limit.is_some_and(|limit| limit.saturating_sub(zone.current) < NOTHING)
        });
        if ran_out || is_full {
            self.out = Some(now);
        }
    }

    /// Gives the places to those who come first, after each scan, while there is memory for it.
    pub(crate) fn renew(&mut self, proc: &mut Proc, snapshot: &Snapshot) {
        if self.scanned == snapshot.scanned || self.is_out(snapshot.at) {
            return;
        }
        self.scanned = snapshot.scanned;
        let best = best(snapshot);
        proc.keep_ready(|id| best.contains(&Some(id)));
        for id in best.into_iter().flatten() {
            let _ended = proc.hold_ready(id);
        }
    }

    /// Gives one who has just begun a place that is free: a job may fill a zone before the next scan.
    pub(crate) fn take_newborn(&mut self, proc: &mut Proc, id: ProcessId, now: Moment) {
        if now.since(self.newborn) < NEWBORNS || self.is_out(now) || proc.is_ready(id) {
            return;
        }
        self.newborn = now;
        proc.let_ended_go();
        let _no_place = proc.hold_ready(id);
    }
}

/// Those who come first: the largest, and the largest of each zone.
fn best(snapshot: &Snapshot) -> [Option<ProcessId>; MOST_READY] {
    let mut best = [None; MOST_READY];
    let zones = snapshot.zones.len().min(OF_ZONES);
    for at in 0..MOST_READY {
        // The first place is anybody's, then come the zones.
        let zone = at.checked_sub(1).filter(|zone| *zone < zones);
        let may_take = |p: &&Process| {
            let may_go = p.class.may_be_slain() && !p.protected && !p.ending;
            may_go
                && zone.is_none_or(|zone| p.zones & 1 << zone != 0)
                && !best.contains(&Some(p.id))
        };
        let largest = snapshot.processes.iter().filter(may_take).max_by_key(|p| p.gives_back);
        best[at] = largest.map(|p| p.id);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::policy::Class;

    fn process(pid: i32, mib: u64, zones: u8) -> Process {
        let id = ProcessId { pid, start_ticks: 1 };
        let gives_back = Kib::from_mib(mib);
        Process { id, class: Class::Expendable, gives_back, zones, ..Process::default() }
    }

    fn pids(processes: Vec<Process>, zones: usize) -> Vec<i32> {
        let snapshot = Snapshot { processes, zones: vec![None; zones], ..Snapshot::default() };
        best(&snapshot).into_iter().flatten().map(|id| id.pid).collect()
    }

    #[test]
    fn the_largest_come_first_and_each_zone_has_one() {
        let all = (1..=9).map(|pid| process(pid, 10 * u64::from(pid.unsigned_abs()), 0));
        assert_eq!(pids(all.clone().collect(), 1), [9, 8, 7]);
        let with_small: Vec<_> =
            [process(20, 1, 1), process(21, 2, 1)].into_iter().chain(all).collect();
        assert_eq!(pids(with_small, 1), [9, 21, 8, 7]);
    }

    #[test]
    fn who_may_not_go_is_not_held() {
        let essential = Process { class: Class::Essential, ..process(1, 100, 0) };
        let protected = Process { protected: true, ..process(2, 100, 0) };
        let ending = Process { ending: true, ..process(3, 100, 0) };
        assert_eq!(pids(vec![essential, protected, ending, process(4, 1, 0)], 0), [4]);
    }

    #[test]
    fn no_memory_is_left_where_the_own_zone_is_full_or_the_machine_is() {
        let at = Moment(1_000_000_000);
        let total = Kib::from_mib(1024);
        let mut machine = Readiness::default();
        machine.note_machine(
            &Memory { total, available: Kib::from_mib(100), ..Memory::default() },
            at,
        );
        assert!(!machine.is_out(at));
        machine
            .note_machine(&Memory { total, available: Kib::from_mib(10), ..Memory::default() }, at);
        assert!(machine.is_out(at) && !machine.is_out(at.after(MOMENT)));
        let full = CgroupMemory { limit: Some(total), current: total, ..CgroupMemory::default() };
        let half = CgroupMemory { current: total.percent(50), ..full };
        let told = |zone: &CgroupMemory, ran_out| {
            let mut own = Readiness::default();
            own.note_own_zone(Some(zone), ran_out, at);
            own.is_out(at)
        };
        assert!(told(&full, false) && told(&half, true) && !told(&half, false));
    }
}
