//! The agent's log: lines on stderr, which systemd keeps in the journal.

use std::io::Write;

/// Says one line.
pub fn say(line: &str) {
    // With stderr gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "headroom-agent: {line}");
}
