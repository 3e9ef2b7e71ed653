//! What a report says about a memory cgroup (`mem_cgroup_print_oom_*` in `mm/memcontrol.c`).

use alloc::vec::Vec;

use super::super::event::Usage;
use super::super::scan;
use super::Message;
use crate::units::Kib;

/// Which of a cgroup's accounts a usage line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// `memory:`
    Memory,
    /// `swap:`, cgroup v2
    Swap,
    /// `memory+swap:`, cgroup v1
    MemoryAndSwap,
    /// `kmem:`, cgroup v1
    Kmem,
}

/// The heading of a cgroup's statistics; kernels before 5.2 put them on the same line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats<'a> {
    /// The cgroup.
    pub cgroup: &'a str,
    /// Values on the same line, in bytes.
    pub values: Vec<(&'a str, u64)>,
}

/// Above this a limit is the kernel's notion of none: `PAGE_COUNTER_MAX` in KiB is 2^53 or so, and
/// `RESOURCE_MAX` of 3.x is 2^54.
const UNLIMITED_KIB: u64 = 1 << 52;

pub(super) fn message(text: &str) -> Option<Message<'_>> {
    if let Some(rest) = text.strip_prefix("Task in ") {
        let (task, limit) = rest.split_once(" killed as a result of limit of ")?;
        return Some(Message::TaskIn { task, limit: limit.trim() });
    }
    if let Some(rest) = text.strip_prefix("Memory cgroup stats for ") {
        let (cgroup, values) =
            rest.split_once(": ").or_else(|| Some((rest.strip_suffix(':')?, "")))?;
        return Some(Message::StatsFor(Stats { cgroup, values: inline(values) }));
    }
    if let Some((name, rest)) = text.split_once(": usage ") {
        let account = match name {
            "memory" => Account::Memory,
            "swap" => Account::Swap,
            "memory+swap" => Account::MemoryAndSwap,
            "kmem" => Account::Kmem,
            _ => return None,
        };
        return usage(rest).map(|usage| Message::Usage(account, usage));
    }
    let (key, value) = text.split_once(' ')?;
    let is_key = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    (is_key && !key.is_empty() && key.len() <= 48).then_some(())?;
    Some(Message::Stat(key, value.parse().ok()?))
}

fn usage(text: &str) -> Option<Usage> {
    let (usage, rest) = scan::number(text)?;
    let rest = rest.strip_prefix("kB")?;
    let limit = scan::kb_after(rest, "limit ")?;
    Some(Usage {
        usage: Kib(usage),
        limit: Some(Kib(limit)).filter(|limit| limit.0 < UNLIMITED_KIB),
        failcnt: scan::number_after(rest, "failcnt "),
    })
}

/// `cache:0KB rss:980KB …`
fn inline(text: &str) -> Vec<(&str, u64)> {
    let value = |word: &str| {
        let (value, unit) = scan::number(word)?;
        (unit == "KB").then(|| value.saturating_mul(1024))
    };
    text.split_whitespace()
        .filter_map(|field| field.split_once(':'))
        .filter_map(|(k, v)| Some((k, value(v)?)))
        .collect()
}
