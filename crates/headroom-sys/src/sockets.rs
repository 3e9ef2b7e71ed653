//! Who is at the other end of a Unix socket that is another process's (sock_diag(7), net/unix/diag.c).

use rustix::fd::OwnedFd;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

use crate::error::ReadError;

/// `struct nlmsghdr`.
const NETLINK_HEADER: usize = 16;
/// `struct unix_diag_req`, and with its header.
const REQUEST: usize = NETLINK_HEADER + 24;
/// `struct unix_diag_msg`, with its header.
const MESSAGE: usize = NETLINK_HEADER + 16;
/// Room for one answer: a name has 108 bytes at the most.
const BUFFER: usize = 1024;
/// Answers to earlier questions that may stand before the one that is waited for.
const STALE: u32 = 16;

/// `SOCK_DIAG_BY_FAMILY` of include/uapi/linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST`.
const IS_REQUEST: u16 = 1;
/// `UDIAG_SHOW_NAME | UDIAG_SHOW_PEER` of include/uapi/linux/unix_diag.h.
const SHOW: u32 = 1 | 4;
/// `UNIX_DIAG_NAME` and `UNIX_DIAG_PEER`.
const NAME: u16 = 0;
const PEER: u16 = 2;

/// One Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// It carries a stream: no datagrams.
    pub is_stream: bool,
    /// The inode of the one at the other end, while there is one.
    pub peer: Option<u32>,
    /// Its name begins with this: of one that was accepted that of the socket it connected to. Zeroes follow.
    pub name: [u8; 32],
}

/// Asks about Unix sockets by their inodes, as `/proc/PID/fd` shows them. Hot.
#[derive(Debug)]
pub struct UnixSockets {
    socket: OwnedFd,
    buffer: Box<[u8]>,
    number: u32,
}

impl UnixSockets {
    /// Opens the way to ask.
    ///
    /// # Errors
    /// When the kernel was built without sock_diag.
    pub fn open() -> Result<Self, ReadError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
        Ok(Self { socket, buffer: vec![0; BUFFER].into(), number: 0 })
    }

    /// The socket of that inode; `None` when it is no Unix socket, or is closed, or the kernel was built without
    /// `CONFIG_UNIX_DIAG`.
    ///
    /// # Errors
    /// What else the kernel answers, which is not expected.
    pub fn find(&mut self, inode: u32) -> Result<Option<UnixSocket>, ReadError> {
        self.number = self.number.wrapping_add(1);
        let request = request(inode, self.number);
        let kernel = SocketAddrNetlink::new(0, 0);
        retry_on_intr(|| sendto(&self.socket, &request, SendFlags::empty(), &kernel))?;
        // The kernel has answered before the call came back.
        for _ in 0..STALE {
            let received =
                retry_on_intr(|| recv(&self.socket, &mut *self.buffer, RecvFlags::DONTWAIT));
            let len = received.map_err(ReadError::from)?.0;
            let answer = self.buffer.get(..len).unwrap_or_default();
            if word(answer, 8) == Some(self.number) {
                return read(answer);
            }
        }
        Err(ReadError::Malformed { what: "no answer about a socket" })
    }
}

/// The question about one inode.
fn request(inode: u32, number: u32) -> [u8; REQUEST] {
    let mut message = [0; REQUEST];
    let len = u32::try_from(REQUEST).unwrap_or_default();
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in message.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, &len.to_ne_bytes());
    put(4, &BY_FAMILY.to_ne_bytes());
    put(6, &IS_REQUEST.to_ne_bytes());
    put(8, &number.to_ne_bytes());
    put(NETLINK_HEADER, &[1]); // AF_UNIX
    put(NETLINK_HEADER + 8, &inode.to_ne_bytes());
    put(NETLINK_HEADER + 12, &SHOW.to_ne_bytes());
    // `INET_DIAG_NOCOOKIE`, twice.
    put(NETLINK_HEADER + 16, &[0xff; 8]);
    message
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// What an answer says.
fn read(answer: &[u8]) -> Result<Option<UnixSocket>, ReadError> {
    let short = ReadError::Malformed { what: "an answer about a socket that is too short" };
    match half(answer, 4).ok_or(short)? {
        ERROR => {
            let error = word(answer, NETLINK_HEADER).ok_or(short)?;
            match error.wrapping_neg() {
                // libc::ENOENT
                2 => Ok(None),
                errno => Err(Errno::from_raw_os_error(i32::try_from(errno).unwrap_or(1)).into()),
            }
        }
        BY_FAMILY => {
            let kind = *answer.get(NETLINK_HEADER + 1).ok_or(short)?;
            let mut found = UnixSocket { is_stream: kind == 1, peer: None, name: [0; 32] };
            let mut rest = answer.get(MESSAGE..).ok_or(short)?;
            while let (Some(len), Some(kind)) = (half(rest, 0), half(rest, 2)) {
                let len = usize::from(len);
                let Some(value) = rest.get(4..len) else { break };
                match kind {
                    NAME => found.name.iter_mut().zip(value).for_each(|(to, from)| *to = *from),
                    PEER => found.peer = word(value, 0).filter(|inode| *inode != 0),
                    _ => {}
                }
                // Each begins at a multiple of four.
                rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
            }
            Ok(Some(found))
        }
        _ => Err(ReadError::Malformed { what: "an answer that is none about a socket" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    fn inode(of: impl std::os::fd::AsFd) -> u32 {
        let file = std::fs::File::from(of.as_fd().try_clone_to_owned().unwrap());
        u32::try_from(file.metadata().unwrap().ino()).unwrap()
    }

    #[test]
    fn both_ends_of_a_connection_are_found_by_their_inodes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let (server, _) = listener.accept().unwrap();
        let mut sockets = UnixSockets::open().unwrap();
        let far = sockets.find(inode(&client)).unwrap().unwrap();
        assert_eq!((far.peer, far.is_stream), (Some(inode(&server)), true));
        let near = sockets.find(inode(&server)).unwrap().unwrap();
        assert_eq!(near.peer, Some(inode(&client)));
        let name = path.as_os_str().as_encoded_bytes();
        let same = name.len().min(near.name.len());
        assert_eq!(near.name[..same], name[..same], "the name it was accepted by");
        drop(server);
        assert_eq!(sockets.find(inode(&client)).unwrap().unwrap().peer, None, "nobody is there");
    }

    #[test]
    fn what_is_no_unix_socket_is_not_found() {
        let mut sockets = UnixSockets::open().unwrap();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(sockets.find(inode(&tcp)), Ok(None));
        assert_eq!(sockets.find(inode(tempfile::tempfile().unwrap())), Ok(None));
        let (datagrams, _other) = UnixDatagram::pair().unwrap();
        assert!(!sockets.find(inode(&datagrams)).unwrap().unwrap().is_stream);
    }

    #[test]
    fn a_torn_answer_is_an_error_and_no_panic() {
        let mut answer = [0; MESSAGE];
        answer[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        for attribute in [&[8_u8, 0, 2, 0, 7, 0, 0, 0][..], &[200, 0, 2, 0, 7], &[0, 0, 0, 0]] {
            let whole = [&answer[..], attribute].concat();
            for len in 0..whole.len() {
                let _nothing_or_an_error = read(&whole[..len]);
            }
        }
        let whole = [&answer[..], &[8, 0, 2, 0, 7, 0, 0, 0]].concat();
        assert_eq!(read(&whole).unwrap().unwrap().peer, Some(7));
    }
}
