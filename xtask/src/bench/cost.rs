//! `cargo xtask bench cost`: what watching costs a quiet node, the guard beside earlyoom.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::figures::load;
use super::guard::{Guard, Which};
use super::measure;
use crate::{Outcome, say};

/// The start is not what is measured.
const SETTLING: Duration = Duration::from_secs(10);

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// How long each is watched, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// What a program costs.
struct Cost {
    rss_kib: u64,
    anonymous_kib: u64,
    file_kib: u64,
    wakeups_s: f64,
    cpu_percent: f64,
}

/// Measures and writes the section.
pub(crate) fn run(args: &Args) -> Outcome {
    let program = args.which.program()?;
    let (before, births) = (load(), births()?);
    let time = Duration::from_secs(args.seconds);
    let guard = Guard::start(&program, "")?;
    let own = watch(guard.pid(), time)?;
    drop(guard);
    let earlyoom = Earlyoom::start().and_then(|peer| watch(peer.0.id(), time));
    let births = f64::from(u32::try_from(self::births()? - births).unwrap_or(u32::MAX))
        / (2.0 * (time + SETTLING).as_secs_f64());
    let mut table =
        "| program | RSS | of it anonymous | of files | wake-ups a second | of a core |\n\
                     |---|---|---|---|---|---|\n"
            .to_owned();
    table += &row("headroom-guard", &own);
    match &earlyoom {
        Ok(peer) => table += &row("earlyoom", peer),
        Err(error) => say(&format!("cost: earlyoom was left out: {error:#}")),
    }
    let section = format!(
        "## Cost on a quiet node\n\n`cargo xtask bench cost --seconds {}`; goal: RSS ≤ 1.5 MiB, ≤ 1 wake-up a \
         second, ≤ 0.05 % of a core.\n\n{}; load {before} before, {} after: the machine is shared and not \
         quiet, {births:.1} processes and threads began each second, of each of which the guard hears.\n\n{table}\n\
         Both have their memory locked. Pages of files are shared with whoever else uses the C library.\n",
        args.seconds,
        measure::machine(),
        load(),
    );
    args.which.tell("cost", &section)?;
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, cost: &Cost) -> String {
    format!(
        "| {name} | {} KiB | {} KiB | {} KiB | {:.2} | {:.3} % |\n",
        cost.rss_kib, cost.anonymous_kib, cost.file_kib, cost.wakeups_s, cost.cpu_percent
    )
}

/// Processes and threads that began since the node booted (proc(5), `/proc/stat`).
fn births() -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let line = stat.lines().find_map(|line| line.strip_prefix("processes "));
    line.and_then(|count| count.trim().parse().ok()).context("no count of processes in /proc/stat")
}

fn watch(pid: u32, time: Duration) -> Result<Cost> {
    thread::sleep(SETTLING);
    let (began, first) = (Instant::now(), usage(pid)?);
    thread::sleep(time);
    let (took, last) = (began.elapsed().as_secs_f64(), usage(pid)?);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("it ended")?;
    let rate = |from: u64, to: u64| {
        Duration::from_nanos(to.saturating_sub(from)).as_secs_f64() * 1e9 / took
    };
    Ok(Cost {
        rss_kib: field(&status, "VmRSS:"),
        anonymous_kib: field(&status, "RssAnon:"),
        file_kib: field(&status, "RssFile:"),
        wakeups_s: rate(first.0, last.0),
        cpu_percent: rate(first.1, last.1) / 1e9 * 100.0,
    })
}

/// Of all threads: how often they were woken, and the time on a processor in ns.
fn usage(pid: u32) -> Result<(u64, u64)> {
    let (mut wakeups, mut nanos) = (0, 0);
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("it ended")? {
        let task = task?.path();
        let read = |name: &str| fs::read_to_string(task.join(name)).unwrap_or_default();
        wakeups += field(&read("status"), "voluntary_ctxt_switches:");
        let schedstat = read("schedstat");
        let first = schedstat.split(' ').next().and_then(|text| text.parse::<u64>().ok());
        nanos += first.unwrap_or(0);
    }
    Ok((wakeups, nanos))
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A peer, ended when it is dropped. It is told never to act.
struct Earlyoom(Child);

impl Earlyoom {
    fn start() -> Result<Self> {
        let path = Path::new("/usr/bin/earlyoom");
        let mut command = Command::new(path);
        command.args(["-r", "0", "--dryrun"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).context("starting earlyoom (package earlyoom)")
    }
}

impl Drop for Earlyoom {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
