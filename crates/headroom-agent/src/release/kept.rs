//! The pool's configured size, on the disk before the pool shrinks: no crash of ours leaves it small.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What the pool had before it first shrank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The size to grow back to.
    pub(super) bytes: u64,
    /// When the server was started that has it, in seconds since 1970: a restart brings the size back.
    pub(super) server_started: i64,
    /// That much must be available before it grows, in MiB.
    pub(super) below_mib: u64,
}

/// The server's start is known to a second or two.
const SAME_START: i64 = 5;

impl Kept {
    fn path(state_dir: &Path) -> PathBuf {
        state_dir.join("mysql-pool.json")
    }

    /// What was kept, if anything was.
    pub(super) fn read(state_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::path(state_dir)).ok()?).ok()
    }

    /// Keeps it, on the disk when this returns.
    pub(super) fn write(&self, state_dir: &Path) -> io::Result<()> {
        let path = Self::path(state_dir);
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(state_dir)?.sync_all()
    }

    /// The pool is what it was.
    pub(super) fn forget(state_dir: &Path) {
        // It is read again at the next start, found to be true already, and forgotten then.
        let _ = fs::remove_file(Self::path(state_dir));
    }

    /// Whether the server has been restarted since, and with it has its size back.
    pub(super) fn is_over(&self, server_started: i64) -> bool {
        server_started > self.server_started + SAME_START
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_was_kept_is_there_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Kept::read(dir.path()), None);
        let kept = Kept { bytes: 1 << 30, server_started: 1000, below_mib: 512 };
        kept.write(dir.path()).unwrap();
        assert_eq!(Kept::read(dir.path()), Some(kept));
        assert!(!kept.is_over(1002) && kept.is_over(1100));
        Kept::forget(dir.path());
        assert_eq!(Kept::read(dir.path()), None);
    }
}
