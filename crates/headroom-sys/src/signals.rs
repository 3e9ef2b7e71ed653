//! Signals to the guard, taken as something to read instead of an interruption (signalfd(2)).

use core::mem::MaybeUninit;

use rustix::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd};
use rustix::io::Errno;

use crate::error::ReadError;

/// The size of `struct signalfd_siginfo`; its first four bytes are the signal's number.
const SIGINFO: usize = 128;

/// What a signal asks of the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caught {
    /// SIGTERM or SIGINT: end in order.
    Stop,
    /// SIGHUP: read the policy again.
    Reload,
}

/// SIGTERM, SIGINT and SIGHUP, readable when one is there.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks the three signals in the calling thread, and so in every thread it starts later, and
    /// has them read from here. Call it before any thread is started: one that does not block them
    /// would still be ended by them.
    ///
    /// # Errors
    /// When the process has too many files open.
    pub fn block() -> Result<Self, ReadError> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the set it is given a valid pointer to, and the calls
        // after it only use that initialised set.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            set.assume_init()
        };
        // SAFETY: `set` is an initialised set that outlives the call, and the old mask is not asked
        // for.
        let answer = unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, core::ptr::null_mut())
        };
        if answer != 0 {
            return Err(Errno::from_raw_os_error(answer).into());
        }
        // SAFETY: `set` is an initialised set that outlives the call, and -1 asks for a new file.
        let fd =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            let errno = std::io::Error::last_os_error();
            return Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL).into());
        }
        // SAFETY: the kernel has just given this descriptor to us, and nobody else knows of it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal that came, if one did. Hot; never waits.
    #[must_use]
    pub fn take(&self) -> Option<Caught> {
        let mut info = [0; SIGINFO];
        let read = rustix::io::read(&self.0, &mut info).ok()?;
        let number = info.first_chunk().filter(|_| read == SIGINFO)?;
        match i32::from_ne_bytes(*number) {
            libc::SIGHUP => Some(Caught::Reload),
            _ => Some(Caught::Stop),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raise(signal: i32) {
        // SAFETY: raise sends the signal to the calling thread, which blocks it.
        assert_eq!(unsafe { libc::raise(signal) }, 0);
    }

    #[test]
    fn signals_are_read_one_after_another() {
        let signals = Signals::block().unwrap();
        assert_eq!(signals.take(), None);
        raise(libc::SIGHUP);
        assert_eq!(signals.take(), Some(Caught::Reload));
        raise(libc::SIGTERM);
        assert_eq!(signals.take(), Some(Caught::Stop));
        raise(libc::SIGINT);
        assert_eq!(signals.take(), Some(Caught::Stop));
        assert_eq!(signals.take(), None);
    }
}
