//! What goes over the wire: `nlmsghdr`, `cn_msg` and `proc_event` in the machine's own byte order
//! (include/uapi/linux/netlink.h, connector.h, cn_proc.h).

use super::{Event, Kind};

/// `struct nlmsghdr`.
const NETLINK_HEADER: usize = 16;
/// `struct cn_msg`, without its data.
const CONNECTOR_HEADER: usize = 20;
/// Where `struct proc_event` begins.
pub(super) const EVENT: usize = NETLINK_HEADER + CONNECTOR_HEADER;
/// Where its `event_data` does: after `what`, `cpu` and `timestamp_ns`.
pub(super) const DATA: usize = EVENT + 16;

/// `NLMSG_DONE`, the type all messages of the connector have.
const DONE: u16 = 3;
/// `NLMSG_OVERRUN`.
const OVERRUN: u16 = 4;

/// `PROC_EVENT_NONE`, the answer to a request.
pub(super) const ANSWER: u32 = 0;

impl Kind {
    /// All kinds there are.
    const ALL: [Self; 6] = [Self::Fork, Self::Exec, Self::Uid, Self::Sid, Self::Comm, Self::Exit];

    /// Its bit in `proc_event.what`.
    pub(super) const fn what(self) -> u32 {
        match self {
            Self::Fork => 0x1,
            Self::Exec => 0x2,
            Self::Uid => 0x4,
            Self::Sid => 0x80,
            Self::Comm => 0x200,
            Self::Exit => 0x8000_0000,
        }
    }
}

/// What is asked of the kernel (`enum proc_cn_mcast_op`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Listen = 1,
    Ignore = 2,
}

/// Where `cn_msg.ack` stands.
const ACK: usize = NETLINK_HEADER + 12;

/// The request, with a number that the answer bears.
///
/// It stands in `ack`, to which the kernel adds one. `seq` would not do: since Linux 4.8 answers are
/// numbered like all other messages (`send_msg` of drivers/connector/cn_proc.c).
pub(super) fn request(what: Wanted, number: u32) -> [u8; EVENT + 4] {
    let mut message = [0; EVENT + 4];
    let len = u32::try_from(message.len()).unwrap_or_default();
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in message.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, &len.to_ne_bytes());
    put(4, &DONE.to_ne_bytes());
    put(8, &number.to_ne_bytes());
    put(16, &libc::CN_IDX_PROC.to_ne_bytes());
    put(20, &libc::CN_VAL_PROC.to_ne_bytes());
    put(ACK, &number.to_ne_bytes());
    put(32, &4u16.to_ne_bytes());
    put(EVENT, &(what as u32).to_ne_bytes());
    message
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Event(Event),
    /// The answer to the request of that number: 0, or an errno.
    Answer {
        number: u32,
        error: u32,
    },
}

/// The messages of one datagram, those that concern nobody left out.
pub(super) struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    pub(super) const fn new(datagram: &'a [u8]) -> Self {
        Self(datagram)
    }

    /// How many bytes are yet to be read.
    pub(super) const fn left(&self) -> usize {
        self.0.len()
    }
}

impl Iterator for Messages<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let len = usize::try_from(word(self.0, 0)?).ok()?;
            let Some(message) = self.0.get(..len).filter(|m| m.len() >= NETLINK_HEADER) else {
                // Cut or garbled: where the next one begins cannot be known.
                self.0 = &[];
                return Some(Found::Event(Event::Lost));
            };
            // Each begins at a multiple of four.
            self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
            if let Some(found) = understand(message) {
                return Some(found);
            }
        }
    }
}

fn understand(message: &[u8]) -> Option<Found> {
    match half_word(message, 4)? {
        OVERRUN => return Some(Found::Event(Event::Lost)),
        DONE => {}
        _ => return None,
    }
    let is_of_processes =
        word(message, 16)? == libc::CN_IDX_PROC && word(message, 20)? == libc::CN_VAL_PROC;
    if !is_of_processes {
        return None;
    }
    let what = word(message, EVENT)?;
    if what == ANSWER {
        let number = word(message, ACK)?.wrapping_sub(1);
        return Some(Found::Answer { number, error: word(message, DATA)? });
    }
    let kind = Kind::ALL.into_iter().find(|kind| kind.what() == what)?;
    // A fork tells of the parent first. Both times the thread comes before its process.
    let at = if kind == Kind::Fork { DATA + 8 } else { DATA };
    let (thread, process) = (word(message, at)?, word(message, at + 4)?);
    let pid = i32::try_from(process).ok().filter(|pid| *pid > 0)?;
    (thread == process).then_some(Found::Event(Event::Happened { kind, pid }))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

fn half_word(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_ne_bytes(two.try_into().ok()?))
}
