//! Memory that no process holds.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lines;
use crate::diagnose::{Facts, percent_of};
use crate::units::Kib;

/// `(31 % of the machine's RAM)`.
fn share(size: Kib, facts: &Facts<'_>) -> String {
    format!("{} % of {}", percent_of(size, facts.whole()), facts.capacity_name())
}

/// `The kernel itself held 812 MiB in slab caches (62 % of the machine's RAM), 790 MiB of it for good`.
pub(crate) fn kernel_memory(
    slab: Kib,
    caches: Kib,
    other: Kib,
    slabs: &[(String, Kib)],
    facts: &Facts<'_>,
) -> String {
    let all = slab.saturating_add(caches).saturating_add(other);
    if other > slab.saturating_add(caches) {
        return format!("The kernel itself held {all} ({})", share(all, facts));
    }
    if let Some((name, size)) = slabs.first().filter(|_| slab > caches) {
        let share = share(all, facts);
        return format!(
            "The kernel itself held {all} in slab caches ({share}), {size} of it in {name}"
        );
    }
    let kind =
        if slab > caches { "that it could not shrink" } else { "of files' names and inodes" };
    format!("The kernel itself held {all} in slab caches {kind} ({})", share(all, facts))
}

/// What fills a cache is known of most by their names.
pub(crate) fn kernel_memory_advice(slabs: &[(String, Kib)]) -> Vec<String> {
    let largest = slabs.first().map_or("", |(name, _)| name.as_str());
    let sockets = slabs.iter().any(|(name, _)| name.starts_with("skbuff"));
    let mut advice = match largest {
        "shmem_inode_cache" => lines(&[
            "a program makes files without end on a tmpfs: `df -i -t tmpfs` says where",
            "`mount -o remount,nr_inodes=200k DIR` bounds it",
        ]),
        name if name.ends_with("inode_cache") || name == "dentry" => lines(&[
            "a program makes or visits files without end: `df -i`, `du --inodes -xd2 / | sort -n`",
        ]),
        "filp" | "sock_inode_cache" | "pid" | "task_struct" => lines(&[
            "a program opens files or starts threads without end: `lsof -n | awk '{print $1}' | sort | uniq -c | sort -n`",
        ]),
        name if sockets && (name.starts_with("skbuff") || name.starts_with("kmalloc")) => lines(&[
            "data waits in sockets whose readers do not read: `ss -tuxm` shows the queues and whose they are",
            "net.ipv4.tcp_mem and net.core.wmem_max bound it",
        ]),
        _ => Vec::new(),
    };
    advice.push("`slabtop -o -s c | head -20` names the cache that grows".to_string());
    if advice.len() == 1 {
        advice.push(
            "kmalloc-* and names of modules point to a leak in a driver: try the next kernel; dentry and \
             inode caches to a program that makes files without end"
                .to_string(),
        );
    }
    advice
}

pub(crate) fn huge_pages(size: Kib, facts: &Facts<'_>) -> String {
    format!("{size} ({}) is set aside as huge pages, used or not", share(size, facts))
}

pub(crate) fn huge_pages_advice() -> Vec<String> {
    lines(&[
        "lower vm.nr_hugepages",
        "`grep Huge /proc/meminfo` shows how many are free; nobody but huge_pages=on of a database uses them",
    ])
}

pub(crate) fn page_tables(size: Kib, facts: &Facts<'_>) -> String {
    format!("Page tables alone took {size} ({})", share(size, facts))
}

pub(crate) fn page_tables_advice() -> Vec<String> {
    lines(&[
        "fewer processes that map the same large memory",
        "for a database with many connections: huge pages for its shared memory, or a connection pool",
    ])
}

pub(crate) fn unaccounted(size: Kib, facts: &Facts<'_>) -> String {
    format!("{size} ({}) is held by nothing this report counts", share(size, facts))
}

pub(crate) fn unaccounted_advice() -> Vec<String> {
    lines(&[
        "ask whether the hypervisor took it (balloon)",
        "`grep -E 'Vmalloc|Percpu|Balloon' /proc/meminfo`, `free` against the plan's size; drivers, \
         vmalloc and what waits in full pipes do not show in a report",
        "`lsof -n | grep -c FIFO` counts the ends of pipes, each of which may hold 64 KiB and more",
    ])
}

pub(crate) fn shared_memory(size: Kib, facts: &Facts<'_>) -> String {
    format!("{size} ({}) was tmpfs or shared memory, which no kill gives back", share(size, facts))
}

pub(crate) fn shared_memory_advice() -> Vec<String> {
    lines(&[
        "`df -h -t tmpfs` and `ipcs -m` say whose",
        "`mount -o remount,size=256M /tmp` bounds one; put large temporary files and caches on the disk",
    ])
}
