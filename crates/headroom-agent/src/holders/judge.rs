//! What a stopped process holds, as far as what was seen tells. Pure.

use headroom_api::trial::Holding;

use super::past::{Past, Stop};
use super::seen::{Doing, Seen, Thread};

/// What one connection that may be the process's says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Nothing,
    /// Nobody says whether it holds something.
    Unknown,
    Lock,
    Waited,
}

/// So long after a stop a suspicion is kept to oneself: most of them are of somebody else's connection,
/// which has something new to do by then, and what the process holds it does not hold much longer for it.
const PONDERED_NS: u64 = 40_000_000;

/// What is held by a process; `None` when that cannot be told, or not yet.
pub(crate) fn judge(seen: &Seen, past: &Past, stop: &Stop) -> Option<Holding> {
    let is_young = seen.asked.0.saturating_sub(stop.since.0) < PONDERED_NS;
    suspect(seen, past, stop).filter(|holding| *holding == Holding::Nothing || !is_young)
}

/// The same, however early it is.
fn suspect(seen: &Seen, past: &Past, stop: &Stop) -> Option<Holding> {
    let candidates = seen.threads.iter().filter(|thread| past.may_serve(thread, stop));
    let worst = candidates.map(|thread| sign(seen, past, stop, thread)).max();
    match worst.unwrap_or(Sign::Nothing) {
        Sign::Nothing => Some(Holding::Nothing),
        Sign::Unknown => None,
        Sign::Lock => Some(Holding::Lock),
        Sign::Waited => Some(Holding::Waited),
    }
}

fn sign(seen: &Seen, past: &Past, stop: &Stop, thread: &Thread) -> Sign {
    if thread.doing == Doing::LogsIn {
        return Sign::Nothing;
    }
    let has = match &seen.tickets {
        Some(tickets) => tickets.iter().any(|ticket| ticket.thread == thread.id),
        // Whoever reads in a transaction holds the form of what was read.
        None => seen.transactions.contains(&thread.id),
    };
    let is_waited_for = seen.blocking.contains(&thread.id)
        || seen.threads.iter().any(|waiter| waits_for(seen, past, stop, thread, waiter));
    if is_waited_for {
        Sign::Waited
    } else if has || thread.doing.is_busy() {
        Sign::Lock
    } else if seen.tickets.is_none() {
        Sign::Unknown
    } else {
        Sign::Nothing
    }
}

/// Whether `waiter` may wait for what `holder` has, and for nobody that is known to get on.
fn waits_for(seen: &Seen, past: &Past, stop: &Stop, holder: &Thread, waiter: &Thread) -> bool {
    let Doing::Waits(kind) = waiter.doing else { return false };
    if waiter.id == holder.id {
        return false;
    }
    let Some(tickets) = &seen.tickets else {
        // Anybody asleep may have it.
        return holder.doing == Doing::Asleep;
    };
    let mut of_holder = tickets.iter().filter(|t| t.thread == holder.id && t.kind == kind);
    let Some(first) = of_holder.next() else { return false };
    if first.excludes || of_holder.any(|ticket| ticket.excludes) {
        return true;
    }
    // What it shares keeps only those out who want all of it. Somebody who has all of something and gets
    // on explains the waiting better.
    let gets_on = |id: u64| {
        let of = seen.threads.iter().find(|thread| thread.id == id);
        of.is_some_and(|t| !matches!(t.doing, Doing::Waits(_)) && !past.may_serve(t, stop))
    };
    !tickets.iter().any(|t| t.kind == kind && t.excludes && gets_on(t.thread))
}
