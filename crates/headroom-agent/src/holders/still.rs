//! Since when a process that was stopped sends nothing any more.

use headroom_api::trial::Held;
use headroom_core::snapshot::Moment;
use headroom_sys::ReadError;
use headroom_sys::proc::Proc;

use super::past::Stop;

/// How long a stop takes to come into force where that cannot be seen.
const UNSEEN_NS: u64 = 20_000_000;

/// The stop of a process as it stands at `now`; `None` when it has ended.
///
/// The guard says since when it stands still, and waits for that. But in an uninterruptible wait it may
/// be about to send what it was sending: such a one counts as stopped from now on only.
pub(super) fn look(proc: &mut Proc, held: &Held, now: Moment) -> Option<Stop> {
    let stop = |still| Some(Stop { id: held.id, since: held.since, still, threads: None });
    match proc.stat(held.id.pid) {
        Ok(stat) if stat.start_ticks != held.id.start_ticks || stat.is_zombie() => None,
        Ok(stat) if stat.is_stopped() => stop(held.since),
        // Its state says nothing of it. The guard saw that it stood still before it wrote since when.
        Ok(stat) if held.frozen && stat.state == b'S' => stop(held.since),
        Ok(stat) if stat.state == b'D' => stop(now),
        Err(ReadError::Gone) if !proc.hides_others() => None,
        // Out of sight.
        Ok(_) | Err(_) => stop(Moment(held.since.0.saturating_add(UNSEEN_NS))),
    }
}

/// Those of the stops that were in force all the while: the guard has not struck them out, and nobody goes
/// on whom it is about to.
pub(super) fn remaining(proc: &mut Proc, stops: Vec<Stop>, now: &[Held]) -> Vec<Stop> {
    let of = |stop: &Stop| now.iter().find(|h| h.id == stop.id && h.since == stop.since);
    let mut goes_on = |held: &Held| {
        proc.stat(held.id.pid).is_ok_and(|stat| {
            let sleeps = held.frozen && stat.state == b'S';
            !stat.is_stopped() && stat.state != b'D' && !sleeps
        })
    };
    stops.into_iter().filter(|stop| of(stop).is_some_and(|held| !goes_on(held))).collect()
}
