//! The machine: what the kernel's files say of its memory and settings.

use headroom_core::advise::facts::{HugePages, Node};
use headroom_core::advise::parse::node;
use headroom_core::units::Kib;

use super::root::Root;

/// Settings of `/proc/sys/vm` that are looked at.
const SETTINGS: [&str; 7] = [
    "swappiness",
    "overcommit_memory",
    "min_free_kbytes",
    "dirty_ratio",
    "dirty_bytes",
    "vfs_cache_pressure",
    "nr_hugepages",
];

/// Looks at the machine.
pub(super) fn gather(root: &Root) -> Node {
    let meminfo = root.maybe("/proc/meminfo").unwrap_or_default();
    let size = |name: &str| node::meminfo(&meminfo, name).map(Kib);
    let release = root.maybe("/proc/sys/kernel/osrelease").or_else(|| {
        // "Linux version 6.1.0-18-amd64 (…"
        let version = root.maybe("/proc/version")?;
        Some(version.strip_prefix("Linux version ")?.split(' ').next()?.to_string())
    });
    let vm = SETTINGS.iter().filter_map(|name| {
        Some(((*name).to_string(), root.number(&format!("/proc/sys/vm/{name}"))?))
    });
    let huge = || {
        let count = |name: &str| node::meminfo(&meminfo, name);
        Some(HugePages {
            total: count("HugePages_Total")?,
            free: count("HugePages_Free")?,
            reserved: count("HugePages_Rsvd").unwrap_or(0),
            size: size("Hugepagesize")?,
        })
    };
    let kernel = size("PageTables")
        .unwrap_or_default()
        .saturating_add(size("KernelStack").unwrap_or_default());
    let slabs = root.maybe("/proc/slabinfo").map(|text| node::slabs(&text)).unwrap_or_default();
    Node {
        ram: size("MemTotal").unwrap_or_default(),
        swap_total: size("SwapTotal"),
        swap_free: size("SwapFree"),
        inactive_anon: size("Inactive(anon)"),
        slab_unreclaimable: size("SUnreclaim"),
        slab_reclaimable: size("SReclaimable"),
        kernel,
        shmem: size("Shmem"),
        commit_limit: size("CommitLimit"),
        committed: size("Committed_AS"),
        huge: huge(),
        slabs: slabs.into_iter().take(5).collect(),
        vm: vm.collect(),
        transparent_huge_pages: root
            .maybe("/sys/kernel/mm/transparent_hugepage/enabled")
            .and_then(|text| node::chosen(&text).map(ToString::to_string)),
        has_zram: root.maybe("/proc/swaps").is_some_and(|text| text.contains("/dev/zram")),
        psi: psi(root),
        cgroup_v2: cgroup_v2(root),
        release,
    }
}

/// In a captured tree a missing file may only not have been captured.
fn psi(root: &Root) -> Option<bool> {
    let is_there = root.has("/proc/pressure/memory");
    let is_off = root
        .maybe("/proc/cmdline")
        .is_some_and(|line| line.split_whitespace().any(|word| word == "psi=0"));
    match (is_there && !is_off, root.is_live() || is_off) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

fn cgroup_v2(root: &Root) -> Option<bool> {
    let controllers = root.maybe("/sys/fs/cgroup/cgroup.controllers");
    if controllers.is_some_and(|text| text.split_whitespace().any(|name| name == "memory")) {
        return Some(true);
    }
    // A container may have neither; only v1's own folder is a proof.
    root.has_folder("/sys/fs/cgroup/memory").then_some(false)
}
