//! Writes the kept rows as tables for people: docs/lab-results.md.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use anyhow::Result;

use crate::places;
use crate::progress::say;
use crate::rows::{self, Row};
use crate::score::Score;
use crate::settings;

/// A column: its title, and what it says about the runs of one cell.
type Column = (&'static str, fn(&[&Score]) -> String);

const STORM: [Column; 11] = [
    ("answered, %", |runs| median_worst(runs, 2, Least, |s| Some(s.availability))),
    ("longest outage, s", |runs| median_worst(runs, 1, Most, |s| Some(s.longest_outage_s))),
    ("p99, ms", |runs| median_worst(runs, 0, Most, |s| Some(s.p99_ms))),
    ("p99 / calm", |runs| median_worst(runs, 1, Most, |s| Some(s.p99_ms / s.base_p99_ms))),
    ("services lost", |runs| {
        median_worst(runs, 0, Most, |s| Some(f64::from(s.essential_restarts)))
    }),
    ("essential kills", |runs| median_worst(runs, 0, Most, |s| Some(f64::from(s.essential_kills)))),
    ("kernel kills", |runs| median_worst(runs, 0, Most, |s| number(s.kernel_oom_kills))),
    ("guard kills", |runs| median_worst(runs, 0, Most, |s| Some(f64::from(s.guard_kills)))),
    ("paused", |runs| median_worst(runs, 0, Most, |s| Some(f64::from(s.paused)))),
    ("jobs finished", jobs),
    ("in, s", |runs| median_worst(runs, 0, Most, |s| s.jobs_took_s)),
];
const IDLE: [Column; 5] = [
    ("resident, KiB", |runs| median_worst(runs, 0, Most, |s| number(s.guard_rss_kib?))),
    ("of that its own, KiB", |runs| median_worst(runs, 0, Most, |s| number(s.guard_anon_kib?))),
    ("CPU, ms", |runs| median_worst(runs, 0, Most, |s| number(s.guard_cpu_ms?))),
    ("wake-ups a second", |runs| median_worst(runs, 2, Most, |s| s.guard_wakeups_per_s)),
    ("p99, ms", |runs| median_worst(runs, 0, Most, |s| Some(s.p99_ms))),
];

const HEAD: &str = "# What the lab measured

Written by `cargo xtask lab report` from `docs/lab-results.jsonl`; do not edit.

One shop (nginx, php-fpm, MariaDB) on Debian in an emulator whose clock counts instructions, asked for a
page at a fixed rate from inside at real-time priority; storms are started by cron as the application's
user. `lab/README.md` says how, and what the scenarios and guards are. Each figure is the median of the
runs, and after the stroke the worst of them where it differs. `calm` is the same node before the storm.
A question counts as answered when its page came whole within three seconds.
";

/// Writes the report.
pub(crate) fn write() -> Result<()> {
    let path = places::tree().join("docs/lab-results.md");
    fs::write(&path, report(&rows::read()?)?)?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

fn report(rows: &[Row]) -> Result<String> {
    let mut text = HEAD.to_owned();
    let rows = newest(rows);
    let kernels: BTreeSet<&str> =
        rows.iter().filter_map(|row| Some(row.score.as_ref()?.kernel.as_str())).collect();
    let days: BTreeSet<&str> = rows.iter().filter_map(|row| row.at.get(..10)).collect();
    let list = |set: BTreeSet<&str>| set.into_iter().collect::<Vec<_>>().join(", ");
    writeln!(text, "\nKernel {}. Run on {}.", list(kernels), list(days))?;
    let known = settings::names("scenario")?;
    for scenario in known.iter().filter(|name| rows.iter().any(|row| row.key.scenario == **name)) {
        writeln!(text, "\n## {scenario}\n\n{}", settings::about("scenario", scenario)?)?;
        let of_scenario = rows.iter().filter(|row| row.key.scenario == *scenario);
        let nodes: BTreeSet<&str> = of_scenario.clone().map(|row| row.node.as_str()).collect();
        for node in nodes {
            let rows: Vec<&Row> =
                of_scenario.clone().copied().filter(|row| row.node == node).collect();
            let columns = if scenario == "idle" { &IDLE[..] } else { &STORM[..] };
            writeln!(text, "\nNode: {node}.\n")?;
            table(&mut text, columns, &rows)?;
        }
    }
    Ok(text)
}

/// Of each cell and node only the rows of the newest image, terms and build.
fn newest(rows: &[Row]) -> Vec<&Row> {
    let last = |row: &Row| {
        rows.iter()
            .rev()
            .find(|other| row.key.same_cell(&other.key) && row.command == other.command)
    };
    rows.iter().filter(|row| last(row).is_some_and(|last| last.key == row.key)).collect()
}

fn table(text: &mut String, columns: &[Column], rows: &[&Row]) -> Result<()> {
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    writeln!(text, "| guard | runs | {} |", titles.join(" | "))?;
    writeln!(text, "|---|---|{}", "---|".repeat(columns.len()))?;
    let mut commands: Vec<&str> = Vec::new();
    for row in rows {
        if !commands.contains(&row.command.as_str()) {
            commands.push(&row.command);
        }
    }
    commands.sort_by_key(|command| {
        let guard = command.split(' ').nth(7).unwrap_or_default();
        (order(guard), command.len())
    });
    for command in &commands {
        let cell: Vec<&Row> = rows.iter().copied().filter(|row| row.command == **command).collect();
        let Some(first) = cell.first() else { continue };
        let policy = first.key.policy.as_deref().map(|policy| format!(", {policy}"));
        write!(text, "| {}{} | {}", first.key.guard, policy.unwrap_or_default(), cell.len())?;
        let silent = cell.iter().filter(|row| row.score.is_none()).count();
        if silent > 0 {
            write!(text, ", {silent} never got through")?;
        }
        let scores: Vec<&Score> = cell.iter().filter_map(|row| row.score.as_ref()).collect();
        for (_, say) in columns {
            write!(text, " | {}", say(&scores))?;
        }
        writeln!(text, " |")?;
    }
    writeln!(text, "\nAgain:\n\n```")?;
    for command in commands {
        writeln!(text, "{command}")?;
    }
    writeln!(text, "```")?;
    Ok(())
}

/// Nobody first, then the peers, then configuration alone, then ours.
fn order(guard: &str) -> usize {
    const ORDER: [&str; 11] = [
        "none",
        "earlyoom",
        "earlyoom-tuned",
        "nohang",
        "systemd-oomd",
        "oomd",
        "zone",
        "mglru",
        "headroom",
        "headroom-mglru",
        "headroom-unpausing",
    ];
    ORDER.iter().position(|name| *name == guard).unwrap_or(ORDER.len())
}

/// Which end of the scale is the worst.
#[derive(Clone, Copy)]
enum Worst {
    Least,
    Most,
}
use Worst::{Least, Most};

fn median_worst(
    runs: &[&Score],
    decimals: usize,
    worst: Worst,
    of: fn(&Score) -> Option<f64>,
) -> String {
    let mut values: Vec<f64> = runs.iter().filter_map(|score| of(score)).collect();
    values.sort_by(f64::total_cmp);
    // Of an even number the worse of the two in the middle: no figure that no run had.
    let (median, worst) = match worst {
        Most => (values.get(values.len() / 2), values.last()),
        Least => (values.get(values.len().saturating_sub(1) / 2), values.first()),
    };
    let Some((median, worst)) = median.zip(worst) else { return "-".to_owned() };
    let (median, worst) = (format!("{median:.decimals$}"), format!("{worst:.decimals$}"));
    if median == worst { median } else { format!("{median} / {worst}") }
}

fn jobs(runs: &[&Score]) -> String {
    let expected = runs.iter().map(|score| score.jobs_expected).max().unwrap_or(0);
    if expected == 0 {
        return "-".to_owned();
    }
    let finished = median_worst(runs, 0, Least, |score| Some(f64::from(score.jobs_finished)));
    format!("{finished} of {expected}")
}

fn number(value: u64) -> Option<f64> {
    u32::try_from(value).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Key;

    fn row(guard: &str, terms: &str, score: Option<Score>) -> Row {
        Row {
            key: Key {
                scenario: "stack".to_owned(),
                guard: guard.to_owned(),
                policy: None,
                image: "i".to_owned(),
                terms: terms.to_owned(),
                build: None,
            },
            at: "2026-01-02T03:04:05Z".to_owned(),
            node: "small".to_owned(),
            command: format!("cargo xtask lab run --scenario stack --guard {guard}"),
            score,
        }
    }

    #[test]
    fn rows_of_older_terms_are_not_shown_beside_newer_ones() {
        let rows = [row("none", "old", None), row("oomd", "old", None), row("none", "new", None)];
        let shown: Vec<_> = newest(&rows).iter().map(|row| row.key.terms.as_str()).collect();
        assert_eq!(shown, ["old", "new"]);
    }

    #[test]
    fn a_node_that_never_got_through_is_told() {
        let text = report(&[row("none", "t", None)]).expect("written");
        assert!(text.contains("| none | 1, 1 never got through | - |"), "{text}");
        assert!(text.contains("cargo xtask lab run --scenario stack --guard none\n"));
    }

    #[test]
    fn nobody_comes_first_and_ours_last() {
        let rows = ["headroom", "earlyoom", "none"].map(|guard| row(guard, "t", None));
        let text = report(&rows).expect("written");
        let at = |guard: &str| text.find(&format!("| {guard} |")).expect("a row");
        assert!(at("none") < at("earlyoom") && at("earlyoom") < at("headroom"));
    }
}
