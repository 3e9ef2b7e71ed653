//! The proc connector: the kernel tells of each exec, change of user and end as it happens
//! (Documentation/driver-api/connector.rst, include/uapi/linux/cn_proc.h).

mod filter;
mod message;
#[cfg(test)]
mod tests;

use core::fmt;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{CONNECTOR, SocketAddrNetlink};
use rustix::net::sockopt::{
    set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, socket_recv_buffer_size,
};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto,
    socket_with,
};

use crate::error::ReadError;
use crate::own;
use message::{Found, Messages, Wanted, request};

/// The multicast group of process events (`CN_IDX_PROC`).
const GROUP: u32 = libc::CN_IDX_PROC;

/// What is asked of the kernel for messages that wait to be read, in bytes. It grants twice that and
/// counts nearly 1 KiB a message, so that some 8,000 fit: more than a second of 1,000 programs
/// started each second. Memory is taken only by what waits.
const QUEUE: usize = 4 << 20;

/// Room for one datagram: a message has 76 bytes, and one datagram holds one on every kernel so far.
const BUFFER: usize = 4096;

/// Messages of others that may stand before the kernel's answer to the request.
const BEFORE_THE_ANSWER: usize = 10_000;

/// What can be told of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was forked. Threads are not told of.
    Fork,
    /// It runs another program.
    Exec,
    /// Its real or effective user changed.
    Uid,
    /// It began a session.
    Sid,
    /// It changed its name by `prctl(2)` or through `/proc`; an exec does not say so.
    Comm,
    /// Its first thread ended. Where others go on the process does, which is rare.
    Exit,
}

/// One thing that happened. Pids are those of processes, never of single threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something happened to a process.
    Happened {
        /// What.
        kind: Kind,
        /// To whom: the child in case of a fork.
        pid: i32,
    },
    /// Messages were lost: whoever relies on them has to look at all processes again.
    Lost,
}

/// Why process events cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The kind of failure.
    pub error: ReadError,
    /// Its likely cause and so what to do.
    pub why: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

impl core::error::Error for Refused {}

/// A listener to process events, readable when there are some. It never waits.
///
/// What the kernel could not queue is told as [`Event::Lost`]. When it finds no memory for a
/// message at all it drops it and tells nobody, so that a look at all processes now and then is
/// needed all the same.
#[derive(Debug)]
pub struct Connector {
    socket: OwnedFd,
    buffer: Box<[u8]>,
    /// What of the buffer is yet to be read.
    left: core::ops::Range<usize>,
}

impl Connector {
    /// Begins to listen to these kinds of events. A filter in the kernel keeps all others, and
    /// those of single threads, from waking anybody.
    ///
    /// # Errors
    /// With the reason: no `CAP_NET_ADMIN` (needed before Linux 6.6), a network, user or pid
    /// namespace of its own, or a kernel built without `CONFIG_PROC_EVENTS`.
    pub fn open(kinds: &[Kind]) -> Result<Self, Refused> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::DGRAM;
        let socket =
            socket_with(AddressFamily::NETLINK, kind, flags, Some(CONNECTOR)).map_err(refused)?;
        // More is better, none of it is needed.
        if set_socket_recv_buffer_size_force(&socket, QUEUE).is_err() {
            let _as_large_as_allowed = set_socket_recv_buffer_size(&socket, QUEUE);
        }
        // Without a filter the messages come all the same, and are read only to be dropped.
        let _unfiltered = filter::attach(socket.as_fd(), kinds);
        bind(&socket, &SocketAddrNetlink::new(0, GROUP)).map_err(refused)?;
        let mut connector = Self { socket, buffer: vec![0; BUFFER].into(), left: 0..0 };
        connector.ask(Wanted::Listen).map_err(refused)?;
        connector.await_answer()?;
        Ok(connector)
    }

    /// The next event; `None` when there is none now. Hot.
    ///
    /// # Errors
    /// What the kernel answers, which of a socket once open is not expected.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            match self.next_found()? {
                Some(Found::Event(event)) => return Ok(Some(event)),
                Some(Found::Answer { .. }) => {}
                None => return Ok(None),
            }
        }
    }

    /// How many bytes of messages may wait, in the kernel's counting; `None` when it does not say.
    #[must_use]
    pub fn queue_bytes(&self) -> Option<usize> {
        socket_recv_buffer_size(&self.socket).ok()
    }

    fn next_found(&mut self) -> Result<Option<Found>, ReadError> {
        loop {
            let mut messages = Messages::new(self.buffer.get(self.left.clone()).unwrap_or(&[]));
            let found = messages.next();
            self.left.start = self.left.end - messages.left();
            if found.is_some() {
                return Ok(found);
            }
            let socket = &self.socket;
            let buffer = &mut *self.buffer;
            match retry_on_intr(|| recvfrom(socket, &mut *buffer, RecvFlags::empty())) {
                Ok((len, _, sender)) => {
                    // Anybody with the right to may send to the group; only the kernel is believed.
                    let sender = sender.and_then(|s| SocketAddrNetlink::try_from(s).ok());
                    let is_kernel = sender.is_some_and(|sender| sender.pid() == 0);
                    self.left = 0..if is_kernel { len } else { 0 };
                }
                Err(Errno::NOBUFS) => return Ok(Some(Found::Event(Event::Lost))),
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn ask(&self, what: Wanted) -> Result<(), Errno> {
        let kernel = SocketAddrNetlink::new(0, 0);
        let message = request(what, own_number());
        sendto(&self.socket, &message, SendFlags::empty(), &kernel).map(drop)
    }

    /// The kernel answers while it takes the request, or not at all.
    fn await_answer(&mut self) -> Result<(), Refused> {
        for _ in 0..BEFORE_THE_ANSWER {
            match self.next_found() {
                Ok(Some(Found::Answer { number, error: 0 })) if number == own_number() => {
                    return Ok(());
                }
                Ok(Some(Found::Answer { number, error })) if number == own_number() => {
                    let errno = i32::try_from(error).unwrap_or(libc::EINVAL);
                    return Err(refused(Errno::from_raw_os_error(errno)));
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return Err(Refused { error, why: "its answer cannot be read" }),
            }
        }
        let why = if !own::in_initial_user_namespace() {
            "it tells nothing in a user namespace"
        } else if !own::in_initial_pid_namespace() {
            "it tells nothing in a pid namespace"
        } else {
            "this kernel has no process events (CONFIG_PROC_EVENTS)"
        };
        Err(Refused { error: ReadError::Gone, why })
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        // Kernels before 6.6 count listeners by their words alone, not by their sockets.
        let _nobody_else_can = self.ask(Wanted::Ignore);
    }
}

impl AsFd for Connector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The number by which this process knows the answer to its request from those to others'.
fn own_number() -> u32 {
    own::own_pid().unsigned_abs()
}

fn refused(errno: Errno) -> Refused {
    let why = match errno {
        Errno::PERM | Errno::ACCESS => "no CAP_NET_ADMIN",
        Errno::CONNREFUSED => "it tells nothing in a network namespace",
        Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT => {
            "this kernel has no connector (CONFIG_CONNECTOR), or netlink is forbidden here"
        }
        _ => "the kernel refused it",
    };
    Refused { error: errno.into(), why }
}
