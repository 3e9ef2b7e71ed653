//! Measures how much memory is in use at the highest while something goes on.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lab_facts::Storm;

use crate::Outcome;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Does `work` and measures meanwhile.
pub(crate) fn around(work: impl FnOnce() -> Outcome) -> Outcome<Storm> {
    let before_kib = in_use()?;
    let is_over = AtomicBool::new(false);
    let (outcome, peak_kib) = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = before_kib;
            while !is_over.load(Ordering::Relaxed) {
                peak = peak.max(in_use().unwrap_or(0));
                thread::sleep(LOOK);
            }
            peak
        });
        let outcome = work();
        is_over.store(true, Ordering::Relaxed);
        (outcome, watch.join())
    });
    outcome?;
    let peak_kib = peak_kib.map_err(|_| "the meter broke down")?;
    Ok(Storm { before_kib, peak_kib })
}

fn in_use() -> Outcome<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    used(&text).ok_or_else(|| "/proc/meminfo lacks a field".into())
}

/// The size that a field of /proc/meminfo has.
pub(crate) fn field(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn used(meminfo: &str) -> Option<u64> {
    let size = |name| field(meminfo, name);
    let memory = size("MemTotal")?.saturating_sub(size("MemAvailable")?);
    Some(memory + size("SwapTotal")?.saturating_sub(size("SwapFree")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_swapped_is_still_in_use() {
        let text = "MemTotal: 1000 kB\nMemFree: 50 kB\nMemAvailable: 200 kB\nSwapTotal: 500 kB\n\
                    SwapFree: 400 kB\n";
        assert_eq!(used(text), Some(900));
        assert_eq!(used("MemTotal: 1000 kB\n"), None);
    }
}
