//! The journal's writer, on a thread of its own: what happens behind it, a slow disk or a full one,
//! never holds up the loop. The loop hands over values of fixed size through a bounded queue; what
//! finds the queue full is counted and said later.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, io, thread};

use headroom_api::journal::{
    self, Closed, Entry, Lost, Measured, Opened, OutcomeEntry, Record, SLOT, SLOTS, Started,
    Stopped, VerdictEntry,
};
use headroom_api::paths;
use headroom_core::action::{Action, Ending, Outcome, Relief, Verdict};
use headroom_core::policy::Policy;
use headroom_core::snapshot::ZoneIndex;
use headroom_core::words::relief::{Cause, Deed, Reason, Result as ResultWords};
use headroom_sys::file::Preallocated;

use crate::say::{say, wall_clock_ms};
use crate::view::{Shared, zone_path};

/// Notes that may wait for the disk.
const QUEUE: usize = 512;

/// What the loop hands over.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a box would be an allocation in the middle of relief"
)]
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
    /// Another policy is in force from here on.
    Policy(Arc<Policy>),
    /// A line for the log alone.
    Say(Box<str>),
    /// Notes that found the queue full.
    Lost(u64),
    /// The guard stops; the last note.
    Stop,
}

/// The loop's end of the queue.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: SyncSender<Note>,
    thread: Option<JoinHandle<()>>,
    lost: u64,
}

/// What the journal of an earlier run says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Past {
    /// The number of the last incident.
    pub(crate) last_incident: u64,
}

impl Recorder {
    /// Opens the journal and starts the writer. A journal that cannot be opened is said, and the
    /// guard runs on without one.
    pub(crate) fn start(
        state_dir: &Path,
        policy: Arc<Policy>,
        shared: Arc<Shared>,
        dry_run: bool,
    ) -> (Self, Past, Option<io::Error>) {
        let (ring, past, error) = match open(state_dir) {
            Ok((ring, past)) => (Some(ring), past, None),
            Err(error) => (None, Past::default(), Some(error)),
        };
        let (queue, notes) = sync_channel(QUEUE);
        let writer = Writer { ring, policy, shared, dry_run };
        let thread = thread::Builder::new()
            .name("journal".into())
            .stack_size(256 * 1024)
            .spawn(move || writer.run(&notes))
            .ok();
        (Self { queue, thread, lost: 0 }, past, error)
    }

    /// Hands a note over; counts it when there is no room.
    pub(crate) fn note(&mut self, note: Note) {
        if self.lost > 0 && self.queue.try_send(Note::Lost(self.lost)).is_ok() {
            self.lost = 0;
        }
        if self.queue.try_send(note).is_err() {
            self.lost += 1;
        }
    }

    /// Hands over an action that happened now.
    pub(crate) fn happened(&mut self, action: Action, reflex: Option<Duration>) {
        self.note(Note::Happened { unix_ms: wall_clock_ms(), action, reflex });
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

struct Ring {
    file: Preallocated,
    sequence: u64,
}

fn open(state_dir: &Path) -> io::Result<(Ring, Past)> {
    let at =
        |path: &Path, e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(state_dir)
        .map_err(|e| at(state_dir, e))?;
    let path = state_dir.join(paths::JOURNAL);
    let written = match journal::read(&path) {
        Ok(journal) => journal,
        Err(e) if e.kind() == io::ErrorKind::NotFound => journal::Journal::default(),
        Err(e) => return Err(at(&path, e)),
    };
    let past = Past {
        last_incident: written
            .records
            .iter()
            .filter_map(|r| match &r.entry {
                Entry::Opened(opened) => Some(opened.incident),
                _ => None,
            })
            .max()
            .unwrap_or(0),
    };
    let sequence = written.records.last().map_or(0, |r| r.sequence);
    let length = SLOTS * u64::try_from(SLOT).unwrap_or(0);
    let file = Preallocated::open(&path, length)
        .map_err(|e| io::Error::other(format!("{}: {e}", path.display())))?;
    Ok((Ring { file, sequence }, past))
}

struct Writer {
    ring: Option<Ring>,
    policy: Arc<Policy>,
    shared: Arc<Shared>,
    dry_run: bool,
}

impl Writer {
    fn run(mut self, notes: &Receiver<Note>) {
        while let Ok(note) = notes.recv() {
            let now = wall_clock_ms();
            match note {
                Note::Started(started) => self.write(now, Entry::Started(*started)),
                Note::Happened { unix_ms, action, reflex } => {
                    self.happened(unix_ms, &action, reflex)
                }
                Note::Policy(policy) => self.policy = policy,
                Note::Say(line) => say(&line),
                Note::Lost(records) => {
                    say(&format!("{records} journal records lost: the disk could not follow"));
                    self.write(now, Entry::Lost(Lost { records }));
                }
                Note::Stop => {
                    self.write(now, Entry::Stopped(Stopped {}));
                    return;
                }
            }
        }
    }

    fn happened(&mut self, unix_ms: i64, action: &Action, reflex: Option<Duration>) {
        let entry = match action {
            Action::Scan | Action::SetScore { .. } | Action::EndToo { .. } => return,
            Action::Open { incident, zone, trigger, measured } => {
                say(&format!("incident {incident}: {}", Cause(*trigger, measured)));
                Entry::Opened(Opened {
                    incident: *incident,
                    zone: self.zone(*zone),
                    trigger: trigger.name().into(),
                    policy: self.policy.name().into(),
                    measured: measured_entry(measured),
                })
            }
            Action::Relieve(verdict) => Entry::Verdict(self.verdict(verdict, reflex)),
            Action::Tell(outcome) => {
                say(&ResultWords(outcome).to_string());
                Entry::Outcome(outcome_entry(outcome))
            }
            Action::Close { incident, lasted, slain, kernel_kills } => {
                say(&format!(
                    "incident {incident} over after {}.{} s: {slain} slain, {kernel_kills} killed \
                     by the kernel",
                    lasted.as_secs(),
                    lasted.subsec_millis() / 100
                ));
                Entry::Closed(Closed {
                    incident: *incident,
                    lasted_ms: millis(*lasted),
                    slain: u64::from(*slain),
                    kernel_oom_kills: u64::from(*kernel_kills),
                })
            }
        };
        self.write(unix_ms, entry);
    }

    fn verdict(&self, verdict: &Verdict, reflex: Option<Duration>) -> VerdictEntry {
        let rule = verdict.process.and_then(|p| self.policy.rule(p.rule)).map(|r| r.name.as_str());
        let reason = Reason { verdict, rule }.to_string();
        let would = if self.dry_run && verdict.process.is_some() { "would " } else { "" };
        say(&format!("{would}{}: {reason}", Deed(verdict)));
        let (action, signal) = match verdict.relief {
            Relief::Terminate => ("slay", Some("SIGTERM")),
            Relief::Kill | Relief::KillFamily { .. } => ("slay", Some("SIGKILL")),
            Relief::Trim { .. } => ("trim", Some("SIGKILL")),
            Relief::Pause { .. } => ("pause", None),
            Relief::Thaw { .. } => ("thaw", None),
            Relief::Nothing | Relief::Useless { .. } => ("none", None),
        };
        VerdictEntry {
            incident: verdict.incident,
            zone: self.zone(verdict.zone),
            trigger: verdict.trigger.name().into(),
            action: action.into(),
            signal: signal.map(Into::into),
            escalated: verdict.escalated,
            dry_run: self.dry_run,
            pid: verdict.process.map(|p| p.id.pid),
            comm: verdict.process.map(|p| p.comm.to_string()),
            uid: verdict.process.map(|p| p.uid),
            cmdline: verdict.process.map(|p| p.command.to_string()),
            gives_back_kib: match verdict.relief {
                Relief::KillFamily { gives_back, .. } => Some(gives_back.0),
                _ => verdict.process.map(|p| p.gives_back.0),
            },
            reason,
            waited_ms: match verdict.relief {
                Relief::Thaw { waited } => Some(millis(waited)),
                _ => None,
            },
            measured: measured_entry(&verdict.measured),
            reflex_us: reflex.map(|r| u64::try_from(r.as_micros()).unwrap_or(u64::MAX)),
        }
    }

    fn zone(&self, zone: ZoneIndex) -> String {
        zone_path(&self.policy, zone)
    }

    fn write(&mut self, unix_ms: i64, entry: Entry) {
        let sequence = self.ring.as_ref().map_or(0, |r| r.sequence + 1);
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
        if let (Some(ring), Some(slot)) = (&mut self.ring, slot) {
            let at = (sequence - 1) % SLOTS * u64::try_from(SLOT).unwrap_or(0);
            match ring.file.write_at(at, &slot[..]) {
                Ok(()) => ring.sequence = sequence,
                Err(e) => say(&format!("journal: {e}; it goes on without this record")),
            }
        }
        self.shared.remember(record);
    }
}

fn outcome_entry(outcome: &Outcome) -> OutcomeEntry {
    OutcomeEntry {
        incident: outcome.incident,
        pid: outcome.process.id.pid,
        comm: outcome.process.comm.to_string(),
        outcome: outcome.ending.name().into(),
        freed_kib: (outcome.ending == Ending::Gone).then_some(outcome.gives_back.0),
        took_ms: millis(outcome.took),
        available_before_kib: outcome.available_before.0,
        available_after_kib: outcome.available_after.0,
    }
}

fn measured_entry(measured: &headroom_core::action::Measured) -> Measured {
    Measured {
        available_kib: measured.available.0,
        floor_kib: measured.floor.0,
        falling_kib_s: measured.falling_kib_s,
        kernel_kills: measured.kills,
        stall_percent: measured.stall_percent,
        refaults: measured.refaults,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
