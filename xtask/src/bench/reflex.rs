//! `cargo xtask bench reflex`: from the kernel's kill in a zone to the guard's signal, by the kernel's own
//! clock and by the guard's.
//!
//! The kernel kills in a memory cgroup of the bench's own that is made too small: the machine as a whole is
//! never short. Needs cgroup v1's memory controller or v2's, tracefs and root.

use std::path::Path;
use std::process::{Child, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use headroom_api::journal::{self, Entry};

use super::choose::Sleepers;
use super::figures::{Figures, load};
use super::guard::{Guard, Which};
use super::measure;
use super::stall;
use super::trace::{Happened, Trace};
use super::zone::Zone;
use crate::{Outcome, say};

/// Programs that fill a zone at once.
const HOGS: usize = 3;
/// Kills count for a second: only after that is the next one news.
const BETWEEN: Duration = Duration::from_millis(1300);
/// After this a victim holds what it is to hold.
const FILLED: Duration = Duration::from_millis(300);
/// What the guard is given to act, and the victim to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// How often the kernel is made to kill
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// So many sleeping processes beside, which are looked at before each choice
    #[arg(long, default_value_t = 2000)]
    sleepers: usize,
}

/// What came of all rounds.
#[derive(Default)]
struct Found {
    kill_to_signal: Figures,
    wake_to_signal: Figures,
    own: Figures,
    missed: usize,
}

/// Measures and writes the section.
pub(crate) fn run(args: &Args) -> Outcome {
    let program = args.which.program()?;
    let before = load();
    let alone = measure_with(&program, args.rounds, Around::Nobody)?;
    let crowded = measure_with(&program, args.rounds.div_ceil(4), Around::Sleepers(args.sleepers))?;
    let full = measure_with(&program, args.rounds.div_ceil(4), Around::Full)?;
    let stalled = stall::measure(&program, args.rounds.div_ceil(2))?;
    let row = |what: &str, figures: &Figures| {
        format!("| {what} | {} | {} |\n", figures.count(), figures.cells_in_ms())
    };
    let mut table =
        "| from ... to | measured | p50 | p99 | most |\n|---|---|---|---|---|\n".to_owned();
    let in_full_zone = ", the guard in the full zone".to_owned();
    let all = [(&alone, String::new()), (&crowded, crowd(args.sleepers)), (&full, in_full_zone)];
    for (found, beside) in all {
        table += &row(&format!("the kernel's kill to the signal{beside}"), &found.kill_to_signal);
        table += &row(&format!("the guard's wake-up to the signal{beside}"), &found.wake_to_signal);
        table += &row(&format!("the guard's own measure{beside}"), &found.own);
    }
    table += &row("the kernel's PSI event to the signal", &stalled.event_to_signal);
    let section = format!(
        "## The reflex\n\n`cargo xtask bench reflex --rounds {} --sleepers {}`; goal: p50 ≤ 1 ms, p99 ≤ 5 ms \
         on an idle machine from the kernel's event to the signal, ≤ 50 ms with 0 bytes available. The event is what \
         the kernel sends the guard: the rows from its wake-up and from the PSI event are the goal's. From the kill on \
         there is also what the kernel itself does before it tells anybody, its report to the console above all.\n\n{}; load {before} before, {} after (it is shared).\n\n{table}\nThe kernel's \
         kill is the tracepoint `oom:mark_victim` in a memory cgroup that is too small, the wake-up \
         `sched:sched_waking`, the signal `signal:signal_generate`. Kills that no signal followed: {}. In the full \
         zone {HOGS} programs take memory at once, so that none is left when the kernel has killed one of them: \
         whatever the kernel needs to carry out the guard's calls is charged to that zone. The PSI event is \
         the wake-up by the kernel's worker that watches pressure, made by programs that read a file larger than \
         their zone; {} more stalls were answered at a look of the guard's own before it.\n",
        args.rounds,
        args.sleepers,
        measure::machine(),
        load(),
        alone.missed + crowded.missed + full.missed,
        stalled.before_event,
    );
    args.which.tell("reflex", &section)?;
    Ok(ExitCode::SUCCESS)
}

fn crowd(sleepers: usize) -> String {
    format!(", {sleepers} processes beside")
}

/// What surrounds the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    Nobody,
    Sleepers(usize),
    /// It is in the zone itself, where no memory is left.
    Full,
}

fn measure_with(program: &Path, rounds: usize, around: Around) -> Result<Found> {
    let zone = Zone::make()?;
    let mark = std::process::id();
    let _crowd = Sleepers::start(if let Around::Sleepers(count) = around { count } else { 0 })?;
    let guard = Guard::start(program, &policy(&zone, mark))?;
    if around == Around::Full {
        zone.take(guard.pid())?;
        // It looks anew at everybody, and finds itself in the zone.
        guard.reload()?;
    }
    let hogs = if around == Around::Full { HOGS } else { 1 };
    let waking = format!("pid=={}", guard.pid());
    let trace = Trace::of(&[
        ("oom/mark_victim", ""),
        ("signal/signal_generate", "sig==15||sig==9"),
        ("sched/sched_waking", &waking),
    ])?;
    let mut found = Found::default();
    for round in 0..rounds {
        thread::sleep(BETWEEN);
        let mut victim = zone.victim(mark)?;
        thread::sleep(FILLED);
        trace.take()?;
        let mut all = Vec::new();
        for _ in 0..hogs {
            all.push(zone.hog()?);
        }
        for hog in &mut all {
            hog.wait()?;
        }
        let ended = ends_within(&mut victim, PATIENCE)?;
        if !ended {
            drop(victim.kill());
            drop(victim.wait());
        }
        let happened = trace.take()?;
        let hogs: Vec<u32> = all.iter().map(Child::id).collect();
        match judge(&happened, &hogs, victim.id()) {
            Some((kill, wake)) if ended => {
                found.kill_to_signal.push(kill);
                found.wake_to_signal.push(wake);
            }
            _ => found.missed += 1,
        }
        if round % 25 == 24 {
            say(&format!("reflex: {} of {rounds}, {} missed", round + 1, found.missed));
        }
    }
    let journal = journal::read(&guard.journal()).context("reading the guard's journal")?;
    for record in &journal.records {
        if let Entry::Verdict(verdict) = &record.entry
            && let Some(micros) = verdict.reflex_us
        {
            found.own.push_micros(micros);
        }
    }
    if found.kill_to_signal.count() == 0 {
        bail!("no kill was answered; the guard said:\n{}", guard.log());
    }
    Ok(found)
}

/// From the kernel's first kill of one of `hogs` to the signal to `victim`, and from the guard's last wake-up before
/// that signal, in µs.
fn judge(happened: &[Happened], hogs: &[u32], victim: u32) -> Option<(f64, f64)> {
    let is_hog = |pid: i64| hogs.iter().any(|hog| pid == i64::from(*hog));
    let kill =
        happened.iter().find(|h| h.what == "mark_victim" && h.number("pid").is_some_and(is_hog))?;
    let is_signal =
        |h: &&Happened| h.what == "signal_generate" && h.number("pid") == Some(victim.into());
    let signal = happened.iter().find(is_signal)?.at_us;
    let wakes = || happened.iter().filter(|h| h.what == "sched_waking" && h.at_us < signal);
    // The kernel counts its kill a moment before it marks the victim, and a guard that watches an empty zone
    // may read that in between; being awake already it needs no waking.
    let woken = wakes().find(|h| h.at_us > kill.at_us);
    let woken = woken.or_else(|| wakes().next_back().filter(|_| signal < kill.at_us));
    let woken = woken.map_or(kill.at_us, |h| h.at_us);
    Some(((signal - kill.at_us).max(0.0), signal - woken))
}

pub(super) fn ends_within(child: &mut Child, time: Duration) -> Result<bool> {
    for _ in 0..time.as_millis() {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(false)
}

/// One kill in the zone calls for relief, nothing else does; only the victims may go.
fn policy(zone: &Zone, mark: u32) -> String {
    format!(
        r#"
        [strict]
        floor = "0%"
        floor_min = "0MiB"
        horizon = "0s"
        kernel_kills = 1
        stall = "100%"
        minimum_gain = "4MiB"
        pause_limit = "0s"
        [[zone]]
        cgroup = "{}"
        [[rule]]
        name = "victim"
        class = "expendable"
        command = ["*count={mark} *"]
        [[rule]]
        name = "everybody-else"
        class = "system"
        comm = ["*"]
        "#,
        zone.path
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_counts_from_the_kill_and_from_the_first_wake_up_after_it() {
        let lines = [
            "g-1 [0] d. 9.999000: sched_waking: comm=g pid=1 prio=100",
            "x-2 [0] d. 10.000000: mark_victim: pid=50 comm=tail",
            "x-2 [0] d. 10.000100: sched_waking: comm=g pid=1 prio=100",
            "g-1 [0] d. 10.000900: signal_generate: sig=9 errno=0 code=0 comm=dd pid=60 grp=1 res=0",
        ];
        let happened: Vec<_> = lines.iter().filter_map(|line| Happened::parse(line)).collect();
        let (kill, wake) = judge(&happened, &[50], 60).unwrap();
        assert!((kill - 900.0).abs() < 1.0 && (wake - 800.0).abs() < 1.0, "{kill} {wake}");
        assert_eq!(judge(&happened, &[51], 60), None);
        let early = [
            "g-1 [0] d. 9.999000: sched_waking: comm=g pid=1 prio=100",
            "g-1 [0] d. 9.999900: signal_generate: sig=9 errno=0 code=0 comm=dd pid=60 grp=1 res=0",
            "x-2 [0] d. 10.000000: mark_victim: pid=50 comm=tail",
        ];
        let happened: Vec<_> = early.iter().filter_map(|line| Happened::parse(line)).collect();
        let (kill, wake) = judge(&happened, &[50], 60).unwrap();
        assert!(kill.abs() < 1.0 && (wake - 900.0).abs() < 1.0, "{kill} {wake}");
    }
}
