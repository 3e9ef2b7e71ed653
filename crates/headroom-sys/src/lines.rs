//! Files of the kernel, read to their real end into a buffer that never grows.
//!
//! `/proc` and cgroup files say nothing of their size and may hand out less than was asked for, so
//! only a read of nothing is the end. All reads name their position: the same open file is then
//! read again from its beginning without a seek, and the kernel reuses the buffer it already has.

use core::ffi::CStr;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{pread, retry_on_intr};

use crate::error::ReadError;

/// Opens a file of the kernel for reading. Hot.
pub(crate) fn open_file(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, ReadError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(retry_on_intr(|| openat(dir, name, flags, Mode::empty()))?)
}

/// The file's content, or as much of it as `into` holds. Hot.
pub(crate) fn read_file<'b>(
    file: BorrowedFd<'_>,
    into: &'b mut [u8],
) -> Result<&'b [u8], ReadError> {
    let mut filled = 0;
    while let Some(space) = into.get_mut(filled..).filter(|space| !space.is_empty()) {
        let read = retry_on_intr(|| pread(file, &mut *space, filled as u64))?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    Ok(into.get(..filled).unwrap_or_default())
}

/// Calls `f` with each line of the file, without its line feed. Hot.
///
/// Of a line longer than the buffer only the beginning is given: a process with tens of thousands
/// of groups must not be able to hide the lines that follow.
pub(crate) fn each_line(
    file: BorrowedFd<'_>,
    buffer: &mut [u8],
    f: &mut dyn FnMut(&[u8]),
) -> Result<(), ReadError> {
    let mut position = 0u64;
    let mut held = 0;
    let mut inside_long_line = false;
    loop {
        let Some(space) = buffer.get_mut(held..).filter(|space| !space.is_empty()) else {
            if !inside_long_line {
                f(buffer);
            }
            inside_long_line = true;
            held = 0;
            continue;
        };
        let read = retry_on_intr(|| pread(file, &mut *space, position))?;
        let filled = held + read;
        position += read as u64;
        let mut start = 0;
        let mut rest = buffer.get(..filled).unwrap_or_default();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            if !inside_long_line {
                f(line);
            }
            inside_long_line = false;
            start += end + 1;
            rest = after.get(1..).unwrap_or_default();
        }
        if read == 0 {
            if !rest.is_empty() && !inside_long_line {
                f(rest);
            }
            return Ok(());
        }
        held = if inside_long_line { 0 } else { rest.len() };
        buffer.copy_within(start..start + held, 0);
    }
}

/// A file that is read again and again: opened at the first reading and then kept.
///
/// After an error it is opened anew, since what stood behind it may have been replaced (lxcfs in
/// a container does that when it restarts).
pub(crate) struct Kept {
    name: &'static CStr,
    file: Option<OwnedFd>,
}

impl Kept {
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Self { name, file: None }
    }

    /// [`each_line`] of this file in `dir`. Hot.
    pub(crate) fn each_line(
        &mut self,
        dir: BorrowedFd<'_>,
        buffer: &mut [u8],
        f: &mut dyn FnMut(&[u8]),
    ) -> Result<(), ReadError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => open_file(dir, self.name)?,
        };
        each_line(file.as_fd(), buffer, f)?;
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write as _;

    fn file_with(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn lines_of(content: &[u8], buffer: usize) -> Vec<String> {
        let mut lines = Vec::new();
        each_line(file_with(content).as_fd(), &mut vec![0; buffer], &mut |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
        })
        .unwrap();
        lines
    }

    #[test]
    fn lines_are_the_same_whatever_the_buffer() {
        for buffer in [8, 9, 10, 11, 64, 4096] {
            assert_eq!(lines_of(b"one\n\nthree 3\nlast", buffer), ["one", "", "three 3", "last"]);
        }
        assert!(lines_of(b"", 8).is_empty());
    }

    #[test]
    fn a_line_longer_than_the_buffer_does_not_hide_the_next() {
        for buffer in [4, 5, 7] {
            let lines = lines_of(b"Groups: 1 2 3 4 5 6\nVm 9\nend", buffer);
            let start = "Groups: 1 2 3 4 5 6".get(..buffer).unwrap();
            assert_eq!(lines, [start, "Vm 9", "end"], "buffer of {buffer}");
        }
    }

    #[test]
    fn a_file_longer_than_the_buffer_is_cut() {
        assert_eq!(read_file(file_with(b"0123456789").as_fd(), &mut [0; 4]).unwrap(), b"0123");
        assert_eq!(read_file(file_with(b"01").as_fd(), &mut [0; 4]).unwrap(), b"01");
    }
}
