//! Runs steps one after another, all of them whatever fails, and sums up.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::say;

/// What came of the steps so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    /// Runs one step and takes down how long it took and whether it failed.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        say(&format!("==> {name}"));
        let start = Instant::now();
        let failure = work().err().map(|error| format!("{error:#}"));
        self.done.push(Step { name, took: start.elapsed(), failure });
    }

    /// Whether every step passed.
    pub(crate) fn all_passed(&self) -> bool {
        self.done.iter().all(|step| step.failure.is_none())
    }

    /// A line a step, and the counts alone on the last.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        for step in &self.done {
            let seconds = step.took.as_secs_f64();
            let outcome = step.failure.as_deref().map_or("ok", |_| "FAILED");
            text.push_str(&format!("{outcome:<6} {seconds:>6.1} s  {}\n", step.name));
            if let Some(failure) = &step.failure {
                text.push_str(&format!("                 {failure}\n"));
            }
        }
        let failed = self.done.iter().filter(|step| step.failure.is_some()).count();
        text.push_str(&format!("{} passed, {failed} failed", self.done.len() - failed));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_does_not_keep_the_next_from_running() {
        let mut steps = Steps::default();
        steps.step("first", || anyhow::bail!("no luck"));
        steps.step("second", || Ok(()));
        let summary = steps.summary();
        assert!(!steps.all_passed());
        assert!(summary.contains("no luck"));
        assert_eq!(summary.lines().last(), Some("1 passed, 1 failed"));
    }
}
