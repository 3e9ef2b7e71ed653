//! The database: upgraded, refused, moved aside, kept small; records taken over once.

use std::fs;

use headroom_api::journal::{Closed, Entry, Opened, OutcomeEntry, Record, VerdictEntry};
use rusqlite::Connection;

use super::flows::{self, Asker, FlowValue, State};
use super::history::{Cursor, Wanted, cursor, find, find_one, place_in, take_over, totals};
use super::migrations::MIGRATIONS;
use super::open::{OpenError, open};
use super::{retention, tokens};
use crate::config::Retention;

fn store() -> Connection {
    let dir = tempfile::tempdir().unwrap();
    open(&dir.path().join("headroom.db")).unwrap().connection
}

fn record(sequence: u64, entry: Entry) -> Record {
    let unix_ms = 1_790_000_000_000 + i64::try_from(sequence).unwrap() * 1000;
    Record { sequence, unix_ms, entry }
}

/// The records of one storm, the first with that number.
fn storm(incident: u64, first: u64) -> Vec<Record> {
    let verdict = VerdictEntry {
        incident,
        trigger: "floor".into(),
        action: "slay".into(),
        pid: Some(7),
        ..VerdictEntry::default()
    };
    let outcome = OutcomeEntry {
        incident,
        pid: 7,
        outcome: "gone".into(),
        freed_kib: Some(100),
        ..OutcomeEntry::default()
    };
    let entries = [
        Entry::Opened(Opened { incident, zone: "/".into(), ..Opened::default() }),
        Entry::Verdict(verdict),
        Entry::Outcome(outcome),
        Entry::Closed(Closed { incident, slain: 1, ..Closed::default() }),
    ];
    (first..).zip(entries).map(|(sequence, entry)| record(sequence, entry)).collect()
}

fn all(db: &Connection) -> Vec<String> {
    let wanted = Wanted { since_ms: i64::MIN, until_ms: i64::MAX, limit: 100 };
    find(db, wanted).unwrap().into_iter().map(|incident| incident.id).collect()
}

fn total(db: &Connection, name: &str) -> u64 {
    totals(db).unwrap().into_iter().find(|(n, _)| n == name).map_or(0, |(_, value)| value)
}

#[test]
fn records_are_taken_over_once_however_often_they_come() {
    let mut db = store();
    let records = storm(1, 1);
    let start = cursor(&db).unwrap();
    for upto in [1, 2, 2, 4, 4] {
        take_over(&mut db, start, &records[..upto]).unwrap();
    }
    let found = find_one(&db, &all(&db)[0]).unwrap().unwrap();
    assert_eq!((found.verdicts.len(), found.slain), (1, 1));
    assert_eq!(found.verdicts[0].outcome.as_deref(), Some("gone"));
    assert_eq!((total(&db, "opened"), total(&db, "freed_kib")), (1, 100));
    assert_eq!(total(&db, "verdict slay floor"), 1);
    assert_eq!(cursor(&db).unwrap().sequence, 4);
}

#[test]
fn another_journal_in_its_place_is_taken_over_from_its_beginning() {
    let mut db = store();
    let start = cursor(&db).unwrap();
    take_over(&mut db, start, &[storm(1, 1), storm(2, 5)].concat()).unwrap();
    let mut other = storm(1, 1);
    other.iter_mut().for_each(|record| record.unix_ms += 500_000);
    let place = place_in(&db, &other).unwrap();
    assert_eq!(place, Cursor { epoch: 2, sequence: 0, unix_ms: 0 });
    take_over(&mut db, place, &other).unwrap();
    assert_eq!(all(&db).len(), 3);
    assert_eq!(place_in(&db, &other).unwrap(), cursor(&db).unwrap());
}

#[test]
fn records_that_a_power_cut_took_from_the_journal_are_not_doubled_by_those_before() {
    let mut db = store();
    let (first, second) = (storm(1, 1), storm(2, 5));
    let start = cursor(&db).unwrap();
    take_over(&mut db, start, &[first.clone(), second].concat()).unwrap();
    let mut since = storm(2, 5);
    since.iter_mut().for_each(|record| record.unix_ms += 60_000);
    let journal = [first, since].concat();
    let place = place_in(&db, &journal).unwrap();
    assert_eq!((place.epoch, place.sequence), (2, 4));
    take_over(&mut db, place, &journal).unwrap();
    assert_eq!(total(&db, "opened"), 3, "both second storms, and the first once");
}

#[test]
fn a_journal_that_went_round_is_taken_on_from_what_it_still_has() {
    let mut db = store();
    let start = cursor(&db).unwrap();
    take_over(&mut db, start, &storm(1, 1)).unwrap();
    let later = storm(9, 5000);
    assert_eq!(place_in(&db, &later).unwrap(), cursor(&db).unwrap());
}

#[test]
fn incidents_are_found_by_time_and_the_last_of_them_first_when_there_are_many() {
    let mut db = store();
    let start = cursor(&db).unwrap();
    let storms: Vec<_> = (0..5).flat_map(|n| storm(n + 1, n * 4 + 1)).collect();
    take_over(&mut db, start, &storms).unwrap();
    let some = |since_ms, until_ms, limit| {
        let found = find(&db, Wanted { since_ms, until_ms, limit }).unwrap();
        found.iter().map(|i| i.id.rsplit_once('-').unwrap().1.to_owned()).collect::<String>()
    };
    assert_eq!(some(i64::MIN, i64::MAX, 2), "45");
    assert_eq!(some(storms[4].unix_ms, storms[12].unix_ms, 10), "23");
    for id in ["", "x", "-1", "2026-01-01T00:00:00Z-1", "2026-01-01T00:00:00Z-99999999999999999999"]
    {
        assert!(find_one(&db, id).unwrap().is_none(), "{id}");
    }
}

#[test]
fn a_newer_store_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headroom.db");
    let db = open(&path).unwrap().connection;
    db.pragma_update(None, "user_version", MIGRATIONS.len() + 1).unwrap();
    drop(db);
    let error = open(&path).err().unwrap();
    assert!(matches!(error, OpenError::Newer(..)));
    assert!(error.to_string().contains("written by a newer release"), "{error}");
    let db = Connection::open(&path).unwrap();
    let version: usize = db.pragma_query_value(None, "user_version", |r| r.get(0)).unwrap();
    assert_eq!(version, MIGRATIONS.len() + 1);
}

#[test]
fn an_upgrade_is_done_whole_from_every_older_form() {
    for form in 0..MIGRATIONS.len() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("headroom.db");
        let old = Connection::open(&path).unwrap();
        for step in &MIGRATIONS[..form] {
            old.execute_batch(step).unwrap();
        }
        old.pragma_update(None, "user_version", form).unwrap();
        drop(old);
        let mut db = open(&path).unwrap().connection;
        let start = cursor(&db).unwrap();
        take_over(&mut db, start, &storm(1, 1)).unwrap();
        assert_eq!(all(&db).len(), 1, "from form {form}");
    }
}

#[test]
fn a_corrupt_store_is_moved_aside_and_a_new_one_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("headroom.db");
    let mut db = open(&path).unwrap().connection;
    let start = cursor(&db).unwrap();
    take_over(&mut db, start, &storm(1, 1)).unwrap();
    drop(db);
    let whole = fs::read(&path).unwrap();
    let mut kept = 0;
    for at in [0, 100, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at..].fill(0x5a);
        fs::write(&path, &bytes).unwrap();
        let opened = open(&path).unwrap();
        assert_eq!((opened.in_memory, all(&opened.connection).len()), (None, 0), "from byte {at}");
        drop(opened.connection);
        let bad = fs::read_dir(dir.path())
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().contains(".db.bad-"));
        kept += 1;
        assert_eq!(bad.count(), kept);
    }
}

#[test]
fn where_nothing_can_be_written_the_store_is_kept_in_memory() {
    let opened = open("/proc/headroom.db".as_ref()).unwrap();
    assert!(opened.in_memory.is_some());
    assert!(all(&opened.connection).is_empty());
}

#[test]
fn what_is_old_goes_and_the_sums_stay() {
    let mut db = store();
    let start = cursor(&db).unwrap();
    let storms: Vec<_> = (0..3).flat_map(|n| storm(n + 1, n * 4 + 1)).collect();
    take_over(&mut db, start, &storms).unwrap();
    let now = storms[8].unix_ms + 24 * 3600 * 1000;
    let gone = retention::apply(&mut db, Retention { days: 1, max_mib: 64 }, now).unwrap();
    assert_eq!((gone, all(&db).len()), (8, 1));
    assert_eq!(total(&db, "opened"), 3);
}

#[test]
fn what_does_not_fit_goes_the_oldest_first() {
    let mut db = store();
    let start = cursor(&db).unwrap();
    let storms: Vec<_> = (0..2500).flat_map(|n| storm(n + 1, n * 4 + 1)).collect();
    take_over(&mut db, start, &storms).unwrap();
    let now = storms[0].unix_ms;
    let size = |db: &Connection| -> i64 {
        db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap()
    };
    let before = size(&db);
    let gone = retention::apply(&mut db, Retention { days: 400, max_mib: 1 }, now).unwrap();
    assert!(gone >= 2000 && gone < storms.len(), "{gone}");
    assert!(size(&db) < before);
    assert_eq!(all(&db).last().unwrap().rsplit_once('-').unwrap().1, "2500");
}

#[test]
fn a_token_is_found_by_its_secret_alone_which_is_not_kept() {
    let db = store();
    let secret = tokens::add(&db, "deploy", "read settings", "root").unwrap().unwrap();
    assert_eq!(tokens::add(&db, "deploy", "read", "root").unwrap(), None);
    assert_eq!(
        tokens::find(&db, &secret).unwrap(),
        Some(("deploy".into(), "read settings".into()))
    );
    for wrong in ["", "deploy", &secret[1..], &secret.to_uppercase(), "' OR 1=1 --"] {
        assert_eq!(tokens::find(&db, wrong).unwrap(), None, "{wrong}");
    }
    let kept: Vec<u8> = db.query_row("SELECT hash FROM token", [], |row| row.get(0)).unwrap();
    assert_eq!(kept.len(), 32);
    assert!(tokens::remove(&db, "deploy").unwrap());
    assert!(!tokens::remove(&db, "deploy").unwrap());
    assert_eq!(tokens::find(&db, &secret).unwrap(), None);
}

#[test]
fn a_change_waits_until_it_ends_and_ends_once() {
    let mut db = store();
    let asker = Asker { who: "app".into(), whence: "uid 1000, pid 1".into() };
    let value = FlowValue {
        setting: "strict.floor".into(),
        before: Some("10%".into()),
        after: Some("5%".into()),
    };
    let values = [value];
    let id = flows::begin(&mut db, "update_node", &asker, "floor", &values).unwrap();
    assert_eq!(flows::waiting(&db).unwrap(), [(id, values.to_vec())]);
    flows::end(&db, id, &State::Success).unwrap();
    flows::end(&db, id, &State::Failed("late".into())).unwrap();
    assert!(flows::waiting(&db).unwrap().is_empty());
    assert_eq!(flows::state_of(&db, id).unwrap(), State::Success);
    flows::note(&mut db, "add_token", &asker, "x'); DROP TABLE flow; --").unwrap();
    let (count, page) = flows::page(&db, 1, 0).unwrap();
    assert_eq!((count, page[0].name.as_str()), (2, "add_token"));
    assert_eq!(page[0].what, "x'); DROP TABLE flow; --");
    assert_eq!(flows::page(&db, 10, 5).unwrap().1.len(), 0);
}
