//! What is kept of each case, and its part of docs/advise-results.md.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::judge::{Followed, Row, off};
use crate::places;
use crate::progress::say;

const BEGIN: &str = "<!-- lab:advise -->";
const END: &str = "<!-- /lab:advise -->";

/// One case with what it depends on: a line of docs/advise-lab.jsonl.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// When its node began.
    pub(crate) at: String,
    /// The image's hash.
    pub(crate) image: String,
    /// The hash of the build under test.
    pub(crate) build: String,
    /// The node in words.
    pub(crate) node: String,
    #[serde(flatten)]
    pub(crate) row: Row,
}

fn path() -> PathBuf {
    places::tree().join("docs/advise-lab.jsonl")
}

/// Adds a case; several nodes may run at once, so it is one write under a lock.
pub(crate) fn append(kept: &Kept) -> Result<()> {
    let line = serde_json::to_string(kept)? + "\n";
    let mut file = File::options().create(true).append(true).open(path())?;
    file.lock()?;
    file.write_all(line.as_bytes())?;
    Ok(())
}

fn read() -> Result<Vec<Kept>> {
    let text = fs::read_to_string(path()).unwrap_or_default();
    let row = |(index, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}", path().display(), index + 1))
    };
    text.lines().enumerate().map(row).collect()
}

/// Writes the tables into their part of the document.
pub(crate) fn write() -> Result<()> {
    let rows = read()?;
    if rows.is_empty() {
        return Ok(());
    }
    let path = places::tree().join("docs/advise-results.md");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    fs::write(&path, put(&text, &tables(&newest(&rows))?))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

/// A document with its part anew, at its end where it has none yet.
fn put(document: &str, part: &str) -> String {
    let part = format!("{BEGIN}\n{part}{END}");
    let around = document
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    match around {
        Some((before, after)) => format!("{before}{part}{after}"),
        None => format!("{}\n\n{part}\n", document.trim_end()),
    }
}

/// Of each case the last row.
fn newest(rows: &[Kept]) -> Vec<&Kept> {
    let is_last = |(at, row): &(usize, &Kept)| {
        !rows.iter().skip(at + 1).any(|later| later.row.name == row.row.name)
    };
    let mut newest: Vec<&Kept> =
        rows.iter().enumerate().filter(is_last).map(|(_, row)| row).collect();
    newest.sort_by(|a, b| a.row.name.cmp(&b.row.name));
    newest
}

fn tables(rows: &[&Kept]) -> Result<String> {
    let mut text = String::from("## On the lab's node\n\n");
    let nodes: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row.node.as_str()).collect();
    let nodes = nodes.into_iter().collect::<Vec<_>>().join("; ");
    writeln!(
        text,
        "`cargo xtask lab advise`: a node as it should be ({nodes}) is set up wrongly in one way after the other \
         (`lab/image/run/misconfigured/`), loaded, and advised. The truth is measured there by a program beside each \
         mistake, which says how. A figure may be 20 % off, and the mistake must come first. Rows of an older build stand until they are taken again.\n"
    )?;
    text.push_str("| node | said, MiB | truth, MiB | off | verdict | beside it | build |\n|---|---|---|---|---|---|---|\n");
    let number =
        |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    for Kept { row, build, .. } in rows {
        let off = row.said_mib.zip(row.truth_mib).and_then(|(said, truth)| off(said, truth));
        let off = off.map_or_else(|| "-".to_owned(), |off| format!("{off:+.0} %"));
        // A case is called what it must be found as.
        let others = row.found.iter().filter(|found| **found != row.name);
        let mut others: Vec<String> = others.cloned().collect();
        if !row.before.is_empty() {
            others.push(format!("before the mistake already {}", row.before.join(", ")));
        }
        let others = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
        let (said, truth) = (number(row.said_mib), number(row.truth_mib));
        let build = build.get(..6).unwrap_or_default();
        writeln!(
            text,
            "| {} | {said} | {truth} | {off} | {} | {others} | {build} |",
            row.name, row.verdict
        )?;
    }
    let followed: Vec<(&Row, &Followed)> =
        rows.iter().filter_map(|kept| Some((&kept.row, kept.row.followed.as_ref()?))).collect();
    if followed.is_empty() {
        return Ok(text);
    }
    text.push_str(
        "\nThe advice followed to the letter, and the same storm once more. In use at the highest: RAM that is not \
         available, and swap in use.\n\n| node | predicted, MiB | saved, MiB | off | peak before, MiB | after, MiB | \
         advice that is left |\n|---|---|---|---|---|---|---|\n",
    );
    for (row, storms) in followed {
        let off = row.said_mib.and_then(|said| off(said, storms.saved_mib()));
        let off = off.map_or_else(|| "-".to_owned(), |off| format!("{off:+.0} %"));
        let left = if storms.left.is_empty() { "none".to_owned() } else { storms.left.join(", ") };
        writeln!(
            text,
            "| {} | {} | {} | {off} | {} | {} | {left} |",
            row.name,
            number(row.said_mib),
            storms.saved_mib(),
            storms.peak_before_mib,
            storms.peak_after_mib
        )?;
    }
    let builds: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row.at.get(..10).unwrap_or_default()).collect();
    let days = builds.into_iter().collect::<Vec<_>>().join(", ");
    writeln!(text, "\nRun on {days}; all rows in `docs/advise-lab.jsonl`.")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_where_it_is_and_added_where_it_is_not() {
        let added = put("# Results\n", "one\n");
        assert_eq!(added, format!("# Results\n\n{BEGIN}\none\n{END}\n"));
        let again = put(&(added + "\nmore\n"), "two\n");
        assert_eq!(again, format!("# Results\n\n{BEGIN}\ntwo\n{END}\n\nmore\n"));
    }

    #[test]
    fn the_last_row_of_a_case_counts_and_storms_have_a_table_of_their_own() {
        let row = |name: &str, said: u64, followed| Kept {
            at: "2026-01-02T03:04:05Z".to_owned(),
            image: String::new(),
            build: String::new(),
            node: "small".to_owned(),
            row: Row {
                name: name.to_owned(),
                verdict: "right".to_owned(),
                title: Some(String::new()),
                before: Vec::new(),
                found: vec!["other".to_owned(), name.to_owned()],
                said_mib: Some(said),
                truth_mib: Some(100),
                followed,
                took_s: 1.0,
            },
        };
        let followed = Followed { peak_before_mib: 900, peak_after_mib: 800, left: Vec::new() };
        let rows = [row("b", 90, None), row("a", 50, None), row("b", 110, Some(followed))];
        let text = tables(&newest(&rows)).expect("written");
        assert!(
            text.contains("| a | 50 | 100 | -50 % | right | other |  |\n| b | 110 | 100 | +10 % |")
        );
        assert!(text.contains("| b | 110 | 100 | +10 % | 900 | 800 | none |"), "{text}");
    }
}
