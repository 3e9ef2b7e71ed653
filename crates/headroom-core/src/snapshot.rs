//! What sensing delivers: the state of the node at one moment, as the kernel shows it.
//!
//! A value the kernel does not show (no PSI, no cgroup v2, no right to read) is `None`, never
//! zero: deciding on a zero that means "unknown" is how guards kill at rest.

use alloc::vec::Vec;
use core::time::Duration;

pub use crate::text::{Comm, CommandLine};

use crate::cgroup::Cgroup;
use crate::policy::Class;
use crate::units::Kib;

/// A moment of the node's monotonic clock (`CLOCK_BOOTTIME`): nanoseconds since it booted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to this moment; nothing when the clock seems to run backwards.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment, `by` later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The machine's memory, from `/proc/meminfo` (Documentation/filesystems/proc.rst).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// `MemTotal`.
    pub total: Kib,
    /// `MemFree`.
    pub free: Kib,
    /// `MemAvailable`: the kernel's own estimate of what can be taken without swapping (Linux 3.14).
    pub available: Kib,
    /// `SwapTotal`.
    pub swap_total: Kib,
    /// `SwapFree`.
    pub swap_free: Kib,
}

/// Stall times of one resource (Documentation/accounting/psi.rst).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Share of the last 10 s in which some task stalled, in hundredths of a per cent.
    pub some_avg10: u32,
    /// Share of the last 10 s in which all tasks stalled, in hundredths of a per cent.
    pub full_avg10: u32,
    /// Time in which some task stalled, since boot, in µs.
    pub some_total_us: u64,
    /// Time in which all tasks stalled, since boot, in µs.
    pub full_total_us: u64,
}

/// Counters since boot, from `/proc/vmstat`; those a kernel lacks are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmCounters {
    /// `oom_kill`: processes killed by any OOM killer, memory cgroups' included (Linux 4.13).
    pub oom_kill: Option<u64>,
    /// `workingset_refault_file` (before 5.9 `workingset_refault`): pages of files read again soon
    /// after they were evicted, the mark of thrashing.
    pub refault_file: Option<u64>,
    /// `workingset_refault_anon` (Linux 5.9): the same for anonymous pages.
    pub refault_anon: Option<u64>,
    /// `pswpin`: pages read back from swap.
    pub swap_in: Option<u64>,
    /// `pgmajfault`: faults that had to read from a disk.
    pub major_faults: Option<u64>,
    /// Sum of `pgscan_direct*`: pages scanned by tasks that had to reclaim for themselves.
    pub scan_direct: Option<u64>,
}

/// One memory cgroup that is guarded as a zone of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupMemory {
    /// `memory.max`; `None` when it says `max`.
    pub limit: Option<Kib>,
    /// `memory.current`.
    pub current: Kib,
    /// What reclaim could take at once: `inactive_file + active_file + slab_reclaimable` of
    /// `memory.stat`.
    pub reclaimable: Kib,
    /// `memory.events` field `oom_kill`: kernel kills in this subtree; in v1 those in the
    /// cgroup itself (`memory.oom_control`, Linux 4.13) and what the kernel's log tells of below it.
    pub oom_kill: Option<u64>,
    /// `memory.pressure`.
    pub pressure: Option<Pressure>,
}

/// Who a process is for as long as it lives: pids are reused, a pid with its start time is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId {
    /// The number, of the thread group's leader.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: when it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// One process as the last scan saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Which one.
    pub id: ProcessId,
    /// Its parent's pid.
    pub parent: i32,
    /// The effective user it runs as.
    pub uid: u32,
    /// Its name; a program may choose it freely, so nothing is decided by it alone.
    pub comm: Comm,
    /// The beginning of its command line.
    pub command: CommandLine,
    /// What it is to the shop.
    pub class: Class,
    /// The policy's rule that said so, as an index; `None` when only the default did.
    pub rule: Option<u16>,
    /// Resident memory, shared pages included.
    pub rss: Kib,
    /// What a kill would really return: resident pages that are its own, plus its swap.
    pub gives_back: Kib,
    /// The value it has now; `None` when it could not be read.
    pub oom_score_adj: Option<i16>,
    /// It has been sent a signal that ends it, or is a zombie: its memory is on the way back.
    pub ending: bool,
    /// It is stopped (state `T`), or frozen with its cgroup.
    pub paused: bool,
    /// It is paused, and a signal waits for it that asks it to end: its owner wants it gone.
    pub asked_to_end: bool,
    /// The zones below the root it belongs to: bit n is the policy's zone n.
    pub zones: u8,
    /// What it belongs together with: its session (proc_pid_stat(5)), or its cgroup where the rule
    /// says `slay = "unit"`. 0 when that is unknown.
    pub family: u64,
    /// The cgroup it is in, when that is known.
    pub cgroup: Cgroup,
    /// The pipes that are its standard input and output; asked only of expendables.
    pub pipes: Pipes,
    /// Its process group has a terminal: whoever sits there waits for it.
    pub in_foreground: bool,
    /// Whether its rule asks for the whole family when one of it is slain.
    pub slay_family: bool,
    /// A worker that serves one request at a time and whose master starts another when it ends.
    pub is_worker: bool,
    /// Its owner asked for its protection, or its parent's did: it is neither slain nor paused, and
    /// keeps the value it has.
    pub protected: bool,
}

impl Process {
    /// How long it has run at `now`. Start times count `USER_HZ`, which is 100 on every Linux.
    #[must_use]
    pub fn age(&self, now: Moment) -> Duration {
        const NANOS_PER_TICK: u64 = 10_000_000;
        now.since(Moment(self.id.start_ticks.saturating_mul(NANOS_PER_TICK)))
    }

    /// Whether relief may ever end it.
    #[must_use]
    pub const fn may_be_slain(&self) -> bool {
        self.class.may_be_slain() && !self.protected
    }

    /// Whether it belongs to this zone; all belong to the root.
    #[must_use]
    pub const fn is_in(&self, zone: ZoneIndex) -> bool {
        match zone.0.checked_sub(1) {
            None => true,
            Some(bit) => bit < 8 && self.zones & (1 << bit) != 0,
        }
    }
}

/// The pipes that are a process's standard input and output, by their inodes, which the kernel counts in 32 bits
/// (fs/inode.c `get_next_ino`); 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pipes {
    /// It reads from this one.
    pub reads: u32,
    /// It writes into this one.
    pub writes: u32,
}

/// A zone: 0 is the machine, n + 1 the policy's zone n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneIndex(pub u8);

impl ZoneIndex {
    /// The machine itself.
    pub const ROOT: Self = Self(0);
}

/// What a stopped process holds, as far as it was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holding {
    /// All its connections are accounted for, and none holds anything.
    Nothing,
    /// It holds, or may hold, a lock: a transaction, a table, metadata, a user's lock, or a statement
    /// of it is still under way and may get one.
    Lock,
    /// It holds, or may hold, what somebody waits for right now.
    Waited,
}

/// What is known of a stopped process that could hold a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Which one.
    pub id: ProcessId,
    /// What it holds.
    pub holding: Holding,
    /// The moment that is true of; later than its stop.
    pub asked: Moment,
}

/// The node at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Moment,
    /// The machine as a whole, the root zone.
    pub memory: Memory,
    /// `/proc/pressure/memory`.
    pub pressure: Option<Pressure>,
    /// `/proc/vmstat`.
    pub vm: VmCounters,
    /// The zones below the root, in the policy's order; `None` for one that does not exist now.
    pub zones: Vec<Option<CgroupMemory>>,
    /// Every process with memory of its own, when this snapshot scanned them.
    pub processes: Vec<Process>,
    /// When those of `processes` who may go were last looked at: between scans they stand as they were.
    pub scanned: Moment,
    /// When all were.
    pub scanned_all: Moment,
    /// The guard's own pid.
    pub own_pid: i32,
    /// Whether the guard hears of each process that runs another program or becomes another user, so
    /// that those are in `processes` without a scan.
    pub births_heard: bool,
    /// The command line of somebody in `processes` was not read yet, so that the class is not the last word.
    pub nameless: bool,
    /// What was found out about stopped processes that could hold a lock.
    pub trials: Vec<Trial>,
    /// Since when a worker of an essential service waits without getting on; looked for only while
    /// somebody is stopped who could hold a lock.
    pub worker_waits: Option<Moment>,
}
