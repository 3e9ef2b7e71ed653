//! Many runs, some at a time, until each cell has as many rows as asked for.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, bail};

use crate::cli::MatrixArgs;
use crate::progress::say;
use crate::rows::{self, Key, Row};
use crate::run::Lab;
use crate::settings::{Policy, Run, is_own};

/// Runs what is missing of the matrix. A run that fails for a reason of the lab's is told at the end.
pub(crate) fn run(arguments: &MatrixArgs) -> Result<()> {
    let runs = cells(arguments)?;
    let lab = Lab::open(&runs, arguments.package.as_deref())?;
    let kept = rows::read()?;
    let mut queue = VecDeque::new();
    // One run of each cell before the second of any: a matrix that is stopped early is still a table.
    for round in 0..arguments.runs {
        for run in &runs {
            let key = Key::of(&lab, run)?;
            if kept.iter().filter(|row| row.key == key).count() <= round {
                queue.push_back(run.clone());
            }
        }
    }
    say(&format!("{} runs to do, {} at a time", queue.len(), arguments.jobs));
    let (queue, failures) = (Mutex::new(queue), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some((run, left)) = next(&queue) {
                    if let Err(error) = run_and_keep(&lab, &run, arguments.keep.as_deref()) {
                        let text = format!("{} {}: {error:#}", run.scenario, run.guard);
                        say(&text);
                        failures.lock().unwrap_or_else(|e| e.into_inner()).push(text);
                    }
                    say(&format!("{left} runs left in the queue"));
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(|e| e.into_inner());
    if !failures.is_empty() {
        bail!("{} runs failed:\n{}", failures.len(), failures.join("\n"));
    }
    Ok(())
}

fn next(queue: &Mutex<VecDeque<Run>>) -> Option<(Run, usize)> {
    let mut queue = queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let run = queue.pop_front()?;
    Some((run, queue.len()))
}

/// Every combination asked for. Peers know no policy: each has one cell, not one a policy.
fn cells(arguments: &MatrixArgs) -> Result<Vec<Run>> {
    let mut cells = Vec::new();
    for scenario in &arguments.scenarios {
        for guard in &arguments.guards {
            let policies = if is_own(guard) { &arguments.policies[..] } else { &[Policy::Strict] };
            for policy in policies {
                cells.push(Run::new(scenario, guard, *policy, &arguments.machine)?);
            }
        }
    }
    Ok(cells)
}

fn run_and_keep(lab: &Lab, run: &Run, keep: Option<&Path>) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let folder = match keep {
        Some(keep) => {
            keep.join(format!("{}-{}-{}-{at}", run.scenario, run.guard, run.policy.word()))
        }
        None => scratch.path().to_owned(),
    };
    let score = lab.run(run, &folder)?;
    let (key, node, command) = (Key::of(lab, run)?, run.node(), run.command());
    rows::append(&Row { key, at, node, command, score })
}
