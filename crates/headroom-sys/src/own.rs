//! The guard itself: what keeps it alive and awake when nothing else is, and the clocks.

use headroom_core::snapshot::Moment;
use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit};
use rustix::thread::CapabilitySet;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::error::ReadError;
use crate::proc::Proc;

/// The value that takes a process out of the OOM killer's choice.
pub const NEVER_KILL: i16 = -1000;

/// The nice value of the highest ordinary priority.
const HIGHEST_NICE: i32 = -20;

/// More stack than any path of the guard takes, and less than any thread has.
pub(crate) const STACK: usize = 32 * 1024;

/// `PROC_USER_INIT_INO` of include/linux/proc_ns.h: the same on every kernel.
const INITIAL_USER_NAMESPACE: u64 = 0xefff_fffd;
/// `PROC_PID_INIT_INO`, likewise.
const INITIAL_PID_NAMESPACE: u64 = 0xefff_fffc;

/// The rights of which the guard uses one each (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Lower an `oom_score_adj`, and short PSI windows.
    SysResource,
    /// Signal other users' processes.
    Kill,
    /// Listen to the proc connector.
    NetAdmin,
    /// Lock memory without limit.
    IpcLock,
    /// Read which program another user's process runs.
    SysPtrace,
    /// Read the kernel's log where `dmesg_restrict` is set.
    Syslog,
    /// Read files in spite of their permissions.
    DacReadSearch,
    /// Write files in spite of their permissions.
    DacOverride,
    /// Raise its own priority.
    SysNice,
    /// Write to cgroups and mounts that only the administrator may.
    SysAdmin,
}

/// What came of each protection, of which a guard without privileges has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The OOM killer does not choose it.
    pub oom_score_adj: Result<(), ReadError>,
    /// Its memory is not taken from it.
    pub memory: Result<(), ReadError>,
    /// It runs before others.
    pub priority: Result<(), ReadError>,
}

/// Protects this process in all three ways, each on its own, and touches the stack.
pub fn protect_self(proc: &mut Proc) -> Protection {
    let protection = Protection {
        oom_score_adj: set_own_oom_score_adj(proc, NEVER_KILL),
        memory: lock_memory(),
        priority: run_in_real_time().or_else(|_| raise_priority()),
    };
    touch_stack();
    protection
}

/// Locks all memory this process has and will have, each page from its first use on (mlockall(2)).
///
/// # Errors
/// [`ReadError::Forbidden`] when the limit on locked memory is finite and the node's own
/// `CAP_IPC_LOCK` is not there to lift it: nothing is locked then, since with future memory locked
/// every allocation past the limit fails.
pub fn lock_memory() -> Result<(), ReadError> {
    let lifted = has_capability(Capability::IpcLock) && in_initial_user_namespace();
    if !lifted && getrlimit(Resource::Memlock).current.is_some() {
        return Err(ReadError::Forbidden);
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE;
    match mlockall(all | MlockAllFlags::ONFAULT) {
        // Before Linux 4.4 pages can only be locked by being brought in, all of them at once.
        Err(Errno::INVAL | Errno::NOSYS) => Ok(mlockall(all)?),
        answer => Ok(answer?),
    }
}

/// Takes back what [`lock_memory`] did, so that it can be done anew.
///
/// # Errors
/// None on any kernel so far.
pub fn unlock_memory() -> Result<(), ReadError> {
    Ok(rustix::mm::munlockall()?)
}

/// Sets this process's own `oom_score_adj`.
///
/// # Errors
/// [`ReadError::Forbidden`] when lowering it without `CAP_SYS_RESOURCE`.
pub fn set_own_oom_score_adj(proc: &mut Proc, value: i16) -> Result<(), ReadError> {
    if !proc.is_live() {
        return Err(ReadError::Malformed { what: "this /proc is not the running kernel's" });
    }
    proc.set_oom_score_adj(rustix::process::getpid().as_raw_nonzero().get(), value)
}

/// Gives the calling thread the highest ordinary priority (nice -20).
///
/// # Errors
/// [`ReadError::Forbidden`] without `CAP_SYS_NICE`.
pub fn raise_priority() -> Result<(), ReadError> {
    Ok(rustix::process::setpriority_process(None, HIGHEST_NICE)?)
}

/// Has the calling thread run before all ordinary ones (`SCHED_FIFO` with the lowest real-time
/// priority). Its children start as ordinary processes again.
///
/// A thread that then loops holds its processor: only for one that always comes back to wait.
///
/// # Errors
/// [`ReadError::Forbidden`] without `CAP_SYS_NICE`.
pub fn run_in_real_time() -> Result<(), ReadError> {
    let parameters = libc::sched_param { sched_priority: 1 };
    // The system call itself, since musl's function of that name only ever says ENOSYS.
    // SAFETY: `parameters` is a valid sched_param that outlives the call, which only reads it; 0
    // names the calling thread.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const parameters,
        )
    };
    if answer == 0 {
        return Ok(());
    }
    let errno = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&errno).unwrap_or(Errno::INVAL).into())
}

/// Uses the stack down to a depth no later call reaches, so that those pages are there (and locked)
/// when no page can be had.
#[inline(never)]
pub fn touch_stack() {
    let mut stack = [0u8; STACK];
    std::hint::black_box(&mut stack).fill(1);
    std::hint::black_box(&stack);
}

/// The node's monotonic time, which also counts the time it slept (`CLOCK_BOOTTIME`). Hot.
#[must_use]
pub fn now() -> Moment {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(tv_sec).unwrap_or_default();
    let nanos = u64::try_from(tv_nsec).unwrap_or_default();
    Moment(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// The time of day as seconds and nanoseconds since 1970, which may jump. Hot.
#[must_use]
pub fn wall_clock() -> (i64, u32) {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Realtime);
    (tv_sec, u32::try_from(tv_nsec).unwrap_or_default())
}

/// The user whose rights this process has.
#[must_use]
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// This process's pid.
#[must_use]
pub fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Whether its rights are the node's own, and not only those of a container's user namespace, in
/// which `root` may neither lock memory, nor lower an `oom_score_adj`, nor have short PSI windows.
#[must_use]
pub fn in_initial_user_namespace() -> bool {
    rustix::fs::stat(c"/proc/self/ns/user").is_ok_and(|stat| stat.st_ino == INITIAL_USER_NAMESPACE)
}

/// Whether this process runs in the kernel's first pid namespace, in which its pids are everybody's.
#[must_use]
pub fn in_initial_pid_namespace() -> bool {
    rustix::fs::stat(c"/proc/self/ns/pid").is_ok_and(|stat| stat.st_ino == INITIAL_PID_NAMESPACE)
}

/// Whether the calling thread has that right in effect, in its own user namespace:
/// see [`in_initial_user_namespace`].
#[must_use]
pub fn has_capability(capability: Capability) -> bool {
    let wanted = match capability {
        Capability::SysResource => CapabilitySet::SYS_RESOURCE,
        Capability::Kill => CapabilitySet::KILL,
        Capability::NetAdmin => CapabilitySet::NET_ADMIN,
        Capability::IpcLock => CapabilitySet::IPC_LOCK,
        Capability::SysPtrace => CapabilitySet::SYS_PTRACE,
        Capability::Syslog => CapabilitySet::SYSLOG,
        Capability::DacReadSearch => CapabilitySet::DAC_READ_SEARCH,
        Capability::DacOverride => CapabilitySet::DAC_OVERRIDE,
        Capability::SysNice => CapabilitySet::SYS_NICE,
        Capability::SysAdmin => CapabilitySet::SYS_ADMIN,
    };
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_clock_does_not_run_backwards() {
        let first = now();
        assert!(first > Moment::default());
        assert!(now() >= first);
    }

    #[test]
    fn the_time_of_day_is_the_standard_librarys() {
        let before = std::time::SystemTime::now();
        let (seconds, nanos) = wall_clock();
        let after = std::time::SystemTime::now();
        let own = std::time::UNIX_EPOCH
            + std::time::Duration::new(u64::try_from(seconds).unwrap(), nanos);
        assert!(before <= own && own <= after);
    }

    #[test]
    fn capabilities_are_those_the_kernel_shows_for_this_process() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
        let effective = u64::from_str_radix(line.trim(), 16).unwrap();
        // The numbers of include/uapi/linux/capability.h.
        for (capability, bit) in [
            (Capability::DacOverride, 1),
            (Capability::DacReadSearch, 2),
            (Capability::Kill, 5),
            (Capability::NetAdmin, 12),
            (Capability::IpcLock, 14),
            (Capability::SysPtrace, 19),
            (Capability::SysAdmin, 21),
            (Capability::SysNice, 23),
            (Capability::SysResource, 24),
            (Capability::Syslog, 34),
        ] {
            assert_eq!(has_capability(capability), effective & 1 << bit != 0, "{capability:?}");
        }
    }

    #[test]
    fn memory_is_locked_or_it_is_said_that_it_may_not_be() {
        let unlimited = getrlimit(Resource::Memlock).current.is_none();
        let capable = has_capability(Capability::IpcLock) && in_initial_user_namespace();
        let allowed = capable || unlimited;
        let locked = lock_memory();
        assert_eq!(locked, if allowed { Ok(()) } else { Err(ReadError::Forbidden) });
        rustix::mm::munlockall().unwrap();
    }

    #[test]
    fn a_thread_is_raised_or_it_is_said_that_it_may_not_be() {
        std::thread::spawn(|| {
            match raise_priority() {
                Ok(()) => {
                    let nice = rustix::process::getpriority_process(None).unwrap();
                    assert_eq!(nice, HIGHEST_NICE);
                }
                Err(error) => assert_eq!(error, ReadError::Forbidden),
            }
            let real_time = run_in_real_time();
            assert!(matches!(real_time, Ok(()) | Err(ReadError::Forbidden)), "{real_time:?}");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn its_own_score_is_not_set_through_a_captured_tree() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/linux-6.18");
        let mut proc = Proc::open(&root).unwrap();
        let refused = set_own_oom_score_adj(&mut proc, NEVER_KILL);
        assert!(matches!(refused, Err(ReadError::Malformed { .. })));
    }

    #[test]
    fn its_own_score_stays_what_it_is_when_set_to_that() {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let score = proc.oom_score_adj(own_pid()).unwrap();
        assert_eq!(set_own_oom_score_adj(&mut proc, score), Ok(()));
        assert_eq!(proc.oom_score_adj(own_pid()), Ok(score));
    }
}
