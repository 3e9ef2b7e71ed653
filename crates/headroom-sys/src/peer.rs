//! Who is at the other end of a Unix socket, and how to listen on one (unix(7)).

use core::mem::MaybeUninit;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, chmod, chownat, fchmod, unlink};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

use crate::error::ReadError;

/// How many clients may wait to be taken.
const BACKLOG: i32 = 32;

/// The size of `struct ucred`, three numbers of 32 bits.
const UCRED_SIZE: libc::socklen_t = 12;
const _: () = assert!(size_of::<libc::ucred>() == 12);

/// The process that connected, as it was when it did: it may have changed user, or ended, since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its pid; 0 when it is outside this pid namespace.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// The process at the other end of a connected stream (`SO_PEERCRED`).
///
/// # Errors
/// When it is no connected Unix socket.
pub fn peer_of(stream: impl AsFd) -> Result<Peer, ReadError> {
    // Not by rustix: its pid can never be 0, and the kernel's is for a peer in another namespace.
    let mut credentials = MaybeUninit::<libc::ucred>::zeroed();
    let mut len = UCRED_SIZE;
    // SAFETY: `credentials` is room for `len` bytes, both outlive the call, and the descriptor is
    // borrowed and so open for as long as it lasts.
    let answer = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            credentials.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if answer != 0 {
        let errno = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL).into());
    }
    // SAFETY: all of it was zeroed, of which every pattern of bits is a valid ucred.
    let credentials = unsafe { credentials.assume_init() };
    if credentials.uid == u32::MAX {
        return Err(ReadError::Malformed { what: "a socket that is not connected has no peer" });
    }
    Ok(Peer { pid: credentials.pid, uid: credentials.uid, gid: credentials.gid })
}

/// Most groups of one process (`NGROUPS_MAX`).
const GROUPS: usize = 65_536;

/// The supplementary groups of the process at the other end (`SO_PEERGROUPS`), as they were when it
/// connected.
///
/// # Errors
/// When it is no connected Unix socket.
pub fn groups_of(stream: impl AsFd) -> Result<Vec<u32>, ReadError> {
    let mut groups = vec![0_u32; 64];
    loop {
        let bytes = groups.len() * size_of::<u32>();
        let mut len = libc::socklen_t::try_from(bytes).unwrap_or(libc::socklen_t::MAX);
        // SAFETY: `groups` is room for `len` bytes, both outlive the call, and the descriptor is
        // borrowed and so open for as long as it lasts.
        let answer = unsafe {
            libc::getsockopt(
                stream.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        let needed = usize::try_from(len).unwrap_or(0) / size_of::<u32>();
        if answer == 0 {
            groups.truncate(needed);
            return Ok(groups);
        }
        let errno = std::io::Error::last_os_error();
        match Errno::from_io_error(&errno) {
            // The kernel says how much room it needs.
            Some(Errno::RANGE) if needed > groups.len() && needed <= GROUPS => {
                groups.resize(needed, 0);
            }
            errno => return Err(errno.unwrap_or(Errno::INVAL).into()),
        }
    }
}

/// `SO_PEERPIDFD`, since Linux 6.5 (include/uapi/asm-generic/socket.h).
const SO_PEERPIDFD: libc::c_int = 77;

/// The process at the other end itself, not its number: by `SO_PEERPIDFD`, which cannot be mistaken,
/// and before Linux 6.5 by opening the peer's pid, which must be done while it cannot have been given
/// away: at once, and by a caller who then asks for the peer's start time.
///
/// # Errors
/// [`ReadError::Gone`] when it has ended or is in another pid namespace.
pub fn pidfd_of(stream: impl AsFd) -> Result<OwnedFd, ReadError> {
    let mut raw: libc::c_int = -1;
    let mut len = 4;
    // SAFETY: `raw` is room for `len` bytes, both outlive the call, and the descriptor is borrowed
    // and so open for as long as it lasts.
    let answer = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut raw).cast(),
            &raw mut len,
        )
    };
    if answer == 0 && raw >= 0 {
        // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
        return Ok(unsafe { OwnedFd::from_raw_fd(raw) });
    }
    // Only a kernel that does not know the option: one that does has said that the process is gone.
    let errno = std::io::Error::last_os_error();
    match Errno::from_io_error(&errno) {
        Some(Errno::NOPROTOOPT) => {}
        errno => return Err(errno.unwrap_or(Errno::INVAL).into()),
    }
    let peer = peer_of(&stream)?;
    let pid = rustix::process::Pid::from_raw(peer.pid).ok_or(ReadError::Gone)?;
    Ok(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?)
}

/// The first socket that systemd opened for this process (sd_listen_fds(3)), if it listens on a Unix
/// socket. To be asked once, at the start and before threads: it takes the variables that name it away.
#[must_use]
pub fn inherited_socket() -> Option<UnixListener> {
    /// `SD_LISTEN_FDS_START`
    const FIRST: i32 = 3;
    let meant = std::env::var("LISTEN_PID").ok()?.parse() == Ok(crate::own::own_pid());
    let count: u32 = std::env::var("LISTEN_FDS").ok()?.parse().ok()?;
    if !meant || count == 0 {
        return None;
    }
    // SAFETY: systemd left this descriptor open for this process alone, and nobody else here knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(FIRST) };
    let is_listening = rustix::net::sockopt::socket_acceptconn(&socket).unwrap_or(false);
    let is_unix = rustix::net::sockopt::socket_domain(&socket) == Ok(AddressFamily::UNIX);
    if !(is_listening && is_unix) {
        return None;
    }
    // What this process starts must not inherit it.
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(UnixListener::from(socket))
}

/// Listens at `path`, for those whom `mode` lets write, with the group `gid` when one is given.
///
/// The socket is only ever open to fewer than that: it is created for its owner alone, then gets
/// its group, then its mode, and takes connections only after that. One left behind by a process
/// that ended is replaced.
///
/// # Errors
/// `EADDRINUSE` in [`ReadError::Other`] when somebody listens there, or when what is there is no
/// socket; [`ReadError::Gone`] without the directory; [`ReadError::Forbidden`] without the right to
/// write to it or to give the socket to that group.
pub fn listen_at(path: &Path, mode: u16, gid: Option<u32>) -> Result<UnixListener, ReadError> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Linux gives the file the mode of the socket, less the umask.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            remove_stale(path, &address)?;
            bind(&socket, &address)?;
        }
        answer => answer?,
    }
    if let Some(gid) = gid {
        chownat(CWD, path, None, Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    chmod(path, Mode::from_raw_mode(u32::from(mode)))?;
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Removes a socket nobody listens on. Of two processes that start at once the later one wins.
fn remove_stale(path: &Path, address: &SocketAddrUnix) -> Result<(), ReadError> {
    let found = rustix::fs::lstat(path)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(Errno::ADDRINUSE.into());
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&probe, address) {
        Err(Errno::CONNREFUSED) => Ok(unlink(path)?),
        // A full queue has somebody behind it as well.
        _ => Err(Errno::ADDRINUSE.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_peer_of_a_connection_is_its_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = listen_at(&path, 0o660, None).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        let (server, _) = listener.accept().unwrap();
        let own = Peer {
            pid: crate::own::own_pid(),
            uid: crate::own::own_uid(),
            gid: rustix::process::getegid().as_raw(),
        };
        assert_eq!(peer_of(&server), Ok(own));
    }

    #[test]
    fn the_peer_is_known_by_its_groups_and_by_itself() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let own = rustix::process::getgroups().unwrap();
        let own: Vec<_> = own.into_iter().map(Gid::as_raw).collect();
        assert_eq!(groups_of(&ours), Ok(own));
        let pidfd = pidfd_of(&theirs).unwrap();
        let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
        let pid = about.lines().find_map(|l| l.strip_prefix("Pid:")).unwrap();
        assert_eq!(pid.trim().parse(), Ok(crate::own::own_pid()));
    }

    #[test]
    fn what_is_no_connection_has_no_peer() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(peer_of(&file), Err(ReadError::Other(Errno::NOTSOCK)));
        let (kind, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
        let lonely = socket_with(AddressFamily::UNIX, kind, flags, None).unwrap();
        assert!(matches!(peer_of(&lonely), Err(ReadError::Malformed { .. })));
    }

    #[test]
    fn the_socket_has_its_mode_and_group() {
        let dir = tempfile::tempdir().unwrap();
        let own = rustix::process::getegid().as_raw();
        for mode in [0o600, 0o660, 0o666] {
            let path = dir.path().join(format!("{mode:o}"));
            let _listener = listen_at(&path, mode, Some(own)).unwrap();
            let metadata = fs::metadata(&path).unwrap();
            assert!(metadata.file_type().is_socket());
            assert_eq!((metadata.mode() & 0o7777, metadata.gid()), (u32::from(mode), own));
        }
    }

    #[test]
    fn a_socket_is_its_owners_alone_from_the_moment_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let (kind, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
        let socket = socket_with(AddressFamily::UNIX, kind, flags, None).unwrap();
        fchmod(&socket, Mode::RUSR | Mode::WUSR).unwrap();
        bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o177, 0);
    }

    #[test]
    fn a_socket_left_behind_is_replaced_and_a_used_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        drop(listen_at(&path, 0o600, None).unwrap());
        assert!(path.exists());
        let listener = listen_at(&path, 0o600, None).unwrap();
        let refused = listen_at(&path, 0o600, None).map(drop);
        assert_eq!(refused, Err(ReadError::Other(Errno::ADDRINUSE)));
        UnixStream::connect(&path).unwrap();
        drop(listener);
    }

    #[test]
    fn what_is_no_socket_is_left_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "kept").unwrap();
        let refused = listen_at(&path, 0o600, None).map(drop);
        assert_eq!(refused, Err(ReadError::Other(Errno::ADDRINUSE)));
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        let nowhere = listen_at(&dir.path().join("no/socket"), 0o600, None).map(drop);
        assert_eq!(nowhere, Err(ReadError::Gone));
    }
}
