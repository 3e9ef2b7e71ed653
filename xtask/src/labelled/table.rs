//! Every labelled incident through `headroom explain`, right or wrong, as docs/labelled.md.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde_json::Value;

use super::folder;
use crate::{Outcome, say, tree};

/// What explain said first of an incident.
struct Said {
    finding: String,
    group: String,
    title: String,
    blames_database: bool,
}

pub(super) fn run(program: Option<&Path>) -> Outcome {
    let program = match program {
        Some(program) => program.to_owned(),
        None => tree::release_headroom()?,
    };
    let labels = fs::read_to_string(folder().join("LABELS.tsv"))?;
    let (mut rows, mut right, mut real, mut real_right, mut blamed) = (String::new(), 0, 0, 0, 0);
    let mut count = 0;
    for line in labels.lines().skip(1) {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().unwrap_or("-");
        let (name, finding, group, origin) = (cell(), cell(), cell(), cell());
        let said = explained(&program, name)?;
        let is_right = said.finding == finding && said.group == group;
        let is_real = origin.starts_with("lab");
        count += 1;
        right += u32::from(is_right);
        real += u32::from(is_real);
        real_right += u32::from(is_real && is_right);
        blamed += u32::from(said.blames_database && group != "mysql");
        let verdict = if is_right { "right" } else { "**wrong**" };
        writeln!(
            rows,
            "| {name} | {origin} | {finding}, {group} | {}, {} | {verdict} | {} |",
            said.finding,
            said.group,
            said.title.replace('|', "\\|")
        )?;
    }
    let text = format!(
        "# Labelled incidents\n\nWritten by `cargo xtask labelled table`. Whoever made the incident knows whose it was; \
         `headroom explain` must name that finding and that group first. The lab's are cut from the journals of nodes \
         in which the kernel killed (`cargo xtask lab run --guard none --keep DIR`, then `cargo xtask labelled cut \
         DIR`); the label stands in the scenario's `about`.\n\nRight: {right} of {count}; of the lab's storms {real_right} \
         of {real}. The database is blamed in {blamed} incidents that it did not start.\n\n\
         | incident | from | the label | explain's first | | its words |\n|---|---|---|---|---|---|\n{rows}"
    );
    fs::write(tree::root().join("docs/labelled.md"), text)?;
    say(&format!(
        "{right} of {count} right; the lab's: {real_right} of {real}; database blamed: {blamed}"
    ));
    Ok(if right == count && blamed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn files(name: &str) -> Result<Vec<PathBuf>> {
    let path = folder().join(name);
    if path.is_file() {
        return Ok(vec![path]);
    }
    let entries = fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// The last incident's findings.
fn explained(program: &Path, name: &str) -> Result<Said> {
    let output = Command::new(program)
        .env("TZ", "UTC")
        .env_remove("HEADROOM_ROOT")
        .args(["explain", "--format", "json"])
        .args(files(name)?)
        .output()
        .with_context(|| format!("running {}", program.display()))?;
    let told: Value = serde_json::from_slice(&output.stdout).with_context(|| name.to_owned())?;
    let last = told["incidents"].as_array().and_then(|list| list.last());
    let findings = last.and_then(|last| last["findings"].as_array()).cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let first = findings.first().cloned().unwrap_or_default();
    let blames = |finding: &Value| {
        let id = finding["id"].as_str().unwrap_or_default();
        let of_database = matches!(id, "database-too-large" | "database-grew")
            || id == "leak" && finding["group"] == "mysql";
        of_database && finding["group"] == "mysql" && finding["confidence"] != "low"
    };
    Ok(Said {
        finding: text(&first["id"]),
        group: text(&first["group"]),
        title: text(&first["title"]),
        blames_database: findings.iter().any(blames),
    })
}
