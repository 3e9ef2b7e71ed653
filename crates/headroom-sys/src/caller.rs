//! Which process called on a Unix socket, held so that no other is ever taken for it.
//!
//! The kernel says who connected, and nothing that the caller sends has any part in it. By number alone
//! that is not enough: the caller may end and its pid pass to another before its number is looked up.
//! So it is held by the pidfd that the kernel gives for the peer (`SO_PEERPIDFD`, Linux 6.5), or before
//! that by one opened for its number, its user and start time checked before and after.

use core::mem::MaybeUninit;

use headroom_core::snapshot::ProcessId;
use rustix::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::ReadError;
use crate::peer::{Peer, peer_of};
use crate::proc::Proc;
use crate::process::has_ended;

/// `SO_PEERPIDFD` of include/uapi/asm-generic/socket.h (Linux 6.5), which libc does not have everywhere.
const SO_PEERPIDFD: libc::c_int = 77;

/// The process at the other end of a connection, as it was when it connected.
#[derive(Debug)]
pub struct Caller {
    /// Its pid and users, by the kernel.
    pub peer: Peer,
    /// Which one for ever.
    pub id: ProcessId,
    /// The kernel itself gave the pidfd: there was no moment in which the pid could pass on.
    pub by_pidfd: bool,
    pidfd: OwnedFd,
}

impl Caller {
    /// Takes hold of the process that connected.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it has ended, or was passed its connection by one that has;
    /// [`ReadError::Malformed`] when `proc` is not the running kernel's own or the socket is not
    /// connected; `ENOSYS` in [`ReadError::Other`] before Linux 5.3.
    pub fn of(stream: impl AsFd, proc: &mut Proc) -> Result<Self, ReadError> {
        if !proc.is_live() {
            return Err(ReadError::Malformed { what: "this /proc is not the running kernel's" });
        }
        Self::hold(peer_of(&stream)?, peer_pidfd(&stream), proc)
    }

    fn hold(peer: Peer, pidfd: Result<OwnedFd, Errno>, proc: &mut Proc) -> Result<Self, ReadError> {
        let pid = Pid::from_raw(peer.pid).filter(|_| peer.pid > 0).ok_or(ReadError::Gone)?;
        let (pidfd, by_pidfd) = match pidfd {
            Ok(pidfd) => (pidfd, true),
            Err(Errno::NOPROTOOPT) => (pidfd_open(pid, PidfdFlags::empty())?, false),
            Err(errno) => return Err(errno.into()),
        };
        let id = ProcessId { pid: peer.pid, start_ticks: proc.stat(peer.pid)?.start_ticks };
        // What was read is the peer's only if it still holds its pid now.
        if has_ended(&pidfd) {
            return Err(ReadError::Gone);
        }
        // By number alone it may be another process by now. One of another user is told by that; one
        // of the same user could have asked for itself.
        if !by_pidfd && proc.status(peer.pid)?.uid_effective != peer.uid {
            return Err(ReadError::Gone);
        }
        Ok(Self { peer, id, by_pidfd, pidfd })
    }

    /// Whether it has ended, so that nothing done to its pid would reach it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        has_ended(&self.pidfd)
    }

    /// The pidfd, readable when the process has ended.
    #[must_use]
    pub fn into_pidfd(self) -> OwnedFd {
        self.pidfd
    }
}

/// `getsockopt(SO_PEERPIDFD)`, which rustix does not have.
fn peer_pidfd(stream: impl AsFd) -> Result<OwnedFd, Errno> {
    let mut fd = MaybeUninit::<libc::c_int>::zeroed();
    let mut len: libc::socklen_t = 4;
    const { assert!(size_of::<libc::c_int>() == 4) };
    // SAFETY: `fd` is room for `len` bytes, both outlive the call, and the descriptor is borrowed and so
    // open for as long as it lasts.
    let answer = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            fd.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if answer != 0 {
        let errno = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL));
    }
    // SAFETY: all of it was zeroed, and every pattern of bits is a number.
    let fd = unsafe { fd.assume_init() };
    if fd < 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: the kernel has just opened this descriptor for this process (with O_CLOEXEC), and nobody
    // else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use std::process::{Command, Stdio};

    #[test]
    fn the_caller_of_a_connection_is_this_process() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let _client = UnixStream::connect(dir.path().join("socket")).unwrap();
        let (server, _) = listener.accept().unwrap();
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let caller = Caller::of(&server, &mut proc).unwrap();
        let own = crate::own::own_pid();
        assert_eq!(caller.id.pid, own);
        assert_eq!(caller.id.start_ticks, proc.stat(own).unwrap().start_ticks);
        assert!(!caller.has_ended());
    }

    #[test]
    fn whoever_ended_is_gone_though_its_connection_lives_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        // The shell's child connects, hands the connection on to `sleep` and ends.
        let script = format!(
            "import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect({:?})\n\
             os.set_inheritable(s.fileno(), True)\n\
             p = os.fork()\n\
             if p == 0:\n  sys.stdin.readline(); os._exit(0)\n\
             print('passed on', flush=True)\n",
            path.display().to_string()
        );
        let child = Command::new("python3")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("SKIPPED: there is no python3 here");
            return;
        };
        let (server, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut input = child.stdin.take().unwrap();
        child.wait().unwrap();
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let caller = Caller::of(&server, &mut proc).map(|caller| caller.id);
        assert_eq!(caller, Err(ReadError::Gone));
        // The heir reads this and ends.
        input.write_all(b"\n").unwrap();
    }

    #[test]
    fn without_the_kernels_pidfd_the_number_must_still_be_the_same_users() {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let own = crate::own::own_pid();
        let peer = Peer { pid: own, uid: crate::own::own_uid(), gid: 0 };
        let mut hold = |peer| Caller::hold(peer, Err(Errno::NOPROTOOPT), &mut proc);
        let caller = hold(peer).unwrap();
        assert_eq!((caller.id.pid, caller.by_pidfd), (own, false));
        let other = Peer { uid: peer.uid + 1, ..peer };
        assert_eq!(hold(other).map(|caller| caller.id), Err(ReadError::Gone));
        let nowhere = Peer { pid: 0, ..peer };
        assert_eq!(hold(nowhere).map(|caller| caller.id), Err(ReadError::Gone));
    }

    #[test]
    fn what_is_no_connection_has_no_caller() {
        let file = tempfile::tempfile().unwrap();
        let mut proc = Proc::open(Path::new("/")).unwrap();
        assert!(Caller::of(&file, &mut proc).is_err());
    }
}
