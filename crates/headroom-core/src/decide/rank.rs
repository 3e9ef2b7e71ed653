//! Who would go next: what frees the most for the least loss.
//!
//! Between jobs of different kinds that is memory given back for each second of work lost. Jobs of
//! the same kind, which a crontab stacks on each other, differ in nothing but how far they are: of
//! those the youngest goes first, so that the oldest finishes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::kinds::kind_of;
use crate::policy::Thresholds;
use crate::snapshot::{Moment, Process, Snapshot, ZoneIndex};
use crate::units::Kib;

/// Every process counts as this much older, so that the first second of a life does not make it a
/// hundred times as cheap as the tenth.
const START_UP: Duration = Duration::from_secs(10);
/// The youngest of a kind goes first only if it gives back at least this share of what the best of
/// its kind would: in per cent.
const WORTH_IT: u64 = 25;

/// The merit of one process, the greatest first: expendables before the rest, then memory given back
/// for each second of work lost.
type Merit = (Reverse<u8>, u64);

fn merit(process: &Process, now: Moment) -> Merit {
    let lost = process.age(now).saturating_add(START_UP);
    let per_second = process.gives_back.0.saturating_mul(1000)
        / u64::try_from(lost.as_millis()).unwrap_or(u64::MAX).max(1);
    (Reverse(process.class as u8), per_second)
}

/// The youngest last; of those that started together the one with the greater pid.
fn birth(process: &Process) -> (u64, i32) {
    (process.id.start_ticks, process.id.pid)
}

fn kind(process: &Process) -> (u8, u64) {
    (process.class as u8, kind_of(process.command.as_bytes()))
}

/// Whether relief in `zone` may ever choose it.
pub(super) fn may_go(process: &Process, zone: ZoneIndex, own_pid: i32) -> bool {
    process.may_be_slain()
        && process.is_in(zone)
        && !process.ending
        && process.id.pid > 1
        && process.id.pid != own_pid
}

/// The one that goes first in a zone, except those in `spared`. Two passes, no allocation.
pub(super) fn first(
    snapshot: &Snapshot,
    zone: ZoneIndex,
    least: Kib,
    spared: impl Fn(&Process) -> bool,
) -> Option<Process> {
    let candidates = || {
        snapshot
            .processes
            .iter()
            .filter(|p| p.gives_back >= least && may_go(p, zone, snapshot.own_pid) && !spared(p))
    };
    let best = candidates().max_by_key(|p| (merit(p, snapshot.at), birth(p)))?;
    let enough = best.gives_back.percent(WORTH_IT);
    let its_kind = kind(best);
    candidates()
        .filter(|p| p.gives_back >= enough && kind(p) == its_kind)
        .max_by_key(|p| birth(p))
        .copied()
}

/// The whole order of a zone, for people to read. Those that give back too little are left out.
#[must_use]
pub fn rank(snapshot: &Snapshot, zone: ZoneIndex, thresholds: &Thresholds) -> Vec<Process> {
    let mut order: Vec<Process> = snapshot
        .processes
        .iter()
        .filter(|p| may_go(p, zone, snapshot.own_pid) && p.gives_back >= thresholds.minimum_gain.0)
        .copied()
        .collect();
    let mut best_of_kind: BTreeMap<(u8, u64), (Merit, Kib)> = BTreeMap::new();
    for process in &order {
        let own = (merit(process, snapshot.at), process.gives_back);
        let best = best_of_kind.entry(kind(process)).or_insert(own);
        *best = own.max(*best);
    }
    order.sort_by_cached_key(|p| {
        let kind = kind(p);
        let (best, gain) = best_of_kind.get(&kind).copied().unwrap_or_default();
        let is_worth_it = p.gives_back >= gain.percent(WORTH_IT);
        Reverse((best, kind, is_worth_it, birth(p)))
    });
    order
}
