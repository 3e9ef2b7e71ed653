//! The past: the guard's journal, and the kernel's OOM reports.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;

use headroom_api::journal::jobs::{Job, Jobs};
use headroom_api::journal::{self, Entry, Journal, Measured, samples};
use headroom_api::paths;
use headroom_core::advise::facts::{Record, RecordedJob, Shortage, Today};
use headroom_core::advise::parse::Unread;
use headroom_core::advise::parse::schedule::Day;
use headroom_core::oomlog::{Constraint, Event};
use headroom_core::units::Kib;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::input::{self, Range};

/// What is older belongs to another time.
const DAYS: i64 = 30;

/// Reads all there is in the guard's folder. It may be empty: then no guard has run here.
pub(super) fn gather(state_dir: &Path, ram: Kib, unread: &mut Vec<Unread>) -> Record {
    let now = Timestamp::now();
    let mut record = Record { today: Some(today()), ..Record::default() };
    let journal = &state_dir.join(paths::JOURNAL);
    match journal::read(journal) {
        Ok(journal) => of_journal(&journal, ram, now, &mut record),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            let why = super::root::explained(&error);
            unread.push(Unread::file(&journal.display().to_string(), why));
        }
    }
    let path = state_dir.join(paths::JOBS);
    let at = path.display().to_string();
    match Jobs::read(&path) {
        Ok(found) => record.jobs.extend(jobs(found, &at)),
        Err(error) => unread.push(Unread::file(&at, super::root::explained(&error))),
    }
    let path = state_dir.join(paths::SAMPLES);
    if let Err(error) = demand(&path, now, &mut record)
        && error.kind() != ErrorKind::NotFound
    {
        unread.push(Unread::file(&path.display().to_string(), super::root::explained(&error)));
    }
    kernel(ram, now, &mut record);
    record
}

/// Kinds of jobs with the most each took.
fn jobs(found: Jobs, at: &str) -> Vec<RecordedJob> {
    let job = |job: Job| RecordedJob {
        command: job.command,
        peak: Kib(job.highest_peak_kib),
        longest_s: Some(job.last_ms.max(job.mean_ms.unwrap_or(0)) / 1000).filter(|s| *s > 0),
        at: at.to_string(),
    };
    found.jobs.into_iter().map(job).collect()
}

/// What was in use, from the guard's samples. They come faster in a storm than at rest, so one counts for each
/// of these slices of time: the highest in it.
fn demand(path: &Path, now: Timestamp, record: &mut Record) -> io::Result<()> {
    const SLICE_MS: i64 = 60_000;
    let since = now.as_millisecond().saturating_sub(DAYS * 86_400_000);
    let mut slices: BTreeMap<i64, Kib> = BTreeMap::new();
    let extent = samples::read(path, since, &mut |sample| {
        let used = sample.memory.total.saturating_sub(sample.memory.available);
        let highest = slices.entry(sample.unix_ms / SLICE_MS).or_default();
        *highest = (*highest).max(used);
    })?;
    if let (Some(first), Some(last)) = (slices.keys().next(), extent.newest_ms) {
        let span = last.saturating_sub(first.saturating_mul(SLICE_MS)) / 1000;
        record.span_s = record.span_s.max(u64::try_from(span).unwrap_or(0));
    }
    record.at = path.display().to_string();
    record.used = slices.into_values().collect();
    Ok(())
}

fn today() -> Today {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
    let small = |number: i8| u8::try_from(number).unwrap_or(1);
    Today {
        year: now.year(),
        day: Day {
            month: small(now.month()),
            day: small(now.day()),
            weekday: small(now.weekday().to_sunday_zero_offset()),
        },
    }
}

fn days_ago(unix_ms: i64, now: Timestamp) -> u64 {
    u64::try_from((now.as_millisecond() - unix_ms) / 86_400_000).unwrap_or(0)
}

/// What was short, and what jobs took: a job that was slain or paused held so much.
fn of_journal(journal: &Journal, ram: Kib, now: Timestamp, record: &mut Record) {
    let mut open: BTreeMap<u64, Storm> = BTreeMap::new();
    let mut jobs: BTreeMap<String, Kib> = BTreeMap::new();
    let (first, last) = (journal.records.first(), journal.records.last());
    if let (Some(first), Some(last)) = (first, last) {
        let span = u64::try_from(last.unix_ms - first.unix_ms).unwrap_or(0) / 1000;
        record.span_s = record.span_s.max(span);
    }
    for entry in &journal.records {
        match &entry.entry {
            Entry::Opened(opened) => {
                let storm = Storm {
                    unix_ms: entry.unix_ms,
                    highest: in_use(ram, &opened.measured),
                    ..Storm::default()
                };
                open.insert(opened.incident, storm);
            }
            Entry::Verdict(verdict) => {
                if let Some(storm) = open.get_mut(&verdict.incident) {
                    // What was slain before would be there still.
                    let used = in_use(ram, &verdict.measured).saturating_add(storm.slain);
                    storm.highest = storm.highest.max(used);
                }
                let held = verdict.gives_back_kib.map(Kib);
                if let Some((cmdline, held)) = verdict.cmdline.as_ref().zip(held) {
                    let known = jobs.entry(cmdline.clone()).or_default();
                    *known = (*known).max(held);
                }
            }
            Entry::Outcome(outcome) if outcome.outcome == "gone" => {
                if let Some(storm) = open.get_mut(&outcome.incident) {
                    let freed = Kib(outcome.freed_kib.unwrap_or(0));
                    storm.slain = storm.slain.saturating_add(freed);
                }
            }
            _ => {}
        }
    }
    for (number, storm) in open {
        record.shortages.push(Shortage {
            id: format!("{number}"),
            days_ago: days_ago(storm.unix_ms, now),
            demand: storm.highest,
            slain: storm.slain,
            at: "the guard's journal".into(),
        });
    }
    record.jobs.extend(jobs.into_iter().map(|(command, peak)| RecordedJob {
        command,
        peak,
        longest_s: None,
        at: "the guard's journal".into(),
    }));
}

/// A storm as far as it was read.
#[derive(Default)]
struct Storm {
    unix_ms: i64,
    highest: Kib,
    slain: Kib,
}

/// What was in use by a measurement: of a zone, what its limit lacked counts as the machine's.
fn in_use(ram: Kib, measured: &Measured) -> Kib {
    ram.saturating_sub(Kib(measured.available_kib))
}

/// OOM kills of the last month. At each of them all of the memory was in use, and what was killed before
/// would have been there as well.
fn kernel(ram: Kib, now: Timestamp, record: &mut Record) {
    let since = now.checked_sub(Span::new().hours(24 * DAYS)).ok();
    let range = Range { since, until: None };
    let gathered = input::live(&range);
    for incident in gathered.incidents(&range, false) {
        let events = || incident.events.iter().filter_map(|index| gathered.events.get(*index));
        let Some(first) = events().next() else { continue };
        let Some(at_us) = first.at_us else { continue };
        // A cgroup at its own small limit is no shortage of the node's; the zone of the shop is.
        let is_small = |event: &Event| match event.constraint {
            Some(Constraint::Memcg) => event
                .memcg
                .memory
                .and_then(|memory| memory.limit)
                .is_none_or(|limit| limit < ram.percent(50)),
            Some(Constraint::None) | None => false,
            Some(_) => true,
        };
        if events().all(|event| is_small(&event.event)) {
            continue;
        }
        let held = |victim: &headroom_core::oomlog::Victim| {
            let sizes = [victim.anon_rss, victim.file_rss, victim.shmem_rss];
            sizes.into_iter().flatten().fold(Kib::ZERO, Kib::saturating_add)
        };
        let victims: Vec<Kib> = events().flat_map(|event| &event.event.victims).map(held).collect();
        let slain = victims.iter().copied().fold(Kib::ZERO, Kib::saturating_add);
        let last = victims.last().copied().unwrap_or_default();
        let place = gathered.place(first.event.first);
        record.shortages.push(Shortage {
            id: input::when::utc_id(at_us).unwrap_or_else(|| place.clone()),
            days_ago: days_ago(at_us / 1000, now),
            demand: ram.saturating_add(slain.saturating_sub(last)),
            slain,
            at: place,
        });
        // A log that reaches back so far is a record as well.
        record.span_s = record.span_s.max(days_ago(at_us / 1000, now) * 86_400);
    }
    record.shortages.sort_by(|a, b| a.days_ago.cmp(&b.days_ago).then_with(|| a.id.cmp(&b.id)));
}

#[cfg(test)]
mod tests {
    use headroom_api::journal::{Opened, OutcomeEntry, Record as Line, VerdictEntry};

    use super::*;

    #[test]
    fn kinds_of_jobs_bring_their_peak_and_how_long_they_ran() {
        let found = Jobs {
            jobs: vec![Job {
                command: "php x.php #".into(),
                mean_ms: Some(90_000),
                last_ms: 61_000,
                highest_peak_kib: 400,
                ..Job::default()
            }],
            ..Jobs::default()
        };
        let found = jobs(found, "jobs.json");
        assert_eq!((found[0].peak, found[0].longest_s), (Kib(400), Some(90)));
    }

    #[test]
    fn what_was_in_use_counts_once_a_minute() {
        use headroom_api::journal::samples::{BLOCK, Encoder, Place};
        use headroom_core::sample::Sample;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples");
        let mut record = Record::default();
        let missing = demand(&path, Timestamp::now(), &mut record);
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
        let mut bytes = vec![0; 4 * BLOCK];
        let mut encoder = Encoder::after(0);
        // Two minutes: ten samples in the first, of which the third is the highest, one in the second.
        let used = [100, 120, 900, 110, 100, 100, 100, 100, 100, 100, 300];
        for (n, used) in (0..).zip(used) {
            let mut sample = Sample::default();
            sample.unix_ms = 1_795_000_020_000 + if n < 10 { n * 100 } else { 60_000 };
            sample.memory.total = Kib(1000);
            sample.memory.available = Kib(1000 - used);
            let place = encoder.encode(&sample);
            let block = usize::try_from(encoder.block() - 1).unwrap() * BLOCK;
            let at = block + if let Place::Within(at) = place { at } else { 0 };
            bytes[at..at + encoder.bytes().len()].copy_from_slice(encoder.bytes());
        }
        std::fs::write(&path, bytes).unwrap();
        let now = Timestamp::from_millisecond(1_795_000_100_000).unwrap();
        demand(&path, now, &mut record).unwrap();
        assert_eq!(record.used, [Kib(900), Kib(300)]);
        assert_eq!(record.span_s, 60);
    }

    #[test]
    fn a_storms_demand_counts_what_was_slain_in_it() {
        let now = Timestamp::from_second(10 * 86_400).unwrap();
        let measured = |available_kib| Measured { available_kib, ..Measured::default() };
        let verdict = |available_kib, cmdline: &str| {
            Entry::Verdict(VerdictEntry {
                incident: 1,
                action: "slay".into(),
                cmdline: Some(cmdline.into()),
                gives_back_kib: Some(300),
                measured: measured(available_kib),
                ..VerdictEntry::default()
            })
        };
        let outcome = Entry::Outcome(OutcomeEntry {
            incident: 1,
            outcome: "gone".into(),
            freed_kib: Some(290),
            ..OutcomeEntry::default()
        });
        let opened =
            Entry::Opened(Opened { incident: 1, measured: measured(120), ..Opened::default() });
        let entries = [opened, verdict(100, "php a"), outcome, verdict(90, "php b")];
        let records = entries.into_iter().zip(1..).map(|(entry, sequence)| Line {
            sequence,
            unix_ms: 8 * 86_400_000 + i64::try_from(sequence).unwrap() * 43_200_000 - 43_200_000,
            entry,
        });
        let journal = Journal { records: records.collect(), skipped: 0 };
        let mut record = Record::default();
        of_journal(&journal, Kib(1000), now, &mut record);
        let shortage = &record.shortages[0];
        // 910 of 1000 in use, and the 290 of the one that was slain before.
        assert_eq!((shortage.demand, shortage.slain, shortage.days_ago), (Kib(1200), Kib(290), 2));
        assert_eq!(record.span_s, 3 * 43_200);
        assert_eq!(record.jobs.len(), 2);
    }
}
