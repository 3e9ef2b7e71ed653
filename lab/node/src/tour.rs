//! The tour: what a shop's developer types, over ssh, and whether the node answers as it should.

mod script;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use lab_facts::tour::Step;

use crate::arguments::Arguments;
use crate::{Outcome, clock, guard, http, results, shell};
use script::Script;

/// Where the run disk has it.
const FOLDER: &str = "/lab/tour";
/// No step takes longer, its storm included.
const LONGEST_S: u32 = 240;
/// Characters of what a step printed that are told at once when it was not as expected.
const SAID: usize = 400;

/// Prepares the node, takes every step, and keeps what came of them as `tour.json`.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if !http::shop_answers_within(Duration::from_secs(120)) {
        return Err("the shop never answered".into());
    }
    let unit = guard::install(arguments)?;
    shell::run("/lab/tour/prepare", &[])?;
    results::say("the shop answers, the guard stands, the users can log in");
    let mut steps = Vec::new();
    for name in names()? {
        let text = fs::read_to_string(format!("{FOLDER}/steps/{name}"))?;
        let script = Script::parse(&text).map_err(|why| format!("{name}: {why}"))?;
        let step = take(&name, &script);
        let verdict = if step.is_ok() { "ok" } else { "NOT as expected" };
        results::say(&format!("{name}: {verdict}, {:.1} s", step.took_s));
        if !step.is_ok() {
            let of = |text: &str| text.chars().take(SAID).collect::<String>().replace('\n', " / ");
            let wrong = step.wrong.join("; ");
            results::say(&format!("  {wrong}: {} | {}", of(&step.output), of(&step.found)));
        }
        steps.push(step);
        // After each, so that a node that falls silent leaves what it had.
        results::keep("tour.json", &serde_json::to_string(&steps)?);
    }
    results::say("collecting the logs");
    results::collect(unit.as_deref())
}

fn names() -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(format!("{FOLDER}/steps"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn take(name: &str, script: &Script) -> Step {
    let mut step = Step {
        name: name.to_owned(),
        title: script.title.clone(),
        user: script.user.clone(),
        command: script.command.clone(),
        expected: script.expected(),
        ..Step::default()
    };
    if let Some(before) = &script.before {
        let (exit, said) = log_in("root", before);
        if exit != Some(0) {
            step.wrong.push(format!("what had to be made ready for it failed: {said}"));
            return step;
        }
    }
    let begin = clock::now();
    (step.exit, step.output) = log_in(&script.user, &script.command);
    step.took_s = clock::now().saturating_sub(begin).as_secs_f64();
    step.wrong = script.wrong(step.exit, &step.output);
    if let Some(after) = &script.after {
        let (exit, said) = log_in("root", after);
        step.found = said;
        if exit != Some(0) {
            step.wrong.push("what root found afterwards".to_owned());
        }
    }
    step
}

/// Logs in and runs the command, as ssh's user would: its output and errors in one stream.
fn log_in(user: &str, command: &str) -> (Option<i32>, String) {
    let mut ssh = Command::new("timeout");
    ssh.args([&LONGEST_S.to_string(), "ssh", "-q", "-o", "BatchMode=yes"]);
    ssh.args(["-o", "StrictHostKeyChecking=no", "-i", "/run/lab/key"]);
    // The shell there puts errors where the output goes, in their order.
    ssh.arg(format!("{user}@localhost")).arg(format!("exec 2>&1\n{command}"));
    match ssh.stdin(Stdio::null()).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code().filter(|code| *code != 124), said)
        }
        Err(error) => (None, format!("ssh: {error}")),
    }
}
