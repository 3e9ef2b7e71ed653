//! How soon the agent says what a paused job holds in the database, and what its questions cost.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args as Arguments;
use serde_json::Value;

use super::{measured_by_agent, write_section};
use crate::{Outcome, needs};

/// What the bench takes.
#[derive(Debug, Arguments)]
pub(crate) struct Args {}

/// Measures and writes.
pub(crate) fn run(_: &Args) -> Outcome {
    needs::install()?;
    let measured = measured_by_agent("holders_cost_and_latency", &["--release"])?;
    write_section("holders", &section(&measured)?)?;
    Ok(ExitCode::SUCCESS)
}

fn section(measured: &Value) -> Result<String> {
    let ms = |of: &Value, name: &str| {
        let us = of[name].as_u64().with_context(|| format!("{name} is missing"))?;
        Ok::<_, anyhow::Error>(format!("{}.{}", us / 1000, us % 1000 / 100))
    };
    let cost = |name: &str, of: &Value| {
        Ok::<_, anyhow::Error>(format!(
            "| {name} | {} ms | {} ms | {} ms | {} ms |\n",
            ms(of, "server_us")?,
            ms(of, "agent_us")?,
            ms(of, "median_us")?,
            ms(of, "worst_us")?
        ))
    };
    let latency = |name: &str, of: &Value| {
        Ok::<_, anyhow::Error>(format!(
            "| {name} | {} ms | {} ms |\n",
            ms(of, "median_us")?,
            ms(of, "worst_us")?
        ))
    };
    Ok(format!(
        "## What a paused job holds in the database\n\n\
         `cargo xtask bench holders`. MariaDB {} with METADATA_LOCK_INFO. A client program is stopped a hundred \
         times, and the guard's list written; from there to the agent's answer. A suspicion is kept back for the \
         first 40 ms, an acquittal is not:\n\n\
         | the job | median | worst |\n|---|---|---|\n{}{}\n\
         One question of five hundred; it is asked each 50 ms, and only while a job with a connection is paused:\n\n\
         | connections | server's CPU | agent's CPU | median | worst |\n|---|---|---|---|---|\n{}{}",
        measured["version"].as_str().context("a version")?,
        latency("holds nothing", &measured["nothing"])?,
        latency("holds LOCK TABLES", &measured["lock"])?,
        cost("3", &measured["few"])?,
        cost("1,000 more, each in a transaction", &measured["many"])?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_measurement_reads_as_tables() {
        let one = json!({"median_us": 1250, "worst_us": 90_000, "server_us": 60, "agent_us": 400});
        let measured =
            json!({"version": "1", "few": one, "many": one, "nothing": one, "lock": one});
        let text = section(&measured).expect("whole");
        assert!(text.contains("| holds nothing | 1.2 ms | 90.0 ms |"), "{text}");
        assert!(text.contains("| 3 | 0.0 ms | 0.4 ms | 1.2 ms | 90.0 ms |"), "{text}");
        assert!(section(&json!({"version": "1"})).is_err());
    }
}
