//! `cargo xtask lab tour`: the node as a shop's developer meets it, written down as docs/tour.md.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail};
use lab_facts::tour::Step;

use crate::cli::TourArgs;
use crate::image::image_with;
use crate::places;
use crate::progress::say;
use crate::run::Lab;
use crate::settings::Run;

/// What the steps need beside what every node of the lab has: who decides for systemd whether the agent may restart
/// a service, and what one asks the API with.
const PACKAGES: [&str; 2] = ["polkitd", "curl"];

const HEAD: &str = "# The tour: what a shop's developer meets

Written by `cargo xtask lab tour`; do not edit.

One node (systemd, MariaDB, php-fpm, nginx, cron, sshd; 1280 MiB) with the package, after `headroom setup` and the statements it
prints. Each step logs in over ssh as the user named and types the command; `app`, the application's user, is in the groups
`headroom` and `adm`, `other` is not. The steps are files in `lab/image/run/tour/steps`. What each of them printed stands below the table.
Seconds are the emulated node's.
";

/// Takes all steps, or some; an error when one was not as expected.
pub(crate) fn run(arguments: &TourArgs) -> Result<()> {
    let run = Run::tour(&arguments.machine, arguments.only.clone());
    let lab = Lab::open(std::slice::from_ref(&run), arguments.package.as_deref())?;
    let lab = lab.on(image_with(&PACKAGES)?);
    let scratch = tempfile::tempdir()?;
    let keep = arguments.keep.as_deref().unwrap_or(scratch.path());
    // It has no facts to tell: what came of the steps is among the logs.
    lab.boot::<serde_json::Value>(&run, keep)?;
    let text = fs::read_to_string(keep.join("tour.json")).context("the node never got through")?;
    let steps: Vec<Step> = serde_json::from_str(&text)?;
    if arguments.only.is_none() {
        let path = places::tree().join("docs/tour.md");
        fs::write(&path, document(&steps)?)?;
        say(&format!("wrote {}", path.display()));
    }
    let failed: Vec<&Step> = steps.iter().filter(|step| !step.is_ok()).collect();
    for step in &failed {
        say(&format!("{}: {}\n{}{}", step.name, step.wrong.join("; "), step.output, step.found));
    }
    if steps.is_empty() || !failed.is_empty() {
        bail!("{} of {} steps were not as expected", failed.len(), steps.len());
    }
    Ok(())
}

fn document(steps: &[Step]) -> Result<String> {
    let mut text = HEAD.to_owned();
    let ok = steps.iter().filter(|step| step.is_ok()).count();
    writeln!(text, "\n{ok} of {} steps were as expected.\n", steps.len())?;
    writeln!(
        text,
        "| step | as | command | expected | seen | s | ok |\n|---|---|---|---|---|---|---|"
    )?;
    for step in steps {
        let ok = if step.is_ok() { "yes" } else { "**no**" };
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.1} | {ok} |",
            cell(&step.title),
            step.user,
            code(&step.command),
            cell(&step.expected.join("; ")),
            cell(&seen(step)),
            step.took_s,
        )?;
    }
    for step in steps {
        writeln!(text, "\n## {}\n\n{}", step.name, step.title)?;
        writeln!(text, "\n```\n{}$ {}", step.user, step.command)?;
        writeln!(text, "{}\n```", printable(&step.output).trim_end())?;
        if !step.found.trim().is_empty() {
            writeln!(
                text,
                "\nWhat root found then:\n\n```\n{}\n```",
                printable(&step.found).trim_end()
            )?;
        }
    }
    Ok(text)
}

/// How it ended, and its first line or what was wrong.
fn seen(step: &Step) -> String {
    let end = step.exit.map_or("no end".to_owned(), |code| format!("ended with {code}"));
    if step.is_ok() {
        let first = step.output.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let short: String = first.trim().chars().take(90).collect();
        return format!("{end}: {}", printable(&short));
    }
    format!("{end}; {}", printable(&step.wrong.join("; ")))
}

/// Text in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A command in a table: its first line.
fn code(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let more = if text.lines().count() > 1 { " ..." } else { "" };
    format!("`{}`{more}", first.replace('|', "\\|"))
}

/// Without what a terminal obeys and what would end a block of code.
fn printable(text: &str) -> String {
    let is_shown = |c: &char| *c == '\n' || !c.is_control();
    text.chars().filter(is_shown).collect::<String>().replace("```", "'''")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, wrong: &[&str]) -> Step {
        Step {
            name: name.into(),
            title: "It is shown.".into(),
            user: "app".into(),
            command: "headroom status | cat\ntrue".into(),
            expected: vec!["ends with 0".into()],
            exit: Some(0),
            output: "\n\x1b[1mroom\n```\n".into(),
            wrong: wrong.iter().map(|&text| text.into()).collect(),
            ..Step::default()
        }
    }

    #[test]
    fn the_document_has_a_row_and_the_output_of_each_step() {
        let text =
            document(&[step("10-a", &[]), step("11-b", &["ended with 3"])]).expect("written");
        assert!(text.contains("1 of 2 steps were as expected."), "{text}");
        assert!(text.contains("| `headroom status \\| cat` ... | ends with 0 | ended with 0: [1mroom | 0.0 | yes |"), "{text}");
        assert!(text.contains("ended with 0; ended with 3 | 0.0 | **no** |"), "{text}");
        assert!(text.contains("## 11-b\n"), "{text}");
        assert_eq!(text.matches("```").count(), 4, "an output cannot end its block");
    }
}
