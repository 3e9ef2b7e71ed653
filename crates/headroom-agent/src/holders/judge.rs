//! What a stopped process holds, as far as what was seen tells. Pure.

use headroom_api::trial::Holding;

use super::past::{Past, Stop};
use super::seen::{Doing, Kind, Seen, Thread, Ticket};

/// So long after a stop a suspicion is kept to oneself: most of them are of somebody else's connection,
/// which has something new to do by then, and what the process holds it does not hold much longer for it.
const PONDERED_NS: u64 = 40_000_000;
/// The server tells a lock's age in whole milliseconds, and a moment after that of a statement.
const GRAIN_NS: u64 = 2_000_000;

/// What is held by a process; `None` when that cannot be told, or not yet.
pub(crate) fn judge(seen: &Seen, past: &Past, stop: &Stop) -> Option<Holding> {
    let case = Case::new(seen, past, stop);
    // Of whoever is known by its threads there is nothing to suspect.
    if case.own.is_some() {
        return case.conclusion();
    }
    if seen.has_no_history {
        return None;
    }
    let is_young = seen.asked.0.saturating_sub(stop.since.0) < PONDERED_NS;
    case.conclusion().filter(|holding| *holding == Holding::Nothing || !is_young)
}

/// The same, however early it is.
#[cfg(test)]
pub(crate) fn suspect(seen: &Seen, past: &Past, stop: &Stop) -> Option<Holding> {
    Case::new(seen, past, stop).conclusion()
}

/// What one connection that may be the process's says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Nothing,
    /// It sleeps, and the server does not tell who has a lock on a name or a table.
    Unknown,
    Lock,
    Waited,
}

/// One stopped process before what was seen.
struct Case<'a> {
    seen: &'a Seen,
    past: &'a Past,
    stop: &'a Stop,
    /// The threads that serve it, where they are known.
    own: Option<Vec<&'a Thread>>,
    /// Who waits, and for what.
    waiters: Vec<(u64, Kind)>,
    /// What somebody has all of who gets on and is not the process's.
    explained: Vec<Kind>,
}

impl<'a> Case<'a> {
    fn new(seen: &'a Seen, past: &'a Past, stop: &'a Stop) -> Self {
        let waiters = seen.threads.iter().filter_map(|thread| match thread.doing {
            Doing::Waits(kind) => Some((thread.id, kind)),
            _ => None,
        });
        let waiters: Vec<_> = waiters.collect();
        let own = stop.served_by(seen);
        let mut case = Self { seen, past, stop, own, waiters, explained: Vec::new() };
        if !case.waiters.is_empty() {
            let gets_on = |t: &&Thread| !matches!(t.doing, Doing::Waits(_)) && !case.may_serve(t);
            let tickets = seen.threads.iter().filter(gets_on).flat_map(|t| case.tickets(t.id));
            case.explained = tickets.filter(|t| t.excludes).map(|t| t.kind).collect();
        }
        case
    }

    fn conclusion(&self) -> Option<Holding> {
        let candidates = self.seen.threads.iter().filter(|thread| self.may_serve(thread));
        match candidates.map(|thread| self.sign(thread)).max().unwrap_or(Sign::Nothing) {
            Sign::Nothing => Some(Holding::Nothing),
            Sign::Unknown => None,
            Sign::Lock => Some(Holding::Lock),
            Sign::Waited => Some(Holding::Waited),
        }
    }

    /// Whether that connection may be the process's.
    fn may_serve(&self, thread: &Thread) -> bool {
        if let Some(own) = &self.own {
            return own.iter().any(|of_it| of_it.id == thread.id);
        }
        if self.past.serves_another(thread, self.stop) {
            return false;
        }
        !self.past.began_after(thread, self.stop) || self.has_of_before(thread)
    }

    /// Whether it has a lock from before its present statement, and so may be in a row of several.
    fn has_of_before(&self, thread: &Thread) -> bool {
        let before = thread.active.0.saturating_sub(GRAIN_NS);
        self.tickets(thread.id).iter().any(|ticket| ticket.granted.0 <= before)
    }

    fn tickets(&self, thread: u64) -> &'a [Ticket] {
        self.seen
            .tickets
            .as_ref()
            .and_then(|tickets| tickets.get(&thread))
            .map_or(&[], Vec::as_slice)
    }

    fn sign(&self, thread: &Thread) -> Sign {
        if thread.doing == Doing::LogsIn {
            return Sign::Nothing;
        }
        let has = match &self.seen.tickets {
            Some(_) => !self.tickets(thread.id).is_empty(),
            // Whoever reads in a transaction holds the form of what was read.
            None => self.seen.transactions.contains(&thread.id),
        };
        if self.seen.blocking.contains(&thread.id) || self.is_waited_for(thread) {
            Sign::Waited
        } else if has || thread.doing.is_busy() {
            Sign::Lock
        } else if self.seen.tickets.is_none() {
            Sign::Unknown
        } else {
            Sign::Nothing
        }
    }

    /// Whether somebody may wait for what `holder` has, and for nobody that is known to get on.
    fn is_waited_for(&self, holder: &Thread) -> bool {
        let mut waiters = self.waiters.iter().filter(|(id, _)| *id != holder.id);
        if self.seen.tickets.is_none() {
            // Anybody asleep may have it.
            return holder.doing == Doing::Asleep && waiters.next().is_some();
        }
        let tickets = self.tickets(holder.id);
        waiters.any(|(_, kind)| {
            // What it shares keeps only those out who want all of it. Somebody who has all of something
            // and gets on explains the waiting better.
            let of_kind = |ticket: &&Ticket| ticket.kind == *kind;
            let is_better_explained = self.explained.contains(kind);
            tickets.iter().filter(of_kind).any(|ticket| ticket.excludes || !is_better_explained)
        })
    }
}
