//! The guard's own files: what it believes, and what it writes when the disk may be full.

use core::fmt;
use std::io::Read as _;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FallocateFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

use crate::error::ReadError;
use crate::lines::read_file;
use crate::own::own_uid;

/// Why a file is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerProblem {
    /// It is a directory, a device or a pipe.
    NotAFile,
    /// It belongs neither to root nor to the user this process runs as.
    Owner {
        /// Whose it is.
        uid: u32,
    },
    /// Its group may write it.
    WritableByGroup,
    /// Everybody may write it.
    WritableByOthers,
}

impl fmt::Display for OwnerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile => f.write_str("not a regular file"),
            Self::Owner { uid } => {
                write!(f, "owned by uid {uid}, neither root nor this user; chown it to root")
            }
            Self::WritableByGroup => f.write_str("its group may write it; chmod g-w"),
            Self::WritableByOthers => f.write_str("everybody may write it; chmod o-w"),
        }
    }
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileError {
    /// The kernel did not give it.
    Read(ReadError),
    /// Others could have written it.
    Untrusted(OwnerProblem),
    /// It is longer than it can sensibly be.
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Untrusted(problem) => problem.fmt(f),
            Self::TooLong { limit } => write!(f, "longer than {limit} bytes"),
        }
    }
}

impl core::error::Error for FileError {}

impl<E: Into<ReadError>> From<E> for FileError {
    fn from(error: E) -> Self {
        Self::Read(error.into())
    }
}

/// Whether a file could have been written by somebody who is neither root nor this user. A symbolic
/// link is followed: what counts is the file behind it.
///
/// # Errors
/// When it cannot be opened.
pub fn owner_problem(path: &Path) -> Result<Option<OwnerProblem>, ReadError> {
    let file = open_to_read(path)?;
    Ok(problem_of(&rustix::fs::fstat(&file)?, own_uid()))
}

/// Reads a configuration file whole, if it is to be believed. What was checked is the open file, so
/// that it cannot be exchanged between the check and the reading.
///
/// # Errors
/// When it cannot be read, others could have written it, or it is longer than `limit` bytes.
pub fn read_trusted(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let file = open_to_read(path)?;
    if let Some(problem) = problem_of(&rustix::fs::fstat(&file)?, own_uid()) {
        return Err(FileError::Untrusted(problem));
    }
    let mut content = Vec::new();
    let most = (limit as u64).saturating_add(1);
    std::fs::File::from(file)
        .take(most)
        .read_to_end(&mut content)
        .map_err(|error| ReadError::from(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    if content.len() > limit {
        return Err(FileError::TooLong { limit });
    }
    Ok(content)
}

/// Reads a small file that another user's program keeps for this one, as much of it as `into` holds.
/// Hot. A symbolic link is not followed.
///
/// # Errors
/// When it cannot be read; [`FileError::Untrusted`] when it belongs neither to root, nor to the user
/// this process runs as, nor to `owner`, or others may write it.
pub fn read_from<'b>(
    path: &Path,
    owner: Option<u32>,
    into: &'b mut [u8],
) -> Result<&'b [u8], FileError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags | OFlags::NOCTTY, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    let own = if owner == Some(stat.st_uid) { stat.st_uid } else { own_uid() };
    match problem_of(&stat, own) {
        Some(problem) => Err(FileError::Untrusted(problem)),
        None => Ok(read_file(file.as_fd(), into)?),
    }
}

/// Opens without waiting for the other end of a pipe somebody put there.
fn open_to_read(path: &Path) -> Result<OwnedFd, ReadError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn problem_of(stat: &Stat, own: u32) -> Option<OwnerProblem> {
    let mode = Mode::from_raw_mode(stat.st_mode);
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        Some(OwnerProblem::NotAFile)
    } else if stat.st_uid != 0 && stat.st_uid != own {
        Some(OwnerProblem::Owner { uid: stat.st_uid })
    } else if mode.contains(Mode::WOTH) {
        Some(OwnerProblem::WritableByOthers)
    } else if mode.contains(Mode::WGRP) {
        Some(OwnerProblem::WritableByGroup)
    } else {
        None
    }
}

/// A file whose blocks are all there from the start, so that writing into it needs no room on the
/// disk and next to no memory: the journal's.
#[derive(Debug)]
pub struct Preallocated {
    file: OwnedFd,
    len: u64,
}

impl Preallocated {
    /// Opens the file, or creates it with mode 0640, and sees to it that it holds `len` bytes. One
    /// that is longer stays so; what is added reads as zeros.
    ///
    /// # Errors
    /// [`FileError::Untrusted`] when others could have written it; a symbolic link is not followed
    /// (`ELOOP`); `ENOSPC` when the disk has no room.
    pub fn open(path: &Path, len: u64) -> Result<Self, FileError> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
        let file = match rustix::fs::open(path, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            Ok(file) => {
                // A umask may have taken the group's right away, which the agent needs.
                rustix::fs::fchmod(&file, mode)?;
                file
            }
            Err(Errno::EXIST) => rustix::fs::open(path, flags, mode)?,
            Err(errno) => return Err(errno.into()),
        };
        let stat = rustix::fs::fstat(&file)?;
        if let Some(problem) = problem_of(&stat, own_uid()) {
            return Err(FileError::Untrusted(problem));
        }
        let present = u64::try_from(stat.st_size).unwrap_or_default();
        let opened = Self { file, len: present.max(len) };
        match rustix::fs::fallocate(&opened.file, FallocateFlags::empty(), 0, opened.len) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => opened.fill_from(present)?,
            Err(errno) => return Err(errno.into()),
        }
        Ok(opened)
    }

    /// How many bytes it holds.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds nothing at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes all of `bytes` from `offset` on. Hot.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] when they would not lie within the file; what the disk answers.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), ReadError> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.len);
        if end.is_none() {
            return Err(ReadError::Malformed { what: "a write past the end of the file" });
        }
        self.write_all(offset, bytes)
    }

    /// Reads from `offset` on until `into` is full or the file ends; gives what was read. Hot.
    ///
    /// # Errors
    /// What the disk answers.
    pub fn read_at<'b>(&self, offset: u64, into: &'b mut [u8]) -> Result<&'b [u8], ReadError> {
        let mut filled = 0;
        while let Some(space) = into.get_mut(filled..).filter(|space| !space.is_empty()) {
            let at = offset.saturating_add(filled as u64);
            let read = retry_on_intr(|| rustix::io::pread(&self.file, &mut *space, at))?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        Ok(into.get(..filled).unwrap_or_default())
    }

    /// Waits until what was written is on the disk. That can take as long as the disk likes: never
    /// between a trigger and its signal.
    ///
    /// # Errors
    /// What the disk answers.
    pub fn sync(&self) -> Result<(), ReadError> {
        Ok(rustix::fs::fdatasync(&self.file)?)
    }

    fn write_all(&self, offset: u64, bytes: &[u8]) -> Result<(), ReadError> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(written as u64);
            match retry_on_intr(|| rustix::io::pwrite(&self.file, rest, at))? {
                0 => return Err(Errno::IO.into()),
                more => written += more,
            }
        }
        Ok(())
    }

    /// On a file system that cannot allocate ahead, writing zeros does.
    fn fill_from(&self, start: u64) -> Result<(), ReadError> {
        let zeros = [0; 4096];
        let mut at = start;
        while at < self.len {
            let room = usize::try_from(self.len - at).unwrap_or(zeros.len()).min(zeros.len());
            self.write_all(at, zeros.get(..room).unwrap_or(&zeros))?;
            at += room as u64;
        }
        Ok(())
    }
}

impl AsFd for Preallocated {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests;
