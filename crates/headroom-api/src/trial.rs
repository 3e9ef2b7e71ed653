//! A pause on trial: what the guard and the agent tell each other about jobs that are stopped and have
//! connections open.
//!
//! The guard writes `held` in its runtime directory: who is stopped, since when, and whether a
//! connection is open behind which it could hold a lock. The agent looks at the database for as long
//! as anybody is in there who has one, and answers in `holders` in its own runtime directory. Both
//! are small files of fixed size in memory, written in one call and never renamed, so that neither
//! program waits for the other, and the guard needs no answer: an old, torn or missing one is none.
//!
//! Beside `held` the guard writes `served`: which threads of a database serve the connections of whom it
//! stopped. It may look into another program's threads, the agent may not. The database itself tells what a
//! thread does, but not for whom.

pub use headroom_core::snapshot::Holding;
use headroom_core::snapshot::{Moment, ProcessId};

/// The guard's file in its runtime directory.
pub const HELD: &str = "held";
/// The agent's file in its runtime directory.
pub const HOLDERS: &str = "holders";

/// Processes that can be held at once.
pub const MOST_HELD: usize = 128;
/// Processes one answer can speak of; those asked for last come first.
pub const MOST_TOLD: usize = 64;

/// Bytes of one place in [`HELD`]: pid, start time, when it was stopped, flags, and in the last four the pid of
/// the job with which it waits; little-endian.
pub const PLACE: usize = 32;
/// Bytes of [`HELD`].
pub const HELD_LEN: usize = MOST_HELD * PLACE;

/// A process that is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which one.
    pub id: ProcessId,
    /// When it was stopped (`CLOCK_BOOTTIME`).
    pub since: Moment,
    /// It has connections open: its pause is on trial.
    pub connected: bool,
    /// It is frozen with its cgroup; else it was sent SIGSTOP.
    pub frozen: bool,
    /// The pid of the job with which it waits and goes on; 0 for the job itself.
    pub with: i32,
}

impl Held {
    /// A job that was sent SIGSTOP.
    #[must_use]
    pub const fn stopped(id: ProcessId, since: Moment) -> Self {
        Self { id, since, connected: false, frozen: false, with: 0 }
    }

    /// The bytes of a place; `None` empties it.
    #[must_use]
    pub fn encode(held: Option<Self>) -> [u8; PLACE] {
        let mut bytes = [0; PLACE];
        if let Some(held) = held {
            bytes[..8].copy_from_slice(&i64::from(held.id.pid).to_le_bytes());
            bytes[8..16].copy_from_slice(&held.id.start_ticks.to_le_bytes());
            bytes[16..24].copy_from_slice(&held.since.0.to_le_bytes());
            bytes[24] = u8::from(held.connected) | u8::from(held.frozen) << 1;
            bytes[28..32].copy_from_slice(&held.with.to_le_bytes());
        }
        bytes
    }

    /// What a place says; `None` when it is empty.
    #[must_use]
    pub fn decode(place: &[u8]) -> Option<Self> {
        let pid = i64::from_le_bytes(field(place, 0)?);
        let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0)?;
        Some(Self {
            id: ProcessId { pid, start_ticks: u64::from_le_bytes(field(place, 8)?) },
            since: Moment(u64::from_le_bytes(field(place, 16)?)),
            connected: place.get(24)? & 1 != 0,
            frozen: place.get(24)? & 2 != 0,
            with: i32::from_le_bytes(field(place, 28)?),
        })
    }

    /// All that a file of this form holds.
    pub fn all(file: &[u8]) -> impl Iterator<Item = Self> {
        file.chunks(PLACE).filter_map(Self::decode)
    }
}

/// One line of the agent's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of whom.
    pub id: ProcessId,
    /// Of which stop, as [`Held::since`] says.
    pub since: Moment,
    /// What it holds.
    pub holding: Holding,
}

/// Bytes of the head of [`HOLDERS`]: mark, sum of all that follows it, when it was found out, number of
/// lines.
const HEAD: usize = 24;
/// Bytes of one line: pid, start time, the stop it speaks of, what is held.
const LINE: usize = 32;
/// Bytes of [`HOLDERS`].
pub const HOLDERS_LEN: usize = HEAD + MOST_TOLD * LINE;
const MARK: [u8; 4] = *b"HRH1";

/// The agent's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holders {
    /// When the database was asked (`CLOCK_BOOTTIME`), taken before the question.
    pub asked: Moment,
    /// What was found out.
    pub told: Lines,
}

/// At most [`MOST_TOLD`] lines, in places of fixed number, so that reading an answer allocates nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines([Option<Told>; MOST_TOLD]);

impl Lines {
    /// Adds one; false when all places are taken.
    pub fn push(&mut self, told: Told) -> bool {
        let place = self.0.iter_mut().find(|line| line.is_none());
        place.map(|place| *place = Some(told)).is_some()
    }

    /// Those that are there.
    pub fn iter(&self) -> impl Iterator<Item = &Told> {
        self.0.iter().flatten()
    }
}

impl Holders {
    /// An answer that says nothing yet.
    #[must_use]
    pub const fn at(asked: Moment) -> Self {
        Self { asked, told: Lines([None; MOST_TOLD]) }
    }

    /// The bytes of the whole file.
    #[must_use]
    pub fn encode(&self) -> [u8; HOLDERS_LEN] {
        let mut bytes = [0; HOLDERS_LEN];
        bytes[8..16].copy_from_slice(&self.asked.0.to_le_bytes());
        let mut count: u64 = 0;
        for (told, line) in self.told.iter().zip(bytes[HEAD..].chunks_mut(LINE)) {
            line[..8].copy_from_slice(&i64::from(told.id.pid).to_le_bytes());
            line[8..16].copy_from_slice(&told.id.start_ticks.to_le_bytes());
            line[16..24].copy_from_slice(&told.since.0.to_le_bytes());
            line[24] = match told.holding {
                Holding::Nothing => 1,
                Holding::Lock => 2,
                Holding::Waited => 3,
            };
            count += 1;
        }
        bytes[16..24].copy_from_slice(&count.to_le_bytes());
        let sum = crc32fast::hash(&bytes[8..]);
        bytes[..4].copy_from_slice(&MARK);
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// What a file says; `None` when it is torn, of another form, or says what cannot be.
    #[must_use]
    pub fn decode(file: &[u8]) -> Option<Self> {
        let file = file.get(..HOLDERS_LEN)?;
        let sum = u32::from_le_bytes(field(file, 4)?);
        if file.get(..4)? != MARK || crc32fast::hash(file.get(8..)?) != sum {
            return None;
        }
        let count = usize::try_from(u64::from_le_bytes(field(file, 16)?)).ok()?;
        let mut holders = Self::at(Moment(u64::from_le_bytes(field(file, 8)?)));
        for line in file.get(HEAD..)?.chunks(LINE).take(count) {
            let pid = i32::try_from(i64::from_le_bytes(field(line, 0)?)).ok()?;
            let holding = match line.get(24)? {
                1 => Holding::Nothing,
                2 => Holding::Lock,
                3 => Holding::Waited,
                _ => return None,
            };
            holders.told.push(Told {
                id: ProcessId { pid, start_ticks: u64::from_le_bytes(field(line, 8)?) },
                since: Moment(u64::from_le_bytes(field(line, 16)?)),
                holding,
            });
        }
        Some(holders)
    }

    /// What is said of this stop of this process.
    #[must_use]
    pub fn of(&self, held: &Held) -> Option<Holding> {
        let line = self.told.iter().find(|t| t.id == held.id && t.since == held.since);
        line.map(|told| told.holding)
    }
}

/// The guard's other file: whose connections which threads serve.
pub const SERVED: &str = "served";
/// Threads that one stopped process can have serve it.
pub const MOST_THREADS: usize = 4;
/// Bytes of one line: pid, start time, the stop it speaks of, the threads.
const SERVED_LINE: usize = 24 + 4 * MOST_THREADS;
/// Bytes of [`SERVED`]: mark, sum of all that follows it, number of lines, the lines.
pub const SERVED_LEN: usize = 16 + MOST_TOLD * SERVED_LINE;
const SERVED_MARK: [u8; 4] = *b"HRS1";

/// The threads that serve a stopped process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Whom.
    pub id: ProcessId,
    /// Which stop it was found at, as [`Held::since`] says.
    pub since: Moment,
    /// All of them, by the pids that the kernel gave them; zeroes follow.
    pub threads: [i32; MOST_THREADS],
}

impl Served {
    /// The bytes of the whole file; what it has no room for is left out.
    #[must_use]
    pub fn encode(lines: &[Self]) -> [u8; SERVED_LEN] {
        let mut bytes = [0; SERVED_LEN];
        let mut count: u64 = 0;
        for (served, line) in lines.iter().zip(bytes[16..].chunks_mut(SERVED_LINE)) {
            line[..8].copy_from_slice(&i64::from(served.id.pid).to_le_bytes());
            line[8..16].copy_from_slice(&served.id.start_ticks.to_le_bytes());
            line[16..24].copy_from_slice(&served.since.0.to_le_bytes());
            for (thread, place) in served.threads.iter().zip(line[24..].chunks_mut(4)) {
                place.copy_from_slice(&thread.to_le_bytes());
            }
            count += 1;
        }
        bytes[8..16].copy_from_slice(&count.to_le_bytes());
        let sum = crc32fast::hash(&bytes[8..]);
        bytes[..4].copy_from_slice(&SERVED_MARK);
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// All that a file of this form says; nothing when it is torn or of another form.
    #[must_use]
    pub fn all(file: &[u8]) -> Vec<Self> {
        Self::lines(file).unwrap_or_default()
    }

    fn lines(file: &[u8]) -> Option<Vec<Self>> {
        let file = file.get(..SERVED_LEN)?;
        let sum = u32::from_le_bytes(field(file, 4)?);
        if file.get(..4)? != SERVED_MARK || crc32fast::hash(file.get(8..)?) != sum {
            return None;
        }
        let count = usize::try_from(u64::from_le_bytes(field(file, 8)?)).ok()?;
        let mut lines = Vec::new();
        for line in file.get(16..)?.chunks_exact(SERVED_LINE).take(count) {
            let mut threads = [0; MOST_THREADS];
            for (at, thread) in threads.iter_mut().enumerate() {
                *thread = i32::from_le_bytes(field(line, 24 + 4 * at)?);
            }
            let pid = i32::try_from(i64::from_le_bytes(field(line, 0)?)).ok()?;
            lines.push(Self {
                id: ProcessId { pid, start_ticks: u64::from_le_bytes(field(line, 8)?) },
                since: Moment(u64::from_le_bytes(field(line, 16)?)),
                threads,
            });
        }
        Some(lines)
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ProcessId = ProcessId { pid: 4711, start_ticks: 99 };

    #[test]
    fn who_is_held_is_read_as_it_was_written() {
        let held = Held { id: ID, since: Moment(5), connected: true, frozen: true, with: 815 };
        assert_eq!(Held::decode(&Held::encode(Some(held))), Some(held));
        // What a guard wrote that froze nobody and stopped each alone.
        let mut older = Held::encode(Some(held));
        older[24] = 1;
        older[25..].fill(0);
        let job = Held { frozen: false, with: 0, ..held };
        assert_eq!(Held::decode(&older), Some(job));
        assert_eq!(Held::decode(&Held::encode(None)), None);
        assert_eq!(Held::decode(&[1; 7]), None);
        let mut file = Held::encode(None).to_vec();
        file.extend(Held::encode(Some(held)));
        assert_eq!(Held::all(&file).collect::<Vec<_>>(), [held]);
    }

    #[test]
    fn an_answer_speaks_of_one_stop_alone() {
        let mut holders = Holders::at(Moment(7));
        for (since, holding) in [(5, Holding::Nothing), (6, Holding::Lock), (8, Holding::Waited)] {
            assert!(holders.told.push(Told { id: ID, since: Moment(since), holding }));
        }
        let read = Holders::decode(&holders.encode()).unwrap();
        assert_eq!(read, holders);
        let of = |since| read.of(&Held::stopped(ID, Moment(since)));
        assert_eq!(of(5), Some(Holding::Nothing));
        assert_eq!(of(6), Some(Holding::Lock));
        assert_eq!(of(8), Some(Holding::Waited));
        assert_eq!(of(9), None);
    }

    #[test]
    fn a_torn_or_foreign_answer_is_none() {
        let mut holders = Holders::at(Moment(7));
        holders.told.push(Told { id: ID, since: Moment(5), holding: Holding::Nothing });
        let whole = holders.encode();
        for at in 0..HEAD + LINE {
            let mut torn = whole;
            torn[at] ^= 0x40;
            assert_eq!(Holders::decode(&torn), None, "byte {at}");
        }
        assert_eq!(Holders::decode(&whole[..HOLDERS_LEN - 1]), None);
        assert_eq!(Holders::decode(&[]), None);
    }

    #[test]
    fn who_is_served_is_read_as_it_was_written_and_torn_is_nobody() {
        let served = |pid| Served {
            id: ProcessId { pid, start_ticks: 9 },
            since: Moment(5),
            threads: [pid + 1, 0, 0, 0],
        };
        let all: Vec<_> = (1..=100).map(served).collect();
        assert_eq!(
            Served::all(&Served::encode(&all)),
            all[..MOST_TOLD],
            "as many as there is room for"
        );
        let whole = Served::encode(&all[..2]);
        assert_eq!(Served::all(&whole), all[..2]);
        for at in 0..100 {
            let mut torn = whole;
            torn[at] ^= 0x40;
            assert_eq!(Served::all(&torn), [], "byte {at}");
        }
        assert_eq!(Served::all(&whole[1..]), []);
        assert_eq!(Served::all(&[]), []);
    }

    #[test]
    fn a_full_answer_takes_no_more() {
        let mut holders = Holders::at(Moment(1));
        let told = Told { id: ID, since: Moment(5), holding: Holding::Nothing };
        assert_eq!((0..100).filter(|_| holders.told.push(told)).count(), MOST_TOLD);
        assert_eq!(Holders::decode(&holders.encode()), Some(holders));
    }
}
