//! Made-up histories: clients that send statements alone and several together, take locks and give them
//! back, and are stopped at any moment. Whoever has a lock is never said to have none.

use headroom_api::trial::Holding;
use proptest::prelude::*;

use super::super::judge::suspect;
use super::super::past::{Past, Stop};
use super::super::seen::{Doing, Kind, Seen, Thread, Ticket};
use super::{at, stopped};

/// A statement: how long it takes, and whether it leaves a lock behind, none, or all as it was.
type Statement = (u64, Option<bool>);

/// What a client does: thinks, then sends these together; and how long they are on their way.
type Turn = (u64, u64, Vec<Statement>);

#[derive(Clone, Debug)]
struct Client {
    /// Clients of one process share its number.
    pid: i32,
    connects: u64,
    turns: Vec<Turn>,
}

#[derive(Clone, Debug)]
struct History {
    clients: Vec<Client>,
    /// Which process is stopped, from when on, for how long.
    stops: Vec<(i32, u64, u64)>,
    asks: Vec<u64>,
}

const LAST: u64 = 300;

fn client() -> impl Strategy<Value = Client> {
    let statement = (1..40_u64, prop_oneof![Just(None), Just(Some(true)), Just(Some(false))]);
    let turn = (0..60_u64, 0..24_u64, prop::collection::vec(statement, 1..4));
    (1..5_i32, 0..200_u64, prop::collection::vec(turn, 1..12))
        .prop_map(|(pid, connects, turns)| Client { pid, connects, turns })
}

fn history() -> impl Strategy<Value = History> {
    let clients = prop::collection::vec(client(), 1..7);
    let stops = prop::collection::vec((1..5_i32, 20..LAST, 10..200_u64), 1..6);
    let asks = prop::collection::btree_set(0..LAST, 1..20);
    (clients, stops, asks).prop_map(|(mut clients, stops, asks)| {
        clients.sort_by_key(|c| c.connects);
        History { clients, stops, asks: asks.into_iter().collect() }
    })
}

/// A connection as it is.
#[derive(Default)]
struct Connection {
    turn: usize,
    thought: u64,
    /// Which statement of those sent together, and since when.
    statement: Option<(usize, u64)>,
    ended: u64,
    query: u64,
    lock: Option<u64>,
}

impl Connection {
    /// One millisecond.
    fn step(&mut self, client: &Client, now: u64, is_stopped: bool, queries: &mut u64) {
        let Some((thinks, travel, statements)) = client.turns.get(self.turn) else { return };
        let begins = match self.statement {
            // What is sent arrives, whatever becomes of the sender.
            None if self.thought <= *thinks && is_stopped => return,
            None if self.thought <= thinks + travel => {
                self.thought += 1;
                return;
            }
            None => 0,
            Some((number, since)) => {
                let (takes, leaves) = statements[number];
                if now - since < takes {
                    return;
                }
                match leaves {
                    Some(true) => self.lock = self.lock.or(Some(now)),
                    Some(false) => self.lock = None,
                    None => {}
                }
                number + 1
            }
        };
        self.statement = (begins < statements.len()).then_some((begins, now));
        if self.statement.is_some() {
            *queries += 1;
            self.query = *queries;
        } else {
            (self.ended, self.thought) = (now, 0);
            self.turn += 1;
        }
    }

    fn thread(&self, id: u64) -> Thread {
        let (doing, active) = match self.statement {
            Some((_, since)) => (Doing::Busy, since),
            None => (Doing::Asleep, self.ended),
        };
        Thread { id, tid: None, doing, active: at(active), query: self.query }
    }

    /// It has a lock, and not only since right before its present statement: that is taken on trust.
    fn is_caught(&self) -> bool {
        let since = self.statement.map(|(_, since)| since);
        self.lock.is_some_and(|lock| since.is_none_or(|since| lock + 2 <= since))
    }
}

fn check(history: &History) -> Result<u32, TestCaseError> {
    let mut connections: Vec<_> = history.clients.iter().map(|_| Connection::default()).collect();
    let (mut past, mut queries, mut acquitted) = (Past::default(), 0, 0);
    for now in 0..LAST {
        let is_stopped = |pid, now| {
            history
                .stops
                .iter()
                .find(|(p, from, long)| *p == pid && (*from..from + long).contains(&now))
        };
        for (client, connection) in history.clients.iter().zip(&mut connections) {
            let stopped = is_stopped(client.pid, now).is_some();
            if now == client.connects {
                connection.ended = now;
            }
            if now >= client.connects {
                connection.step(client, now, stopped, &mut queries);
            }
        }
        if !history.asks.contains(&now) {
            continue;
        }
        let there = || {
            let all = history.clients.iter().zip(&connections).enumerate();
            // Whoever is stopped before it connects does not.
            all.filter(|(_, (client, _))| {
                now >= client.connects && is_stopped(client.pid, client.connects).is_none()
            })
        };
        let id = |number: usize| number as u64 + 10;
        let tickets = there().filter_map(|(number, (_, connection))| {
            let granted = at(connection.lock?);
            Some((id(number), vec![Ticket { kind: Kind::Table, granted, excludes: true }]))
        });
        let seen = Seen {
            asked: at(now),
            threads: there().map(|(number, (_, c))| c.thread(id(number))).collect(),
            tickets: Some(tickets.collect()),
            transactions: Vec::new(),
            blocking: Vec::new(),
            has_no_history: false,
        };
        let stops: Vec<Stop> = (1..5)
            .filter_map(|pid| is_stopped(pid, now).map(|(_, from, _)| stopped(pid, *from)))
            .collect();
        past.learn(&seen, &stops);
        for stop in &stops {
            let told = suspect(&seen, &past, stop);
            let has =
                there().any(|(_, (c, connection))| c.pid == stop.id.pid && connection.is_caught());
            prop_assert!(!has || told != Some(Holding::Nothing), "{now}: {stop:?} of {seen:?}");
            acquitted += u32::from(told == Some(Holding::Nothing));
        }
    }
    Ok(acquitted)
}

proptest! {
    #[test]
    fn whoever_has_a_lock_is_never_said_to_have_none(history in history()) {
        check(&history)?;
    }
}

#[test]
fn among_others_that_work_the_idle_one_is_soon_said_to_have_nothing() {
    let busy = |connects| Client {
        pid: 1,
        connects,
        turns: (0..40)
            .flat_map(|_| {
                [(7, 0, vec![(3, Some(true)), (2, None)]), (5, 0, vec![(4, Some(false))])]
            })
            .collect(),
    };
    let idle = Client { pid: 2, connects: 1, turns: vec![(5, 0, vec![(5, None)])] };
    let clients = vec![busy(0), idle, busy(3), busy(8)];
    let asks: Vec<u64> = (0..10).map(|n| 101 + n * 20).collect();
    let history = History { clients, stops: vec![(2, 100, 200)], asks: asks.clone() };
    let told = check(&history).unwrap();
    assert!(told >= 5, "{told} of {}", asks.len());
}
