//! What the report says outright.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lines;
use crate::oomlog::{Constraint, Killer, Part, Zone};
use crate::units::Kib;
use crate::words::explain::{killer_name, missing};

pub(crate) const MANUAL_RUN: &str =
    "The kill was asked for by hand (sysrq-f), nothing need have been short";

pub(crate) fn manual_run_advice() -> Vec<String> {
    lines(&[
        "find out who asked",
        "Alt-SysRq-F on a console does it, or f written to /proc/sysrq-trigger; \
         `sysctl kernel.sysrq=0` forbids the former",
    ])
}

pub(crate) const NO_KILLABLE: &str = "No process was left that the kernel was allowed to kill";

pub(crate) fn no_killable_advice() -> Vec<String> {
    lines(&[
        "give fewer processes an oom_score_adj of -1000",
        "`headroom setup` gives the shop -999 instead: taken last, but taken before a panic",
    ])
}

pub(crate) const PANIC_ON_OOM: &str = "vm.panic_on_oom made the machine panic instead of killing";

pub(crate) fn panic_on_oom_advice() -> Vec<String> {
    lines(&["`sysctl vm.panic_on_oom=0`", "a reboot loses what a kill would have spared"])
}

pub(crate) const ALLOCATING_TASK: &str =
    "vm.oom_kill_allocating_task kills whoever asks, not whoever holds";

pub(crate) fn allocating_task_advice() -> Vec<String> {
    lines(&["`sysctl vm.oom_kill_allocating_task=0`"])
}

/// `earlyoom chose and ended php before the kernel had to`.
pub(crate) fn daemon_kill(killer: Killer, victims: &[&str], kernel_too: bool) -> String {
    let who = match victims {
        [] => "somebody".to_string(),
        [one] => brief(one).to_string(),
        [first, ..] => format!("{} processes, {} first", victims.len(), brief(first)),
    };
    let end = if kernel_too {
        ", and the kernel had to all the same"
    } else {
        " before the kernel had to"
    };
    format!("{} chose and ended {who}{end}", killer_name(killer))
}

/// A cgroup's last part stands for its path.
fn brief(name: &str) -> &str {
    name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(name)
}

pub(crate) fn daemon_kill_advice(killer: Killer) -> Vec<String> {
    match killer {
        Killer::Headroom => lines(&["`headroom history` says why, and what it waited for"]),
        Killer::SystemdOomd => lines(&[
            "`journalctl -u systemd-oomd`",
            "it ends a whole cgroup: ManagedOOMPreference=avoid in a unit spares that one",
        ]),
        Killer::Earlyoom => lines(&[
            "`journalctl -u earlyoom`",
            "--avoid and --prefer in /etc/default/earlyoom steer its choice",
        ]),
        Killer::Nohang => lines(&["`journalctl -u nohang`"]),
        Killer::Oomd | Killer::Kernel => lines(&["`journalctl -u oomd`"]),
    }
}

/// Says plainly that the log does not suffice.
pub(crate) const NOT_ENOUGH: &str = "There is not enough in this log to tell why memory ran out";

pub(crate) fn not_enough_advice(parts: &[Part]) -> Vec<String> {
    let mut advice = lines(&["look for the whole report"]);
    advice.extend(missing(parts));
    advice.push("`journalctl -k` or the unfiltered kern.log of that time may have it".to_string());
    if parts.contains(&Part::Tasks) {
        advice.push("the task table is missing for good where vm.oom_dump_tasks is 0".to_string());
    }
    advice
}

/// The nodes somebody may use were full.
pub(crate) fn nodes_full(constraint: Constraint, cpuset: Option<&str>) -> String {
    match (constraint, cpuset) {
        (Constraint::Cpuset, Some(cpuset)) => {
            format!("Only the memory nodes of cpuset {cpuset} were full, not the machine")
        }
        (Constraint::Cpuset, None) => {
            "Only the memory nodes of a cpuset were full, not the machine".to_string()
        }
        _ => "Only the memory nodes a process is bound to were full, not the machine".to_string(),
    }
}

pub(crate) fn nodes_full_advice(constraint: Constraint) -> Vec<String> {
    match constraint {
        Constraint::Cpuset => lines(&[
            "allow it more nodes",
            "`cat /sys/fs/cgroup/…/cpuset.mems.effective` has those it may use, `numastat -m` what is \
             free on each; AllowedMemoryNodes= in its unit sets them",
        ]),
        _ => lines(&[
            "let it prefer a node instead of binding it",
            "`numactl --preferred=0 CMD` in place of `--membind=0`; `numastat -p PID` shows where its \
             memory lies",
        ]),
    }
}

/// `Memory was free but in pieces: 4 pages in a row were asked for, and 812 MiB were free`.
pub(crate) fn high_order(order: u32, free: Kib) -> String {
    let pages = 1_u64.checked_shl(order).unwrap_or(0);
    format!(
        "Memory was free but in pieces: {pages} pages in a row were wanted (order {order}), {free} free"
    )
}

pub(crate) fn high_order_advice() -> Vec<String> {
    lines(&[
        "raise vm.min_free_kbytes",
        "`sysctl -w vm.compaction_proactiveness=50` and `cat /proc/buddyinfo` before and after",
        "the stack in the report names the driver or module that wants pages in a row",
    ])
}

/// One zone was exhausted while another had room.
pub(crate) fn zone_full(full: &Zone, roomy: &Zone) -> String {
    let free = |zone: &Zone| zone.free.unwrap_or_default();
    format!(
        "{} was exhausted ({} free) while {} had {}",
        full.name,
        free(full),
        roomy.name,
        free(roomy)
    )
}

pub(crate) fn zone_full_advice(full: &Zone) -> Vec<String> {
    if full.name.starts_with("Node") {
        lines(&[
            "spread memory over the nodes",
            "`numactl --interleave=all` for the database; `sysctl vm.zone_reclaim_mode=0`",
        ])
    } else {
        lines(&["use a 64-bit kernel: a 32-bit one runs out of low memory first"])
    }
}
