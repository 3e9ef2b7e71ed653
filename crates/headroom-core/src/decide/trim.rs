//! The one worker far above its siblings: when nothing expendable is left and there is no time, the shop
//! loses one request and not its database.

use super::family::Scratch;
use crate::policy::Class;
use crate::snapshot::{Process, ProcessId, Snapshot, ZoneIndex};
use crate::units::Kib;

/// Far above: in per cent of what is usual.
const FAR_ABOVE: u64 = 200;

/// The largest worker of a zone, and what is usual, if it is far above that. What is usual is the middle
/// worker of the leanest pool, so that a whole pool of large ones is seen against the shop's own.
pub(super) fn worker_far_above(
    scratch: &mut Scratch,
    snapshot: &Snapshot,
    zone: ZoneIndex,
    least: Kib,
    spared: impl Fn(ProcessId) -> bool,
) -> Option<(Process, Kib)> {
    let mut usual = Kib(u64::MAX);
    let mut largest: Option<Process> = None;
    let pools = scratch.groups(snapshot, |p| {
        let counts = p.is_worker && p.class == Class::Essential && p.is_in(zone);
        (counts && !p.ending && !spared(p.id)).then(|| super::kinds::kind_of(p.command.as_bytes()))
    });
    for pool in pools {
        usual = usual.min(pool.median());
        let own = pool.largest().copied();
        largest = largest.into_iter().chain(own).max_by_key(|p| p.gives_back);
    }
    let largest = largest?;
    let is_far_above = largest.gives_back >= usual.percent(FAR_ABOVE).max(least);
    is_far_above.then_some((largest, usual))
}
