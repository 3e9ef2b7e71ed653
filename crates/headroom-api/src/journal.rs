//! The guard's journal: a ring of slots of fixed size in one preallocated file.
//!
//! A slot is written in one piece and carries a checksum, so that a crash or a power cut in the
//! middle of a write costs that record and no other. Integers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `HRJ1` |
//! | 4..8 | CRC-32 (IEEE) of bytes 8 to the end of the JSON |
//! | 8..16 | sequence number, from 1 |
//! | 16..24 | wall-clock time, milliseconds since 1970 |
//! | 24..28 | length of the JSON |
//! | 28.. | the [`Entry`] as JSON |

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub mod jobs;
pub mod samples;

/// Bytes of a slot.
pub const SLOT: usize = 1024;
/// The largest file that is taken for a journal.
const LONGEST: u64 = 1 << 30;

const MAGIC: &[u8; 4] = b"HRJ1";
const HEADER: usize = 28;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// The guard started.
    Started(Started),
    /// The guard stopped in order.
    Stopped(Stopped),
    /// A storm began.
    Opened(Opened),
    /// Something was decided.
    Verdict(VerdictEntry),
    /// What came of it.
    Outcome(OutcomeEntry),
    /// The storm was over.
    Closed(Closed),
    /// Records that were dropped because the disk could not follow.
    Lost(Lost),
}

/// The guard's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Started {
    /// Its version.
    pub release: String,
    /// The set of thresholds in force.
    pub policy: String,
    /// It only says what it would do.
    pub dry_run: bool,
    /// What it would need and does not have.
    pub missing: Vec<String>,
}

/// The guard's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stopped {}

/// A zone's state, as a part of other entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// What could be taken.
    pub available_kib: u64,
    /// What is never handed out.
    pub floor_kib: u64,
    /// How fast the former fell, a second.
    pub falling_kib_s: u64,
    /// Kernel kills in the last second.
    pub kernel_kills: u32,
    /// Per cent of the last second with a stalled task.
    pub stall_percent: Option<u8>,
    /// Evicted pages read again, a second.
    pub refaults: Option<u64>,
}

/// A storm's beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Opened {
    /// Its number.
    pub incident: u64,
    /// The zone's path.
    pub zone: String,
    /// Why relief began.
    pub trigger: String,
    /// The set of thresholds in force.
    pub policy: String,
    /// The zone.
    pub measured: Measured,
}

/// One verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerdictEntry {
    /// The incident.
    pub incident: u64,
    /// The zone's path.
    pub zone: String,
    /// Why now.
    pub trigger: String,
    /// What is done.
    pub action: String,
    /// The signal, where one is sent.
    pub signal: Option<String>,
    /// How a job is made to wait: `stop` (SIGSTOP) or `freeze` (with its unit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    /// It follows a gentler one that did not help.
    pub escalated: bool,
    /// It is only said, not done.
    pub dry_run: bool,
    /// To whom.
    pub pid: Option<i32>,
    /// Its name.
    pub comm: Option<String>,
    /// Its user.
    pub uid: Option<u32>,
    /// The beginning of its command line.
    pub cmdline: Option<String>,
    /// What its end is expected to return.
    pub gives_back_kib: Option<u64>,
    /// The whole sentence.
    pub reason: String,
    /// The zone.
    pub measured: Measured,
    /// How long a job that goes on has waited.
    pub waited_ms: Option<u64>,
    /// From the moment the trigger was seen to the signal, in µs.
    pub reflex_us: Option<u64>,
}

/// What came of a verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutcomeEntry {
    /// The incident.
    pub incident: u64,
    /// Whose.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// `gone`, `thawed`, `refused`, `vanished` or `failed`.
    pub outcome: String,
    /// What it gave back.
    pub freed_kib: Option<u64>,
    /// From the first signal to its end.
    pub took_ms: u64,
    /// Available before.
    pub available_before_kib: u64,
    /// Available after.
    pub available_after_kib: u64,
}

/// A storm's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Closed {
    /// Its number.
    pub incident: u64,
    /// How long it lasted.
    pub lasted_ms: u64,
    /// How many were slain.
    pub slain: u64,
    /// How many the kernel killed.
    pub kernel_oom_kills: u64,
}

/// Dropped records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lost {
    /// How many.
    pub records: u64,
    /// How many samples.
    pub samples: u64,
}

/// An entry with its place and time.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// From 1, without gaps but for what was lost.
    pub sequence: u64,
    /// Wall-clock time, milliseconds since 1970.
    pub unix_ms: i64,
    /// What happened.
    pub entry: Entry,
}

/// A journal as read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    /// In their order.
    pub records: Vec<Record>,
    /// Slots that hold something torn or corrupt.
    pub skipped: u64,
}

impl Record {
    /// The slot's bytes; `None` when the entry is too long for one.
    #[must_use]
    pub fn encode(&self) -> Option<Box<[u8; SLOT]>> {
        let json = serde_json::to_vec(&self.entry).ok()?;
        let end = HEADER + json.len();
        let mut slot = Box::new([0; SLOT]);
        slot.get_mut(HEADER..end)?.copy_from_slice(&json);
        slot[0..4].copy_from_slice(MAGIC);
        slot[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        slot[16..24].copy_from_slice(&self.unix_ms.to_le_bytes());
        slot[24..28].copy_from_slice(&u32::try_from(json.len()).ok()?.to_le_bytes());
        let sum = crc32fast::hash(&slot[8..end]);
        slot[4..8].copy_from_slice(&sum.to_le_bytes());
        Some(slot)
    }

    /// Reads a slot; `None` for one that is torn, corrupt or of a form this version does not know.
    #[must_use]
    pub fn decode(slot: &[u8]) -> Option<Self> {
        let field = |at: usize, len: usize| slot.get(at..at + len);
        let number = |at: usize| field(at, 8)?.try_into().ok().map(u64::from_le_bytes);
        let short = |at: usize| field(at, 4)?.try_into().ok().map(u32::from_le_bytes);
        let end = HEADER.checked_add(usize::try_from(short(24)?).ok()?)?;
        if field(0, 4)? != MAGIC || crc32fast::hash(slot.get(8..end)?) != short(4)? {
            return None;
        }
        Some(Self {
            sequence: number(8)?,
            unix_ms: number(16)?.cast_signed(),
            entry: serde_json::from_slice(slot.get(HEADER..end)?).ok()?,
        })
    }
}

/// Reads a whole journal. Slots that were never written are no fault; what does not check is skipped
/// and counted.
///
/// # Errors
///
/// What the file says; a file longer than a journal can be is read only so far.
pub fn read(path: &Path) -> io::Result<Journal> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    let mut journal = Journal::default();
    for slot in bytes.chunks(SLOT) {
        match Record::decode(slot) {
            Some(record) => journal.records.push(record),
            None => journal.skipped += u64::from(slot.iter().any(|&b| b != 0)),
        }
    }
    journal.records.sort_by_key(|r| r.sequence);
    Ok(journal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn record(sequence: u64) -> Record {
        let opened = Opened { incident: sequence, zone: "/".into(), ..Opened::default() };
        Record { sequence, unix_ms: 1_527_508_741_000, entry: Entry::Opened(opened) }
    }

    #[test]
    fn a_record_survives_its_slot() {
        let slot = record(7).encode().unwrap();
        assert_eq!(Record::decode(&slot[..]), Some(record(7)));
    }

    #[test]
    fn any_flipped_byte_is_noticed() {
        let slot = record(7).encode().unwrap();
        let used = HEADER + serde_json::to_vec(&record(7).entry).unwrap().len();
        for at in 0..used {
            let mut torn = slot.clone();
            torn[at] ^= 0x20;
            assert_eq!(Record::decode(&torn[..]), None, "byte {at}");
        }
        assert_eq!(Record::decode(&slot[..20]), None);
    }

    #[test]
    fn a_torn_slot_costs_itself_only_and_the_order_is_that_of_the_numbers() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for sequence in [3, 4, 1, 2] {
            let mut slot = record(sequence).encode().unwrap();
            if sequence == 1 {
                slot[40] ^= 1;
            }
            file.write_all(&slot[..]).unwrap();
        }
        file.write_all(&[0; SLOT * 2]).unwrap();
        let journal = read(file.path()).unwrap();
        let order: Vec<_> = journal.records.iter().map(|r| r.sequence).collect();
        assert_eq!((order, journal.skipped), (vec![2, 3, 4], 1));
    }

    #[test]
    fn an_entry_too_long_for_a_slot_is_said_to_be() {
        let reason = "x".repeat(SLOT);
        let entry = Entry::Verdict(VerdictEntry { reason, ..VerdictEntry::default() });
        assert_eq!(Record { sequence: 1, unix_ms: 0, entry }.encode(), None);
    }
}
