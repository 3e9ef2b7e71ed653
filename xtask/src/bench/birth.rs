//! `cargo xtask bench birth`: from a program's start to the `oom_score_adj` its class asks for.
//!
//! Programs are started at a steady rate; both moments are the kernel's own tracepoints. What is measured
//! is raising, which needs no privilege; lowering is the same way with another number.

use std::collections::HashMap;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::figures::{Figures, load};
use super::guard::{Guard, Which};
use super::measure;
use super::trace::{Happened, Trace};
use crate::{Outcome, say};

/// How long each program lives: a job that is over sooner cannot have grown.
const LIFE: &str = "0.05";
/// What the guard is given after the last start.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Programs to start
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// How many a second
    #[arg(long, default_value_t = 1000)]
    rate: u32,
}

#[derive(Default)]
struct Found {
    started: usize,
    exec_to_score: Figures,
    missed: usize,
    /// The kernel's buffer was full: what it did not tell is not counted.
    untold: usize,
}

/// Measures and writes the section.
pub(crate) fn run(args: &Args) -> Outcome {
    let program = args.which.program()?;
    let before = load();
    let guard = Guard::start(&program, POLICY)?;
    if !guard.log().contains("classed at birth") {
        bail!("the guard does not hear of births here:\n{}", guard.log());
    }
    let (found, took) = measure_with(args)?;
    let lost: Vec<String> =
        guard.log().lines().filter(|l| l.contains("lost")).map(Into::into).collect();
    let reached = f64::from(u32::try_from(found.started).unwrap_or(u32::MAX)) / took.as_secs_f64();
    let section = format!(
        "## Classes at birth\n\n`cargo xtask bench birth --count {} --rate {}`; goal: p99 ≤ 2 ms at 1,000 a \
         second, none missed in 100,000.\n\n{}; load {before} before, {} after (it is shared).\n\n\
         | programs started | a second | score set, p50 | p99 | most | missed |\n|---|---|---|---|---|---|\n\
         | {} | {reached:.0} | {} | {} |\n\n\
         From the tracepoint `sched:sched_process_exec` to `oom:oom_score_adj_update`, for `sleep {LIFE}` as an \
         expendable. Raising is measured. Losses that the guard spoke of: {}. Events that the \
         measurement itself lost: {}.\n",
        args.count,
        args.rate,
        measure::machine(),
        load(),
        found.started,
        found.exec_to_score.cells_in_ms(),
        found.missed,
        lost.len(),
        found.untold,
    );
    args.which.tell("birth", &section)?;
    Ok(ExitCode::SUCCESS)
}

const POLICY: &str = r#"
    [strict]
    floor = "0%"
    floor_min = "0MiB"
    horizon = "0s"
    kernel_kills = 0
    stall = "100%"
    pause_limit = "0s"
    [[rule]]
    name = "short"
    class = "expendable"
    command = ["sleep 0.05"]
    [[rule]]
    name = "everybody-else"
    class = "system"
    comm = ["*"]
"#;

fn measure_with(args: &Args) -> Result<(Found, Duration)> {
    let trace = Trace::of(&[
        ("sched/sched_process_exec", "filename ~ \"*/sleep\""),
        ("oom/oom_score_adj_update", "oom_score_adj==1000"),
    ])?;
    let over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (pipe, over) = (trace.pipe()?, Arc::clone(&over));
        thread::spawn(move || read(pipe, &over))
    };
    let (started, took) = start(args)?;
    thread::sleep(PATIENCE);
    over.store(true, Ordering::Release);
    // The reader waits for a line; this is one.
    Command::new("sleep").arg(LIFE).status().context("starting sleep")?;
    let Ok(mut found) = reader.join() else { bail!("reading the trace failed") };
    found.started = started;
    Ok((found, took))
}

/// Starts programs at the rate, and waits for each that has ended.
fn start(args: &Args) -> Result<(usize, Duration)> {
    let began = Instant::now();
    let mut running: std::collections::VecDeque<Child> = std::collections::VecDeque::new();
    let pause = Duration::from_secs(1) / args.rate.max(1);
    for nth in 0..args.count {
        let due = pause * u32::try_from(nth).unwrap_or(u32::MAX);
        if let Some(early) = due.checked_sub(began.elapsed()) {
            thread::sleep(early);
        }
        let child = Command::new("sleep").arg(LIFE).stdin(Stdio::null()).spawn();
        running.push_back(child.context("starting sleep")?);
        while let Some(first) = running.front_mut() {
            match first.try_wait()? {
                Some(_) => drop(running.pop_front()),
                None => break,
            }
        }
        if nth % 10_000 == 9_999 {
            say(&format!("birth: {} of {}", nth + 1, args.count));
        }
    }
    let took = began.elapsed();
    for mut child in running {
        child.wait()?;
    }
    Ok((args.count, took))
}

/// Pairs each start with the first value that follows it.
fn read(pipe: impl std::io::BufRead, over: &AtomicBool) -> Found {
    let mut found = Found::default();
    let mut waiting: HashMap<i64, f64> = HashMap::new();
    for line in pipe.lines().map_while(Result::ok) {
        if over.load(Ordering::Acquire) {
            break;
        }
        if line.contains("LOST") {
            found.untold += 1;
        }
        let Some(happened) = Happened::parse(&line) else { continue };
        found.take(&mut waiting, &happened);
    }
    found.missed += waiting.len();
    found
}

impl Found {
    fn take(&mut self, waiting: &mut HashMap<i64, f64>, happened: &Happened) {
        let Some(pid) = happened.number("pid") else { return };
        if happened.what == "sched_process_exec" {
            // The pid is another's now, and its first owner never had its value.
            self.missed += usize::from(waiting.insert(pid, happened.at_us).is_some());
        } else if let Some(at) = waiting.remove(&pid) {
            self.exec_to_score.push(happened.at_us - at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_no_value_follows_is_missed() {
        let lines = "s-1 [0] d. 1.000000: sched_process_exec: filename=/bin/sleep pid=5 old_pid=5\n\
                     s-2 [0] d. 1.000100: sched_process_exec: filename=/bin/sleep pid=6 old_pid=6\n\
                     g-9 [0] d. 1.000900: oom_score_adj_update: pid=5 comm=sleep oom_score_adj=1000\n\
                     s-1 [0] d. 2.000000: sched_process_exec: filename=/bin/sleep pid=6 old_pid=6\n";
        let found = read(lines.as_bytes(), &AtomicBool::new(false));
        assert_eq!((found.exec_to_score.count(), found.missed), (1, 2));
        assert!(found.exec_to_score.percentile(50).is_some_and(|us| (us - 900.0).abs() < 1.0));
    }
}
