//! Freezing a cgroup of v2 with all that is in it (Documentation/admin-guide/cgroup-v2.rst, `cgroup.freeze`;
//! Linux 5.2). It is no controller: it works in the v2 tree of the hybrid layout as well.

use core::ffi::CStr;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, fstat};

use super::{is_cgroup2, open_below, open_dir};
use crate::error::ReadError;
use crate::lines::{each_line, open_file, read_file};
use crate::text::counter;

/// v2's tree, where there is one.
#[derive(Debug)]
pub struct FreezerTree {
    root: OwnedFd,
}

impl FreezerTree {
    /// Opens what is mounted at `root/sys/fs/cgroup`, or beside v1's controllers.
    ///
    /// # Errors
    /// [`ReadError::Gone`] where there is no cgroup v2.
    pub fn open(root: &Path) -> Result<Self, ReadError> {
        let base = root.join("sys/fs/cgroup");
        let trees = [open_dir(&base), open_dir(&base.join("unified"))];
        let v2 = trees.into_iter().flatten().find(|dir| is_cgroup2(dir.as_fd()));
        v2.map(|root| Self { root }).ok_or(ReadError::Gone)
    }

    /// The cgroup of that path below the tree's root.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when there is none.
    pub fn unit(&self, path: &[u8]) -> Result<FreezableUnit, ReadError> {
        let path = core::str::from_utf8(path)
            .map_err(|_| ReadError::Malformed { what: "a cgroup's path that is no text" })?;
        let dir = open_below(self.root.as_fd(), path)?;
        let inode = fstat(&dir)?.st_ino;
        Ok(FreezableUnit { dir, inode })
    }
}

/// One cgroup, held open: a later one of the same path is another.
///
/// The kernel has everybody who changes cgroups wait for each other (`cgroup_mutex`), also while one of them
/// waits for memory: never ask this where a wait costs something.
#[derive(Debug)]
pub struct FreezableUnit {
    dir: OwnedFd,
    inode: u64,
}

impl FreezableUnit {
    /// What tells it from all that were and will be.
    #[must_use]
    pub const fn inode(&self) -> u64 {
        self.inode
    }

    /// Whether there are cgroups below it, which would be frozen as well.
    ///
    /// # Errors
    /// When it is gone.
    pub fn has_others_below(&self) -> Result<bool, ReadError> {
        Ok(self.value(c"cgroup.stat", b"nr_descendants")? != Some(0))
    }

    /// Freezes it. That takes a moment: see [`is_frozen`](Self::is_frozen).
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it is gone, or before Linux 5.2; [`ReadError::Forbidden`] without the right.
    pub fn freeze(&self) -> Result<(), ReadError> {
        self.write(b"1")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    pub fn thaw(&self) -> Result<(), ReadError> {
        self.write(b"0")
    }

    /// Whether somebody asked for it to be frozen.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    pub fn is_asked_to(&self) -> Result<bool, ReadError> {
        let file = open_file(self.dir.as_fd(), c"cgroup.freeze")?;
        Ok(read_file(file.as_fd(), &mut [0; 8])?.trim_ascii() == b"1")
    }

    /// Whether all of its processes stand still.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    pub fn is_frozen(&self) -> Result<bool, ReadError> {
        Ok(self.value(c"cgroup.events", b"frozen")? == Some(1))
    }

    fn value(&self, file: &CStr, key: &[u8]) -> Result<Option<u64>, ReadError> {
        let file = open_file(self.dir.as_fd(), file)?;
        let mut found = None;
        each_line(file.as_fd(), &mut [0; 256], &mut |line| match counter(line) {
            Some((name, value)) if name == key => found = Some(value),
            _ => {}
        })?;
        Ok(found)
    }

    fn write(&self, what: &[u8]) -> Result<(), ReadError> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, c"cgroup.freeze", flags, Mode::empty())?;
        rustix::io::write(&file, what)?;
        Ok(())
    }
}
