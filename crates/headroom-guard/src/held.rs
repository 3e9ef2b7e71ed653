//! Who is held, in a small file under the runtime directory: a guard that was killed leaves it behind,
//! and the next one takes over who is in it; the agent looks in it for whom it should find out
//! about. Writing to it touches memory only.

use std::path::Path;

use headroom_api::trial::{self, HELD_LEN, MOST_HELD, PLACE};
use headroom_core::snapshot::{Moment, ProcessId};
use headroom_sys::file::{FileError, Preallocated};

/// The list in memory and its file.
#[derive(Debug)]
pub(crate) struct Held {
    places: Vec<Option<trial::Held>>,
    file: Option<Preallocated>,
}

impl Held {
    /// Its name in the runtime directory.
    pub(crate) const NAME: &str = trial::HELD;

    /// A list that is kept nowhere: a dry run holds nobody.
    pub(crate) fn nowhere() -> Self {
        Self { places: vec![None; MOST_HELD], file: None }
    }

    /// The list that an earlier guard left in this directory, or an empty one.
    pub(crate) fn open(runtime_dir: &Path) -> Result<Self, FileError> {
        let length = u64::try_from(HELD_LEN).unwrap_or(u64::MAX);
        let file = Preallocated::open(&runtime_dir.join(Self::NAME), length)?;
        let mut bytes = vec![0; HELD_LEN];
        file.read_at(0, &mut bytes)?;
        let places = bytes.chunks(PLACE).map(trial::Held::decode).collect();
        Ok(Self { places, file: Some(file) })
    }

    /// Anyone who is held.
    pub(crate) fn any(&self) -> Option<ProcessId> {
        self.places.iter().flatten().next().map(|held| held.id)
    }

    /// Those whose pause is on trial.
    pub(crate) fn on_trial(&self) -> impl Iterator<Item = &trial::Held> {
        self.places.iter().flatten().filter(|held| held.connected)
    }

    /// All who are held.
    pub(crate) fn all(&self) -> impl Iterator<Item = &trial::Held> {
        self.places.iter().flatten()
    }

    /// What is known of one who is held.
    pub(crate) fn get(&self, id: ProcessId) -> Option<&trial::Held> {
        self.places.iter().flatten().find(|held| held.id == id)
    }

    /// Who waits with a job, those first who were stopped last.
    pub(crate) fn last_with(&self, job: ProcessId) -> Option<trial::Held> {
        let with = self.places.iter().flatten().filter(|held| held.with == job.pid);
        with.max_by_key(|held| held.since).copied()
    }

    /// How many more can be held.
    pub(crate) fn room(&self) -> usize {
        self.places.iter().filter(|place| place.is_none()).count()
    }

    /// Writes a process down that is about to be stopped; false when there is no place or it cannot be
    /// written.
    pub(crate) fn add(&mut self, held: trial::Held) -> bool {
        let known = self.places.iter().position(|p| p.is_some_and(|p| p.id == held.id));
        let Some(at) = known.or_else(|| self.places.iter().position(Option::is_none)) else {
            return false;
        };
        let held = Some(held);
        let written = self.write(at, held);
        if written {
            self.places[at] = held;
        }
        written
    }

    /// It stands still since then, and has connections open.
    pub(crate) fn put_on_trial(&mut self, id: ProcessId, since: Moment) {
        let place = self.places.iter().position(|held| held.is_some_and(|held| held.id == id));
        if let Some(at) = place {
            let held = self.places[at].map(|held| trial::Held { since, connected: true, ..held });
            self.places[at] = held;
            // Without it in the file the agent says nothing, and the shop's workers do.
            self.write(at, self.places[at]);
        }
    }

    /// Strikes a process out.
    pub(crate) fn remove(&mut self, id: ProcessId) {
        let place = self.places.iter().position(|held| held.is_some_and(|held| held.id == id));
        if let Some(at) = place {
            self.places[at] = None;
            // What stays in the file is checked against the start time before it is woken.
            self.write(at, None);
        }
    }

    fn write(&self, at: usize, held: Option<trial::Held>) -> bool {
        let offset = u64::try_from(at * PLACE).unwrap_or(u64::MAX);
        let bytes = trial::Held::encode(held);
        self.file.as_ref().is_none_or(|file| file.write_at(offset, &bytes).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_guard_finds_who_was_held() {
        let dir = tempfile::tempdir().unwrap();
        let id = |pid| ProcessId { pid, start_ticks: 77 };
        let mut held = Held::open(dir.path()).unwrap();
        for (pid, since) in [(1, 3), (2, 3), (2, 4)] {
            assert!(held.add(trial::Held::stopped(id(pid), Moment(since))));
        }
        held.put_on_trial(id(2), Moment(5));
        held.remove(id(1));
        drop(held);
        let mut held = Held::open(dir.path()).unwrap();
        assert_eq!(held.any(), Some(id(2)));
        let held_since = trial::Held { connected: true, ..trial::Held::stopped(id(2), Moment(5)) };
        assert_eq!(held.on_trial().collect::<Vec<_>>(), [&held_since]);
        held.remove(id(2));
        drop(held);
        assert_eq!(Held::open(dir.path()).unwrap().any(), None);
    }

    #[test]
    fn a_full_list_takes_nobody_more() {
        let mut held = Held::nowhere();
        for pid in 1..=i32::try_from(MOST_HELD).unwrap() {
            assert!(held.add(trial::Held::stopped(ProcessId { pid, start_ticks: 1 }, Moment(1))));
        }
        let one_more = ProcessId { pid: 9999, start_ticks: 1 };
        assert!(!held.add(trial::Held::stopped(one_more, Moment(1))));
    }
}
