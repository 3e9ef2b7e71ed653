//! A filter in the kernel, so that what concerns nobody wakes nobody (socket(7), `SO_ATTACH_FILTER`;
//! Documentation/networking/filter.rst).
//!
//! Linux 6.6 can select kinds of events by itself. This does it on every kernel, and leaves out
//! threads as well, of which a database starts and ends hundreds.

use core::mem::size_of;

use rustix::fd::{AsRawFd as _, BorrowedFd};
use rustix::io::Errno;

use super::Kind;
use super::message::{ANSWER, DATA, EVENT};

/// The instructions by which the program ends.
const DROP: u8 = 8;
const PASS: u8 = 9;

/// Lets through the answers to requests, and these kinds for processes but not for threads.
fn program(kinds: &[Kind]) -> [libc::sock_filter; 10] {
    let is_fork = |kind: &&Kind| **kind == Kind::Fork;
    let mask = |kinds: &mut dyn Iterator<Item = &Kind>| kinds.fold(0, |all, k| all | k.what());
    let forks = mask(&mut kinds.iter().filter(is_fork));
    let others = mask(&mut kinds.iter().filter(|kind| !is_fork(kind)));
    [
        load(EVENT),
        when(1, libc::BPF_JEQ, ANSWER, PASS, 2),
        // The thread that forked is told of where others have the one it happened to.
        when(2, libc::BPF_JSET, forks, PASS, 3),
        when(3, libc::BPF_JSET, others, 4, DROP),
        load(DATA),
        instruction(libc::BPF_MISC | libc::BPF_TAX, 0, 0, 0),
        load(DATA + 4),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_X, PASS - 8, DROP - 8, 0),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
    ]
}

/// Loads the four bytes there.
fn load(offset: usize) -> libc::sock_filter {
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

/// Compares what was loaded with a value and goes on at `yes` or `no`; this one stands at `at`.
fn when(at: u8, comparison: u32, value: u32, yes: u8, no: u8) -> libc::sock_filter {
    // The filter takes what it loads for big-endian; the message is in the machine's order.
    let value = u32::from_be_bytes(value.to_ne_bytes());
    let code = libc::BPF_JMP | comparison | libc::BPF_K;
    instruction(code, yes - at - 1, no - at - 1, value)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt, jf, k }
}

/// Puts the filter before the socket's queue.
pub(super) fn attach(socket: BorrowedFd<'_>, kinds: &[Kind]) -> Result<(), Errno> {
    let mut instructions = program(kinds);
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).unwrap_or(0),
        filter: instructions.as_mut_ptr(),
    };
    let size = libc::socklen_t::try_from(size_of::<libc::sock_fprog>()).unwrap_or(0);
    // SAFETY: `program` and the instructions it points to outlive the call, which copies them; the
    // lengths are theirs, and the descriptor is borrowed and so open for as long as it lasts.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    if answer == 0 {
        return Ok(());
    }
    let errno = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL))
}
