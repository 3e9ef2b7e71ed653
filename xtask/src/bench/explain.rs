//! `cargo xtask bench explain`: how fast a large log is read, beside the tools everybody has.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{measure, write_section};
use crate::Outcome;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log to read, such as `cargo xtask generate-log` makes
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// How often each program runs; its quickest run counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// Measures and writes the section.
pub(crate) fn run(args: &Args) -> Outcome {
    let folder = args.log.parent().map_or_else(PathBuf::new, PathBuf::from);
    let name = args.log.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let one = measure::best_of(args.runs, &format!("cat '{name}'"), &folder)?;
    let section = format!(
        "## Reading a large log\n\n{}\n\n`cat`: {:.2} s ({:.2} s of processor), {} KiB\n",
        measure::machine(),
        one.wall.as_secs_f64(),
        one.cpu.as_secs_f64(),
        one.peak_kib
    );
    write_section("explain", &section)?;
    Ok(ExitCode::SUCCESS)
}
