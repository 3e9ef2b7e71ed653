//! `/proc/PID/cgroup`: the path that tells the unit a process belongs to (cgroups(7)).

use crate::error::ReadError;

/// How well a hierarchy tells the unit, the best last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Any hierarchy, or one that has the process in its root.
    Root,
    /// cgroup v1's memory controller.
    Memory,
    /// The named hierarchy in which systemd keeps its units without cgroup v2.
    Systemd,
    /// cgroup v2.
    Unified,
}

/// The file while it is read: the best path so far stands at the start of `into`.
pub(super) struct MembershipLines<'b> {
    into: &'b mut [u8],
    best: Option<(Rank, usize)>,
    too_long: bool,
}

impl<'b> MembershipLines<'b> {
    pub(super) fn new(into: &'b mut [u8]) -> Self {
        Self { into, best: None, too_long: false }
    }

    /// Takes one line: `ID:CONTROLLERS:PATH`, where the path may hold colons.
    pub(super) fn line(&mut self, line: &[u8]) {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (Some(id), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        // A cgroup that was removed under a process keeps its path with a mark at the end.
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        let rank = match (id, controllers) {
            _ if path == b"/" => Rank::Root,
            (b"0", b"") => Rank::Unified,
            (_, b"name=systemd") => Rank::Systemd,
            (_, names) if names.split(|byte| *byte == b',').any(|name| name == b"memory") => {
                Rank::Memory
            }
            _ => return,
        };
        if self.best.is_some_and(|(best, _)| best >= rank) {
            return;
        }
        match self.into.get_mut(..path.len()) {
            Some(slot) => {
                slot.copy_from_slice(path);
                self.best = Some((rank, path.len()));
            }
            None => self.too_long = true,
        }
    }

    /// The path; `/` when no hierarchy tells the unit.
    pub(super) fn finish(self) -> Result<&'b [u8], ReadError> {
        if self.too_long {
            return Err(ReadError::Malformed { what: "a cgroup's path longer than the buffer" });
        }
        let len = self.best.map_or(0, |(_, len)| len);
        match self.into.get(..len) {
            Some([]) | None => Ok(b"/"),
            Some(path) => Ok(path),
        }
    }
}
