//! What jobs of a kind took before. A kind is a command line with its numbers, ids and temporary paths
//! folded, so that `import.php --batch 17` and `import.php --batch 18` are the same job.

mod fold;

use core::time::Duration;

use crate::fnv::Fnv;
use crate::text::CommandLine;
use crate::units::Kib;
use fold::fold;

/// Kinds remembered; the one not seen for longest makes room.
const MOST: usize = 128;

/// What one job took, known when it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobRun {
    /// The kind's number.
    pub kind: u64,
    /// Its command line, folded.
    pub command: CommandLine,
    /// The most it would have given back at a time.
    pub peak: Kib,
    /// How long it ran, the waiting left out.
    pub ran: Duration,
    /// How long it was kept waiting.
    pub waited: Duration,
    /// Relief ended it: what it took says nothing about its kind.
    pub slain: bool,
}

/// The peaks of the last jobs of each kind.
#[derive(Clone, Debug)]
pub(super) struct Kinds {
    ring: [Option<(u64, Kib)>; MOST],
    next: usize,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { ring: [None; MOST], next: 0 }
    }
}

impl Kinds {
    /// Takes in the peak of a job that ended by itself.
    pub(super) fn learn(&mut self, kind: u64, peak: Kib) {
        if let Some((_, known)) = self.ring.iter_mut().flatten().find(|(k, _)| *k == kind) {
            *known = expected_peak(*known, peak);
            return;
        }
        self.ring[self.next] = Some((kind, peak));
        self.next = (self.next + 1) % MOST;
    }

    /// What jobs of this kind took, if one was seen.
    pub(super) fn peak(&self, kind: u64) -> Option<Kib> {
        self.ring.iter().flatten().find(|(k, _)| *k == kind).map(|(_, peak)| *peak)
    }
}

/// How many there are of each kind, for as many kinds as it has places.
#[derive(Default)]
pub(super) struct Counts([(u64, usize); 16]);

impl Counts {
    pub(super) fn add(&mut self, kind: u64) {
        if let Some((known, count)) = self.0.iter_mut().find(|(k, n)| *k == kind || *n == 0) {
            (*known, *count) = (kind, *count + 1);
        }
    }

    pub(super) fn of(&self, kind: u64) -> usize {
        self.0.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count)
    }
}

/// What the next job of a kind is expected to take: it rises at once and falls slowly.
#[must_use]
pub fn expected_peak(known: Kib, latest: Kib) -> Kib {
    latest.max(known.saturating_sub(Kib(known.0 / 8)))
}

/// The kind of a command line: the hash of what is left when it is folded.
#[must_use]
pub fn kind_of(command: &[u8]) -> u64 {
    let mut hash = Fnv::default();
    fold(command, &mut |byte| hash.add(byte));
    hash.value()
}

/// A command line as its kind is shown: `php import.php --batch #`.
#[must_use]
pub fn folded(command: &[u8]) -> CommandLine {
    let (mut bytes, mut length) = ([0; 96], 0);
    fold(command, &mut |byte| {
        if let Some(place) = bytes.get_mut(length) {
            *place = byte;
            length += 1;
        }
    });
    CommandLine::new(bytes.get(..length).unwrap_or(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_folded_command_is_the_kinds_name() {
        let one = b"php import.php --batch 17 --out /tmp/import.x8Zq";
        assert_eq!(folded(one).to_string(), "php import.php --batch # --out /tmp/*");
        assert_eq!(kind_of(folded(one).as_bytes()), kind_of(one), "folding twice changes nothing");
    }

    #[test]
    fn a_kinds_peak_falls_slowly_and_rises_at_once() {
        let mut kinds = Kinds::default();
        kinds.learn(1, Kib(800));
        kinds.learn(1, Kib(100));
        assert_eq!(kinds.peak(1), Some(Kib(700)));
        kinds.learn(1, Kib(900));
        assert_eq!(kinds.peak(1), Some(Kib(900)));
        assert_eq!(kinds.peak(2), None);
        for kind in 2..200 {
            kinds.learn(kind, Kib(1));
        }
        assert_eq!(kinds.peak(1), None, "the oldest made room");
    }
}
