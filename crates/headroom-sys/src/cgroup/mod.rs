//! Memory cgroups of either version, each read as one zone
//! (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst).

mod freezer;
#[cfg(test)]
mod tests;
mod zone;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Access, AtFlags, FsWord, Mode, OFlags};

use crate::error::ReadError;

pub use freezer::{FreezableUnit, FreezerTree};
pub use zone::ZoneReader;

/// `CGROUP2_SUPER_MAGIC` of include/uapi/linux/magic.h.
const CGROUP2_SUPER_MAGIC: FsWord = 0x6367_7270;

/// How this machine arranges its cgroups, as systemd names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// cgroup v2 alone.
    V2,
    /// v1's controllers, with a v2 tree beside them that has none.
    Hybrid,
    /// v1 alone.
    V1,
    /// No memory cgroups at all.
    None,
}

/// The memory cgroups under some root.
pub struct Cgroups {
    layout: Layout,
    /// Where zones have their memory files.
    memory: Option<OwnedFd>,
    /// In the hybrid layout the v2 tree, which still knows the pressure.
    unified: Option<OwnedFd>,
}

impl Cgroups {
    /// Looks at what is mounted at `root/sys/fs/cgroup`. On the running system the kind of file
    /// system tells v2; in a captured tree its files do.
    #[must_use]
    pub fn detect(root: &Path) -> Self {
        let captured = root != Path::new("/");
        let base = root.join("sys/fs/cgroup");
        let open = |path: &Path| open_dir(path).ok();
        let is_v2 = |dir: &OwnedFd| {
            is_cgroup2(dir.as_fd()) || captured && has(dir.as_fd(), "cgroup.controllers")
        };
        if let Some(memory) = open(&base).filter(is_v2) {
            return Self { layout: Layout::V2, memory: Some(memory), unified: None };
        }
        let Some(memory) = open(&base.join("memory")) else {
            return Self { layout: Layout::None, memory: None, unified: None };
        };
        let unified = open(&base.join("unified")).filter(is_v2);
        let layout = if unified.is_some() { Layout::Hybrid } else { Layout::V1 };
        Self { layout, memory: Some(memory), unified }
    }

    /// What was found.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Opens the cgroup at `path` below the root of its hierarchy (`/limited.slice`) as a zone.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when there is no such cgroup, when it has no memory controller (v2's
    /// root never has), or in the layout [`Layout::None`].
    pub fn zone(&self, path: &str) -> Result<ZoneReader, ReadError> {
        let memory = self.memory.as_ref().ok_or(ReadError::Gone)?;
        let dir = open_below(memory.as_fd(), path)?;
        if self.layout == Layout::V2 {
            return ZoneReader::v2(&dir);
        }
        // systemd gives a unit the same path in every hierarchy it uses.
        let unified = self.unified.as_ref().and_then(|root| open_below(root.as_fd(), path).ok());
        ZoneReader::v1(&dir, unified.as_ref())
    }
}

/// Whether it lies on cgroup v2's own file system.
pub(crate) fn is_cgroup2(file: BorrowedFd<'_>) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|fs| fs.f_type == CGROUP2_SUPER_MAGIC)
}

fn has(dir: BorrowedFd<'_>, name: &str) -> bool {
    rustix::fs::accessat(dir, name, Access::EXISTS, AtFlags::empty()).is_ok()
}

fn open_dir(path: &Path) -> Result<OwnedFd, ReadError> {
    Ok(rustix::fs::open(path, dir_flags(), Mode::empty())?)
}

/// Opens a directory below `root` by a path that cannot lead out of it.
fn open_below(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, ReadError> {
    let relative = path.trim_matches('/');
    if relative.split('/').any(|part| part == "..") {
        return Err(ReadError::Malformed { what: "a cgroup's path with .. in it" });
    }
    let name = if relative.is_empty() { "." } else { relative };
    let name = CString::new(Path::new(name).as_os_str().as_bytes())
        .map_err(|_| ReadError::Malformed { what: "a cgroup's path with a zero in it" })?;
    Ok(rustix::fs::openat(root, name.as_c_str(), dir_flags(), Mode::empty())?)
}

fn dir_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}
