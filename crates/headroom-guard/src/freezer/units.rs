//! The units that are frozen, each written down by its path and inode before: a guard that was killed leaves
//! that file behind, and the next one takes over what is in it, and thaws what was frozen for a job that is dead.

use std::path::Path;
use std::time::Duration;

use headroom_core::cgroup::Cgroup;
use headroom_core::snapshot::ProcessId;
use headroom_sys::ReadError;
use headroom_sys::cgroup::{FreezableUnit, FreezerTree};
use headroom_sys::file::{FileError, Preallocated};
use headroom_sys::proc::Proc;

/// The file in the runtime directory.
const FROZEN: &str = "frozen";
/// Units that can be frozen at once; other jobs are stopped.
const MOST: usize = 64;
/// Bytes of one place: the cgroup's inode, the length of its path, the path; little-endian.
const PLACE: usize = 512;
const HEAD: usize = 16;
/// How long a unit is waited for to stand still, this often ...
const STILL_EVERY: Duration = Duration::from_micros(200);
/// ... and that many times. What is in the middle of a call into the kernel stands still after it.
const STILL_TRIES: u32 = 40;
/// So often in a row a process of a frozen unit did not look frozen: this kernel does not show it. Once may be one
/// that lost the processor on its way to sleep.
const BLIND_AFTER: u32 = 4;

/// A unit that is frozen.
#[derive(Debug)]
struct Frozen {
    /// For whom.
    id: ProcessId,
    unit: FreezableUnit,
}

/// v2's tree and what is frozen in it.
#[derive(Debug)]
pub(crate) struct Units {
    tree: FreezerTree,
    file: Option<Preallocated>,
    places: [Option<Frozen>; MOST],
    /// How often in a row a frozen process did not look so: the guard would take it for running.
    unseen: u32,
}

impl Units {
    /// Takes over what an earlier guard left frozen for `jobs`, thaws what is left beside, and stands ready.
    pub(crate) fn open(
        root: &Path,
        runtime_dir: &Path,
        jobs: impl Iterator<Item = ProcessId>,
    ) -> Result<Self, FileError> {
        let tree = FreezerTree::open(root).map_err(FileError::Read)?;
        let mut proc = Proc::open_for_files(root).map_err(FileError::Read)?;
        let file = open_file(runtime_dir)?;
        let mut units = Self { tree, file: Some(file), places: [const { None }; MOST], unseen: 0 };
        for id in jobs {
            let _it_is_thawed = units.take_over(&mut proc, id);
        }
        units.thaw_written();
        Ok(units)
    }

    /// For whom units are frozen.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = ProcessId> {
        self.places.iter().flatten().map(|frozen| frozen.id)
    }

    /// Finds the place of the unit that was frozen for this process.
    fn take_over(&mut self, proc: &mut Proc, id: ProcessId) -> Result<(), FileError> {
        let mut own = [0; PLACE - HEAD];
        let own = proc.cgroup(id.pid, &mut own).map_err(FileError::Read)?;
        let Some(file) = &self.file else { return Ok(()) };
        for at in 0..MOST {
            let mut place = [0; PLACE];
            let Some((inode, path)) = decode(file.read_at(offset(at), &mut place)?) else {
                continue;
            };
            if path != own || self.places[at].is_some() {
                continue;
            }
            let unit = self.tree.unit(path).map_err(FileError::Read)?;
            if unit.inode() == inode {
                self.places[at] = Some(Frozen { id, unit });
                return Ok(());
            }
        }
        Ok(())
    }

    /// Freezes the unit that a process is alone in; false when that is not to be.
    pub(super) fn freeze(&mut self, proc: &mut Proc, id: ProcessId) -> bool {
        self.unseen < BLIND_AFTER && self.try_to_freeze(proc, id).unwrap_or(false)
    }

    fn try_to_freeze(&mut self, proc: &mut Proc, id: ProcessId) -> Result<bool, ReadError> {
        let mut path = [0; PLACE - HEAD];
        let path = proc.cgroup(id.pid, &mut path)?;
        // Its pid is not another's by now.
        if proc.stat(id.pid)?.start_ticks != id.start_ticks || !Cgroup::of(path).is_unit() {
            return Ok(false);
        }
        let unit = self.tree.unit(path)?;
        if self.places.iter().flatten().any(|frozen| frozen.unit.inode() == unit.inode()) {
            return Ok(true);
        }
        // Frozen by somebody else: not ours to thaw.
        if unit.has_others_below()? || unit.is_asked_to()? {
            return Ok(false);
        }
        let Some(at) = self.places.iter().position(Option::is_none) else { return Ok(false) };
        if !self.write(at, Some((unit.inode(), path))) {
            return Ok(false);
        }
        if let Err(error) = unit.freeze() {
            self.write(at, None);
            return Err(error);
        }
        let unit = &self.places[at].insert(Frozen { id, unit }).unit;
        // Whether the process looks frozen, once its unit stands still.
        let mut is_seen = None;
        for _ in 0..STILL_TRIES {
            // It follows its unit a moment later, and may be gone.
            let looks_so = || proc.is_frozen(id.pid) == Ok(true) || proc.stat(id.pid).is_err();
            is_seen = unit.is_frozen().unwrap_or(true).then(looks_so);
            if is_seen == Some(true) {
                break;
            }
            std::thread::sleep(STILL_EVERY);
        }
        match is_seen {
            Some(true) => self.unseen = 0,
            Some(false) => {
                self.unseen += 1;
                self.thaw(id);
                return Ok(false);
            }
            // In the middle of a call into the kernel, which says nothing.
            None => {}
        }
        Ok(true)
    }

    /// Thaws the unit that was frozen for this process.
    pub(super) fn thaw(&mut self, id: ProcessId) {
        let is_its = |place: &Option<Frozen>| place.as_ref().is_some_and(|f| f.id == id);
        let Some(at) = self.places.iter().position(is_its) else { return };
        if let Some(frozen) = self.places[at].take() {
            // A unit that is gone has nobody in it.
            let _gone = frozen.unit.thaw();
        }
        self.write(at, None);
    }

    /// Thaws all that is written down and not taken over; says how many there were.
    fn thaw_written(&self) -> usize {
        let mut thawed = 0;
        let Some(file) = &self.file else { return 0 };
        for at in (0..MOST).filter(|at| self.places[*at].is_none()) {
            let mut place = [0; PLACE];
            let Ok(bytes) = file.read_at(offset(at), &mut place) else { continue };
            let Some((inode, path)) = decode(bytes) else { continue };
            // Another of the same name is none of ours.
            let unit = self.tree.unit(path).ok().filter(|unit| unit.inode() == inode);
            thawed += usize::from(unit.is_some_and(|unit| unit.thaw().is_ok()));
            self.write(at, None);
        }
        thawed
    }

    fn write(&self, at: usize, place: Option<(u64, &[u8])>) -> bool {
        let bytes = encode(place);
        self.file.as_ref().is_none_or(|file| file.write_at(offset(at), &bytes).is_ok())
    }
}

/// Thaws what a guard that was killed left frozen; says how many units that were.
pub(crate) fn thaw_left(root: &Path, runtime_dir: &Path) -> Result<usize, FileError> {
    if !runtime_dir.join(FROZEN).exists() {
        return Ok(0);
    }
    let tree = FreezerTree::open(root).map_err(FileError::Read)?;
    let file = open_file(runtime_dir)?;
    let places = [const { None }; MOST];
    Ok(Units { tree, file: Some(file), places, unseen: 0 }.thaw_written())
}

fn open_file(runtime_dir: &Path) -> Result<Preallocated, FileError> {
    Preallocated::open(&runtime_dir.join(FROZEN), offset(MOST))
}

fn offset(at: usize) -> u64 {
    u64::try_from(at * PLACE).unwrap_or(u64::MAX)
}

fn encode(place: Option<(u64, &[u8])>) -> [u8; PLACE] {
    let mut bytes = [0; PLACE];
    if let Some((inode, path)) = place {
        let length = path.len().min(PLACE - HEAD);
        bytes[..8].copy_from_slice(&inode.to_le_bytes());
        bytes[8..HEAD].copy_from_slice(&u64::try_from(length).unwrap_or(0).to_le_bytes());
        bytes[HEAD..HEAD + length].copy_from_slice(&path[..length]);
    }
    bytes
}

fn decode(place: &[u8]) -> Option<(u64, &[u8])> {
    let number = |at: usize| Some(u64::from_le_bytes(place.get(at..at + 8)?.try_into().ok()?));
    let length = usize::try_from(number(8)?).ok().filter(|length| *length > 0)?;
    Some((number(0)?, place.get(HEAD..HEAD.checked_add(length)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let path = b"/system.slice/import.service";
        assert_eq!(decode(&encode(Some((7, path)))), Some((7, &path[..])));
        assert_eq!(decode(&encode(None)), None);
        assert_eq!(decode(&[9; PLACE]), None, "longer than there is room for");
        assert_eq!(decode(&[1; 5]), None);
    }
}
