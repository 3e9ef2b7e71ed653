//! Running the node's own commands.

use std::process::{Command, Stdio};

use crate::Outcome;

/// Runs a command to its end; its output goes to the journal. An error names the command.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Outcome {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
    let status = status.map_err(|error| format!("{program}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {status}", arguments.join(" ")).into())
}

/// What a command prints, or nothing when it cannot be run: for facts that may be missing.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
