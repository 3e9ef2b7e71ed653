//! Runs a program and measures it from outside: time passed, time on the processor, memory.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What one run of a program took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// From start to end.
    pub(crate) wall: Duration,
    /// On the processor, its own and the kernel's on its behalf.
    pub(crate) cpu: Duration,
    /// Its largest resident memory in KiB, file pages included (getrusage(2)).
    pub(crate) peak_kib: u64,
}

/// Runs a shell's command line with its output thrown away, pinned to one processor.
///
/// # Errors
/// It cannot be started, or ends with another exit status than 0 and 1 (grep's "nothing found").
pub(crate) fn command(line: &str, folder: &Path) -> Result<Measured> {
    // GNU time, since the standard library tells nothing of a child's resources.
    let figures = tempfile::NamedTempFile::new().context("making a file for the figures")?;
    let mut arguments: Vec<OsString> =
        ["-c", "0", "time", "-q", "-f", "%U %S %M", "-o"].map(Into::into).to_vec();
    arguments.push(figures.path().into());
    arguments.extend(["sh", "-c", line].map(Into::into));
    let began = Instant::now();
    let status = Command::new("taskset")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("starting taskset and time (Debian packages util-linux and time)")?;
    let wall = began.elapsed();
    if !matches!(status.code(), Some(0 | 1)) {
        bail!("`{line}` ended with {status}");
    }
    let text = fs::read_to_string(figures.path()).context("reading what time measured")?;
    let mut words = text.split_whitespace();
    let mut number = || words.next().context("time measured nothing");
    let cpu = number()?.parse::<f64>()? + number()?.parse::<f64>()?;
    Ok(Measured { wall, cpu: Duration::from_secs_f64(cpu), peak_kib: number()?.parse()? })
}

/// The quickest of several runs, the first of which warms the page cache and does not count.
///
/// # Errors
/// Those of [`command`].
pub(crate) fn best_of(runs: usize, line: &str, folder: &Path) -> Result<Measured> {
    command(line, folder)?;
    let mut best = command(line, folder)?;
    for _ in 1..runs {
        let one = command(line, folder)?;
        best.wall = best.wall.min(one.wall);
        best.cpu = best.cpu.min(one.cpu);
        best.peak_kib = best.peak_kib.max(one.peak_kib);
    }
    Ok(best)
}

/// The machine in a few words: processor, how many, memory, kernel.
pub(crate) fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown".into());
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        .map_or("unknown".to_owned(), |kib| format!("{} GiB", kib.div_ceil(1 << 20)));
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{processor}, {count} processors, {memory}, Linux {}", kernel.trim())
}
