//! `cargo xtask test`: every check there is, then one storm in the lab.

use std::env;
use std::io::{self, Write};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::steps::Steps;
use crate::tree::{cargo, check, lab_manifest, root};
use crate::{Outcome, api, lab, needs, say};

/// The lab ends with this when it cannot run on this machine (EX_NOPERM, as everywhere in Headroom).
const LAB_CANNOT_RUN: i32 = 77;

/// Runs all steps; the storm is left out with `no_lab`.
pub(crate) fn run(no_lab: bool) -> Outcome {
    let mut steps = Steps::default();
    steps.step("formatting", || check(&mut cargo(["fmt", "--all", "--check"])));
    steps.step("formatting of the lab", || check(&mut in_lab(&["fmt", "--all", "--check"])));
    steps.step("clippy", || {
        check(&mut cargo(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-Dwarnings"]))
    });
    steps.step("clippy of the lab", || {
        check(in_lab(&["clippy", "--quiet", "--all-targets"]).args(["--", "-Dwarnings"]))
    });
    steps.step("what tests need", needs::install);
    steps.step("tests", || check(&mut cargo(["test", "--quiet", "--workspace"])));
    steps.step("tests of the lab", || check(&mut in_lab(&["test", "--quiet"])));
    steps.step("the API under others' eyes", || api::run(None).map(drop));
    steps.step("documentation", || {
        let mut command = cargo(["doc", "--quiet", "--workspace", "--no-deps"]);
        check(command.env("RUSTDOCFLAGS", "-Dwarnings"))
    });
    let mut remark = None;
    if no_lab {
        remark = Some("the lab was left out, as told".to_owned());
    } else {
        steps.step("one storm in the lab", || {
            remark = storm()?;
            match &remark {
                // Where nobody watches, a check that did not run must not pass for one that did.
                Some(remark) if env::var("CI").is_ok_and(|ci| ci == "true") => bail!("{remark}"),
                _ => Ok(()),
            }
        });
    }
    let mut out = io::stdout();
    writeln!(out, "{}", steps.summary())?;
    if let Some(remark) = remark {
        writeln!(out, "{remark}")?;
    }
    Ok(if steps.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Cargo with a command for the lab's workspace.
fn in_lab(arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    command.arg("--manifest-path").arg(lab_manifest());
    command
}

/// One storm under the build of this tree. Returns a remark when the lab cannot run here.
fn storm() -> Result<Option<String>> {
    let keep = root().join("target/lab");
    let arguments = ["run", "--scenario", "runaway", "--guard", "headroom", "--policy", "strict"];
    let mut command = lab::command(&arguments.map(Into::into));
    command.arg("--keep").arg(&keep).stderr(Stdio::inherit());
    let output = command.output().context("starting the lab")?;
    if output.status.code() == Some(LAB_CANNOT_RUN) {
        return Ok(Some("the lab cannot run here, so no storm was tried (see above)".to_owned()));
    }
    if !output.status.success() {
        bail!("the lab failed ({}); its logs are in {}", output.status, keep.display());
    }
    let line = String::from_utf8(output.stdout)?;
    say(line.trim_end());
    let score = serde_json::from_str(&line).context("reading the score line")?;
    let faults = faults(&score);
    if !faults.is_empty() {
        bail!("{}; logs in {}", faults.join(", "), keep.display());
    }
    Ok(None)
}

/// What noise cannot break, and what is wrong with it in this score. Figures are for the results.
fn faults(score: &Value) -> Vec<&'static str> {
    let number = |field: &str| score[field].as_u64();
    let mut faults = Vec::new();
    if number("guard_kills").unwrap_or(0) + number("paused").unwrap_or(0) == 0 {
        faults.push("the guard did not act");
    }
    if number("essential_kills") != Some(0) {
        faults.push("a process that the shop needs was killed");
    }
    if number("essential_restarts") != Some(0) {
        faults.push("a service that the shop needs was lost");
    }
    if score["answers_after"] != Value::Bool(true) {
        faults.push("the shop does not answer after the storm");
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"guard_kills": 1, "paused": 0, "essential_kills": 0, "essential_restarts": 0,
               "answers_after": true, "availability": 90.0})
    }

    #[test]
    fn figures_that_noise_moves_are_no_fault() {
        assert_eq!(faults(&good()), Vec::<&str>::new());
    }

    #[test]
    fn a_field_that_is_missing_is_a_fault() {
        for field in ["essential_kills", "essential_restarts", "answers_after"] {
            let mut score = good();
            score[field] = Value::Null;
            assert_eq!(faults(&score).len(), 1, "{field}");
        }
    }

    #[test]
    fn pausing_is_acting_as_well() {
        let mut score = good();
        score["guard_kills"] = json!(0);
        assert_eq!(faults(&score), ["the guard did not act"]);
        score["paused"] = json!(3);
        assert!(faults(&score).is_empty());
    }
}
