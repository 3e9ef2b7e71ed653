//! Who is held, in a small file under the runtime directory: a guard that was killed leaves it behind,
//! and the next one lets everybody go on who is in it. Writing to it touches memory only.

use std::path::Path;

use headroom_core::snapshot::ProcessId;
use headroom_sys::file::{FileError, Preallocated};

/// Processes that can be held at once; more than that run on.
const MOST: usize = 128;
/// Bytes of one entry: pid and start time, little-endian. A pid of 0 is an empty place.
const ENTRY: usize = 16;
/// The list in memory and its file.
#[derive(Debug)]
pub(crate) struct Held {
    places: Vec<Option<ProcessId>>,
    file: Option<Preallocated>,
}

impl Held {
    /// Its name in the runtime directory.
    pub(crate) const NAME: &str = "held";

    /// A list that is kept nowhere: a dry run holds nobody.
    pub(crate) fn nowhere() -> Self {
        Self { places: vec![None; MOST], file: None }
    }

    /// The list that an earlier guard left in this directory, or an empty one.
    pub(crate) fn open(runtime_dir: &Path) -> Result<Self, FileError> {
        let length = u64::try_from(MOST * ENTRY).unwrap_or(u64::MAX);
        let file = Preallocated::open(&runtime_dir.join(Self::NAME), length)?;
        let mut bytes = vec![0; MOST * ENTRY];
        file.read_at(0, &mut bytes)?;
        Ok(Self { places: bytes.chunks(ENTRY).map(decode).collect(), file: Some(file) })
    }

    /// Anyone who is held.
    pub(crate) fn any(&self) -> Option<ProcessId> {
        self.places.iter().flatten().next().copied()
    }

    pub(crate) fn contains(&self, id: ProcessId) -> bool {
        self.places.contains(&Some(id))
    }

    /// Writes a process down; false when there is no place or it cannot be written.
    pub(crate) fn add(&mut self, id: ProcessId) -> bool {
        if self.contains(id) {
            return true;
        }
        let Some(at) = self.places.iter().position(Option::is_none) else { return false };
        let written = self.write(at, Some(id));
        if written {
            self.places[at] = Some(id);
        }
        written
    }

    /// Strikes a process out.
    pub(crate) fn remove(&mut self, id: ProcessId) {
        if let Some(at) = self.places.iter().position(|place| *place == Some(id)) {
            self.places[at] = None;
            // What stays in the file is checked against the start time before it is woken.
            self.write(at, None);
        }
    }

    fn write(&self, at: usize, id: Option<ProcessId>) -> bool {
        let offset = u64::try_from(at * ENTRY).unwrap_or(u64::MAX);
        self.file.as_ref().is_none_or(|file| file.write_at(offset, &encode(id)).is_ok())
    }
}

fn encode(id: Option<ProcessId>) -> [u8; ENTRY] {
    let id = id.unwrap_or_default();
    let mut bytes = [0; ENTRY];
    bytes[..8].copy_from_slice(&i64::from(id.pid).to_le_bytes());
    bytes[8..].copy_from_slice(&id.start_ticks.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<ProcessId> {
    let pid = i64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let start_ticks = u64::from_le_bytes(bytes.get(8..)?.try_into().ok()?);
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0)?;
    Some(ProcessId { pid, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_guard_finds_who_was_held() {
        let dir = tempfile::tempdir().unwrap();
        let id = |pid| ProcessId { pid, start_ticks: 77 };
        let mut held = Held::open(dir.path()).unwrap();
        assert!(held.add(id(1)) && held.add(id(2)) && held.add(id(2)));
        held.remove(id(1));
        drop(held);
        let mut held = Held::open(dir.path()).unwrap();
        assert_eq!(held.any(), Some(id(2)));
        held.remove(id(2));
        drop(held);
        assert_eq!(Held::open(dir.path()).unwrap().any(), None);
    }

    #[test]
    fn a_full_list_takes_nobody_more() {
        let mut held = Held::nowhere();
        for pid in 1..=i32::try_from(MOST).unwrap() {
            assert!(held.add(ProcessId { pid, start_ticks: 1 }));
        }
        assert!(!held.add(ProcessId { pid: 9999, start_ticks: 1 }));
    }
}
