//! What one run of an OOM killer left in a log. Unknown is `None`, never 0.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::units::Kib;

/// Where a line stands: the source's number as the caller counts them, and the line from 1 up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The caller's number of the file or stream.
    pub source: u32,
    /// The line in it, from 1 up.
    pub line: u64,
}

/// A wall-clock time as far as a log's prefix says it; which zone and year a bare stamp belongs to
/// is for the caller to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// Microseconds since 1970, UTC.
    Unix(i64),
    /// A date and time of day.
    Civil {
        /// The year, where the prefix has one (RFC 3164 has none).
        year: Option<i16>,
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// Microseconds since midnight.
        time_us: u64,
        /// Seconds east of UTC, where the prefix says so.
        offset_s: Option<i32>,
    },
    /// Only a time of day, in microseconds since midnight.
    TimeOfDay(u64),
}

impl Wall {
    /// So much later, as far as the day goes: what runs past midnight stays at its end.
    #[must_use]
    pub(crate) fn later(self, us: u64) -> Self {
        const DAY_US: u64 = 86_400_000_000;
        match self {
            Self::Unix(at) => Self::Unix(at.saturating_add_unsigned(us)),
            Self::Civil { year, month, day, time_us, offset_s } => {
                let time_us = time_us.saturating_add(us).min(DAY_US - 1);
                Self::Civil { year, month, day, time_us, offset_s }
            }
            Self::TimeOfDay(at) => Self::TimeOfDay(at.saturating_add(us) % DAY_US),
        }
    }
}

/// When a line was logged, by both clocks a prefix can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Microseconds since boot.
    pub uptime_us: Option<u64>,
    /// The wall clock.
    pub wall: Option<Wall>,
}

impl Stamp {
    /// Whether the prefix held any time at all.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.uptime_us.is_some() || self.wall.is_some()
    }
}

/// Who did the killing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Killer {
    /// The kernel's OOM killer.
    #[default]
    Kernel,
    /// Our own guard.
    Headroom,
    /// rfjakob's earlyoom.
    Earlyoom,
    /// systemd-oomd.
    SystemdOomd,
    /// hakavlad's nohang.
    Nohang,
    /// Meta's oomd.
    Oomd,
}

/// Why the kernel had to choose (`enum oom_constraint` in `include/linux/oom.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// The whole machine was out of memory.
    None,
    /// A memory cgroup was at its limit.
    Memcg,
    /// The nodes of a cpuset were full.
    Cpuset,
    /// The nodes of a memory policy were full.
    MemoryPolicy,
    /// Somebody asked for it (sysrq-f), nothing need have been short.
    Manual,
}

/// The task whose allocation failed. It is not thereby the culprit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invoker {
    /// From the `CPU: … PID: …` line, which a log may lack.
    pub pid: Option<u32>,
    /// At most 15 bytes, as the kernel keeps it.
    pub comm: String,
    /// -1000 to 1000.
    pub oom_score_adj: Option<i32>,
}

/// One `memory: usage … limit … failcnt …` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What was charged.
    pub usage: Kib,
    /// The limit; `None` where the kernel prints its notion of "unlimited".
    pub limit: Option<Kib>,
    /// How often the limit was hit.
    pub failcnt: Option<u64>,
}

/// What the report says about the memory cgroup that was at its limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memcg {
    /// `memory:`.
    pub memory: Option<Usage>,
    /// `swap:`, cgroup v2.
    pub swap: Option<Usage>,
    /// `memory+swap:`, cgroup v1.
    pub memory_and_swap: Option<Usage>,
    /// `kmem:`, cgroup v1.
    pub kmem: Option<Usage>,
    /// The statistics of the cgroup itself, in bytes (counters as they are), under the kernel's names.
    pub stats: BTreeMap<String, u64>,
}

/// One memory zone's free memory and watermarks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// As the kernel prints it, `Node 0 DMA32`, or `DMA32` without NUMA.
    pub name: String,
    /// `free:`.
    pub free: Option<Kib>,
    /// `min:`, below which only privileged allocations succeed.
    pub min: Option<Kib>,
    /// `managed:`.
    pub managed: Option<Kib>,
    /// `kernel_stack:`, which kernels 4.8 to 5.9 print a zone and others a node.
    pub kernel_stack: Option<Kib>,
}

/// The `Mem-Info:` block of a report that concerns the whole machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemInfo {
    /// The page counters (`active_anon`, `slab_unreclaimable`, `free` …), in pages.
    pub counters: BTreeMap<String, u64>,
    /// The zones in the order of the log.
    pub zones: Vec<Zone>,
    /// `pages RAM`.
    pub ram_pages: Option<u64>,
    /// `pages reserved`.
    pub reserved_pages: Option<u64>,
    /// `Free swap`.
    pub swap_free: Option<Kib>,
    /// `Total swap`.
    pub swap_total: Option<Kib>,
    /// `hugepages_total` times `hugepages_size`, over all nodes and sizes.
    pub hugepages: Option<Kib>,
    /// `kernel_stack`, over all nodes or zones.
    pub kernel_stack: Option<Kib>,
    /// The largest of the caches under `Unreclaimable slab info:`, the largest first.
    pub slabs: Vec<(String, Kib)>,
}

/// One row of the task table; sizes in pages unless the type says KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The task's PID.
    pub pid: u32,
    /// The user.
    pub uid: Option<u32>,
    /// The process it is a thread of.
    pub tgid: Option<u32>,
    /// Address space, in pages.
    pub total_vm: Option<u64>,
    /// Resident, in pages.
    pub rss: Option<u64>,
    /// Anonymous part of it, in pages (kernels since 6.8).
    pub rss_anon: Option<u64>,
    /// File part of it, in pages (kernels since 6.8).
    pub rss_file: Option<u64>,
    /// Shared-memory part of it, in pages (kernels since 6.8).
    pub rss_shmem: Option<u64>,
    /// Page tables in pages: `nr_ptes` plus `nr_pmds` (kernels 3.10 to 4.14).
    pub page_table_pages: Option<u64>,
    /// Page tables in bytes (kernels since 4.15).
    pub page_table_bytes: Option<u64>,
    /// Swapped out, in pages.
    pub swap: Option<u64>,
    /// -1000 (never killed) to 1000.
    pub oom_score_adj: Option<i32>,
    /// At most 15 bytes.
    pub comm: String,
}

/// One process (or, for systemd-oomd, one cgroup) that was killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Victim {
    /// The line that says so.
    pub at: Position,
    /// `None` when a whole cgroup was killed.
    pub pid: Option<u32>,
    /// The process's name, or the cgroup's path.
    pub comm: String,
    /// `total-vm`.
    pub total_vm: Option<Kib>,
    /// `anon-rss`.
    pub anon_rss: Option<Kib>,
    /// `file-rss`.
    pub file_rss: Option<Kib>,
    /// `shmem-rss` (kernels since 4.5).
    pub shmem_rss: Option<Kib>,
    /// Page tables (kernels since 5.4).
    pub pgtables: Option<Kib>,
    /// The user (kernels since 5.4, and el6).
    pub uid: Option<u32>,
    /// The adjustment (kernels since 5.4).
    pub oom_score_adj: Option<i32>,
    /// Whether the oom_reaper took its memory back before it had exited.
    pub reaped: bool,
}

/// How a report ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Somebody was killed.
    Killed,
    /// Nobody could be.
    NoKillable,
    /// The machine panicked because `vm.panic_on_oom` says so.
    PanicOnOom,
}

/// A part of a report that a log may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The `invoked oom-killer` line.
    Head,
    /// The `Mem-Info:` block of a report on the whole machine.
    MemInfo,
    /// The cgroup's usage and limit.
    Usage,
    /// The task table.
    Tasks,
    /// Rows of the task table, of which there were too many to keep.
    Rows,
    /// The line that says who was killed.
    Kill,
    /// Sizes in the line that says who was killed.
    Sizes,
    /// Something the log's reporter left out and marked so.
    Elided,
    /// The size of a page, without which the table's sizes are a guess at 4 KiB.
    PageSize,
}

/// The lines the parts of an event stand on, for the reader to look up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `invoked oom-killer`.
    pub head: Option<Position>,
    /// `memory: usage`.
    pub usage: Option<Position>,
    /// `Mem-Info:`.
    pub mem_info: Option<Position>,
    /// The task table's column heading.
    pub table: Option<Position>,
    /// `oom-kill:` or the announcement of the kill.
    pub choice: Option<Position>,
    /// `Killed process`, or what stands for it.
    pub end: Option<Position>,
}

/// One run of an OOM killer with all that it killed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Its first line.
    pub first: Position,
    /// Its last line.
    pub last: Position,
    /// When its first line was logged.
    pub stamp: Stamp,
    /// The host the prefix names.
    pub host: Option<String>,
    /// Who killed.
    pub killer: Killer,
    /// Whose allocation failed; `None` when the head is gone.
    pub invoker: Option<Invoker>,
    /// As printed, `0x24000c0`.
    pub gfp_mask: Option<String>,
    /// Allocation order: 2^order pages in a row; -1 for a manual run.
    pub order: Option<i32>,
    /// Why the kernel had to choose.
    pub constraint: Option<Constraint>,
    /// The constraint's name as the log has it, kept because kernels add new ones.
    pub constraint_name: Option<String>,
    /// The kernel's release, from the `CPU:` line.
    pub kernel: Option<String>,
    /// The cgroup at its limit.
    pub cgroup: Option<String>,
    /// The cgroup of the task that was chosen.
    pub task_cgroup: Option<String>,
    /// The invoker's cpuset.
    pub cpuset: Option<String>,
    /// What the report says of the cgroup at its limit.
    pub memcg: Memcg,
    /// What it says of the machine.
    pub mem_info: Option<MemInfo>,
    /// The task table.
    pub tasks: Vec<Task>,
    /// Columns of the table this parser has no use for, by the kernel's names.
    pub unknown_columns: Vec<String>,
    /// Whom the kernel announced as its choice: in kernels before 5.1 a child may die in its place.
    pub chosen_pid: Option<u32>,
    /// Whom it killed.
    pub victims: Vec<Victim>,
    /// How it ended; `None` when the log does not say.
    pub ending: Option<Ending>,
    /// Whether the machine panicked.
    pub panicked: bool,
    /// Whether a whole cgroup died because of `memory.oom.group`.
    pub group_kill: bool,
    /// Whether `vm.oom_kill_allocating_task` made the choice.
    pub allocating_task: bool,
    /// Reports the kernel or the logger says it left out just before this one.
    pub suppressed: u64,
    /// Whether another report's lines stood between this one's.
    pub interleaved: bool,
    /// Why a killer in user space acted, in its own words.
    pub reason: Option<String>,
    /// The size of a page, where it could be deduced.
    pub page_kib: Option<u32>,
    /// Whether the log has the report from its head to its end.
    pub complete: bool,
    /// What is missing.
    pub missing: Vec<Part>,
    /// Where its parts stand.
    pub evidence: Evidence,
}

impl Event {
    /// The size of a page in KiB, 4 when the report does not tell.
    #[must_use]
    pub fn page_size_kib(&self) -> u64 {
        u64::from(self.page_kib.unwrap_or(4))
    }

    /// Forgets all rows of the task table but the largest and the victims', and the counters nobody
    /// will ask thousands of reports for: what bounds the memory they take.
    pub fn slim(&mut self, count: usize) {
        self.memcg.stats.clear();
        if let Some(info) = &mut self.mem_info {
            info.counters.clear();
            info.zones.clear();
        }
        if self.tasks.len() <= count {
            return;
        }
        let victims: Vec<Option<u32>> =
            self.victims.iter().take(count).map(|victim| victim.pid).collect();
        let mut sizes: Vec<u64> = self.tasks.iter().map(|task| task.rss.unwrap_or(0)).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let least = sizes.get(count).copied().unwrap_or(0);
        self.tasks
            .retain(|task| task.rss.unwrap_or(0) > least || victims.contains(&Some(task.pid)));
        self.tasks.shrink_to_fit();
        if !self.missing.contains(&Part::Rows) {
            self.missing.push(Part::Rows);
        }
    }

    /// A number of this report's pages as a size.
    #[must_use]
    pub fn pages(&self, pages: u64) -> Kib {
        Kib::from_pages(pages, self.page_size_kib())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_tasks_and_the_victims_are_kept() {
        let task = |pid, rss| Task { pid, rss: Some(rss), ..Task::default() };
        let mut event = Event {
            tasks: [task(1, 5), task(2, 9), task(3, 1), task(4, 7)].into(),
            victims: [Victim { pid: Some(3), ..Victim::default() }].into(),
            ..Event::default()
        };
        event.slim(2);
        assert_eq!(event.tasks.iter().map(|task| task.pid).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(event.missing, [Part::Rows]);
    }
}
