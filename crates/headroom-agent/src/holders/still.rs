//! Since when a process that was stopped sends nothing any more.

use headroom_api::trial::Held;
use headroom_core::snapshot::Moment;
use headroom_sys::proc::Proc;

use super::past::Stop;

/// How long a stop takes to come into force where that cannot be seen.
const UNSEEN_NS: u64 = 20_000_000;

/// The stop of a process as it stands at `now`; `None` when it has ended.
///
/// The guard says since when it stands still, and waits for that. But in an uninterruptible wait it may
/// be about to send what it was sending: such a one counts as stopped from now on only.
pub(super) fn look(proc: &mut Proc, held: &Held, now: Moment) -> Option<Stop> {
    let stop = |still| Some(Stop { id: held.id, since: held.since, still });
    match proc.stat(held.id.pid) {
        Ok(stat) if stat.start_ticks != held.id.start_ticks || stat.is_zombie() => None,
        Ok(stat) if stat.is_stopped() => stop(held.since),
        Ok(stat) if stat.state == b'D' => stop(now),
        Err(headroom_sys::ReadError::Gone) => None,
        // Frozen by its control group, or out of sight.
        Ok(_) | Err(_) => stop(Moment(held.since.0.saturating_add(UNSEEN_NS))),
    }
}
