//! What jobs of a kind took before. A kind is a command line with its numbers folded, so that
//! `import.php --batch 17` and `import.php --batch 18` are the same job.

use crate::units::Kib;

/// Kinds remembered; the one not seen for longest makes room.
const MOST: usize = 64;

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
            *known = peak.max(Kib(known.0 - known.0 / 8));
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

/// The kind of a command line: FNV-1a over it, each run of digits taken as one `#`.
pub(super) fn kind_of(command: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut in_number = false;
    for &byte in command {
        let digit = byte.is_ascii_digit();
        if digit && in_number {
            continue;
        }
        in_number = digit;
        hash ^= u64::from(if digit { b'#' } else { byte });
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_make_another_kind() {
        let kind = kind_of(b"php import.php --batch 17");
        assert_eq!(kind, kind_of(b"php import.php --batch 180000"));
        assert_ne!(kind, kind_of(b"php export.php --batch 17"));
        assert_ne!(kind, kind_of(b"php import.php --batch x"));
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
