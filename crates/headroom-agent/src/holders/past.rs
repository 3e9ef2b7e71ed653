//! What is remembered from question to question, to tell whose a connection cannot be where the guard does
//! not say whose it is. Pure.
//!
//! A stopped process sends nothing. So whatever thread of the database was given something new to do
//! after the stop serves somebody else, and for good, since a connection has one owner. What is known
//! to be new is a connection that was not there, and a statement of a thread that was asleep before: one
//! that was busy may only have gone on with what it was sent together.
//!
//! Two things are taken on trust. That the server begins within 25 ms with what it was sent: until then an
//! acquittal may be taken back. And, until the thread sleeps, that a statement which began between that
//! time and the first question after it, on a connection that had no lock two milliseconds before, is
//! none of several that the stopped process had sent together.

use std::collections::{HashMap, HashSet};

use headroom_api::trial::MOST_THREADS;
use headroom_core::snapshot::{Moment, ProcessId};

use super::seen::{Doing, Seen, Thread};

/// Processes for which is remembered what is not theirs.
const MOST_PROCESSES: usize = 512;

/// So long the server may take to begin with what it was sent: what it begins within this time after a
/// stop may have been sent before.
const PICKED_UP_NS: u64 = 25_000_000;

/// A process that sends nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) id: ProcessId,
    /// The guard's word for this stop.
    pub(crate) since: Moment,
    /// Since this moment at the latest it stands still.
    pub(crate) still: Moment,
    /// The threads of the server that serve it, zeroes after them, as far as the guard found all.
    pub(crate) threads: Option<[i32; MOST_THREADS]>,
}

impl Stop {
    /// The threads that serve it, if all of them are there to be looked at.
    pub(crate) fn served_by<'s>(&self, seen: &'s Seen) -> Option<Vec<&'s Thread>> {
        let tids = self.threads.as_ref()?.iter().filter(|tid| **tid != 0);
        let of = |tid: &i32| seen.threads.iter().find(|thread| thread.tid == Some(*tid));
        tids.map(of).collect()
    }

    /// From then on the server has begun with all that it was sent by the process.
    const fn picked_up(&self) -> Moment {
        Moment(self.still.0.saturating_add(PICKED_UP_NS))
    }
}

#[derive(Clone, Copy, Debug)]
struct Known {
    asleep: bool,
    query: u64,
    /// It slept at this moment, and then was given something to do.
    fresh: Option<Moment>,
    /// It was accepted after this moment.
    young: Option<Moment>,
    /// When what it does began: the first statement of those it was not seen asleep between.
    busy: Moment,
}

/// What earlier questions told.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// When it was asked last, and the highest number of a thread then.
    last: Option<(Moment, u64)>,
    known: HashMap<u64, Known>,
    others: HashMap<ProcessId, HashSet<u64>>,
}

impl Past {
    /// Takes in an answer, with those who are stopped.
    pub(crate) fn learn(&mut self, seen: &Seen, stops: &[Stop]) {
        let known = seen.threads.iter().map(|t| (t.id, self.known_of(t))).collect();
        self.known = known;
        let highest = seen.threads.iter().map(|t| t.id).max().unwrap_or(0);
        let highest = self.last.map_or(highest, |(_, before)| before.max(highest));
        self.last = Some((seen.asked, highest));
        self.forget(stops);
        for stop in stops {
            let others = self.others.entry(stop.id).or_default();
            others.retain(|id| self.known.contains_key(id));
            let fresh = |known: &Known| {
                // Who is not accepted yet cannot have sent anything but that it wants to be.
                known.fresh.is_some_and(|fresh| fresh >= stop.picked_up())
                    || known.young.is_some_and(|young| young >= stop.still)
            };
            others.extend(self.known.iter().filter(|(_, known)| fresh(known)).map(|(id, _)| id));
        }
    }

    fn known_of(&self, thread: &Thread) -> Known {
        let asleep = thread.doing == Doing::Asleep;
        let new =
            Known { asleep, query: thread.query, fresh: None, young: None, busy: thread.active };
        let Some((last, highest)) = self.last else { return new };
        let Some(before) = self.known.get(&thread.id) else {
            // A connection with a lower number was missing for a moment: nothing is known of it.
            return Known { young: (thread.id > highest).then_some(last), ..new };
        };
        let young = before.young;
        let is_new = thread.query != before.query || thread.active > last;
        match before.asleep {
            true if is_new => Known { fresh: Some(last), young, ..new },
            true => Known { fresh: before.fresh, young, ..new },
            false => {
                let busy = before.busy.min(thread.active);
                Known { fresh: before.fresh, young, busy, ..new }
            }
        }
    }

    /// Nothing about processes that have long been let go.
    fn forget(&mut self, stops: &[Stop]) {
        if self.others.len() > MOST_PROCESSES {
            self.others.retain(|id, _| stops.iter().any(|stop| stop.id == *id));
        }
    }

    /// Whether that thread is known to serve somebody else.
    pub(crate) fn serves_another(&self, thread: &Thread, stop: &Stop) -> bool {
        self.others.get(&stop.id).is_some_and(|others| others.contains(&thread.id))
    }

    /// Whether what that thread does began after the stop. Once it sleeps, the end of what it did says
    /// nothing of the beginning.
    pub(crate) fn began_after(&self, thread: &Thread, stop: &Stop) -> bool {
        let busy = self.known.get(&thread.id).map_or(thread.active, |known| known.busy);
        thread.doing.is_busy() && busy > stop.picked_up()
    }
}
