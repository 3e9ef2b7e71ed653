//! What follows from a few questions.

use std::slice::from_ref;

use headroom_api::trial::Holding::{self, Lock, Nothing, Waited};

use super::super::judge::{judge, suspect};
use super::super::past::{Past, Stop};
use super::super::seen::{Doing, Kind, Seen, Thread, Ticket, Tickets};
use super::{at, stopped};

use Doing::{Asleep, Busy, LogsIn, Waits};

/// What it is, who is seen with which locks, and what follows.
type Told = (&'static str, Vec<Thread>, Vec<(u64, Ticket)>, Holding);

/// A thread that is at something since then.
fn thread(id: u64, doing: Doing, since: u64, query: u64) -> Thread {
    Thread { id, tid: None, doing, active: at(since), query }
}

fn ticket(thread: u64, kind: Kind, excludes: bool, granted: u64) -> (u64, Ticket) {
    (thread, Ticket { kind, granted: at(granted), excludes })
}

fn seen(asked: u64, threads: &[Thread], tickets: &[(u64, Ticket)]) -> Seen {
    let mut of_each = Tickets::new();
    for (thread, ticket) in tickets {
        of_each.entry(*thread).or_default().push(*ticket);
    }
    Seen {
        asked: at(asked),
        threads: threads.into(),
        tickets: Some(of_each),
        transactions: Vec::new(),
        blocking: Vec::new(),
        has_no_history: false,
    }
}

/// What is suspected of a process that was stopped at 970, so that what begins after 995 is no more of it,
/// after these answers.
fn after(answers: &[Seen]) -> Option<Holding> {
    let mut past = Past::default();
    let stop = stopped(9, 970);
    let mut last = None;
    for seen in answers {
        let stops = if seen.asked >= stop.since { vec![stop] } else { Vec::new() };
        past.learn(seen, &stops);
        last = suspect(seen, &past, &stop);
    }
    last
}

#[test]
fn one_answer_tells_what_sleeps_and_what_is_under_way() {
    let table = |excludes| ticket(1, Kind::Table, excludes, 900);
    let cases: [Told; 11] = [
        ("no thread at all", vec![], vec![], Nothing),
        ("one that sleeps with nothing", vec![thread(1, Asleep, 900, 5)], vec![], Nothing),
        (
            "one that sleeps in LOCK TABLES",
            vec![thread(1, Asleep, 900, 5)],
            vec![table(true)],
            Lock,
        ),
        (
            "one that sleeps in a transaction",
            vec![thread(1, Asleep, 900, 5)],
            vec![table(false)],
            Lock,
        ),
        ("a statement from before the stop", vec![thread(1, Busy, 900, 5)], vec![], Lock),
        ("a statement from after the stop", vec![thread(1, Busy, 1030, 5)], vec![], Nothing),
        (
            "its statement waits for a lock",
            vec![thread(1, Waits(Kind::Table), 900, 5)],
            vec![],
            Lock,
        ),
        (
            "a later statement of those sent together, in LOCK TABLES",
            vec![thread(1, Busy, 1010, 5)],
            vec![ticket(1, Kind::Table, true, 1004)],
            Lock,
        ),
        (
            "somebody else's statement with its own locks",
            vec![thread(1, Busy, 1010, 5)],
            vec![ticket(1, Kind::Table, true, 1010)],
            Nothing,
        ),
        (
            "what ended after the stop may have begun before",
            vec![thread(1, Asleep, 1010, 5)],
            vec![ticket(1, Kind::Table, true, 1010)],
            Lock,
        ),
        ("one that has not logged in", vec![thread(1, LogsIn, 900, 0)], vec![], Nothing),
    ];
    for (name, threads, tickets, expected) in cases {
        assert_eq!(after(&[seen(1015, &threads, &tickets)]), Some(expected), "{name}");
    }
}

#[test]
fn who_waits_for_it_is_told_by_what_it_has() {
    let holder = thread(1, Asleep, 900, 5);
    let waits = |kind| thread(2, Waits(kind), 1005, 6);
    let all = |kind| ticket(1, kind, true, 900);
    let some = ticket(1, Kind::Table, false, 900);
    // A third one that has all of a table and gets on, since its statement began after the stop.
    let runs = thread(3, Busy, 1008, 7);
    let has_all = ticket(3, Kind::Table, true, 1008);
    let cases: [Told; 6] = [
        ("for a table", vec![holder.clone(), waits(Kind::Table)], vec![all(Kind::Table)], Waited),
        ("for a name", vec![holder.clone(), waits(Kind::User)], vec![all(Kind::User)], Waited),
        (
            "for something else",
            vec![holder.clone(), waits(Kind::User)],
            vec![all(Kind::Table)],
            Lock,
        ),
        ("for its form", vec![holder.clone(), waits(Kind::Table)], vec![some], Waited),
        (
            "for somebody who gets on",
            vec![holder.clone(), waits(Kind::Table), runs.clone()],
            vec![some, has_all],
            Lock,
        ),
        (
            "for either of two who have all",
            vec![holder, waits(Kind::Table), runs],
            vec![all(Kind::Table), has_all],
            Waited,
        ),
    ];
    for (name, threads, tickets, expected) in cases {
        assert_eq!(after(&[seen(1015, &threads, &tickets)]), Some(expected), "{name}");
    }
    let rows = Seen { blocking: vec![1], ..seen(1015, &[thread(1, Asleep, 900, 5)], &[some]) };
    assert_eq!(after(&[rows]), Some(Waited), "for a row");
}

#[test]
fn a_connection_with_something_new_to_do_is_somebody_elses() {
    let locked = |query: u64| ticket(1, Kind::Table, true, 900 + query);
    let first = seen(1005, &[thread(1, Asleep, 990, 5)], &[locked(5)]);
    assert_eq!(after(from_ref(&first)), Some(Lock));
    for later in [
        thread(1, Busy, 1020, 6),
        thread(1, Asleep, 1022, 6),
        // A statement that gets no number of its own, as a ping.
        thread(1, Asleep, 1022, 5),
    ] {
        let second = seen(1025, from_ref(&later), &[locked(6)]);
        assert_eq!(after(&[first.clone(), second.clone()]), Some(Nothing), "{later:?}");
        // And for good.
        let third = seen(1500, &[thread(1, Asleep, 1022, 6)], &[locked(6)]);
        assert_eq!(after(&[first.clone(), second, third]), Some(Nothing), "{later:?}");
    }
    let same = seen(1025, &[thread(1, Asleep, 990, 5)], &[locked(5)]);
    assert_eq!(after(&[first, same]), Some(Lock));
}

#[test]
fn what_was_on_its_way_at_the_stop_is_the_stopped_ones() {
    let held = [ticket(1, Kind::Table, true, 992)];
    assert_eq!(after(&[seen(993, &[thread(1, Busy, 992, 6)], &[])]), Some(Lock));
    let first = seen(985, &[thread(1, Asleep, 900, 5)], &[]);
    assert_eq!(after(from_ref(&first)), Some(Nothing), "until it arrives");
    let second = seen(1050, &[thread(1, Asleep, 993, 6)], &held);
    assert_eq!(after(&[first, second]), Some(Lock));
}

#[test]
fn what_was_sent_together_is_one() {
    let first = seen(1005, &[thread(1, Busy, 990, 5)], &[]);
    let second = seen(1025, &[thread(1, Busy, 1020, 6)], &[]);
    let third = seen(1045, &[thread(1, Asleep, 1030, 6)], &[ticket(1, Kind::Table, true, 1020)]);
    assert_eq!(after(&[first.clone(), second.clone()]), Some(Lock));
    assert_eq!(after(&[first, second, third]), Some(Lock));
}

#[test]
fn a_connection_that_came_after_the_stop_is_somebody_elses() {
    let first = seen(1005, &[thread(4, Asleep, 900, 5)], &[]);
    let held = ticket(5, Kind::Table, true, 1040);
    let second = seen(1050, &[thread(5, Asleep, 1040, 9)], &[held]);
    assert_eq!(after(&[first.clone(), second.clone()]), Some(Nothing));
    // One that came before the first question may have been there at the stop.
    let early = seen(1005, &[thread(5, Asleep, 900, 5)], &[]);
    assert_eq!(after(&[early, second.clone()]), Some(Nothing), "it slept, and then had more to do");
    let before = seen(960, &[thread(4, Asleep, 900, 5)], &[]);
    assert_eq!(after(&[before, second]), Some(Lock), "the last question was before the stop");
}

#[test]
fn without_a_word_on_locks_nobody_is_said_to_have_none() {
    let blind = |threads: &[Thread], transactions: &[u64]| Seen {
        tickets: None,
        transactions: transactions.into(),
        ..seen(1015, threads, &[])
    };
    let sleeps = thread(1, Asleep, 900, 5);
    assert_eq!(after(&[blind(from_ref(&sleeps), &[])]), None);
    assert_eq!(after(&[blind(from_ref(&sleeps), &[1])]), Some(Lock));
    let waits = thread(2, Waits(Kind::User), 1005, 6);
    assert_eq!(after(&[blind(&[sleeps, waits], &[])]), Some(Waited));
    assert_eq!(after(&[blind(&[], &[])]), Some(Nothing), "no connection, no lock");
}

#[test]
fn a_suspicion_waits_a_moment_and_an_acquittal_does_not() {
    let past = Past::default();
    let stop = stopped(9, 1000);
    let held = [ticket(1, Kind::Table, true, 900)];
    let of = |asked, tickets: &[(u64, Ticket)]| {
        judge(&seen(asked, &[thread(1, Asleep, 900, 5)], tickets), &past, &stop)
    };
    assert_eq!(of(1005, &held), None);
    assert_eq!(of(1041, &held), Some(Lock));
    assert_eq!(of(1005, &[]), Some(Nothing));
}

#[test]
fn a_connection_learnt_to_be_anothers_stays_so_at_the_next_stop() {
    let mut past = Past::default();
    let first = stopped(9, 970);
    past.learn(&seen(1005, &[thread(1, Asleep, 990, 5)], &[]), &[first]);
    past.learn(&seen(1025, &[thread(1, Busy, 1020, 6)], &[]), &[first]);
    let again = stopped(9, 2000);
    let now = seen(2005, &[thread(1, Asleep, 1990, 8)], &[ticket(1, Kind::User, true, 1990)]);
    past.learn(&now, &[again]);
    assert_eq!(suspect(&now, &past, &again), Some(Nothing));
    assert_eq!(
        suspect(&now, &past, &stopped(10, 2000)),
        Some(Lock),
        "of this one nothing is known"
    );
}

#[test]
fn states_and_modes_are_read_as_the_server_writes_them() {
    for (state, kind) in [
        ("Waiting for table metadata lock", Some(Kind::Table)),
        ("Waiting for table level lock", Some(Kind::Table)),
        ("Waiting for table flush", Some(Kind::Table)),
        ("User lock", Some(Kind::User)),
        ("Waiting for backup lock", Some(Kind::Other)),
        ("Waiting for schema metadata lock", Some(Kind::Other)),
        ("Waiting for global read lock", Some(Kind::Other)),
        ("Waiting for next activation", None),
        ("Sending data", None),
        ("", None),
    ] {
        assert_eq!(Kind::waited_for(state), kind, "{state}");
    }
    assert!(Ticket::excludes("MDL_SHARED_NO_READ_WRITE") && Ticket::excludes("MDL_EXCLUSIVE"));
    assert!(!Ticket::excludes("MDL_SHARED_READ") && !Ticket::excludes("MDL_SHARED_WRITE"));
}

#[test]
fn whoever_is_known_by_its_threads_answers_for_those_alone() {
    let of = |thread: Thread, tid| Thread { tid: Some(tid), ..thread };
    let table = Ticket { kind: Kind::Table, granted: at(960), excludes: true };
    let threads = [
        of(thread(1, Asleep, 900, 5), 101),
        of(thread(2, Asleep, 965, 6), 102),
        of(thread(3, Waits(Kind::Table), 990, 7), 103),
    ];
    let seen = seen(975, &threads, &[(2, table)]);
    let served = |threads| Stop { threads: Some(threads), ..stopped(9, 970) };
    let judged = |seen: &Seen, stop: &Stop| {
        let mut past = Past::default();
        past.learn(seen, &[*stop]);
        judge(seen, &past, stop)
    };
    assert_eq!(judged(&seen, &served([101, 0, 0, 0])), Some(Holding::Nothing), "at once");
    assert_eq!(judged(&seen, &served([102, 0, 0, 0])), Some(Holding::Waited));
    assert_eq!(judged(&seen, &served([103, 0, 0, 0])), Some(Holding::Lock), "it will have it");
    assert_eq!(judged(&seen, &served([101, 102, 0, 0])), Some(Holding::Waited), "the worst of two");
    assert_eq!(judged(&seen, &served([0; 4])), Some(Holding::Nothing), "it has none here");
    // The thread is not there: nothing is known, and a suspicion is kept to oneself this early.
    assert_eq!(judged(&seen, &served([104, 0, 0, 0])), None);
    let blind = Seen { has_no_history: true, ..seen };
    assert_eq!(judged(&blind, &served([101, 0, 0, 0])), Some(Holding::Nothing));
    assert_eq!(judged(&blind, &stopped(9, 970)), None, "nothing follows from what it does");
}
