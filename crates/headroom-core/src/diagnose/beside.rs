//! What no process explains: the kernel's own memory, tmpfs, huge pages, page cache, free pages.

use alloc::vec::Vec;

use super::holders::{part, resident};
use crate::oomlog::{Constraint, Event};
use crate::units::Kib;

/// A use of memory that stands in no process's resident size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// tmpfs and shared memory, beyond what processes map of it where that is known.
    SharedMemory,
    /// Slab caches the kernel cannot shrink.
    SlabUnreclaimable,
    /// Slab caches it can (inodes, dentries).
    SlabReclaimable,
    /// Huge pages set aside.
    HugePages,
    /// Page tables of all processes.
    PageTables,
    /// Kernel stacks of all threads.
    KernelStacks,
    /// vmalloc, per-CPU data, network buffers and what else a cgroup is charged for.
    KernelOther,
    /// Files in memory, most of which could be dropped.
    PageCache,
    /// Nobody's.
    Free,
    /// What the report's own figures leave over: vmalloc, drivers, a hypervisor's balloon.
    Unaccounted,
}

impl Use {
    /// Its name for scripts.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::SharedMemory => "shared_memory",
            Self::SlabUnreclaimable => "slab_unreclaimable",
            Self::SlabReclaimable => "slab_reclaimable",
            Self::HugePages => "huge_pages",
            Self::PageTables => "page_tables",
            Self::KernelStacks => "kernel_stacks",
            Self::KernelOther => "kernel_other",
            Self::PageCache => "page_cache",
            Self::Free => "free",
            Self::Unaccounted => "unaccounted",
        }
    }
}

/// How much of it there was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// What for.
    pub usage: Use,
    /// How much.
    pub size: Kib,
    /// The part of what there was to use, 0 to 1.
    pub share: f64,
}

/// What no process explains, the largest first; empty where the report does not tell.
#[must_use]
pub fn beside(event: &Event, capacity: Option<Kib>) -> Vec<Beside> {
    let mut list = if event.constraint == Some(Constraint::Memcg) {
        of_cgroup(event, capacity)
    } else {
        of_machine(event, capacity)
    };
    list.retain(|(_, size)| *size > Kib::ZERO);
    list.sort_by_key(|(usage, size)| (core::cmp::Reverse(*size), *usage));
    let whole = capacity.unwrap_or_else(|| resident(event));
    list.into_iter()
        .map(|(usage, size)| Beside { usage, size, share: part(size, whole).min(1.0) })
        .collect()
}

fn of_machine(event: &Event, capacity: Option<Kib>) -> Vec<(Use, Kib)> {
    let Some(info) = event.mem_info.as_ref().filter(|info| !info.counters.is_empty()) else {
        return Vec::new();
    };
    let pages = |name: &str| info.counters.get(name).map(|pages| event.pages(*pages));
    let some = |name: &str| pages(name).unwrap_or_default();
    let sum =
        |names: &[&str]| names.iter().fold(Kib::ZERO, |sum, name| sum.saturating_add(some(name)));
    let files = sum(&["active_file", "inactive_file", "isolated_file"]);
    let tables = sum(&["pagetables", "sec_pagetables"]);
    let stacks = info.kernel_stack.unwrap_or_default();
    let huge = info.hugepages.unwrap_or_default();
    let mut list: Vec<(Use, Kib)> = [
        (Use::SharedMemory, nobodys_shared(event, some("shmem"), capacity)),
        (Use::SlabUnreclaimable, some("slab_unreclaimable")),
        (Use::SlabReclaimable, some("slab_reclaimable")),
        (Use::HugePages, huge),
        (Use::PageTables, tables),
        (Use::KernelStacks, stacks),
        (Use::PageCache, files),
        (Use::Free, sum(&["free", "free_pcp"])),
    ]
    .into();
    // Only a full block gives a sum that can be taken off.
    let full = ["active_anon", "inactive_anon", "slab_unreclaimable", "free", "unevictable"];
    if let Some(capacity) = capacity.filter(|_| full.iter().all(|name| pages(name).is_some())) {
        let known = sum(&[
            "active_anon",
            "inactive_anon",
            "isolated_anon",
            "unevictable",
            "kernel_misc_reclaimable",
            "bounce",
        ]);
        // tmpfs stands among the anonymous pages already.
        let others = list.iter().filter(|(usage, _)| *usage != Use::SharedMemory);
        let known = others.fold(known, |sum, (_, size)| sum.saturating_add(*size));
        list.push((Use::Unaccounted, capacity.saturating_sub(known)));
    }
    list
}

fn of_cgroup(event: &Event, capacity: Option<Kib>) -> Vec<(Use, Kib)> {
    let stats = &event.memcg.stats;
    let stat = |names: &[&str]| {
        names.iter().find_map(|name| stats.get(*name)).map(|bytes| Kib::from_bytes(*bytes))
    };
    let some = |names: &[&str]| stat(names).unwrap_or_default();
    let shared = some(&["total_shmem", "shmem"]);
    let mut list: Vec<(Use, Kib)> = [
        (Use::SharedMemory, nobodys_shared(event, shared, capacity)),
        (Use::SlabUnreclaimable, some(&["slab_unreclaimable"])),
        (Use::SlabReclaimable, some(&["slab_reclaimable"])),
        (Use::PageTables, some(&["pagetables"])),
        (Use::KernelStacks, some(&["kernel_stack"])),
        (Use::PageCache, some(&["total_cache", "cache", "file"]).saturating_sub(shared)),
    ]
    .into();
    let parts = list.iter().skip(1).take(4).fold(Kib::ZERO, |sum, part| sum.saturating_add(part.1));
    let kernel = stat(&["kernel"]).or(event.memcg.kmem.map(|kmem| kmem.usage));
    let pieces = ["percpu", "sock", "vmalloc"];
    let other = match kernel {
        Some(kernel) => kernel.saturating_sub(parts).saturating_add(some(&["sock"])),
        None => pieces.iter().fold(Kib::ZERO, |sum, name| sum.saturating_add(some(&[name]))),
    };
    list.push((Use::KernelOther, other));
    list
}

/// Shared memory without what stands in processes' resident sizes already. Before 6.8 the table does not
/// tell: what does not fit beside the processes must be in there.
fn nobodys_shared(event: &Event, shared: Kib, capacity: Option<Kib>) -> Kib {
    let holders = super::holders::holders(event, None);
    if holders.iter().any(|holder| holder.shared.is_some()) {
        let mapped = holders.iter().filter_map(|holder| holder.shared);
        return shared.saturating_sub(mapped.fold(Kib::ZERO, Kib::saturating_add));
    }
    let both = resident(event).saturating_add(shared);
    shared.saturating_sub(capacity.map_or(Kib::ZERO, |capacity| both.saturating_sub(capacity)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oomlog::{MemInfo, Memcg};

    #[test]
    fn what_the_reports_figures_leave_over_is_unaccounted() {
        let counters = [
            ("active_anon", 100),
            ("inactive_anon", 400),
            ("unevictable", 0),
            ("slab_unreclaimable", 50),
            ("shmem", 30),
            ("free", 20),
        ];
        let info = MemInfo {
            counters: counters.iter().map(|(name, pages)| ((*name).into(), *pages)).collect(),
            kernel_stack: Some(Kib(40)),
            ..MemInfo::default()
        };
        let event = Event { mem_info: Some(info), ..Event::default() };
        let list = beside(&event, Some(Kib(4000)));
        let size = |usage| list.iter().find(|b| b.usage == usage).map(|b| b.size);
        assert_eq!(size(Use::Unaccounted), Some(Kib(4000 - (100 + 400 + 50 + 20) * 4 - 40)));
        assert_eq!(size(Use::SharedMemory), Some(Kib(120)));
        assert_eq!(size(Use::HugePages), None);
        assert_eq!(list.first().map(|b| b.usage), Some(Use::Unaccounted));
    }

    #[test]
    fn a_cgroup_is_charged_for_the_kernels_work_too() {
        let stats = [("kernel", 10 << 20), ("slab_unreclaimable", 6 << 20), ("sock", 1 << 20)];
        let event = Event {
            constraint: Some(Constraint::Memcg),
            memcg: Memcg {
                stats: stats.iter().map(|(name, bytes)| ((*name).into(), *bytes)).collect(),
                ..Memcg::default()
            },
            ..Event::default()
        };
        let list = beside(&event, None);
        let size = |usage| list.iter().find(|b| b.usage == usage).map(|b| b.size);
        assert_eq!(size(Use::SlabUnreclaimable), Some(Kib::from_mib(6)));
        assert_eq!(size(Use::KernelOther), Some(Kib::from_mib(5)));
    }
}
