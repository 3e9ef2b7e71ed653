//! `cargo xtask lab`: passes on to the lab, which is a workspace of its own.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::{Outcome, tree};

/// Runs the lab with these arguments and ends as it ends.
pub(crate) fn run(arguments: &[OsString]) -> Outcome {
    let status = command(arguments).status().context("starting the lab")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(2)))
}

/// The lab's command, built when needed.
pub(crate) fn command(arguments: &[OsString]) -> Command {
    let mut command = tree::cargo(["run", "--quiet", "--release", "--package", "lab-host"]);
    command.arg("--manifest-path").arg(tree::lab_manifest()).arg("--").args(arguments);
    command
}
