//! `policy replay` for people: both sides, and what the replay cannot know.

use std::fmt::Write;

use headroom_api::replay::{Replay, Totals};

use super::harmless;
use super::status::{WIDTH, size};
use super::table::{Align, Table};

/// Both sides.
pub(crate) fn replay(replay: &Replay) -> String {
    let mut out = String::new();
    let unknown = || "?".to_string();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "Recorded {} to {}, {} samples.",
        replay.first.clone().unwrap_or_else(unknown),
        replay.last.clone().unwrap_or_else(unknown),
        replay.samples
    );
    let files = match replay.files.as_slice() {
        [] => "the built-in policy".to_string(),
        files => files.join(", "),
    };
    let _ = writeln!(out, "Replayed by {files}, {}.\n", replay.policy);
    totals(&mut out, &replay.recorded, &replay.replayed);
    out.push('\n');
    if replay.deeds.is_empty() {
        out.push_str("Nothing was done, and nothing would have been.\n");
    } else {
        deeds(&mut out, replay);
    }
    match &replay.differs_from {
        Some(from) => {
            let _ = writeln!(out, "\nThe first difference is at {from}.");
        }
        None => out.push_str("\nBoth did the same.\n"),
    }
    out.push_str("\nWhat the replay does not know:\n");
    for limit in &replay.limits {
        wrapped(&mut out, limit);
    }
    if replay.skipped_records > 0 {
        let _ = writeln!(
            out,
            "\n{} records were torn or corrupt and left out.",
            replay.skipped_records
        );
    }
    out
}

fn totals(out: &mut String, recorded: &Totals, replayed: &Totals) {
    let mut table =
        Table::new([("", Align::Left), ("recorded", Align::Right), ("replayed", Align::Right)]);
    let number = |what: &str, get: fn(&Totals) -> u64| {
        [what.to_string(), get(recorded).to_string(), get(replayed).to_string()]
    };
    let least = |t: &Totals| t.least_available_kib.map_or_else(|| "?".into(), size);
    table.row(number("slain", |t| t.slain));
    table.row(number("paused", |t| t.paused));
    table.row(number("went on", |t| t.thawed));
    table.row(["least available".into(), least(recorded), least(replayed)]);
    table.write(out, WIDTH);
}

fn deeds(out: &mut String, replay: &Replay) {
    let mut table = Table::new([
        ("time", Align::Left),
        ("recorded", Align::Left),
        ("replayed", Align::Left),
        ("pid", Align::Right),
        ("command", Align::Left),
    ]);
    for deed in &replay.deeds {
        let or_none = |what: &Option<String>| what.clone().unwrap_or_else(|| "-".into());
        let command = deed.cmdline.as_ref().or(deed.comm.as_ref());
        table.row([
            deed.time.clone().unwrap_or_else(|| "?".into()),
            or_none(&deed.recorded),
            or_none(&deed.replayed),
            deed.pid.map_or_else(|| "-".into(), |pid| pid.to_string()),
            command.map_or_else(|| "-".into(), |c| harmless(c).into_owned()),
        ]);
    }
    table.write(out, WIDTH);
}

/// A sentence as an item of a list, no line longer than the rest.
fn wrapped(out: &mut String, text: &str) {
    let mut line = String::from("  -");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}
