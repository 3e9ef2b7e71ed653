//! `cargo xtask generate-log`: a kern.log as large as wanted, the same every time, for measuring.

mod noise;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::{Outcome, say};
use noise::{Clock, Random};

/// A real report on a whole machine, without any prefix.
const REPORT: &str =
    include_str!("../../../crates/headroom-core/tests/data/03-6.1.1-arch1-global-bare.log");

/// How much log there is for each event.
const PER_EVENT: u64 = 100 << 20;

/// What to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How large: bytes, or a number with KiB, MiB or GiB
    #[arg(long, default_value = "4GiB", value_parser = size)]
    size: u64,
    /// Where to write it
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

/// Makes the log and says what is in it.
pub(crate) fn run(args: &Args) -> Outcome {
    let events = write(args.size, &args.out)?;
    say(&format!("{}: {} bytes, {events} OOM events", args.out.display(), args.size));
    Ok(ExitCode::SUCCESS)
}

/// Writes a log of this size and gives back how many events are in it: one in each
/// [`PER_EVENT`] bytes that are full, at the middle of them, and one at least.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(size: u64, path: &Path) -> Result<u64> {
    let context = || format!("writing {}", path.display());
    let file = File::create(path).with_context(context)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let events = compose(size, &mut out).with_context(context)?;
    out.flush().with_context(context)?;
    Ok(events)
}

fn compose(size: u64, out: &mut impl Write) -> Result<u64> {
    let spacing = PER_EVENT.min(size);
    let (mut random, mut clock) = (Random::default(), Clock::default());
    let (mut written, mut events, mut line) = (0, 0, String::new());
    while written < size {
        line.clear();
        if written >= spacing / 2 + events * spacing && size - written > 2 * report_length() {
            report(&mut line, &mut clock, &mut random, events);
            events += 1;
        } else {
            noise::line(&mut line, &mut clock, &mut random);
        }
        // The last line is as long as it must be for the size asked for.
        let room = usize::try_from(size - written).unwrap_or(usize::MAX);
        if line.len() > room {
            line.truncate(room.saturating_sub(1));
            line.push('\n');
        }
        out.write_all(line.as_bytes())?;
        written += u64::try_from(line.len())?;
    }
    Ok(events)
}

/// More than the report has with its prefixes.
fn report_length() -> u64 {
    u64::try_from(REPORT.len() + REPORT.lines().count() * 64).unwrap_or(u64::MAX)
}

/// The report with other PIDs, and now and then the firewall's line between two of its own.
fn report(into: &mut String, clock: &mut Clock, random: &mut Random, number: u64) {
    let victim = (473_206 + number).to_string();
    for text in REPORT.lines() {
        clock.prefix(into, 50);
        into.push_str(&text.replace("473206", &victim));
        into.push('\n');
        if random.below(20) == 0 {
            noise::blocked(into, clock, random);
        }
    }
}

/// A size as people write it.
pub(crate) fn size(text: &str) -> Result<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => bail!("no such unit; try 512MiB or 4GiB"),
    };
    let number: u64 = number.parse().context("no number; try 512MiB or 4GiB")?;
    number.checked_mul(factor).context("too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_the_size_and_the_events_asked_for() {
        let mut log = Vec::new();
        let events = compose(300_000, &mut log).unwrap();
        assert_eq!(log.len(), 300_000);
        let text = String::from_utf8(log).unwrap();
        assert_eq!(text.matches("invoked oom-killer").count(), 1);
        assert_eq!(events, 1);
        assert!(text.lines().filter(|line| line.contains("[UFW BLOCK]")).count() > 500);
    }

    #[test]
    fn the_same_log_comes_every_time() {
        let make = || {
            let mut log = Vec::new();
            compose(50_000, &mut log).unwrap();
            log
        };
        assert_eq!(make(), make());
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(size("4GiB").unwrap(), 4 << 30);
        assert_eq!(size("512 MiB").unwrap(), 512 << 20);
        assert_eq!(size("7").unwrap(), 7);
        assert!(size("4 parsecs").is_err());
    }
}
