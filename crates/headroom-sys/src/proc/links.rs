//! What a process is joined to: its sockets and pipes, and the threads that serve a socket (proc(5)).

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ops::ControlFlow;

use headroom_core::snapshot::Pipes;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::{Errno, retry_on_intr};

use super::{PidPath, Proc};
use crate::error::ReadError;
use crate::lines::{self, open_file, read_file};
use crate::text::{decimal, hexadecimal, keyed, signed, words};

/// The last of a process's standard descriptors.
const STANDARD: i32 = 2;

impl Proc {
    /// Whether it has a socket open besides its standard input, output and error: a connection to a
    /// database or a cache, behind which it may hold a lock that others wait for. The standard ones
    /// are left out, since a service's lead to systemd's journal.
    ///
    /// # Errors
    /// When its descriptors cannot be read; [`ReadError::Forbidden`] for another user's process
    /// without `CAP_SYS_PTRACE`.
    pub fn has_connection(&mut self, pid: i32) -> Result<bool, ReadError> {
        let mut found = false;
        self.each_socket(pid, &mut |_, _| {
            found = true;
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Calls `f` with each of those sockets, its descriptor and its inode, until it breaks off.
    ///
    /// # Errors
    /// As [`has_connection`](Self::has_connection).
    pub fn each_socket(
        &mut self,
        pid: i32,
        f: &mut dyn FnMut(i32, u32) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let dir = self.open_dir(pid, "fd")?;
        each_number(&dir, &mut self.entries, &mut |name, fd| {
            let mut link = [0; 32];
            // One that was closed meanwhile is no connection.
            let read = rustix::fs::readlinkat_raw(&dir, name, &mut link);
            let link = read.ok().and_then(|len| link.get(..len)).filter(|_| fd > STANDARD);
            let inode = link.and_then(|link| link.strip_prefix(b"socket:["));
            let inode = inode.and_then(|link| decimal(link.strip_suffix(b"]")?));
            match inode.map(u32::try_from) {
                Some(Ok(inode)) => f(fd, inode),
                Some(Err(_)) | None => ControlFlow::Continue(()),
            }
        })
    }

    /// Calls `f` with each of its threads.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it has ended.
    pub fn each_thread(&mut self, pid: i32, f: &mut dyn FnMut(i32)) -> Result<(), ReadError> {
        let dir = self.open_dir(pid, "task")?;
        each_number(&dir, &mut self.entries, &mut |_, tid| {
            f(tid);
            ControlFlow::Continue(())
        })
    }

    /// The one descriptor from which a thread waits to read right now, by read(2), recv(2) or, of one alone,
    /// poll(2); `None` when it does anything else. A server that gives each client a thread waits so for its
    /// next request.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it has ended, [`ReadError::Forbidden`] without `CAP_SYS_PTRACE`.
    pub fn reads_from(&mut self, pid: i32, tid: i32) -> Result<Option<i32>, ReadError> {
        let path = PidPath::of_thread(pid, tid, "syscall")?;
        let file = open_file(self.dir.as_fd(), path.as_c_str())?;
        // `7 0x7f94307a4150 0x1 0x4e20 ...`; `running` or `-1 SP PC` outside of a call.
        let mut fields = words(read_file(file.as_fd(), &mut self.buffer)?);
        let number = fields.next().and_then(signed);
        let mut argument =
            || fields.next().and_then(|value| hexadecimal(value.strip_prefix(b"0x")?));
        let (first, second) = (argument(), argument());
        drop(fields);
        match (number, first, second) {
            (Some(libc::SYS_read | libc::SYS_recvfrom), Some(fd), _) => Ok(i32::try_from(fd).ok()),
            (Some(number), Some(at), Some(1)) if POLL.contains(&number) => {
                self.polled(pid, at).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The descriptor in the `struct pollfd` at that address of a process.
    fn polled(&self, pid: i32, at: u64) -> Result<i32, ReadError> {
        let memory = self.open_of(pid, "mem")?;
        let mut fd = [0; 4];
        let len = retry_on_intr(|| rustix::io::pread(&memory, &mut fd, at))?;
        if len < fd.len() {
            return Err(ReadError::Malformed { what: "a short read of a process's memory" });
        }
        Ok(i32::from_ne_bytes(fd))
    }

    /// Whether it knows itself by the pids that are seen here: it is in no pid namespace below.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it has ended; when the kernel does not say (before 4.1).
    pub fn has_pids_of_here(&mut self, pid: i32) -> Result<bool, ReadError> {
        let file = self.open_of(pid, "status")?;
        let mut pids = None;
        lines::each_line(file.as_fd(), &mut self.buffer, &mut |line| {
            if let Some((b"NSpid", value)) = keyed(line) {
                pids = Some(words(value).count());
            }
        })?;
        Ok(pids.ok_or(ReadError::Malformed { what: "status without NSpid" })? == 1)
    }

    /// The pipes that are its standard input and output.
    ///
    /// # Errors
    /// When its descriptors cannot be read; [`ReadError::Forbidden`] for another user's process
    /// without `CAP_SYS_PTRACE`.
    pub fn pipes(&mut self, pid: i32) -> Result<Pipes, ReadError> {
        let pipe = |name| {
            let (path, mut link) = (PidPath::new(pid, name)?, [0; 32]);
            let len = match rustix::fs::readlinkat_raw(&self.dir, path.as_c_str(), &mut link) {
                Ok(len) => len,
                // It has closed that one.
                Err(Errno::NOENT) => 0,
                Err(errno) => return Err(ReadError::from(errno)),
            };
            let inode = link.get(..len).and_then(|link| link.strip_prefix(b"pipe:["));
            let inode = inode.and_then(|link| decimal(link.strip_suffix(b"]")?));
            Ok(inode.and_then(|inode| u32::try_from(inode).ok()).unwrap_or(0))
        };
        Ok(Pipes { reads: pipe("fd/0")?, writes: pipe("fd/1")? })
    }

    fn open_dir(&self, pid: i32, name: &str) -> Result<OwnedFd, ReadError> {
        let path = PidPath::new(pid, name)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.dir, path.as_c_str(), flags, Mode::empty())?)
    }
}

/// poll(2), which the newer architectures have as ppoll(2) alone.
#[cfg(target_arch = "x86_64")]
const POLL: &[i64] = &[libc::SYS_poll, libc::SYS_ppoll];
#[cfg(not(target_arch = "x86_64"))]
const POLL: &[i64] = &[libc::SYS_ppoll];

/// Calls `f` with each entry of a directory whose name is a number, until it breaks off.
fn each_number(
    dir: &OwnedFd,
    entries: &mut [MaybeUninit<u8>],
    f: &mut dyn FnMut(&CStr, i32) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let mut entries = RawDir::new(dir, entries);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let number = decimal(entry.file_name().to_bytes()).map(i32::try_from);
        if let Some(Ok(number)) = number
            && f(entry.file_name(), number).is_break()
        {
            break;
        }
    }
    Ok(())
}
