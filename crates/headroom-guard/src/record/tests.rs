//! The writer's thread on a disk that refuses, and what it leaves for the next run.

use std::time::Instant;

use headroom_api::journal::{self, Entry, samples};
use headroom_api::paths;
use headroom_core::decide::{decide, folded, kind_of};
use headroom_core::snapshot::{Memory, Moment};

use super::*;

/// A node under its floor, so that each look is kept.
fn storm() -> (State, Snapshot) {
    let snapshot = Snapshot {
        at: Moment(1_000_000_000_000),
        memory: Memory { total: Kib::from_mib(1280), ..Memory::default() },
        ..Snapshot::default()
    };
    (State::new(0, 0), snapshot)
}

fn look(recorder: &mut Recorder, state: &mut State, snapshot: &mut Snapshot) {
    snapshot.at = snapshot.at.after(Duration::from_millis(100));
    (snapshot.scanned, snapshot.scanned_all) = (snapshot.at, snapshot.at);
    let mut actions = Vec::new();
    decide(state, snapshot, &Policy::built_in(), &mut actions);
    actions.into_iter().for_each(|action| recorder.happened(action, None));
    recorder.look_back(state, snapshot);
}

fn start(dir: &Path) -> (Recorder, Past, Vec<Lack>) {
    Recorder::start(dir, Arc::new(Policy::built_in()), Arc::default(), true)
}

#[test]
fn what_is_recorded_is_there_for_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut snapshot) = storm();
    let run = JobRun {
        kind: kind_of(b"php import.php 17"),
        command: folded(b"php import.php 17"),
        peak: Kib::from_mib(160),
        ..JobRun::default()
    };
    for round in 1..=2_u64 {
        let (mut recorder, past, lacks) = start(dir.path());
        assert!(lacks.is_empty());
        assert_eq!(past.last_incident, round - 1);
        let known: &[_] = if round == 1 { &[] } else { &[(run.kind, run.peak)] };
        assert_eq!(past.expected, known);
        let mut state = State::new(0, past.last_incident);
        for _ in 0..20 {
            look(&mut recorder, &mut state, &mut snapshot);
            // The writer is let keep up: how fast the disk is is not what is asked here.
            while recorder.blanks.is_empty() {
                recorder.blanks.extend(recorder.returned.recv());
            }
        }
        recorder.note(Note::Ran(run));
        recorder.stop();
        let extent = samples::read(&dir.path().join(paths::SAMPLES), 0, &mut |_| {}).unwrap();
        assert_eq!((extent.samples, extent.skipped), (round * 20, 0));
    }
    let journal = journal::read(&dir.path().join(paths::JOURNAL)).unwrap();
    assert_eq!(journal.skipped, 0);
    let opened = journal.records.iter().filter(|r| matches!(r.entry, Entry::Opened(_)));
    assert_eq!(opened.count(), 2);
    let sequences: Vec<_> = journal.records.iter().map(|r| r.sequence).collect();
    assert_eq!(sequences, (1..=journal.records.len() as u64).collect::<Vec<_>>());
}

#[test]
fn samples_push_out_no_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, mut snapshot) = storm();
    let (mut recorder, ..) = start(dir.path());
    look(&mut recorder, &mut state, &mut snapshot);
    // Three times what the smallest ring holds, written straight to it.
    recorder.stop();
    let mut sizes = Policy::built_in().journal;
    sizes.samples = headroom_core::policy::JournalValues::LEAST;
    let mut ring = Samples::open(dir.path(), &sizes).unwrap();
    let mut sample = Sample::default();
    for n in 0..60_000 {
        sample.take(n, &state, &snapshot);
        ring.write(&sample).unwrap();
    }
    let extent = samples::read(&dir.path().join(paths::SAMPLES), 0, &mut |_| {}).unwrap();
    assert_eq!((extent.newest_ms, extent.skipped), (Some(59_999), 0));
    assert!(extent.oldest_ms > Some(1000), "the oldest samples made room");
    let journal = journal::read(&dir.path().join(paths::JOURNAL)).unwrap();
    assert!(journal.records.iter().any(|r| matches!(r.entry, Entry::Verdict(_))));
}

#[test]
fn a_writer_that_hangs_costs_samples_which_are_counted_and_holds_up_nobody() {
    let (queue, notes) = sync_channel(QUEUE);
    let (blanks, returned) = sync_channel(SAMPLES);
    let mut recorder = Recorder {
        queue,
        thread: None,
        lost: 0,
        lost_samples: 0,
        cadence: Cadence::default(),
        blanks: (0..SAMPLES).map(|_| Box::default()).collect(),
        returned,
    };
    let (mut state, mut snapshot) = storm();
    let began = Instant::now();
    for _ in 0..1000 {
        look(&mut recorder, &mut state, &mut snapshot);
    }
    assert!(began.elapsed() < Duration::from_secs(60), "nothing waited for the writer");
    let mut waiting: Vec<Note> = notes.try_iter().collect();
    let samples = waiting.extract_if(.., |note| matches!(note, Note::Sample(_)));
    for (sent, sample) in (1..).zip(samples) {
        assert!(sent <= SAMPLES);
        if let Note::Sample(sample) = sample {
            blanks.send(sample).unwrap();
        }
    }
    assert_eq!(recorder.lost_samples, 1000 - SAMPLES as u64);
    look(&mut recorder, &mut state, &mut snapshot);
    let told: Vec<Note> = notes.try_iter().collect();
    let lost = 1000 - SAMPLES as u64;
    assert!(
        told.iter().any(|note| matches!(note, Note::Lost { samples, .. } if *samples == lost)),
        "{told:?}"
    );
    assert!(matches!(told.last(), Some(Note::Sample(_))), "and it goes on: {told:?}");
}

#[test]
fn damage_anywhere_costs_records_and_not_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, mut snapshot) = storm();
    let (mut recorder, ..) = start(dir.path());
    for _ in 0..10 {
        look(&mut recorder, &mut state, &mut snapshot);
    }
    recorder.stop();
    for name in [paths::JOURNAL, paths::SAMPLES, paths::JOBS] {
        let path = dir.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        bytes.resize(bytes.len().max(5000), 0);
        let end = bytes.len();
        for range in [30..34, 1500..1600, end - 10..end] {
            bytes[range].fill(0xa5);
        }
        std::fs::write(&path, bytes).unwrap();
    }
    let (mut recorder, past, lacks) = start(dir.path());
    assert!(lacks.is_empty(), "it is written on in all three");
    assert_eq!(past.expected, [], "a memory of jobs that does not check is not believed");
    look(&mut recorder, &mut state, &mut snapshot);
    recorder.stop();
    let journal = journal::read(&dir.path().join(paths::JOURNAL)).unwrap();
    assert!(journal.skipped >= 1, "{}", journal.skipped);
    assert!(matches!(journal.records.last().map(|r| &r.entry), Some(Entry::Stopped(_))));
    let extent = samples::read(&dir.path().join(paths::SAMPLES), 0, &mut |_| {}).unwrap();
    assert!(extent.skipped >= 1 && extent.samples >= 1, "{extent:?}");
}

#[test]
fn a_journal_that_could_not_be_opened_is_taken_up_again_and_counts_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(paths::JOURNAL);
    let (mut state, mut snapshot) = storm();
    let (mut recorder, ..) = start(dir.path());
    look(&mut recorder, &mut state, &mut snapshot);
    recorder.stop();
    // Somebody put a folder in its place; the storm begins without it.
    let aside = dir.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    std::fs::create_dir(&path).unwrap();
    let shared = Arc::<Shared>::default();
    let policy = Arc::new(Policy::built_in());
    let (mut recorder, past, lacks) =
        Recorder::start(dir.path(), policy, Arc::clone(&shared), true);
    assert_eq!((past.last_incident, lacks.len()), (0, 1));
    let (mut state, mut snapshot) = storm();
    look(&mut recorder, &mut state, &mut snapshot);
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    let mut missing = vec![crate::view::missing(lacks[0].what, "x", lacks[0].instead)];
    let give_up = Instant::now() + Duration::from_secs(60);
    while !missing.is_empty() {
        assert!(Instant::now() < give_up);
        std::thread::sleep(Duration::from_millis(20));
        shared.take_found(&mut missing);
    }
    recorder.stop();
    let records = journal::read(&path).unwrap().records;
    let opened: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Opened(opened) => Some(opened.incident),
            _ => None,
        })
        .collect();
    assert_eq!(opened, [1, 2], "the storm of that time is told, by a number of its own");
}
