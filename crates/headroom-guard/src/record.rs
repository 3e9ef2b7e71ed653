//! The journal's writer, on a thread of its own: what happens behind it, a slow disk or a full one,
//! never holds up the loop. The loop hands over values of fixed size through a bounded queue; what
//! finds the queue full is counted and said later.

mod disk;
mod entries;
mod reopen;
mod ring;
mod terminal;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use headroom_api::journal::{Record, Started};
use headroom_core::action::Action;
use headroom_core::decide::{JobRun, State};
use headroom_core::policy::Policy;
use headroom_core::sample::{Cadence, Sample};
use headroom_core::snapshot::Snapshot;
use headroom_core::units::Kib;

use crate::say::{say, wall_clock_ms};
use crate::view::{REMEMBERED, Shared};
use disk::{Events, JobBook, Samples};
use reopen::Reopening;
use writer::Writer;

/// Notes that may wait for the disk.
const QUEUE: usize = 128;
/// Samples among them: a second's worth in a storm. They are large, so that the same few are
/// handed to and fro.
const SAMPLES: usize = 10;

/// What may be missing, by the names under which that is said.
const JOURNAL: &str = "the journal";
const RING_OF_SAMPLES: &str = "the ring of samples";

/// What the loop hands over.
#[derive(Debug)]
pub(crate) enum Note {
    /// The guard started.
    Started(Box<Started>),
    /// Something was decided or came of it.
    Happened {
        /// Wall-clock time in milliseconds since 1970.
        unix_ms: i64,
        /// What.
        action: Action,
        /// From the wake-up to the signal.
        reflex: Option<Duration>,
    },
    /// The node as it is, in one of the boxes that go to and fro.
    Sample(Box<Sample>),
    /// What a job took that has ended.
    Ran(JobRun),
    /// Another policy is in force from here on.
    Policy(Arc<Policy>),
    /// A line for the log alone.
    Say(Box<str>),
    /// What found the queue full.
    Lost {
        /// Notes.
        records: u64,
        /// Samples.
        samples: u64,
    },
    /// The guard stops; the last note.
    Stop,
}

/// The loop's end of the queue.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: SyncSender<Note>,
    thread: Option<JoinHandle<()>>,
    lost: u64,
    lost_samples: u64,
    cadence: Cadence,
    blanks: Vec<Box<Sample>>,
    returned: Receiver<Box<Sample>>,
}

/// What the journal of earlier runs says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// The number of the last incident.
    pub(crate) last_incident: u64,
    /// The last records, for `status`.
    records: Vec<Record>,
    /// What to expect of jobs, by their kinds.
    pub(crate) expected: Vec<(u64, Kib)>,
}

/// What could not be opened, and what that means.
pub(crate) struct Lack {
    /// What.
    pub(crate) what: &'static str,
    /// Why.
    pub(crate) why: io::Error,
    /// What is done instead.
    pub(crate) instead: &'static str,
}

impl Recorder {
    /// Opens the journal and starts the writer. What cannot be opened is said, and the guard runs on
    /// without it, while the writer tries again now and then.
    pub(crate) fn start(
        state_dir: &Path,
        policy: Arc<Policy>,
        shared: Arc<Shared>,
        dry_run: bool,
    ) -> (Self, Past, Vec<Lack>) {
        let mut past = Past::default();
        let mut lacks = Vec::new();
        let made = disk::make_dir(state_dir);
        let mut lack = |what, why, instead| lacks.push(Lack { what, why, instead });
        let events = Events::open(state_dir, &policy.journal, &mut past)
            .map_err(|e| lack(JOURNAL, e, "verdicts are only said, not kept; it is tried again"))
            .ok();
        let samples = Samples::open(state_dir, &policy.journal)
            .map_err(|e| {
                lack(RING_OF_SAMPLES, e, "what is measured is not kept; it is tried again")
            })
            .ok();
        // Without a directory it could neither be read nor written.
        let jobs = made.is_ok().then(|| JobBook::open(state_dir));
        past.expected = jobs.as_ref().map(JobBook::expected).unwrap_or_default();
        std::mem::take(&mut past.records).into_iter().for_each(|record| shared.remember(record));

        let (queue, notes) = sync_channel(QUEUE);
        let (blanks, returned) = sync_channel(SAMPLES);
        let writer = Writer {
            reopening: Reopening::new(state_dir.into()),
            incidents_before: 0,
            untold: None,
            events,
            samples,
            jobs,
            policy,
            shared,
            dry_run,
            blanks,
            sync_due: None,
            save_due: None,
            failing: 0,
            terminals: terminal::Terminals::default(),
        };
        let thread = thread::Builder::new()
            .name("journal".into())
            .stack_size(256 * 1024)
            .spawn(move || writer.run(&notes))
            .ok();
        let recorder = Self {
            queue,
            thread,
            lost: 0,
            lost_samples: 0,
            cadence: Cadence::default(),
            blanks: (0..SAMPLES).map(|_| Box::default()).collect(),
            returned,
        };
        (recorder, past, lacks)
    }

    /// Hands a note over; counts it when there is no room.
    pub(crate) fn note(&mut self, note: Note) {
        if self.lost > 0 {
            self.tell_losses();
        }
        if self.queue.try_send(note).is_err() {
            self.lost += 1;
        }
    }

    fn tell_losses(&mut self) {
        let lost = Note::Lost { records: self.lost, samples: self.lost_samples };
        if self.queue.try_send(lost).is_ok() {
            (self.lost, self.lost_samples) = (0, 0);
        }
    }

    /// Hands over an action that happened now.
    pub(crate) fn happened(&mut self, action: Action, reflex: Option<Duration>) {
        self.note(Note::Happened { unix_ms: wall_clock_ms(), action, reflex });
    }

    /// Hands over what a turn leaves behind: the node as it is, when that is due, and what jobs took
    /// that have ended.
    pub(crate) fn look_back(&mut self, state: &mut State, snapshot: &Snapshot) {
        while let Some(run) = state.next_run() {
            self.note(Note::Ran(run));
        }
        if self.cadence.is_due(state, snapshot) {
            self.sample(state, snapshot);
        }
    }

    fn sample(&mut self, state: &State, snapshot: &Snapshot) {
        let blank = self.blanks.pop().or_else(|| self.returned.try_recv().ok());
        let Some(mut sample) = blank else {
            self.lost_samples += 1;
            return;
        };
        // The writer goes on, so that it is over and can be said in one note.
        if self.lost_samples > 0 {
            self.tell_losses();
        }
        sample.take(wall_clock_ms(), state, snapshot);
        match self.queue.try_send(Note::Sample(sample)) {
            Err(TrySendError::Full(Note::Sample(sample))) => {
                self.lost_samples += 1;
                self.blanks.push(sample);
            }
            Err(_) => self.lost_samples += 1,
            Ok(()) => {}
        }
    }

    /// The last note; waits until all is written.
    pub(crate) fn stop(mut self) {
        // Here, at the end, waiting for the disk holds up nothing.
        let sent = self.queue.send(Note::Stop);
        if let (Ok(()), Some(thread)) = (sent, self.thread.take()) {
            let _a_writer_that_panicked_has_said_so = thread.join();
        }
    }
}
