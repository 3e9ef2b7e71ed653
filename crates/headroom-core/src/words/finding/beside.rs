//! Memory that no process holds.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::lines;
use crate::diagnose::{Facts, percent_of};
use crate::units::Kib;

/// `(31 % of the machine's RAM)`.
fn share(size: Kib, facts: &Facts<'_>) -> String {
    format!("{} % of {}", percent_of(size, facts.whole()), facts.capacity_name())
}

/// `The kernel itself held 812 MiB in slab caches (62 % of the machine's RAM), 790 MiB of it for good`.
pub(crate) fn kernel_memory(slab: Kib, caches: Kib, other: Kib, facts: &Facts<'_>) -> String {
    let all = slab.saturating_add(caches).saturating_add(other);
    if other > slab.saturating_add(caches) {
        return format!("The kernel itself held {all} ({})", share(all, facts));
    }
    let kind =
        if slab > caches { "that it could not shrink" } else { "of files' names and inodes" };
    format!("The kernel itself held {all} in slab caches {kind} ({})", share(all, facts))
}

pub(crate) fn kernel_memory_advice() -> Vec<String> {
    lines(&[
        "`slabtop -o -s c | head -20` names the cache that grows",
        "kmalloc-* and names of modules point to a leak in a driver: try the next kernel; dentry and \
         inode caches to a program that makes files without end",
    ])
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
        "`grep -E 'Vmalloc|Percpu|Balloon' /proc/meminfo`, `free` against the plan's size; drivers and \
         vmalloc do not show in a report",
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
