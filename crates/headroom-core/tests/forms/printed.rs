//! The lines of a fixture as the kernel printed them.

use std::fs;
use std::path::Path;

/// 2026-11-23 22:20:23 UTC, when every report here began.
pub(crate) const BEGAN_S: u64 = 1_795_472_423;

/// One line as the kernel printed it.
pub(crate) struct Printed {
    pub(crate) uptime_us: u64,
    pub(crate) text: String,
    pub(crate) level: u8,
}

impl Printed {
    pub(crate) fn seconds(&self) -> String {
        format!("{:5}.{:06}", self.uptime_us / 1_000_000, self.uptime_us % 1_000_000)
    }

    /// `[   23.157011] text`
    pub(crate) fn dmesg(&self) -> String {
        format!("[{}] {}", self.seconds(), self.text)
    }

    /// Microseconds since 1970.
    pub(crate) fn unix_us(&self) -> u64 {
        BEGAN_S * 1_000_000 + self.uptime_us % 1_000_000
    }

    pub(crate) fn json(&self) -> String {
        self.text.replace('\\', "\\\\").replace('"', "\\\"")
    }
}

/// The kernel's lines of a fixture, without any prefix.
pub(crate) fn printed(name: &str) -> Vec<Printed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let log = fs::read_to_string(path).expect("a fixture");
    let lines = log.lines().filter_map(|line| {
        let line = line.split_once("kernel: ").map_or(line, |(_, rest)| rest);
        let (stamp, text) = line.strip_prefix('[')?.split_once("] ")?;
        let (seconds, fraction) = stamp.trim().split_once('.')?;
        let uptime_us = seconds.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?;
        let level = if text.starts_with(['[', ' ']) { 6 } else { 4 };
        Some(Printed { uptime_us, text: text.into(), level })
    });
    lines.collect()
}
