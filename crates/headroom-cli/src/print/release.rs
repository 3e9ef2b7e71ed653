//! `release` for people.

use std::fmt::Write;

use headroom_api::release::{Ask, Release};
use headroom_core::words::release::sentences;

use super::harmless;
use super::status::size;

/// What came of it: for the database in the manual's words, then what each rung gave.
pub(crate) fn release(release: &Release, asked: &Ask) -> String {
    let restarted = release.rungs.iter().any(|r| r.rung == "restart" && r.outcome == "done");
    let mut out = if release.service == "mysql" {
        sentences(&release.verdict, restarted, asked.below_mib, asked.cooldown_min)
    } else {
        let words = match release.verdict.as_str() {
            "cooling_down" => "released not long ago: nothing is done",
            "not_low" => "enough memory is available: nothing is done",
            _ => "memory is low",
        };
        format!("{}: {words}\n", release.service)
    };
    if !matches!(release.verdict.as_str(), "not_low" | "cooling_down") {
        out += &rungs(release);
    }
    out
}

/// What each rung gave, and how it ended.
pub(crate) fn rungs(release: &Release) -> String {
    let mut out = String::new();
    for rung in &release.rungs {
        let _ = write!(out, "  {}: {}", rung.what, rung.outcome);
        match rung.gained_kib {
            Some(gained) if rung.outcome == "done" && gained >= 0 => {
                let _ = write!(out, ", gave back {}", size(gained.unsigned_abs()));
            }
            Some(lost) if rung.outcome == "done" => {
                let _ = write!(out, ", took {} more", size(lost.unsigned_abs()));
            }
            _ => {}
        }
        if let Some(took) = rung.took_ms.filter(|_| rung.outcome == "done") {
            let _ = write!(out, " in {took} ms");
        }
        if let Some(why) = &rung.why {
            let _ = write!(out, " ({})", harmless(why));
        }
        out.push('\n');
    }
    for reason in &release.reasons {
        let _ = writeln!(out, "  {}", harmless(reason));
    }
    let after = release.available_after_mib.unwrap_or(release.available_mib);
    let end = match release.verdict.as_str() {
        "released" => "enough is available again",
        "would_release" => "nothing was done",
        "busy" => "left alone; --force does it all the same",
        "not_enough" => "that is not enough",
        _ => "failed",
    };
    let _ = writeln!(
        out,
        "  available: {} MiB before, {after} MiB after; {end}",
        release.available_mib
    );
    out
}
