//! One process to be ended, stopped or resumed, held so that no other can be hit in its place.

use core::time::Duration;

use headroom_core::snapshot::ProcessId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::error::ReadError;
use crate::proc::Proc;

/// How often `process_mrelease` is called again when it could take back only a part.
const REAP_ATTEMPTS: usize = 8;

/// A process held by a pidfd (pidfd_open(2), Linux 5.3), its identity checked.
///
/// While it is held its pid may be given to another process, but a signal sent here never reaches
/// that one. All of its methods but [`reap`](Self::reap) are hot.
#[derive(Debug)]
pub struct Target {
    pidfd: OwnedFd,
    id: ProcessId,
}

impl Target {
    /// Takes hold of the process, then checks that it is the one that was meant: the start time is
    /// read only when the pidfd is already held, so that the pid cannot change hands in between.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it ended or its pid is another's; [`ReadError::Malformed`] when
    /// `proc` is not the running kernel's own, so that its pids mean nothing here; `ENOSYS` in
    /// [`ReadError::Other`] before Linux 5.3.
    pub fn open(proc: &mut Proc, id: ProcessId) -> Result<Self, ReadError> {
        // One that is held ready was checked when it was taken hold of.
        let pidfd = match proc.take_pidfd(id) {
            Some(pidfd) => pidfd,
            None => hold(proc, id)?,
        };
        Ok(Self { pidfd, id })
    }

    /// The same process once more, for another thread (fcntl(2) `F_DUPFD_CLOEXEC`).
    ///
    /// # Errors
    /// `EMFILE` in [`ReadError::Other`] when no descriptor is left.
    pub fn try_clone(&self) -> Result<Self, ReadError> {
        let pidfd = self.pidfd.try_clone().map_err(|error| {
            ReadError::Other(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
        })?;
        Ok(Self { pidfd, id: self.id })
    }

    /// Which process it is.
    #[must_use]
    pub const fn id(&self) -> ProcessId {
        self.id
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it has ended and been waited for, [`ReadError::Forbidden`] for
    /// another user's process without `CAP_KILL`.
    pub fn terminate(&self) -> Result<(), ReadError> {
        self.send(Signal::TERM)
    }

    /// Ends it (SIGKILL).
    ///
    /// # Errors
    /// As [`terminate`](Self::terminate).
    pub fn kill(&self) -> Result<(), ReadError> {
        self.send(Signal::KILL)
    }

    /// Stops it where it is (SIGSTOP), with all that it holds.
    ///
    /// # Errors
    /// As [`terminate`](Self::terminate).
    pub fn stop(&self) -> Result<(), ReadError> {
        self.send(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// As [`terminate`](Self::terminate).
    pub fn resume(&self) -> Result<(), ReadError> {
        self.send(Signal::CONT)
    }

    /// Takes back the memory of a process that has been sent SIGKILL, on this thread's time and
    /// before the process itself gets round to it (process_mrelease(2), Linux 5.15). The one method that may
    /// take long: it waits for the process's mmap lock.
    ///
    /// A process whose memory is already on its way is no error.
    ///
    /// # Errors
    /// `ENOSYS` in [`ReadError::Other`] on an older kernel; `EINVAL` when it is not dying, is
    /// dumping core, or shares its memory with a process that lives; `EAGAIN` when a part remained
    /// after several attempts, which its own exit then frees.
    pub fn reap(&self) -> Result<(), ReadError> {
        let mut answer = Errno::AGAIN;
        for _ in 0..REAP_ATTEMPTS {
            match mrelease(self.pidfd.as_fd()) {
                Ok(()) | Err(Errno::SRCH) => return Ok(()),
                Err(errno @ (Errno::AGAIN | Errno::INTR)) => answer = errno,
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(answer.into())
    }

    /// Whether all its threads have ended. Its memory may take a moment longer to be free.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        has_ended(&self.pidfd)
    }

    /// Waits for its end, at most that long, and says whether it has come.
    #[must_use]
    pub fn ends_within(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).ok();
        let mut watched = [PollFd::new(&self.pidfd, PollFlags::IN)];
        retry_on_intr(|| poll(&mut watched, limit.as_ref())).is_ok_and(|ready| ready > 0)
    }

    fn send(&self, signal: Signal) -> Result<(), ReadError> {
        Ok(pidfd_send_signal(&self.pidfd, signal)?)
    }
}

/// Readable when the process has ended.
impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Opens the pidfd, then checks whose it is.
pub(crate) fn hold(proc: &mut Proc, id: ProcessId) -> Result<OwnedFd, ReadError> {
    if !proc.is_live() {
        return Err(ReadError::Malformed { what: "this /proc is not the running kernel's" });
    }
    if id.pid <= 0 {
        return Err(ReadError::Gone);
    }
    let pid = Pid::from_raw(id.pid).ok_or(ReadError::Gone)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    if proc.stat(id.pid)?.start_ticks != id.start_ticks {
        return Err(ReadError::Gone);
    }
    Ok(pidfd)
}

/// Whether all threads of the process behind a pidfd have ended.
pub(crate) fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut watched = [PollFd::new(pidfd, PollFlags::IN)];
    let now = Timespec::default();
    retry_on_intr(|| poll(&mut watched, Some(&now))).is_ok_and(|ready| ready > 0)
}

/// `process_mrelease(pidfd, 0)`, which rustix does not have.
fn mrelease(pidfd: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the call takes a file descriptor and flags by value and touches no memory of this
    // process; the descriptor is borrowed and so open for as long as the call lasts.
    let answer = unsafe { libc::syscall(libc::SYS_process_mrelease, pidfd.as_raw_fd(), 0) };
    if answer == 0 {
        return Ok(());
    }
    let errno = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::{Child, Command};

    /// A child that ends with its test, whatever the test does.
    struct Sleeper(Child);

    impl Sleeper {
        fn start() -> Self {
            Self(Command::new("sleep").arg("600").spawn().unwrap())
        }

        fn id(&self, proc: &mut Proc) -> ProcessId {
            let pid = i32::try_from(self.0.id()).unwrap();
            ProcessId { pid, start_ticks: proc.stat(pid).unwrap().start_ticks }
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A target on a fresh child; `None` where there are no pidfds, and then that is what is said.
    fn target() -> Option<(Sleeper, Target, Proc)> {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let child = Sleeper::start();
        let id = child.id(&mut proc);
        match Target::open(&mut proc, id) {
            Ok(target) => Some((child, target, proc)),
            Err(error) => {
                assert!(
                    matches!(error, ReadError::Other(Errno::NOSYS) | ReadError::Forbidden),
                    "{error}"
                );
                None
            }
        }
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_pid_in_other_hands_is_gone() {
        let Some((child, target, mut proc)) = target() else { return };
        let id = child.id(&mut proc);
        assert_eq!(target.id(), id);
        let earlier = ProcessId { start_ticks: id.start_ticks - 1, ..id };
        assert_eq!(Target::open(&mut proc, earlier).err(), Some(ReadError::Gone));
        for pid in [0, -1, i32::MIN, i32::MAX] {
            let nobody = ProcessId { pid, start_ticks: 0 };
            assert!(Target::open(&mut proc, nobody).is_err(), "{pid}");
        }
        assert!(!target.has_ended());
    }

    #[test]
    fn no_signal_follows_from_a_captured_tree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/linux-6.18");
        let mut proc = Proc::open(&root).unwrap();
        let id = ProcessId { pid: 4242, start_ticks: proc.stat(4242).unwrap().start_ticks };
        assert!(matches!(Target::open(&mut proc, id), Err(ReadError::Malformed { .. })));
    }

    #[test]
    fn a_terminated_process_ends_and_then_is_gone() {
        let Some((mut child, target, mut proc)) = target() else { return };
        assert!(!target.has_ended());
        assert_eq!(target.terminate(), Ok(()));
        assert!(target.ends_within(LONG));
        assert!(target.has_ended());
        child.0.wait().unwrap();
        assert_eq!(target.kill(), Err(ReadError::Gone));
        assert_eq!(target.reap(), Ok(()), "its memory is long back");
        assert_eq!(Target::open(&mut proc, target.id()).err(), Some(ReadError::Gone));
    }

    #[test]
    fn a_stopped_process_says_so_and_goes_on_when_resumed() {
        let Some((child, target, mut proc)) = target() else { return };
        let pid = child.id(&mut proc).pid;
        let mut wait_until = |stopped: bool| {
            for _ in 0..30_000 {
                if proc.stat(pid).unwrap().is_stopped() == stopped {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            false
        };
        assert_eq!(target.stop(), Ok(()));
        assert!(wait_until(true));
        assert_eq!(target.resume(), Ok(()));
        assert!(wait_until(false));
    }

    #[test]
    fn memory_is_taken_back_from_the_dying_only() {
        let Some((_child, target, _proc)) = target() else { return };
        let living = target.reap();
        assert!(
            matches!(living, Err(ReadError::Other(Errno::INVAL | Errno::NOSYS)))
                || living == Err(ReadError::Forbidden),
            "{living:?}"
        );
        assert_eq!(target.kill(), Ok(()));
        if living == Err(ReadError::Other(Errno::INVAL)) {
            assert_eq!(target.reap(), Ok(()));
        }
        assert!(target.ends_within(LONG));
    }
}
