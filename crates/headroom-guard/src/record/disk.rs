//! What the writer keeps open: the two rings and the memory of jobs, each of which may fail alone.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use headroom_api::journal::jobs::Jobs;
use headroom_api::journal::samples::{self, Encoder, Head, Place};
use headroom_api::journal::{Entry, Record, SLOT};
use headroom_api::paths;
use headroom_core::decide::JobRun;
use headroom_core::policy::JournalValues;
use headroom_core::sample::Sample;
use headroom_core::units::Kib;

use super::ring::{Form, Ring};
use super::{Past, REMEMBERED, say};

const EVENTS: Form = Form {
    cell: SLOT,
    head: SLOT,
    number_of: |cell| Record::decode(cell).map(|record| record.sequence),
};
const SAMPLES: Form = Form {
    cell: samples::BLOCK,
    head: samples::HEADER,
    number_of: |cell| Head::decode(cell).map(|head| head.number),
};

/// The ring of events.
pub(super) struct Events {
    ring: Ring,
    sequence: u64,
}

/// The ring of samples.
pub(super) struct Samples {
    ring: Ring,
    encoder: Encoder,
}

/// The memory of jobs and its file.
pub(super) struct JobBook {
    path: PathBuf,
    jobs: Jobs,
    is_failing: bool,
}

/// Makes the state directory.
pub(super) fn make_dir(state_dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(state_dir)
}

/// Says of an error which file it is about.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Events {
    /// Opens the ring; what it says of earlier runs goes into `past`.
    pub(super) fn open(
        state_dir: &Path,
        sizes: &JournalValues,
        past: &mut Past,
    ) -> io::Result<Self> {
        let path = state_dir.join(paths::JOURNAL);
        let mut sequence = 0;
        let ring = Ring::open(&path, &EVENTS, bytes(sizes.events.0), &mut |cell| {
            let Some(record) = Record::decode(cell) else { return };
            sequence = record.sequence.max(sequence);
            if let Entry::Opened(opened) = record.entry {
                past.last_incident = past.last_incident.max(opened.incident);
            }
        })
        .map_err(|e| at(&path, &e))?;
        let mut cell = vec![0; SLOT];
        for number in sequence.saturating_sub(REMEMBERED as u64) + 1..=sequence {
            let record = ring.read(number, &mut cell).ok().and_then(Record::decode);
            past.records.extend(record.filter(|r| r.sequence == number));
        }
        Ok(Self { ring, sequence })
    }

    /// Appends an entry that has its slot already.
    pub(super) fn write(&mut self, slot: &[u8; SLOT]) -> io::Result<()> {
        self.ring.write(self.sequence + 1, 0, slot)?;
        self.sequence += 1;
        Ok(())
    }

    /// The number of the next entry.
    pub(super) const fn next(&self) -> u64 {
        self.sequence + 1
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.ring.sync()
    }
}

impl Samples {
    /// Opens the ring; writing goes on in a block of its own.
    pub(super) fn open(state_dir: &Path, sizes: &JournalValues) -> io::Result<Self> {
        let path = state_dir.join(paths::SAMPLES);
        let mut newest = 0;
        let ring = Ring::open(&path, &SAMPLES, bytes(sizes.samples.0), &mut |cell| {
            newest = Head::decode(cell).map_or(0, |head| head.number).max(newest);
        })
        .map_err(|e| at(&path, &e))?;
        Ok(Self { ring, encoder: Encoder::after(newest) })
    }

    /// Appends a sample.
    pub(super) fn write(&mut self, sample: &Sample) -> io::Result<()> {
        let place = self.encoder.encode(sample);
        let at = if let Place::Within(at) = place { at } else { 0 };
        let written = self.ring.write(self.encoder.block(), at, self.encoder.bytes());
        if written.is_err() {
            self.encoder.give_up_block();
        }
        written
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.ring.sync()
    }
}

impl JobBook {
    /// Reads what earlier runs learned. A file that is not to be believed is said and begun anew.
    pub(super) fn open(state_dir: &Path) -> Self {
        let path = state_dir.join(paths::JOBS);
        let jobs = Jobs::read(&path).unwrap_or_else(|error| {
            say(&format!("{}: {error}; what jobs take is learned anew", path.display()));
            Jobs::default()
        });
        Self { path, jobs, is_failing: false }
    }

    pub(super) fn expected(&self) -> Vec<(u64, Kib)> {
        self.jobs.expected().collect()
    }

    pub(super) fn learn(&mut self, run: &JobRun, unix_ms: i64) {
        self.jobs.learn(run, unix_ms);
    }

    /// Writes the file; that it cannot be is said once.
    pub(super) fn save(&mut self) {
        let failed = self.jobs.write(&self.path).err();
        if let Some(error) = failed.as_ref().filter(|_| !self.is_failing) {
            say(&format!("{}: {error}; it is tried again", self.path.display()));
        }
        self.is_failing = failed.is_some();
    }
}

const fn bytes(size: Kib) -> u64 {
    size.0.saturating_mul(1024)
}
