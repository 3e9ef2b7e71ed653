//! `policy test` for people.

use std::fmt::Write;

use headroom_api::policy::{Earlier, Process, Tested};

use super::{harmless, status::WIDTH};

/// Class, rule and score, and with `all` why no earlier rule matched.
pub(crate) fn tested(tested: &Tested, all: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "class  {}", tested.class);
    let rule = tested.rule.as_deref().unwrap_or("none: the default");
    let _ = writeln!(out, "rule   {rule}");
    let _ = writeln!(out, "score  {}", score(tested));
    let _ = writeln!(out, "\n{}", who(&tested.process));
    if all && !tested.earlier.is_empty() {
        let _ = writeln!(out, "\nRules asked before, and what kept each from matching:");
        for earlier in &tested.earlier {
            let line = format!("  {:<24} {}", earlier.rule, reason(earlier, &tested.process));
            out.extend(harmless(&line).chars().take(WIDTH));
            out.push('\n');
        }
    } else if !tested.earlier.is_empty() {
        let _ = writeln!(
            out,
            "\n{} rules were asked before; --all says why none of them matched",
            tested.earlier.len()
        );
    }
    out
}

fn score(tested: &Tested) -> String {
    let has = tested.process.oom_score_adj;
    match (tested.oom_score_adj, has, tested.would_set) {
        (None, Some(has), _) => format!("keeps its {has}"),
        (None, None, _) => "keeps what it has".into(),
        (Some(wanted), None, _) => wanted.to_string(),
        (Some(wanted), Some(has), Some(_)) => format!("{wanted} (has {has}, would be set)"),
        (Some(wanted), Some(has), None) if wanted == has => format!("{wanted}, as it has"),
        (Some(wanted), Some(has), None) => {
            format!("{wanted}, but its own {has} goes further and stays")
        }
    }
}

fn who(process: &Process) -> String {
    let mut lines = Vec::new();
    let mut say = |what: &str, value: Option<String>| {
        let value = value.unwrap_or_else(|| "unknown".into());
        lines.push(harmless(&format!("  {what:<10} {value}")).into_owned());
    };
    if let Some(pid) = process.pid {
        say("pid", Some(pid.to_string()));
    }
    say("uid", Some(process.uid.to_string()));
    say("comm", Some(process.comm.clone()));
    say("exe", process.exe.clone());
    say("command", process.command.clone());
    say("cgroup", process.cgroup.clone());
    say("session", process.session.map(|s| if s { "yes" } else { "no" }.into()));
    if let Some(role) = &process.role {
        say("role", Some(role.clone()));
    }
    say("parent", process.parent.clone());
    lines.join("\n")
}

fn reason(earlier: &Earlier, process: &Process) -> String {
    let is_known = match earlier.failed.as_str() {
        "unit" => process.cgroup.is_some(),
        "role" => process.exe.is_some() && process.command.is_some(),
        _ => false,
    };
    let found = earlier.found.as_deref().unwrap_or(if is_known { "none" } else { "unknown" });
    format!("{} is {found}, not {}", earlier.failed, earlier.accepted.join(" or "))
}
