//! `cargo xtask bench explain`: how fast a large log is read, beside the tools everybody has.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::measure::{self, Measured};
use super::write_section;
use crate::{Outcome, generate_log, say, tree};

/// The log's name in its folder.
const LOG: &str = "kern.log";

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How large a log to make and read
    #[arg(long, default_value = "4GiB", value_parser = generate_log::size)]
    size: u64,
    /// How large the part of it is that is compressed
    #[arg(long, default_value = "512MiB", value_parser = generate_log::size)]
    compressed_size: u64,
    /// A folder with room for both; they are deleted afterwards
    #[arg(long, default_value = "/tmp")]
    folder: PathBuf,
    /// Measure this program instead of building one
    #[arg(long, value_name = "HEADROOM")]
    program: Option<PathBuf>,
    /// How often each program runs; its quickest run counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// Measures and writes the section.
pub(crate) fn run(args: &Args) -> Outcome {
    let program = match &args.program {
        Some(program) => program.canonicalize().context("finding the program to measure")?,
        None => build()?,
    };
    let folder = tempfile::TempDir::new_in(&args.folder).context("making a folder for the logs")?;
    say("bench: making the logs");
    let events = generate_log::write(args.size, &folder.path().join(LOG))?;
    let large = plain(&program, folder.path(), args.runs)?;
    // The page cache is for the other log now.
    fs::remove_file(folder.path().join(LOG))?;
    let small_events = generate_log::write(args.compressed_size, &folder.path().join(LOG))?;
    compress(folder.path())?;
    let compressed = gzip(&program, folder.path(), args.runs)?;
    let mut section = format!(
        "## Reading a large log\n\n\
         `cargo xtask bench explain`, on {}.\n\
         Warm page cache, one core, output into a file, the quickest of {} runs. The log is `cargo xtask\n\
         generate-log --size {}`: kern.log of a node with a firewall, an OOM event in every 100 MiB\n\
         ({events} events).\n\n",
        measure::machine(),
        args.runs,
        bytes(args.size).replace(' ', "")
    );
    section.push_str(&table(&large)?);
    section.push_str(&verdict(&large)?);
    write!(
        section,
        "\nCompressed, {} of the same ({small_events} events):\n\n{}",
        bytes(args.compressed_size),
        table(&compressed)?
    )?;
    write_section("explain", &section)?;
    say(&section);
    Ok(ExitCode::SUCCESS)
}

type Row = (&'static str, Measured);

/// Each program on the plain log.
fn plain(program: &Path, folder: &Path, runs: usize) -> Result<Vec<Row>> {
    let explain = format!("{} explain --format json {LOG}", program.display());
    let lines: [(&str, String); 5] = [
        ("cat", format!("cat {LOG}")),
        ("wc -l", format!("wc -l {LOG}")),
        ("grep -c oom-killer", format!("grep -c oom-killer {LOG}")),
        ("rg -c oom-killer", format!("rg -c oom-killer {LOG}")),
        ("headroom explain", explain),
    ];
    measure_all(&lines, folder, runs)
}

/// Each program on the compressed one.
fn gzip(program: &Path, folder: &Path, runs: usize) -> Result<Vec<Row>> {
    let explain = format!("{} explain --format json {LOG}.gz", program.display());
    let lines: [(&str, String); 3] = [
        ("zcat", format!("gzip -dc {LOG}.gz")),
        ("zcat \\| grep -c oom-killer", format!("gzip -dc {LOG}.gz | grep -c oom-killer")),
        ("headroom explain", explain),
    ];
    measure_all(&lines, folder, runs)
}

fn measure_all(lines: &[(&'static str, String)], folder: &Path, runs: usize) -> Result<Vec<Row>> {
    let commands: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
    let best = measure::best_of(runs, &commands, folder)?;
    Ok(lines.iter().zip(best).map(|((name, _), measured)| (*name, measured)).collect())
}

fn compress(folder: &Path) -> Result<()> {
    let out = File::create(folder.join(format!("{LOG}.gz")))?;
    let status = Command::new("gzip")
        .args(["-6", "-c", LOG])
        .current_dir(folder)
        .stdout(out)
        .status()
        .context("starting gzip")?;
    if !status.success() {
        bail!("gzip failed ({status})");
    }
    Ok(())
}

fn build() -> Result<PathBuf> {
    say("bench: building the release program");
    tree::check(&mut tree::cargo(["build", "--release", "--quiet", "--package", "headroom-cli"]))?;
    Ok(tree::root().join("target/release/headroom"))
}

fn table(rows: &[Row]) -> Result<String> {
    let mut text =
        String::from("| | time | on the processor | memory at most |\n|---|---|---|---|\n");
    for (name, measured) in rows {
        writeln!(
            text,
            "| `{name}` | {:.2} s | {:.2} s | {} |",
            measured.wall.as_secs_f64(),
            measured.cpu.as_secs_f64(),
            bytes(measured.peak_kib * 1024)
        )?;
    }
    Ok(text)
}

/// The bars, and how explain stands to them.
fn verdict(rows: &[Row]) -> Result<String> {
    let cpu = |name: &str| {
        let row = rows.iter().find(|(known, _)| *known == name);
        row.map(|(_, measured)| measured.cpu.as_secs_f64()).context("a program was not measured")
    };
    let own = cpu("headroom explain")?.max(0.01);
    Ok(format!(
        "\nIn time on the processor: {:.1} times as fast as grep (the bar is 2), {:.1} times the time of\n\
         ripgrep (the bar is 3). Both others only count; explain reads every report and reasons about it. Its\n\
         memory holds at most 16 MiB of the file, mapped, at a time.\n",
        cpu("grep -c oom-killer")? / own,
        own / cpu("rg -c oom-killer")?.max(0.01)
    ))
}

/// A size in the unit that suits it.
fn bytes(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn row(name: &'static str, seconds: u64) -> Row {
        let time = Duration::from_secs(seconds);
        (name, Measured { wall: time, cpu: time, peak_kib: 2048 })
    }

    #[test]
    fn the_verdict_is_by_time_on_the_processor() {
        let rows =
            [row("grep -c oom-killer", 8), row("rg -c oom-killer", 1), row("headroom explain", 2)];
        let text = verdict(&rows).unwrap();
        assert!(text.contains("4.0 times as fast as grep"), "{text}");
        assert!(text.contains("2.0 times the time of"), "{text}");
        assert!(verdict(&rows[..1]).is_err());
        assert!(table(&rows).unwrap().contains("| `rg -c oom-killer` | 1.00 s | 1.00 s | 2 MiB |"));
    }
}
