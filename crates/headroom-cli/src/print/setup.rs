//! `setup` for people: the diff, what stands in the way, what comes next.

use std::fmt::Write;

use headroom_api::setup::{Change as Told, Setup};
use headroom_core::units::Kib;
use similar::TextDiff;

use super::harmless;
use crate::setup::change::Change;

/// What a change does to its path.
pub(crate) fn verb(change: &Change) -> &'static str {
    match (change.before.exists(), change.after.exists()) {
        (_, false) => "remove",
        (false, true) => "create",
        (true, true) => "replace",
    }
}

/// All changes as one unified diff.
pub(crate) fn diff(changes: &[Change]) -> String {
    const NOTHING: &str = "/dev/null";
    let mut out = String::new();
    for change in changes {
        let (before, after) = (change.before.shown(), change.after.shown());
        let old = if change.before.exists() { &change.path } else { NOTHING };
        let new = if change.after.exists() { &change.path } else { NOTHING };
        let diff = TextDiff::from_lines(&before, &after);
        let text = diff.unified_diff().header(old, new).to_string();
        for line in text.lines() {
            // A file of somebody else's may hold what a terminal obeys.
            let _ = writeln!(out, "{}", harmless(line));
        }
    }
    out
}

/// Why a file is left alone.
pub(crate) fn obstacle(change: &Told) -> String {
    let why = match change.obstacle.as_deref() {
        Some("edited") => "was edited since setup wrote it",
        _ => "is in the way and not of setup's making",
    };
    format!("{} {why}", change.path)
}

/// What was done, or would be, and what is left to do.
pub(crate) fn outcome(told: &Setup, undo: bool, dry_run: bool) -> String {
    let mut out = String::new();
    let count = told.changes.len();
    let files = if count == 1 { "1 file".to_string() } else { format!("{count} files") };
    // Writing to a String cannot fail.
    let _ = match (told.applied, dry_run && count > 0, undo) {
        (true, _, true) => {
            writeln!(out, "{files} taken back: everything is as it was before setup")
        }
        (true, _, false) => {
            writeln!(out, "{files} written; `headroom setup --undo` takes them back")
        }
        (false, true, _) => writeln!(out, "{files} would change; nothing was written"),
        (false, false, _) => writeln!(out, "nothing to do"),
    };
    if let Some(limit) = told.limit_kib.filter(|_| count > 0) {
        let _ = writeln!(out, "limited.slice may take {} together", Kib(limit));
    }
    if let (Some(grants), Some(client)) = (&told.grants, &told.grants_client)
        && count > 0
    {
        let _ = writeln!(
            out,
            "the agent needs a user of the database for `headroom release mysql`; once, as root:\n  \
             headroom setup --grants | {client}\nwhich runs"
        );
        for line in grants.lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    if !told.restarted.is_empty() {
        let _ = writeln!(out, "restarted: {}", told.restarted.join(" "));
    }
    if !told.restart.is_empty() {
        let way = if undo { "out of" } else { "into" };
        let _ = writeln!(
            out,
            "these move {way} limited.slice when they are restarted (--restart does it):\n  \
             systemctl restart {}",
            told.restart.join(" ")
        );
    }
    out
}
