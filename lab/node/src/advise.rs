//! Tries `headroom advise` on a node that is set up wrongly in known ways, one after the other.
//!
//! The node is made a well-configured one first. Each case is laid over it, loaded, looked for and measured,
//! then followed and measured again where the case says how, and taken away: the next one must find the
//! node as the first did, which is told as well.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lab_facts::{Advised, Case, Storm};

use crate::arguments::Arguments;
use crate::{Outcome, apply, clock, http, jobs, meter, results, shell};

/// Where the cases are.
const CASES: &str = "/lab/misconfigured";
/// The one that is laid first, below every other.
const WELL: &str = "well-configured";
/// The node's configuration as it should be, to go back to.
const BACKUP: &str = "/var/lab-etc";

/// Runs all cases that were asked for, and reports.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if !http::shop_answers_within(Duration::from_secs(120)) {
        return Err("the shop never answered".into());
    }
    jobs::make_folder()?;
    lay(WELL)?;
    let names = arguments.advise.join(" ");
    script(WELL, "start", &[("LAB_CASES", &names)])?;
    settle()?;
    shell::run("cp", &["-a", "/etc", BACKUP])?;
    results::say("the node is as it should be");

    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let mut advised = Advised {
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim_end().to_owned(),
        ram_kib: meter::field(&meminfo, "MemTotal").unwrap_or(0),
        cases: Vec::new(),
    };
    for (index, name) in arguments.advise.iter().enumerate() {
        results::make_folder(name)?;
        if index == 0 {
            advise(name, "before")?;
        }
        advised.cases.push(case(name)?);
        // A node that does not get through has told what it came to.
        results::pack()?;
        results::report(&advised)?;
    }
    results::say("collecting the logs");
    results::collect(None)?;
    results::report(&advised)
}

/// One case from its start to its end. Only a node that cannot be brought back is an error.
fn case(name: &str) -> Outcome<Case> {
    results::say(&format!("{name}: laid over the node"));
    let began = clock::now();
    let mut case = Case { name: name.to_owned(), ..Case::default() };
    if let Err(error) = tried(&mut case) {
        results::say(&format!("{name}: {error}"));
        case.failed = Some(error.to_string());
    }
    case.took_s = clock::now().saturating_sub(began).as_secs_f64();
    take_away(name)?;
    Ok(case)
}

fn tried(case: &mut Case) -> Outcome {
    let name = case.name.clone();
    if name != WELL {
        lay(&name)?;
        if has(&name, "start") {
            script(&name, "start", &[])?;
        }
    }
    let mut first = None;
    if has(&name, "load") {
        first = Some(meter::around(|| script(&name, "load", &[]))?);
    }
    let said = advise(&name, "advise")?;
    let path = format!("{}/{name}/advise.json", results::FOLDER);
    if has(&name, "truth") {
        results::say(&format!("{name}: measuring the truth"));
        let text = output(&name, "truth", &[("LAB_ADVICE", &path)])?;
        case.truth_mib = Some(text.trim().parse().map_err(|_| format!("truth said {text:?}"))?);
    }
    let id = fs::read_to_string(format!("{CASES}/{name}/about"))?;
    let id = id.split(':').next().unwrap_or_default();
    if let Some(command) = command_of(&said, id).filter(|_| has(&name, "fix")) {
        case.storms = Some(followed(&name, &command, first)?);
    }
    Ok(())
}

/// The storm, the advice followed, the same storm once more.
fn followed(name: &str, command: &str, first: Option<Storm>) -> Outcome<[Storm; 2]> {
    let storm = if has(name, "storm") { "storm" } else { "load" };
    let first = match first.filter(|_| storm == "load") {
        Some(first) => first,
        None => meter::around(|| script(name, storm, &[]))?,
    };
    results::say(&format!("{name}: following the advice"));
    results::keep(&format!("{name}/command.txt"), command);
    apply::apply(command)?;
    script(name, "fix", &[])?;
    settle()?;
    let second = meter::around(|| script(name, storm, &[]))?;
    advise(name, "after")?;
    Ok([first, second])
}

/// What `headroom advise` prints for programs, kept under a name. That it has nothing to say is no failure.
fn advise(name: &str, when: &str) -> Outcome<String> {
    let output = Command::new("timeout")
        .args(["180", "headroom", "advise", "--format", "json"])
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    results::keep(&format!("{name}/{when}.json"), &text);
    match output.status.code() {
        Some(0 | 1) => Ok(text),
        _ => Err(format!("headroom advise: {}", output.status).into()),
    }
}

/// The command of the first advice of a kind.
fn command_of(advices: &str, id: &str) -> Option<String> {
    let all: serde_json::Value = serde_json::from_str(advices).ok()?;
    let mut advices = all.get("advices")?.as_array()?.iter();
    let found =
        advices.find(|advice| advice.get("id").and_then(|found| found.as_str()) == Some(id));
    Some(found?.get("command")?.as_str()?.to_owned())
}

fn has(name: &str, program: &str) -> bool {
    Path::new(CASES).join(name).join(program).exists()
}

/// Copies a case's files over the node's.
fn lay(name: &str) -> Outcome {
    if !has(name, "root") {
        return Ok(());
    }
    shell::run("cp", &["-r", "--no-preserve=ownership", &format!("{CASES}/{name}/root/."), "/"])
}

/// Takes a case's files away, puts the configuration back and does what else it takes.
fn take_away(name: &str) -> Outcome {
    results::say(&format!("{name}: taken away"));
    let listed = shell::output("find", &[&format!("{CASES}/{name}/root/etc"), "-type", "f"]);
    for path in listed.lines().filter(|_| name != WELL) {
        let below = path.strip_prefix(&format!("{CASES}/{name}/root/etc")).unwrap_or(path);
        if !fs::exists(format!("{BACKUP}{below}"))? {
            fs::remove_file(format!("/etc{below}"))?;
        }
    }
    shell::run("cp", &["-a", &format!("{BACKUP}/."), "/etc"])?;
    if has(name, "undo") {
        script(name, "undo", &[])?;
    }
    script(WELL, "forget", &[])?;
    settle()
}

/// Waits until the shop answers again with its data in memory.
fn settle() -> Outcome {
    if !http::shop_answers_within(Duration::from_secs(60)) {
        return Err("the shop does not answer".into());
    }
    shell::run("mariadb", &["shop", "-e", "SELECT SUM(LENGTH(v)) FROM t"])?;
    thread::sleep(Duration::from_secs(2));
    Ok(())
}

/// Runs one of a case's programs to its end.
fn script(name: &str, program: &str, environment: &[(&str, &str)]) -> Outcome {
    output(name, program, environment).map(|_| ())
}

/// What one of a case's programs prints. What it says on standard error is kept in the journal.
fn output(name: &str, program: &str, environment: &[(&str, &str)]) -> Outcome<String> {
    let mut command = Command::new(format!("{CASES}/{name}/{program}"));
    command.envs(environment.iter().copied()).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_an_advice_is_found_by_its_id() {
        let text = r#"{"advices": [{"id": "a", "command": "x"}, {"id": "b", "command": "y"}]}"#;
        assert_eq!(command_of(text, "b").as_deref(), Some("y"));
        assert_eq!(command_of(text, "c"), None);
        assert_eq!(command_of("", "a"), None);
    }
}
