//! The part of a kept run's journal that a storm left: from half a minute before the first report to ten
//! seconds after the last line of one, compressed, and its row in LABELS.tsv.
//!
//! The label is what the scenario's own `about` says (`finding`, `group`): who started the storm knows.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};

use super::folder;
use crate::{Outcome, say, tree};

/// Seconds kept before the first report and after the last.
const BEFORE: f64 = 30.0;
const AFTER: f64 = 10.0;
/// What the kernel's log has at either end of a storm of a series.
const MARK: &str = "lab: storm ";

pub(super) fn run(kept: &[PathBuf]) -> Outcome {
    let mut rows = Vec::new();
    for kept in kept {
        let name = kept.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let journal = fs::read_to_string(kept.join("journal.log"))
            .with_context(|| format!("reading {}/journal.log", kept.display()))?;
        let guard = word_of(&journal, "lab.guard=").unwrap_or("none");
        let scenario = word_of(&journal, "lab.scenario=")
            .with_context(|| format!("{name}: the journal does not say which scenario it was"))?;
        for (storm, lines) in storms(scenario, &journal) {
            let Some(part) = around_reports(&lines) else {
                say(&format!("{storm} ({name}): no report, nobody was killed"));
                continue;
            };
            rows.push(keep(storm, guard, &part)?);
        }
    }
    if rows.is_empty() {
        bail!("no storm of these left a report");
    }
    write_rows(&rows)?;
    Ok(ExitCode::SUCCESS)
}

fn word_of<'a>(journal: &'a str, key: &str) -> Option<&'a str> {
    journal.split_once(key)?.1.split_whitespace().next()
}

/// A series holds many storms, between marks; any other run is one.
fn storms<'a>(scenario: &'a str, journal: &'a str) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut storms: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in journal.lines() {
        // The journal takes the mark's first word for the program that wrote it.
        let mark = line.split_once(MARK);
        match mark.and_then(|(_, rest)| rest.split_once(' ')) {
            Some((storm, "begins")) => storms.push((storm, Vec::new())),
            Some(_) => storms.push(("", Vec::new())),
            None => {
                if let Some((_, lines)) = storms.last_mut() {
                    lines.push(line);
                }
            }
        }
    }
    if storms.is_empty() {
        return vec![(scenario, journal.lines().collect())];
    }
    storms.retain(|(storm, _)| !storm.is_empty());
    storms
}

/// Seconds since the boot at the front of a journal's line.
fn stamp(line: &str) -> Option<f64> {
    line.strip_prefix('[')?.split_once(']')?.0.trim().parse().ok()
}

fn around_reports(lines: &[&str]) -> Option<String> {
    let of_report =
        |line: &&&str| line.contains("invoked oom-killer") || line.contains("Killed process ");
    let first = stamp(lines.iter().find(of_report)?)?;
    let last = stamp(lines.iter().rfind(of_report)?)?;
    let mut part = String::new();
    let mut within = false;
    for line in lines {
        // Lines without a stamp go on with the message before them.
        if let Some(at) = stamp(line) {
            within = (first - BEFORE..=last + AFTER).contains(&at);
        }
        if within {
            part.push_str(line);
            part.push('\n');
        }
    }
    Some(part)
}

/// Writes the part and returns its row.
fn keep(storm: &str, guard: &str, part: &str) -> Result<[String; 4]> {
    let about = tree::root().join("lab/image/run/scenarios").join(storm).join("about");
    let about =
        fs::read_to_string(&about).with_context(|| format!("reading {}", about.display()))?;
    let said = |key: &str| {
        let pair = about.lines().filter_map(|line| line.split_once(" = "));
        pair.into_iter().find(|(found, _)| *found == key).map(|(_, value)| value.to_owned())
    };
    let (Some(finding), Some(group)) = (said("finding"), said("group")) else {
        bail!("the scenario {storm} does not say whose storm it is (finding =, group =)");
    };
    let guarded = if guard == "none" { String::new() } else { format!("-{guard}") };
    let name = format!("lab/{storm}{guarded}.log.gz");
    let path = folder().join(&name);
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    // Without a time, so that the same log gives the same file.
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    gzip.write_all(part.as_bytes())?;
    fs::write(&path, gzip.finish()?)?;
    say(&format!("{name}: {} lines", part.lines().count()));
    Ok([name, finding, group, format!("lab, scenario {storm}, guard {guard}")])
}

/// Puts the rows into the table, in place of those of the same files.
fn write_rows(rows: &[[String; 4]]) -> Result<()> {
    let path = folder().join("LABELS.tsv");
    let table = fs::read_to_string(&path)?;
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    for row in rows {
        lines.retain(|line| line.split('\t').next() != Some(row[0].as_str()));
        lines.push(row.join("\t"));
    }
    lines.get_mut(1..).unwrap_or_default().sort_by_key(|line| line.starts_with("lab/"));
    fs::write(&path, lines.join("\n") + "\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNAL: &str = "[  1.0] lab kernel: Command line: lab.guard=none lab.scenario=series-x y\n\
        [ 10.0] lab lab: storm a begins\n[ 11.0] lab kernel: php invoked oom-killer: x\n\
        [ 11.1] lab kernel: active:1\n   more of it\n[ 12.0] lab lab: storm a ends\n\
        [ 90.0] lab lab: storm b begins\n[ 91.0] lab systemd[1]: calm\n";

    #[test]
    fn a_series_is_cut_at_its_marks() {
        let storms = storms("series-x", JOURNAL);
        assert_eq!(storms.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a", "b"]);
        let part = around_reports(&storms[0].1).expect("a report");
        assert_eq!(part.lines().count(), 3);
        assert!(part.contains("   more of it"), "what goes on over lines is kept");
        assert_eq!(around_reports(&storms[1].1), None);
    }

    #[test]
    fn what_lies_far_from_the_reports_is_left_out() {
        let log = "[ 1.0] boot\n[ 60.0] cron\n[ 80.0] k: a invoked oom-killer\n[ 85.0] unit\n[ 99.0] later";
        let part = around_reports(&log.lines().collect::<Vec<_>>()).expect("a report");
        assert_eq!(part.lines().count(), 3);
    }
}
