//! The `Mem-Info:` block (`show_free_areas` and `show_mem`, `mm/show_mem.c`).

use alloc::vec::Vec;

use super::super::event::Zone;
use super::super::scan;
use crate::units::Kib;

/// One line of the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemLine<'a> {
    /// `Mem-Info:`
    Title,
    /// `active_anon:56 inactive_anon:287842 isolated_anon:0`, in pages.
    Counters(Vec<(&'a str, u64)>),
    /// `Node 0 DMA32 free:22904kB min:4536kB …`
    Zone(Zone),
    /// `Node 0 active_anon:224kB … kernel_stack:1760kB …`: of its sizes the one no other line has.
    KernelStack(Kib),
    /// `Node 0 DMA: 0*4kB 2*8kB …`, whose first size is a page's, in KiB.
    Buddy(u32),
    /// `hugepages_total=8 … hugepages_size=2048kB`, as a size.
    Hugepages(Kib),
    /// `327544 pages RAM`
    Ram(u64),
    /// `14580 pages reserved`
    Reserved(u64),
    /// `Free swap  = 0kB`
    SwapFree(Kib),
    /// `Total swap = 0kB`
    SwapTotal(Kib),
    /// `shmem_inode_cache     457208KB     457208KB`, a row of `Unreclaimable slab info:` (since 4.15): the
    /// cache and what it takes in all.
    Slab(&'a str, Kib),
}

pub(super) fn message(text: &str) -> Option<MemLine<'_>> {
    if text == "Mem-Info:" || text == "Mem-info:" {
        return Some(MemLine::Title);
    }
    if let Some(rest) = text.strip_prefix("Free swap").or_else(|| text.strip_prefix("Total swap")) {
        let size = Kib(scan::kb_after(rest, "=")?);
        return Some(if text.starts_with('F') {
            MemLine::SwapFree(size)
        } else {
            MemLine::SwapTotal(size)
        });
    }
    if let Some((count, rest)) = scan::number(text) {
        return match rest.trim_end() {
            " pages RAM" => Some(MemLine::Ram(count)),
            " pages reserved" => Some(MemLine::Reserved(count)),
            _ => None,
        };
    }
    if text.contains("hugepages_total=") {
        let total = scan::number_after(text, "hugepages_total=")?;
        let size = scan::kb_after(text, "hugepages_size=")?;
        return Some(MemLine::Hugepages(Kib(total.saturating_mul(size))));
    }
    if let Some((_, orders)) = text.split_once(": ")
        && let Some((_, first)) = orders.split(' ').next().and_then(|word| word.split_once('*'))
    {
        let (size, unit) = scan::number(first)?;
        return (unit == "kB").then(|| u32::try_from(size).ok().map(MemLine::Buddy)).flatten();
    }
    if let Some(at) = text.find(" free:") {
        let (name, fields) = text.split_at(at);
        let short = name.len() <= 32 && !name.contains(':');
        return short.then(|| scan::kb_after(fields, " free:")).flatten().map(|free| {
            let size = |key| scan::kb_after(fields, key).map(Kib);
            MemLine::Zone(Zone {
                name: name.into(),
                free: Some(Kib(free)),
                min: size(" min:"),
                managed: size(" managed:"),
                kernel_stack: size(" kernel_stack:"),
            })
        });
    }
    if text.starts_with("Node ")
        && let Some(size) = scan::kb_after(text, " kernel_stack:")
    {
        return Some(MemLine::KernelStack(Kib(size)));
    }
    slab(text).or_else(|| counters(text).map(MemLine::Counters))
}

fn slab(text: &str) -> Option<MemLine<'_>> {
    let mut words = text.split_ascii_whitespace();
    let name = words.next()?;
    let mut size = || -> Option<u64> { words.next()?.strip_suffix("KB")?.parse().ok() };
    let (_, total) = (size()?, size()?);
    words.next().is_none().then_some(MemLine::Slab(name, Kib(total)))
}

/// Only bare numbers are page counts: the per-node and per-zone lines carry a unit.
fn counters(text: &str) -> Option<Vec<(&str, u64)>> {
    let mut found = Vec::new();
    for line in text.split('\n') {
        for word in line.split_whitespace() {
            let (key, value) = word.split_once(':')?;
            if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                return None;
            }
            found.push((key, value.parse().ok()?));
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_slab_listing_names_a_cache_and_all_it_takes() {
        let row = message("kmalloc-cg-4k        584890KB     584896KB");
        assert_eq!(row, Some(MemLine::Slab("kmalloc-cg-4k", Kib(584_896))));
        for text in
            ["Name                      Used          Total", "a 1KB", "a 1KB 2KB 3", "a 1 2"]
        {
            assert!(!matches!(message(text), Some(MemLine::Slab(..))), "{text}");
        }
    }
}
