//! The file the guard reads.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use headroom_api::trial::{HOLDERS, Holders};

/// It, open.
#[derive(Debug)]
pub(super) struct Answer(File);

impl Answer {
    /// Opens it in the agent's own directory.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o640);
        Ok(Self(options.open(dir.join(HOLDERS))?))
    }

    /// Writes all of it in one call.
    pub(super) fn write(&self, holders: &Holders) -> io::Result<()> {
        self.0.write_all_at(&holders.encode(), 0)
    }
}
