//! Pressure stall information: averages, totals and triggers (Documentation/accounting/psi.rst).

use core::time::Duration;
use std::path::Path;

use headroom_core::snapshot::Pressure;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC};
use rustix::io::Errno;

use crate::cgroup::is_cgroup2;

use crate::error::ReadError;
use crate::text::{decimal, hundredths, words};

/// The two lines of a memory pressure file, while they are read.
#[derive(Default)]
pub(crate) struct PressureLines {
    some: Option<(u32, u64)>,
    full: Option<(u32, u64)>,
}

impl PressureLines {
    /// Takes one line: `some avg10=0.12 avg60=0.00 avg300=0.00 total=4711`.
    pub(crate) fn line(&mut self, line: &[u8]) {
        let mut fields = words(line);
        let slot = match fields.next() {
            Some(b"some") => &mut self.some,
            Some(b"full") => &mut self.full,
            _ => return,
        };
        let (mut avg10, mut total) = (None, None);
        for field in fields {
            if let Some(value) = field.strip_prefix(b"avg10=") {
                avg10 = hundredths(value);
            } else if let Some(value) = field.strip_prefix(b"total=") {
                total = decimal(value);
            }
        }
        *slot = avg10.zip(total);
    }

    /// What both lines said.
    pub(crate) fn finish(self) -> Result<Pressure, ReadError> {
        let (Some((some_avg10, some_total_us)), Some((full_avg10, full_total_us))) =
            (self.some, self.full)
        else {
            return Err(ReadError::Malformed { what: "pressure without a some and a full line" });
        };
        Ok(Pressure { some_avg10, full_avg10, some_total_us, full_total_us })
    }
}

/// Whether reading failed because this kernel keeps no pressure here: compiled out (no file), or
/// switched off at boot or for this cgroup (`EOPNOTSUPP`).
pub(crate) fn is_absent(error: ReadError) -> bool {
    matches!(error, ReadError::Gone | ReadError::Other(Errno::OPNOTSUPP))
}

/// Without `CAP_SYS_RESOURCE` a window must be a multiple of this: such triggers are served by the
/// worker that keeps the averages, every 2 s.
const UNPRIVILEGED_STEP: Duration = Duration::from_secs(2);

/// The shortest window before Linux 6.5.
const CLASSIC_MIN: Duration = Duration::from_millis(500);

/// The longest window there is.
const MAX: Duration = Duration::from_secs(10);

/// Which stalls a trigger counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// Times in which at least one task stalled.
    Some,
    /// Times in which all tasks that could run stalled.
    Full,
}

/// A trigger as the kernel took it. It lasts as long as its file is open.
///
/// It becomes ready for priority data (`POLLPRI`) at most once a window. `POLLERR` means that its
/// cgroup was removed.
#[derive(Debug)]
pub struct Trigger {
    /// What to wait on.
    pub fd: OwnedFd,
    /// The stall time in one window that makes it fire.
    pub stall_time: Duration,
    /// The window, which can be longer than was asked for: see [`trigger`].
    pub window: Duration,
}

impl AsFd for Trigger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Has the kernel watch a pressure file: `proc/pressure/memory`, or that of a cgroup.
///
/// A window this kernel or this process cannot have is replaced by the next longer one it can:
/// 500 ms at least before Linux 6.5, a multiple of 2 s without `CAP_SYS_RESOURCE`. The stall time
/// stays what it was: waking too often costs a look, waking too late costs the node. The
/// [`Trigger`] says which window was taken.
///
/// # Errors
/// [`ReadError::Gone`] without such a file; [`ReadError::Forbidden`] where an older kernel wants
/// privileges for any trigger; [`ReadError::Malformed`] when the file is not a kernel's, which
/// keeps captured trees as they are; `EOPNOTSUPP` when pressure is switched off; `EINVAL` when no
/// window would do.
pub fn trigger(
    root: &Path,
    file: &str,
    stall: Stall,
    stall_time: Duration,
    window: Duration,
) -> Result<Trigger, ReadError> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let path = root.join(file.trim_start_matches('/'));
    let fd = rustix::fs::open(&path, flags, Mode::empty())?;
    let is_procfs = rustix::fs::fstatfs(&fd).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
    if !is_procfs && !is_cgroup2(fd.as_fd()) {
        return Err(ReadError::Malformed { what: "not a pressure file of a kernel" });
    }
    let which = match stall {
        Stall::Some => "some",
        Stall::Full => "full",
    };
    let mut answer = Errno::INVAL;
    for window in windows(window) {
        // The kernel overwrites the last byte it is given with a zero.
        let text = format!("{which} {} {}\0", stall_time.as_micros(), window.as_micros());
        match rustix::io::write(&fd, text.as_bytes()) {
            Ok(_) => return Ok(Trigger { fd, stall_time, window }),
            Err(Errno::INVAL) => answer = Errno::INVAL,
            Err(errno) => {
                answer = errno;
                break;
            }
        }
    }
    Err(answer.into())
}

/// The windows to try, the wanted one first, each longer than the one before.
fn windows(wanted: Duration) -> impl Iterator<Item = Duration> {
    let steps = wanted.as_millis().div_ceil(UNPRIVILEGED_STEP.as_millis()).max(1);
    let steps = u32::try_from(steps).unwrap_or(u32::MAX);
    let unprivileged = UNPRIVILEGED_STEP.saturating_mul(steps).min(MAX);
    let mut last = Duration::ZERO;
    [wanted, CLASSIC_MIN, unprivileged].into_iter().filter(move |window| {
        let longer = *window > last;
        last = last.max(*window);
        longer
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn windows_grow_from_the_wanted_one_to_one_that_needs_no_privilege() {
        let tried = |ms| windows(Duration::from_millis(ms)).collect::<Vec<_>>();
        let ms = Duration::from_millis;
        assert_eq!(tried(100), [ms(100), ms(500), ms(2000)]);
        assert_eq!(tried(1000), [ms(1000), ms(2000)]);
        assert_eq!(tried(2000), [ms(2000)]);
        assert_eq!(tried(3000), [ms(3000), ms(4000)]);
        assert_eq!(tried(9500), [ms(9500), ms(10_000)]);
    }

    #[test]
    fn the_running_kernel_takes_a_trigger_or_says_why_not() {
        let stall_time = SECOND / 10;
        let file = "/proc/pressure/memory";
        match trigger(Path::new("/"), file, Stall::Some, stall_time, SECOND) {
            Ok(trigger) => {
                assert_eq!(trigger.stall_time, stall_time);
                assert!(trigger.window == SECOND || trigger.window == 2 * SECOND);
                let waiter = crate::wait::Waiter::new(1).unwrap();
                assert_eq!(waiter.add(&trigger, crate::wait::Interest::Priority, 0), Ok(()));
                let longer = SECOND * 20;
                let refused =
                    crate::psi::trigger(Path::new("/"), file, Stall::Full, stall_time, longer);
                assert_eq!(refused.err(), Some(ReadError::Other(Errno::INVAL)));
            }
            Err(error) => assert!(error == ReadError::Forbidden || is_absent(error), "{error}"),
        }
    }

    #[test]
    fn a_captured_pressure_file_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("memory"), "some").unwrap();
        let refused = trigger(root.path(), "memory", Stall::Full, SECOND / 10, SECOND);
        assert!(matches!(refused, Err(ReadError::Malformed { .. })));
        assert_eq!(std::fs::read(root.path().join("memory")).unwrap(), b"some");
        let absent = trigger(root.path(), "cpu", Stall::Full, SECOND / 10, SECOND);
        assert_eq!(absent.err(), Some(ReadError::Gone));
    }

    fn parse(text: &[u8]) -> Result<Pressure, ReadError> {
        let mut lines = PressureLines::default();
        text.split(|byte| *byte == b'\n').for_each(|line| lines.line(line));
        lines.finish()
    }

    #[test]
    fn both_lines_are_read() {
        let text = b"some avg10=12.34 avg60=1.00 avg300=0.10 total=98765\n\
                     full avg10=100.00 avg60=0.50 avg300=0.00 total=43210\n";
        let expected = Pressure {
            some_avg10: 1234,
            full_avg10: 10_000,
            some_total_us: 98_765,
            full_total_us: 43_210,
        };
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn half_a_pressure_file_is_malformed() {
        for text in [
            &b""[..],
            b"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
            b"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.0",
            b"some avg10=x total=0\nfull avg10=0.00 total=0\n",
        ] {
            assert!(matches!(parse(text), Err(ReadError::Malformed { .. })));
        }
    }

    #[test]
    fn no_file_and_switched_off_both_mean_no_pressure() {
        assert!(is_absent(ReadError::Gone));
        assert!(is_absent(ReadError::Other(Errno::OPNOTSUPP)));
        assert!(!is_absent(ReadError::Forbidden));
    }
}
