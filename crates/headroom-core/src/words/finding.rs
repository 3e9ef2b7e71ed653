//! The sentences of findings: a title that states the fact, and advice that can be followed.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::diagnose::{Facts, Holder, Kind, percent_of};
use crate::units::Kib;

/// The title of a finding that rests on the report alone.
#[must_use]
pub fn title(kind: Kind, facts: &Facts<'_>) -> String {
    let capacity = facts.capacity_name();
    match kind {
        Kind::ManualRun => "The kill was asked for by hand (sysrq-f)".to_string(),
        Kind::NoKillable => "No process was left that the kernel was allowed to kill".to_string(),
        Kind::PanicOnOom => "vm.panic_on_oom made the machine panic instead of killing".to_string(),
        Kind::HighOrder => format!(
            "Memory was free but in pieces: {} pages in a row were asked for",
            1_u64.checked_shl(facts.order().unsigned_abs()).unwrap_or(0)
        ),
        Kind::NodesFull => "Only the allowed memory nodes were full, not the machine".to_string(),
        Kind::ZoneFull => "One zone of memory was exhausted while another had room".to_string(),
        Kind::KernelMemory => {
            format!(
                "The kernel itself held {} in slab caches, more than all processes",
                facts.slab()
            )
        }
        Kind::SharedMemory => {
            format!("{} was shared memory or tmpfs, which no kill gives back", facts.shmem())
        }
        Kind::UnkillableShare => format!(
            "{} ({} % of {capacity}) was held by processes that may not be killed",
            facts.unkillable,
            percent_of(facts.unkillable, facts.whole())
        ),
        Kind::LimitTooSmall => format!(
            "What runs under {capacity} needs more than it, with no single process to blame"
        ),
        Kind::NoSwap => {
            "There is no swap, so memory that is never used cannot make room".to_string()
        }
        Kind::SwapFull => "Swap was full as well".to_string(),
        Kind::AllocatingTask => {
            "vm.oom_kill_allocating_task kills whoever asks, not whoever holds".to_string()
        }
        Kind::DaemonKill => "A daemon made the choice before the kernel had to".to_string(),
        Kind::NotEnough => "There is not enough in this log to tell why memory ran out".to_string(),
        Kind::RunawayProcess
        | Kind::ManyWorkers
        | Kind::StackedJobs
        | Kind::DatabaseUnprotected
        | Kind::DatabaseTooLarge
        | Kind::WrongVictim
        | Kind::NobodyStandsOut
        | Kind::Leak => String::new(),
    }
}

/// What to do about it.
#[must_use]
pub fn advice(kind: Kind) -> Vec<String> {
    // The first line of each also ends the answer's third line, so it is short.
    let lines: &[&str] = match kind {
        Kind::ManualRun => &[
            "find out who asked",
            "Alt-SysRq-F on a console does it, or f written to /proc/sysrq-trigger",
        ],
        Kind::NoKillable => &["give fewer processes an oom_score_adj of -1000"],
        Kind::PanicOnOom => {
            &["set vm.panic_on_oom to 0", "a reboot loses what a kill would have spared"]
        }
        Kind::HighOrder => &[
            "raise vm.min_free_kbytes",
            "look for the driver or module that wants pages in a row: the stack names it",
        ],
        Kind::NodesFull => {
            &["widen cpuset.mems or the memory policy", "or move part of the load to other nodes"]
        }
        Kind::ZoneFull => &[
            "compare the zones in the report",
            "a 32-bit kernel runs out of low memory first: use a 64-bit one",
        ],
        Kind::KernelMemory => &[
            "see `slabtop -s c` for the cache that grows",
            "a leak in a module or driver shows there",
        ],
        Kind::SharedMemory => {
            &["see `df -t tmpfs` and `ipcs -m`", "give each tmpfs a size= of its own"]
        }
        Kind::UnkillableShare => &["protect less, or size it to fit: -1000 adds no memory"],
        Kind::LimitTooSmall => &["raise the limit, or lower what runs under it"],
        Kind::NobodyStandsOut => {
            &["run less beside each other, or take a machine with more memory"]
        }
        Kind::NoSwap => &["add 1 GiB of swap or zram and watch whether it is used"],
        Kind::SwapFull => &["find what grew: more swap only delays this"],
        Kind::AllocatingTask => &["set vm.oom_kill_allocating_task to 0"],
        Kind::DaemonKill => {
            &["see what it said of the kill: headroom history, or journalctl -u with its unit"]
        }
        Kind::NotEnough => &[
            "look for the whole report",
            "`journalctl -k` or the unfiltered kern.log of that time may have it",
        ],
        Kind::RunawayProcess => &[
            "find out what it did and bound it",
            "memory_limit, smaller batches, or MemoryMax= in its unit bound it",
        ],
        Kind::StackedJobs => &[
            "run them one after another",
            "flock in the crontab does it, or minutes further apart",
        ],
        Kind::DatabaseUnprotected => &[
            "set OOMScoreAdjust=-1000 in its unit",
            "its size alone is no fault: look for who made memory short",
        ],
        Kind::DatabaseTooLarge => &["size its buffers to what the others leave"],
        Kind::WrongVictim => &["look at the oom_score_adj values: they outweighed the sizes"],
        Kind::Leak => &["restart it on a schedule and look for the leak"],
        Kind::ManyWorkers => &[],
    };
    lines.iter().map(ToString::to_string).collect()
}

/// `php (PID 4711) alone held 1.3 GiB, 62 % of what all processes held`.
#[must_use]
pub fn runaway(comm: &str, pid: u32, rss: Kib, share: u64) -> String {
    format!("{comm} (PID {pid}) alone held {rss}, {share} % of what all processes held")
}

/// `One php-fpm (PID 4711) held 12.2 GiB, 12 times what each of its siblings has`.
#[must_use]
pub fn worker_far_ahead(comm: &str, pid: u32, rss: Kib, times: u64) -> String {
    format!("One {comm} (PID {pid}) held {rss}, {times} times what each of its siblings has")
}

/// `php (PID 4711) alone held 1.3 GiB, 62 % of the limit`.
#[must_use]
pub fn runaway_of(comm: &str, pid: Option<u32>, rss: Kib, share: u64, capacity: &str) -> String {
    let pid = pid.map(|pid| format!(" (PID {pid})")).unwrap_or_default();
    format!("{comm}{pid} alone held {rss}, {share} % of {capacity}")
}

/// `43 php-fpm processes of 73 MiB on average held 3.1 GiB`.
#[must_use]
pub fn many(holder: &Holder) -> String {
    format!(
        "{} {} processes of {} on average held {}",
        holder.processes,
        holder.group,
        holder.average(),
        holder.rss
    )
}

/// The size a pool should have.
#[must_use]
pub fn pool_advice(holder: &Holder, fit: u64) -> String {
    let setting = match holder.group.as_str() {
        "php-fpm" | "php-cgi" => "pm.max_children",
        "apache" => "MaxRequestWorkers",
        "nginx" => "worker_processes",
        _ => "the number of workers",
    };
    format!("lower {setting} to {fit}")
}

/// Where the number comes from.
#[must_use]
pub fn pool_arithmetic(holder: &Holder, others: Kib, whole: Kib, fit: u64) -> String {
    format!(
        "{fit} × {} each is what {whole} less a tenth and less {others} for the others leaves",
        holder.average()
    )
}

/// The pool would fit, were it not for the rest.
#[must_use]
pub fn pool_still_fits(holder: &Holder) -> String {
    format!(
        "the {} processes alone would fit: look at what else grew, and at each one's size",
        holder.group
    )
}

/// `mysql is the biggest process that may be killed (2.1 GiB), and had no protection`.
#[must_use]
pub fn database(holder: &Holder, killed: bool) -> String {
    let fate = if killed { "was killed for its size" } else { "is the next to die for its size" };
    format!("{} ({}) has no protection and {fate}", holder.group, holder.rss)
}

/// `mysql alone takes 82 % of the limit`.
#[must_use]
pub fn database_too_large(holder: &Holder, whole: Kib) -> String {
    format!(
        "{} takes {} of {whole} ({} %)",
        holder.group,
        holder.rss,
        percent_of(holder.rss, whole)
    )
}

/// A victim that held little while others held much.
#[must_use]
pub fn wrong_victim(victim: &str, rss: Kib, adj: Option<i32>, holder: &Holder) -> String {
    let adj = adj.map(|adj| format!(" (oom_score_adj {adj})")).unwrap_or_default();
    format!("{victim} died with {rss}{adj} while {} held {}", holder.group, holder.rss)
}

/// Many holders, none far ahead.
#[must_use]
pub fn nobody(holders: &[Holder], resident: Kib) -> String {
    let largest: Vec<String> =
        holders.iter().take(3).map(|holder| format!("{} {}", holder.group, holder.rss)).collect();
    format!("Nobody stands out among {resident} of processes; the largest: {}", largest.join(", "))
}

/// A process that grew from event to event.
#[must_use]
pub fn leak(comm: &str, pid: u32, from: Kib, to: Kib, events: usize) -> String {
    format!("{comm} (PID {pid}) grew from {from} to {to} over {events} events")
}
