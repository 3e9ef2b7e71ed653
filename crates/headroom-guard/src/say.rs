//! The guard's log: lines on stderr, which systemd keeps in the journal.

use std::io::Write;

use headroom_sys::own;

/// Says one line. Once the guard watches, only the journal's thread calls this: whoever reads stderr
/// may be slow.
pub fn say(line: &str) {
    // With stderr gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "headroom-guard: {line}");
}

/// The wall clock in milliseconds since 1970.
pub(crate) fn wall_clock_ms() -> i64 {
    let (seconds, nanos) = own::wall_clock();
    seconds.saturating_mul(1000).saturating_add(i64::from(nanos / 1_000_000))
}
