//! `service` for people.

use std::fmt::Write;

use headroom_api::service::{Outcome, Services};

use super::harmless;
use super::status::{WIDTH, size};
use super::table::{Align, Table};

/// The services there are.
pub(crate) fn list(services: &Services) -> String {
    let mut table = Table::new([
        ("service", Align::Left),
        ("also", Align::Left),
        ("unit", Align::Left),
        ("state", Align::Left),
        ("memory", Align::Right),
    ]);
    for service in &services.services {
        let also = service.aliases.join(" ");
        if service.units.is_empty() {
            table.row([service.name.clone(), also, "-".into(), "not here".into(), String::new()]);
            continue;
        }
        for unit in &service.units {
            let memory = unit.memory_kib.map(size).unwrap_or_default();
            table.row([
                service.name.clone(),
                also.clone(),
                unit.unit.clone(),
                unit.active.clone(),
                memory,
            ]);
        }
    }
    let mut out = String::new();
    table.write(&mut out, WIDTH);
    out
}

/// What came of one restart or reload.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let done = match outcome.action.as_str() {
        "restart" => "restarted",
        _ => "reloaded",
    };
    let mut out = if outcome.result == "done" {
        format!("{}: {done}", outcome.unit)
    } else {
        format!("{}: {} {}", outcome.unit, outcome.action, outcome.result)
    };
    let seconds = |ms: u64| match ms {
        ..100 => format!("{ms} ms"),
        _ => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    };
    let _ = match (outcome.answers, outcome.away_ms) {
        (Some(true), Some(0)) => write!(out, ", never away"),
        (Some(true), Some(away)) => write!(out, ", away for {}", seconds(away)),
        (Some(true), None) => write!(out, ", answers"),
        (Some(false), _) => write!(out, ", DOES NOT ANSWER"),
        (None, _) => Ok(()),
    };
    let _ = write!(out, ", took {}", seconds(outcome.took_ms));
    if let (Some(before), Some(after)) = (outcome.before_kib, outcome.after_kib) {
        let _ = write!(out, "; memory {} before, {} after", size(before), size(after));
    }
    if outcome.shared {
        out.push_str("; one restart with another request's");
    }
    out.push('\n');
    if let Some(detail) = &outcome.detail {
        let _ = writeln!(out, "  {}", harmless(detail));
    }
    out
}
