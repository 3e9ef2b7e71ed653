//! What an online release of the database's memory gives beside a restart, with failed requests counted.

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
    let measured = measured_by_agent("release_beside_restart", &[])?;
    write_section("release", &section(&measured)?)?;
    Ok(ExitCode::SUCCESS)
}

fn section(measured: &Value) -> Result<String> {
    let number = |value: &Value| value.as_i64().context("a figure is missing");
    let mib = |value: &Value| Ok::<_, anyhow::Error>(number(value)? / 1024);
    let row = |name: &str, of: &Value| {
        Ok::<_, anyhow::Error>(format!(
            "| {name} | {} MiB | {} of {} | {} ms |\n",
            mib(&of["gained_kib"])?,
            number(&of["failed"])?,
            number(&of["requests"])?,
            number(&of["longest_ms"])?
        ))
    };
    let (online, restart) = (&measured["online"], &measured["restart"]);
    let share = number(&online["gained_kib"])? * 100 / number(&restart["gained_kib"])?.max(1);
    Ok(format!(
        "## Memory that the database gives back\n\n\
         `cargo xtask bench release`. MariaDB {}, a buffer pool of {} MiB that is full, the process holding {} \
         MiB; four visitors connect, read a row and leave, again and again. Gains are what the process holds \
         less (RssAnon, RssShmem and swap); a restart's is taken 0.3 s after it answers, when it has read a \
         part of its pool again.\n\n\
         | | given back | requests that failed | longest request |\n|---|---|---|---|\n{}{}\n\
         Online gives {share} % of what a restart gives.\n",
        measured["version"].as_str().context("a version")?,
        number(&measured["pool_mib"])?,
        mib(&measured["held_kib"])?,
        row("online (`headroom release mysql --online-only`)", online)?,
        row("a graceful restart", restart)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_measurement_reads_as_a_table() {
        let one = |gained: u32, failed: u32| json!({"gained_kib": gained, "requests": 10, "failed": failed, "longest_ms": 5});
        let measured = json!({"version": "1", "pool_mib": 2, "held_kib": 4096, "online": one(3072, 0), "restart": one(4096, 3)});
        let text = section(&measured).expect("whole");
        assert!(
            text.contains("| 3 MiB | 0 of 10 | 5 ms |") && text.contains("gives 75 %"),
            "{text}"
        );
        assert!(section(&json!({"version": "1"})).is_err());
    }
}
