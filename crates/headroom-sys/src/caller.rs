//! Which process called on a Unix socket, so that no other is ever taken for it.
//!
//! The kernel says who connected, and nothing that the caller sends has any part in it. By number alone
//! that is not enough: the caller may end and its pid pass to another before its number is looked up.
//! So its start time is read while it is held by a pidfd, which is asked afterwards whether it has ended.

use headroom_core::snapshot::ProcessId;
use rustix::fd::OwnedFd;

use crate::error::ReadError;
use crate::peer::Peer;
use crate::proc::Proc;
use crate::process::has_ended;

/// Who a peer is for as long as it lives. `pidfd` is the peer's, by [`pidfd_of`](crate::peer::pidfd_of).
///
/// Before Linux 6.5 that was opened by number, some time after the peer connected: the number may have
/// passed on meanwhile. One of another user is told by its user; one of the same user could as well have
/// called for itself.
///
/// # Errors
/// [`ReadError::Gone`] when it has ended, or is another user's by now; [`ReadError::Malformed`] when
/// `proc` is not the running kernel's own.
pub fn identity_of(peer: Peer, pidfd: &OwnedFd, proc: &mut Proc) -> Result<ProcessId, ReadError> {
    if !proc.is_live() {
        return Err(ReadError::Malformed { what: "this /proc is not the running kernel's" });
    }
    let start_ticks = proc.stat(peer.pid)?.start_ticks;
    let same_user = proc.status(peer.pid)?.uid_effective == peer.uid;
    // What was read is the peer's only if it still holds its pid now.
    if has_ended(pidfd) || !same_user {
        return Err(ReadError::Gone);
    }
    Ok(ProcessId { pid: peer.pid, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own::{own_pid, own_uid};
    use crate::peer::{peer_of, pidfd_of};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use std::process::{Command, Stdio};

    fn identity(stream: impl AsFd) -> Result<ProcessId, ReadError> {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        identity_of(peer_of(&stream)?, &pidfd_of(&stream)?, &mut proc)
    }

    #[test]
    fn the_caller_of_a_connection_is_this_process() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let _client = UnixStream::connect(dir.path().join("socket")).unwrap();
        let (server, _) = listener.accept().unwrap();
        let start_ticks = Proc::open(Path::new("/")).unwrap().stat(own_pid()).unwrap().start_ticks;
        assert_eq!(identity(&server), Ok(ProcessId { pid: own_pid(), start_ticks }));
    }

    #[test]
    fn whoever_ended_is_gone_though_its_connection_lives_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        // It connects, hands the connection on to its child and ends.
        let script = format!(
            "import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect({:?})\n\
             if os.fork() == 0:\n  sys.stdin.readline(); os._exit(0)\n\
             print('passed on', flush=True)\n",
            path.display().to_string()
        );
        let child = Command::new("python3")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            assert!(std::env::var_os("CI").is_none(), "there is no python3 here");
            eprintln!("SKIPPED: there is no python3 here");
            return;
        };
        let (server, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut input = child.stdin.take().unwrap();
        child.wait().unwrap();
        assert_eq!(identity(&server), Err(ReadError::Gone));
        // The heir reads this and ends.
        input.write_all(b"\n").unwrap();
    }

    #[test]
    fn a_number_that_is_another_users_by_now_is_nobodys() {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let (one, _other) = UnixStream::pair().unwrap();
        let pidfd = pidfd_of(&one).unwrap();
        let peer = Peer { pid: own_pid(), uid: own_uid(), gid: 0 };
        assert!(identity_of(peer, &pidfd, &mut proc).is_ok());
        let stranger = Peer { uid: own_uid() + 1, ..peer };
        assert_eq!(identity_of(stranger, &pidfd, &mut proc), Err(ReadError::Gone));
        let nowhere = Peer { pid: 0, ..peer };
        assert_eq!(identity_of(nowhere, &pidfd, &mut proc), Err(ReadError::Gone));
    }
}
