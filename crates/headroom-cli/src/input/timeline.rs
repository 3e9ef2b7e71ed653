//! What the lines of a log say of time: the dates of some of them, and the moment of the boot.

use headroom_core::oomlog::{Wall, prefix};
use memchr::memchr;

/// Lines longer than this have no stamp worth looking at.
const LONGEST_STAMP: usize = 512;

/// Stamps that are kept of one log; when there are more, every other goes.
const MOST_SAMPLES: usize = 2048;

/// A date without a year, and the line it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) line: u64,
    pub(super) month: u8,
    pub(super) day: u8,
}

/// When a log's lines were logged, as far as they say it without a year, and how the time since boot lies
/// to the wall clock.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) days: Vec<Day>,
    has_first: bool,
    boots: Vec<i64>,
}

impl Timeline {
    /// Takes the stamp of the line at the front.
    pub(super) fn sample(&mut self, line: u64, bytes: &[u8]) {
        let end = memchr(b'\n', bytes).unwrap_or(bytes.len()).min(LONGEST_STAMP);
        let text = String::from_utf8_lossy(&bytes[..end]);
        let Some(Wall::Civil { year: None, month, day, .. }) = prefix::strip(&text).stamp.wall
        else {
            return;
        };
        if self.days.len() >= MOST_SAMPLES {
            let mut keep = false;
            self.days.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.days.push(Day { line, month, day });
    }

    /// Takes the stamp of the log's first line, once it is there.
    pub(super) fn first(&mut self, bytes: &[u8]) {
        if !self.has_first && bytes.contains(&b'\n') {
            self.has_first = true;
            self.sample(1, bytes);
        }
    }

    /// Takes what a raw kernel log says of the wall clock: the real-time clock's line, audit's stamps.
    pub(super) fn boots(&mut self, bytes: &[u8]) {
        const MOST: usize = 16;
        let found = ["setting system clock to ", " audit("]
            .iter()
            .flat_map(|words| memchr::memmem::find_iter(bytes, words.as_bytes()));
        for at in found {
            let from = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |newline| newline + 1);
            let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |newline| at + newline);
            let line = String::from_utf8_lossy(&bytes[from..end]);
            if let Some(boot) = boot(&line)
                && self.boots.len() < MOST
            {
                self.boots.push(boot);
            }
        }
    }

    /// When the machine booted, in microseconds since 1970, if all that was said of it agrees.
    pub(super) fn boot_us(&self) -> Option<i64> {
        const APART_US: u64 = 5_000_000;
        let first = *self.boots.first()?;
        self.boots.iter().all(|boot| boot.abs_diff(first) <= APART_US).then_some(first)
    }
}

/// `[    1.234567] rtc_cmos 00:00: setting system clock to 2026-11-23T22:20:17 UTC (1795472417)`, or
/// `[    0.052000] audit: type=2000 audit(1795472416.052:1): state=initialized`: the boot's moment.
fn boot(line: &str) -> Option<i64> {
    let stamp = prefix::strip(line).stamp;
    let uptime_us = i64::try_from(stamp.uptime_us?).ok()?;
    let (rest, ends) = match line.split_once(" audit(") {
        Some((_, rest)) => (rest, ':'),
        None => (line.split_once("setting system clock to ")?.1.rsplit_once('(')?.1, ')'),
    };
    let seconds: f64 = rest.split_once(ends)?.0.parse().ok()?;
    // Nothing that a kernel of ours has logged is from before 2001 or after 2100.
    if !(1e9..4.2e9).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds just checked")]
    let us = (seconds * 1e6) as i64;
    us.checked_sub(uptime_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boots_moment_is_read_where_it_is_said() {
        let mut timeline = Timeline::default();
        timeline.boots(
            b"[    1.500000] rtc_cmos 00:00: setting system clock to 2026-11-23T22:20:17 UTC (1795472417)\n\
              [    0.500000] audit: type=2000 audit(1795472416.000:1): state=initialized\n",
        );
        assert_eq!(timeline.boot_us(), Some(1_795_472_415_500_000));
        timeline
            .boots(b"[  100.0] audit: type=1400 audit(1795999999.000:9): apparmor=\"DENIED\"\n");
        assert_eq!(timeline.boot_us(), None, "two boots are none");
    }
}
