//! `headroom policy replay` as JSON: what was done in a recorded storm, and what another policy would do.

use serde::{Deserialize, Serialize};

/// The version of this form.
pub const VERSION: u32 = 1;

/// A record, once as it was and once as it would have been.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// [`VERSION`].
    pub version: u32,
    /// The first sample.
    pub first: Option<String>,
    /// The last sample.
    pub last: Option<String>,
    /// How many there are.
    pub samples: u64,
    /// The set of thresholds that was replayed.
    pub policy: String,
    /// The policy files it came from; none for the built-in one.
    pub files: Vec<String>,
    /// What was done.
    pub recorded: Totals,
    /// What would have been done.
    pub replayed: Totals,
    /// Deed by deed, in the order of their times.
    pub deeds: Vec<Deed>,
    /// When the two first differ; from there on the replay only guesses.
    pub differs_from: Option<String>,
    /// What the replay does not know.
    pub limits: Vec<String>,
    /// Records that were torn or corrupt and left out.
    pub skipped_records: u64,
}

/// How it went in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Pauses.
    pub paused: u64,
    /// Pauses that ended with the job going on.
    pub thawed: u64,
    /// Processes slain, workers trimmed included.
    pub slain: u64,
    /// The least that was available on the machine.
    pub least_available_kib: Option<u64>,
}

/// One deed to one process, on either side or on both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When, in the record if it is there.
    pub time: Option<String>,
    /// To whom; `null` when nobody could be slain.
    pub pid: Option<i32>,
    /// Its name.
    pub comm: Option<String>,
    /// The beginning of its command line.
    pub cmdline: Option<String>,
    /// What was done, as in `history`'s `action`, the signal with it.
    pub recorded: Option<String>,
    /// What would have been done.
    pub replayed: Option<String>,
}
