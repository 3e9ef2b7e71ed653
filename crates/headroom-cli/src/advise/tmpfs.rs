//! File systems in memory, with what lies in them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use headroom_core::advise::facts::Tmpfs;
use headroom_core::advise::parse::node;
use headroom_core::units::Kib;

use super::root::Root;

/// Files that are looked at to name the largest.
const MOST_FILES: usize = 20_000;
/// So many are named.
const NAMED: usize = 3;

/// All of them, each once however often it is mounted.
pub(super) fn gather(root: &Root) -> Vec<Tmpfs> {
    let mounts = if root.is_live() { "/proc/self/mounts" } else { "/proc/mounts" };
    let mounts = root.maybe(mounts).or_else(|| root.maybe("/proc/self/mounts")).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for point in node::tmpfs(&mounts) {
        if point.starts_with("/sys/") || point.starts_with("/proc/") {
            continue;
        }
        let Ok(path) = root.resolve(&point) else { continue };
        let is_new =
            fs::metadata(&path).is_ok_and(|stat| !root.is_live() || seen.insert(stat.dev()));
        if !is_new {
            continue;
        }
        let (used, size) = if root.is_live() {
            let Ok(stat) = rustix::fs::statvfs(&path) else { continue };
            let kib = |blocks: u64| Kib(blocks.saturating_mul(stat.f_frsize) / 1024);
            let size = Some(kib(stat.f_blocks)).filter(|size| *size > Kib::ZERO);
            (kib(stat.f_blocks.saturating_sub(stat.f_bfree)), size)
        } else {
            (Kib::from_bytes(root.size_of(&point, MOST_FILES).unwrap_or(0)), None)
        };
        // Naming what is in a small one is not worth the reading.
        let largest = if used >= Kib::from_mib(16) { largest(root, &point) } else { Vec::new() };
        found.push(Tmpfs { point, used, size, largest });
    }
    found
}

fn largest(root: &Root, point: &str) -> Vec<(String, Kib)> {
    let names = root.names(point).unwrap_or_default();
    let mut sizes: Vec<(String, Kib)> = names
        .iter()
        .filter_map(|name| {
            let path = format!("{point}/{name}");
            let stat = fs::symlink_metadata(root.resolve(&path).ok()?).ok()?;
            let bytes = if stat.is_dir() {
                root.size_of(&path, MOST_FILES).unwrap_or(0)
            } else {
                stat.blocks().saturating_mul(512).min(stat.len())
            };
            Some((path, Kib::from_bytes(bytes)))
        })
        .collect();
    sizes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sizes.truncate(NAMED);
    sizes
}
