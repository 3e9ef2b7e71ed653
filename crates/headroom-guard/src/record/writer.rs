//! The thread that writes: takes notes from the queue until the guard stops.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use headroom_api::journal::{Entry, Lost, Record, Stopped};
use headroom_core::action::Action;
use headroom_core::policy::Policy;
use headroom_core::sample::Sample;
use headroom_core::words::relief::{Cause, Deed, Result as ResultWords};

use super::disk::{Events, JobBook, Samples, make_dir};
use super::entries::{entry, reason};
use super::reopen::Reopening;
use super::terminal::Terminals;
use super::{JOURNAL, Note, Past, RING_OF_SAMPLES, say};
use crate::say::wall_clock_ms;
use crate::view::Shared;

/// What is worth a wait for the disk is on it within this, however much more comes meanwhile. What is
/// sampled at rest is left to the kernel's own writing back, within half a minute or so.
const SYNC: Duration = Duration::from_secs(1);
/// What was learned of jobs is on the disk within this.
const SAVE: Duration = Duration::from_secs(30);

/// The writer and all it writes to.
pub(super) struct Writer {
    /// What is missing is tried again.
    pub(super) reopening: Reopening,
    /// Incidents of earlier runs that were not known when this one began to count.
    pub(super) incidents_before: u64,
    /// The incident that was opened while there was no journal, and when.
    pub(super) untold: Option<(i64, Action)>,
    pub(super) events: Option<Events>,
    pub(super) samples: Option<Samples>,
    pub(super) jobs: Option<JobBook>,
    pub(super) policy: Arc<Policy>,
    pub(super) shared: Arc<Shared>,
    pub(super) dry_run: bool,
    /// Where samples go back to when they are written.
    pub(super) blanks: SyncSender<Box<Sample>>,
    pub(super) sync_due: Option<Instant>,
    pub(super) save_due: Option<Instant>,
    pub(super) failing: u64,
    pub(super) terminals: Terminals,
}

impl Writer {
    pub(super) fn run(mut self, notes: &Receiver<Note>) {
        loop {
            let is_missing = self.is_missing();
            let reopen_due = self.reopening.due(is_missing);
            let due = self.sync_due.into_iter().chain(self.save_due).chain(reopen_due).min();
            let note = match due.map(|due| due.saturating_duration_since(Instant::now())) {
                None => notes.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => notes.recv_timeout(wait),
            };
            match note {
                Ok(note) => {
                    if self.take(note) {
                        return self.finish();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
            }
            self.do_what_is_due();
        }
    }

    /// Takes a note in; true for the last one.
    fn take(&mut self, note: Note) -> bool {
        let now = wall_clock_ms();
        match note {
            Note::Started(started) => self.write(now, Entry::Started(*started)),
            Note::Happened { unix_ms, action, reflex } => self.happened(unix_ms, action, reflex),
            Note::Sample(mut sample) => {
                sample.incident = sample.incident.map(|n| n + self.incidents_before);
                self.sampled(&sample);
                // There is a place for each that was handed out.
                let _no_loop_is_left = self.blanks.try_send(sample);
            }
            Note::Ran(run) => {
                if let Some(jobs) = &mut self.jobs {
                    jobs.learn(&run, now);
                    self.save_due.get_or_insert_with(|| Instant::now() + SAVE);
                }
            }
            Note::Policy(policy) => self.policy = policy,
            Note::Say(line) => say(&line),
            Note::Lost { records, samples } => {
                say(&format!(
                    "{records} journal records and {samples} samples lost: the disk could not follow"
                ));
                self.write(now, Entry::Lost(Lost { records, samples }));
            }
            Note::Stop => {
                self.write(now, Entry::Stopped(Stopped {}));
                return true;
            }
        }
        false
    }

    fn happened(&mut self, unix_ms: i64, action: Action, reflex: Option<Duration>) {
        if !self.dry_run {
            self.terminals.happened(&action, &self.policy);
        }
        if self.events.is_none() {
            match action {
                Action::Open { .. } => self.untold = Some((unix_ms, action)),
                Action::Close { .. } => self.untold = None,
                _ => {}
            }
        }
        let action = &numbered_after(action, self.incidents_before);
        match action {
            Action::Open { incident, trigger, measured, .. } => {
                say(&format!("incident {incident}: {}", Cause(*trigger, measured)));
            }
            Action::Relieve(verdict) => {
                let would = if self.dry_run && verdict.process.is_some() { "would " } else { "" };
                say(&format!("{would}{}: {}", Deed(verdict), reason(verdict, &self.policy)));
            }
            Action::Tell(outcome) => say(&ResultWords(outcome).to_string()),
            Action::Close { incident, lasted, slain, kernel_kills } => say(&format!(
                "incident {incident} over after {}.{} s: {slain} slain, {kernel_kills} killed \
                 by the kernel",
                lasted.as_secs(),
                lasted.subsec_millis() / 100
            )),
            _is_done_alone => {}
        }
        if let Some(entry) = entry(action, &self.policy, self.dry_run, reflex) {
            self.write(unix_ms, entry);
        }
    }

    fn write(&mut self, unix_ms: i64, entry: Entry) {
        let sequence = self.events.as_ref().map_or(0, Events::next);
        let mut record = Record { sequence, unix_ms, entry };
        // Only names and sentences can be too long; what happened is kept without them.
        let slot = record.encode().or_else(|| {
            match &mut record.entry {
                Entry::Verdict(v) => {
                    v.cmdline = None;
                    v.reason.truncate(0);
                }
                Entry::Started(s) => s.missing.clear(),
                _ => {}
            }
            record.encode()
        });
        if let (Some(events), Some(slot)) = (&mut self.events, slot) {
            let written = events.write(&slot);
            self.note_written("journal", written);
            self.wants_sync();
        }
        self.shared.remember(record);
    }

    fn sampled(&mut self, sample: &Sample) {
        let Some(samples) = &mut self.samples else { return };
        let written = samples.write(sample);
        self.note_written("samples", written);
        if sample.incident.is_some() {
            self.wants_sync();
        }
    }

    fn wants_sync(&mut self) {
        self.sync_due.get_or_insert_with(|| Instant::now() + SYNC);
    }

    /// A disk that refuses is said once, and how much it cost when it takes again.
    fn note_written(&mut self, what: &str, written: io::Result<()>) {
        match written {
            Ok(()) if self.failing > 0 => {
                let failed = std::mem::take(&mut self.failing);
                say(&format!("{what}: written again; {failed} records are missing"));
            }
            Ok(()) => {}
            Err(error) => {
                if self.failing == 0 {
                    say(&format!("{what}: {error}; it goes on without what cannot be written"));
                }
                self.failing += 1;
            }
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if self.sync_due.take_if(|due| *due <= now).is_some() {
            self.sync();
        }
        if self.save_due.take_if(|due| *due <= now).is_some() {
            self.save();
        }
        if self.reopening.is_time(now) {
            self.reopen();
        }
    }

    const fn is_missing(&self) -> bool {
        self.events.is_none() || self.samples.is_none() || self.jobs.is_none()
    }

    /// Tries again to open what could not be opened.
    fn reopen(&mut self) {
        let dir = self.reopening.state_dir.clone();
        let sizes = self.policy.journal;
        let is_there = make_dir(&dir).is_ok();
        if self.events.is_none() {
            let mut past = Past::default();
            if let Ok(events) = Events::open(&dir, &sizes, &mut past) {
                self.events = Some(events);
                self.incidents_before = past.last_incident;
                self.is_back(JOURNAL);
                if let Some((unix_ms, action)) = self.untold.take() {
                    let action = numbered_after(action, self.incidents_before);
                    if let Some(entry) = entry(&action, &self.policy, self.dry_run, None) {
                        self.write(unix_ms, entry);
                    }
                }
            }
        }
        if self.samples.is_none()
            && let Ok(samples) = Samples::open(&dir, &sizes)
        {
            self.samples = Some(samples);
            self.is_back(RING_OF_SAMPLES);
        }
        if self.jobs.is_none() && is_there {
            self.jobs = Some(JobBook::open(&dir));
        }
    }

    /// Says that something is kept from here on, in the log and to whoever asks what is missing.
    fn is_back(&self, what: &'static str) {
        say(&format!("{what}: opened at last; it is kept from here on"));
        self.shared.note_found(what);
    }

    fn sync(&mut self) {
        let events = self.events.as_ref().map_or(Ok(()), Events::sync);
        let samples = self.samples.as_ref().map_or(Ok(()), Samples::sync);
        if let Err(error) = events.and(samples) {
            self.note_written("journal", Err(error));
        }
    }

    fn save(&mut self) {
        if let Some(jobs) = &mut self.jobs {
            jobs.save();
        }
    }

    fn finish(mut self) {
        if self.save_due.is_some() {
            self.save();
        }
        self.sync();
    }
}

/// An action, its incident counted after so many of earlier runs.
fn numbered_after(mut action: Action, earlier: u64) -> Action {
    // What belongs to none stays so.
    if let Some(number) = action.incident_mut().filter(|number| **number > 0) {
        *number += earlier;
    }
    action
}
