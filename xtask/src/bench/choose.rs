//! `cargo xtask bench choose`: the choice among many processes, made up ones in the core and real ones
//! through the whole look.

use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headroom_core::action::Action;
use headroom_core::decide::{State, decide};
use headroom_core::policy::{Class, Policy};
use headroom_core::snapshot::{CommandLine, Memory, Moment, Process, ProcessId, Snapshot};
use headroom_core::units::Kib;

use super::figures::{Figures, load};
use super::{measure, write_section};
use crate::{Outcome, say};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Processes that are made up
    #[arg(long, default_value_t = 10_000)]
    processes: u32,
    /// Processes that really sleep while the whole node is looked at
    #[arg(long, default_value_t = 3000)]
    sleepers: usize,
    /// How often each is done
    #[arg(long, default_value_t = 100)]
    rounds: usize,
}

/// Measures and writes the section.
pub(crate) fn run(args: &Args) -> Outcome {
    let before = load();
    let policy = Policy::built_in();
    let mut chosen = Figures::default();
    let snapshot = crowd(args.processes);
    let mut actions = Vec::with_capacity(args.processes as usize + 64);
    for _ in 0..args.rounds {
        chosen.push(choose(&snapshot, &policy, &mut actions)?.as_secs_f64() * 1e6);
    }
    let mut looked = Figures::default();
    {
        let _sleepers = Sleepers::start(args.sleepers)?;
        for _ in 0..args.rounds.div_ceil(10) {
            let began = Instant::now();
            headroom_guard::look_once(Path::new("/"), &policy, "/")
                .context("looking at this node")?;
            looked.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    let section = format!(
        "## Choosing\n\n`cargo xtask bench choose`; goal: among 10,000 processes in ≤ 30 ms.\n\n{}; load \
         {before} before, {} after (it is shared).\n\n| what | measured | p50 | p99 | most |\n\
         |---|---|---|---|---|\n\
         | a decision in a storm among {} processes that are made up | {} | {} |\n\
         | a first look at a node with {} sleeping processes, all read, classed and ranked | {} | {} |\n\n\
         The first look is the dearest: later ones read of each process only what changes. What a running \
         guard needs with that many processes is in the section on the reflex.\n",
        measure::machine(),
        load(),
        args.processes,
        chosen.count(),
        chosen.cells_in_ms(),
        args.sleepers,
        looked.count(),
        looked.cells_in_ms(),
    );
    write_section("choose", &section)?;
    say(&section);
    Ok(ExitCode::SUCCESS)
}

/// One decision by a guard that has just found memory used up.
fn choose(snapshot: &Snapshot, policy: &Policy, actions: &mut Vec<Action>) -> Result<Duration> {
    let mut state = State::new(policy.zones.len(), 0);
    let began = Instant::now();
    decide(&mut state, snapshot, policy, actions);
    let took = began.elapsed();
    let acts = actions.iter().any(|action| matches!(action, Action::Relieve(_)));
    ensure!(acts, "nobody was chosen");
    Ok(took)
}

/// Many processes, most of them expendable, of many kinds and sizes, on a node that is full.
fn crowd(count: u32) -> Snapshot {
    let at = Moment(1_000_000_000_000);
    let process = |nth: u32| {
        let size = Kib(u64::from(nth.wrapping_mul(2_654_435_761) % 65_536));
        let command = format!("php /srv/shop/import-{}.php --batch {nth}", nth % 97);
        Process {
            id: ProcessId {
                pid: i32::try_from(nth).unwrap_or(i32::MAX).saturating_add(300),
                start_ticks: u64::from(nth),
            },
            command: CommandLine::new(command.as_bytes()),
            class: if nth.is_multiple_of(5) { Class::Essential } else { Class::Expendable },
            rss: size,
            gives_back: size,
            oom_score_adj: Some(1000),
            ..Process::default()
        }
    };
    Snapshot {
        at,
        scanned: at,
        memory: Memory { total: Kib::from_mib(65_536), ..Memory::default() },
        processes: (0..count).map(process).collect(),
        ..Snapshot::default()
    }
}

/// Sleeping processes, ended when they are dropped.
pub(super) struct Sleepers(Vec<Child>);

impl Sleepers {
    pub(super) fn start(count: usize) -> Result<Self> {
        let mut sleepers = Self(Vec::with_capacity(count));
        for _ in 0..count {
            sleepers.0.push(Command::new("sleep").arg("3600").spawn().context("starting sleep")?);
        }
        Ok(sleepers)
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.kill());
        }
        for child in &mut self.0 {
            drop(child.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_node_with_many_processes_is_relieved() {
        choose(&crowd(500), &Policy::built_in(), &mut Vec::new()).unwrap();
    }
}
