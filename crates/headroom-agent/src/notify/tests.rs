//! Notices from news to delivery, with a clock that is set by hand and a receiver that does as it is
//! told.

mod delivery;
mod hostile;
mod looks;
mod news;
mod smtp;
mod web;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headroom_api::journal::{
    Closed, Entry, Measured, Opened, OutcomeEntry, Record, Started, VerdictEntry,
};
use headroom_api::notice::Notice;
use jiff::tz::TimeZone;

use super::channel::{Channel, Sending, Trouble};
use super::config::{Common, Moment};
use super::deliver::{Line, Surroundings};
use super::desk::{Desk, Turn};
use super::frame::Frame;
use super::kernel::Report;
use super::queue::{self, Outlet};
use super::receipt::{self, Receipt};
use crate::store::Store;
use crate::store::history;

/// Tuesday, 24 November 2026, 14:00 UTC.
const NOON: i64 = 1_795_528_800_000;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What a receiver does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Take,
    /// Is not there.
    Fail,
    /// Will not have it.
    Refuse,
    /// Takes it and dies before it says so.
    TakeSilently,
}

/// A receiver.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(Notice, bool)>>>,
    /// What it does next; when there is nothing, the last.
    does: Arc<Mutex<VecDeque<Does>>>,
    tries: Arc<Mutex<usize>>,
}

impl Receiver {
    fn does(&self, what: &[Does]) {
        *self.does.lock().unwrap() = what.iter().copied().collect();
    }

    fn got(&self) -> Vec<Notice> {
        self.got.lock().unwrap().iter().map(|(notice, _)| notice.clone()).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.got().into_iter().map(|notice| notice.id).collect()
    }

    fn tries(&self) -> usize {
        *self.tries.lock().unwrap()
    }
}

impl Channel for Receiver {
    fn deliver(&mut self, sending: Sending<'_>) -> Result<String, Trouble> {
        *self.tries.lock().unwrap() += 1;
        let does = {
            let mut plan = self.does.lock().unwrap();
            if plan.len() > 1 { plan.pop_front() } else { plan.front().copied() }
        };
        match does.unwrap_or(Does::Take) {
            Does::Fail => return Err(Trouble::later("nobody is there")),
            Does::Refuse => return Err(Trouble::Refused("not this one".into())),
            Does::Take | Does::TakeSilently => {}
        }
        (sending.hand)()?;
        self.got.lock().unwrap().push((sending.notice.clone(), sending.follows));
        match does {
            Some(Does::TakeSilently) => Err(Trouble::unsure("no answer")),
            _ => Ok("taken".into()),
        }
    }
}

/// A clock that stands still until it is set.
struct Clock(Cell<i64>);

impl Surroundings for Clock {
    fn now_ms(&self) -> i64 {
        self.0.get()
    }

    fn stopping(&self) -> bool {
        false
    }
}

/// A node with one channel.
struct Node {
    dir: tempfile::TempDir,
    store: Store,
    desk: Desk,
    line: Line,
    receiver: Receiver,
    clock: Clock,
    sequence: u64,
}

impl Node {
    fn new() -> Self {
        Self::with(12, 0)
    }

    /// With a limit per hour, and so long a hold in seconds.
    fn with(per_hour: u32, hold_s: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let frame = Frame::new("shop1", TimeZone::UTC, true, 30 * MINUTE);
        let common = Common {
            name: "mail".into(),
            events: vec![Moment::Opened, Moment::Ongoing, Moment::Closed],
            hold: Duration::from_secs(hold_s),
            per_hour,
        };
        let outlet = Outlet { channel: "mail".into(), address: "ops@example.org".into() };
        let receiver = Receiver::default();
        let line = Line {
            store: store.clone(),
            channel: Box::new(receiver.clone()),
            receipt: Receipt::open(dir.path(), "mail").unwrap(),
            common: common.clone(),
            outlets: vec![outlet.clone()],
            frame: frame.clone(),
            expire_ms: 24 * HOUR,
            said: BTreeMap::new(),
        };
        let desk = Desk { frame, outlets: vec![(outlet, common)] };
        let clock = Clock(Cell::new(NOON));
        let mut node = Self { dir, store, desk, line, receiver, clock, sequence: 0 };
        // The first turn there ever is: from here on things are told.
        node.turn();
        node
    }

    fn now(&self) -> i64 {
        self.clock.0.get()
    }

    fn later(&self, ms: i64) {
        self.clock.0.set(self.now() + ms);
    }

    /// Something the guard recorded just now.
    fn records(&mut self, entry: Entry) {
        self.sequence += 1;
        let record = Record { sequence: self.sequence, unix_ms: self.now(), entry };
        self.store
            .wait(move |db| {
                let start = history::cursor(db)?;
                history::take_over(db, start, &[record])
            })
            .unwrap();
    }

    fn turn(&mut self) -> Turn {
        self.turn_with(&[])
    }

    fn turn_with(&mut self, reports: &[Report]) -> Turn {
        let (desk, reports, now) = (self.desk.clone(), reports.to_vec(), self.now());
        self.store.wait(move |db| desk.turn(db, "boot", &reports, now)).unwrap()
    }

    /// The channel's thread looks; gives back when it wants to look again.
    fn pass(&mut self) -> Option<i64> {
        self.line.pass(&self.clock)
    }

    /// A turn and a pass.
    fn goes_on(&mut self) {
        self.turn();
        self.pass();
    }

    fn opens(&mut self, incident: u64) {
        self.records(Entry::Opened(Opened {
            incident,
            zone: "/limited.slice".into(),
            trigger: "floor".into(),
            policy: "strict".into(),
            measured: Measured {
                available_kib: 96 << 10,
                floor_kib: 120 << 10,
                falling_kib_s: 210 << 10,
                ..Measured::default()
            },
        }));
    }

    fn slays(&mut self, incident: u64, pid: i32, comm: &str, cmdline: &str) {
        self.records(Entry::Verdict(VerdictEntry {
            incident,
            zone: "/limited.slice".into(),
            trigger: "floor".into(),
            action: "slay".into(),
            signal: Some("SIGTERM".into()),
            pid: Some(pid),
            comm: Some(comm.into()),
            cmdline: Some(cmdline.into()),
            gives_back_kib: Some(398 << 10),
            ..VerdictEntry::default()
        }));
        self.records(Entry::Outcome(OutcomeEntry {
            incident,
            pid,
            comm: comm.into(),
            outcome: "gone".into(),
            freed_kib: Some(398 << 10),
            ..OutcomeEntry::default()
        }));
    }

    fn closes(&mut self, incident: u64) {
        self.records(Entry::Closed(Closed {
            incident,
            lasted_ms: 5000,
            slain: 0,
            kernel_oom_kills: 0,
        }));
    }

    fn starts_anew(&mut self) {
        self.records(Entry::Started(Started::default()));
    }

    /// What the queue holds, by state.
    fn states(&self) -> BTreeMap<String, i64> {
        self.store
            .wait(|db| {
                db.prepare("SELECT state, count(*) FROM notify_message GROUP BY state")?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .unwrap()
    }

    /// What an agent that was killed and started anew does first.
    fn is_killed(&self) -> usize {
        let taken = receipt::read_all(self.dir.path());
        self.store.wait(move |db| queue::recover(db, &taken)).unwrap()
    }
}
