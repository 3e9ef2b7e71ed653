//! `status` and `rank` for people.

use std::fmt::Write;

use headroom_api::status::{Protected, Rank, Ranked, Status};
use headroom_core::units::Kib;

use super::harmless;
use super::history::incident_line;
use super::table::{Align, Table};

/// Lines are no longer than this.
pub(crate) const WIDTH: usize = 100;

pub(super) fn size(kib: u64) -> String {
    Kib(kib).to_string()
}

pub(super) fn or_unknown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "?".into(), |v| v.to_string())
}

/// The node on one screen.
pub(crate) fn status(status: &Status) -> String {
    let mut out = String::new();
    guard_line(&mut out, status);
    out.push('\n');

    let mut zones = Table::new([
        ("zone", Align::Left),
        ("limit", Align::Right),
        ("available", Align::Right),
        ("floor", Align::Right),
        ("headroom", Align::Right),
        ("stalled 10 s", Align::Right),
        ("kernel kills", Align::Right),
    ]);
    for zone in &status.zones {
        zones.row([
            zone.path.clone(),
            size(zone.limit_kib),
            size(zone.available_kib),
            size(zone.floor_kib),
            size(zone.headroom_kib),
            zone.some_avg10.map_or_else(|| "?".into(), |p| format!("{p:.1} %")),
            or_unknown(zone.kernel_oom_kills),
        ]);
    }
    zones.write(&mut out, WIDTH);

    out.push('\n');
    let mut classes = Table::new([
        ("class", Align::Left),
        ("processes", Align::Right),
        ("resident", Align::Right),
        ("", Align::Left),
    ]);
    for total in &status.classes {
        let meaning = match total.class.as_str() {
            "system" => "never touched: root's own and what the node stands on",
            "essential" => "never touched: the shop",
            "normal" => "touched when nothing expendable is left",
            "expendable" => "goes first: jobs, scripts, sessions",
            _ => "",
        };
        let processes = total.processes.to_string();
        classes.row([total.class.clone(), processes, size(total.rss_kib), meaning.into()]);
    }
    classes.write(&mut out, WIDTH);

    out.push('\n');
    if status.next.is_empty() {
        out.push_str("Nobody could be slain now: nothing expendable holds enough memory.\n");
    } else {
        out.push_str("Next to go if memory ran out now (headroom rank shows all):\n");
        rows(&mut out, &status.next);
    }
    if !status.protected.is_empty() {
        out.push_str("\nProtected, and so neither slain nor paused:\n");
        protected(&mut out, &status.protected);
    }
    if !status.incidents.is_empty() {
        out.push_str("\nLast incidents (headroom history shows all):\n");
        for incident in &status.incidents {
            let _ = writeln!(out, "  {}", incident_line(incident));
        }
    }
    if !status.guard.missing.is_empty() {
        out.push_str("\nMissing here:\n");
        for lack in &status.guard.missing {
            let _ = writeln!(out, "  {} ({})\n    instead: {}", lack.what, lack.why, lack.instead);
        }
    }
    out
}

fn protected(out: &mut String, protected: &[Protected]) {
    let mut table = Table::new([
        ("pid", Align::Right),
        ("user", Align::Left),
        ("resident", Align::Right),
        ("budget", Align::Right),
        ("since", Align::Left),
        ("command", Align::Left),
    ]);
    for process in protected {
        let child = process.by.map(|pid| format!(" (of {pid})")).unwrap_or_default();
        table.row([
            process.pid.to_string(),
            process.user.clone(),
            size(process.rss_kib),
            process.budget_kib.map_or_else(|| "-".into(), size),
            process.since.clone(),
            format!("{}{child}", process.comm),
        ]);
    }
    table.write(out, WIDTH);
}

fn guard_line(out: &mut String, status: &Status) {
    let guard = &status.guard;
    if !guard.running {
        let _ = writeln!(
            out,
            "No guard runs here; this is what one would see (policy {}).\n\
             Start one: systemctl start headroom-guard, or headroom guard in a terminal.",
            guard.policy
        );
        return;
    }
    let _ = write!(out, "Guarded by headroom {}, policy {}", guard.release, guard.policy);
    if let Some(pid) = guard.pid {
        let _ = write!(out, ", pid {pid}");
    }
    if let Some(since) = &guard.since {
        let _ = write!(out, ", since {since}");
    }
    if let Some(rss) = guard.rss_kib {
        let _ = write!(out, ", itself {}", size(rss));
    }
    out.push('\n');
    if guard.dry_run {
        out.push_str("DRY RUN: it says what it would do and does nothing.\n");
    }
}

fn rows(out: &mut String, ranked: &[Ranked]) {
    let mut table = Table::new([
        ("", Align::Right),
        ("pid", Align::Right),
        ("gives back", Align::Right),
        ("age", Align::Right),
        ("uid", Align::Right),
        ("adj", Align::Right),
        ("class", Align::Left),
        ("rule", Align::Left),
        ("command", Align::Left),
    ]);
    for row in ranked {
        let paused = if row.paused { "(paused) " } else { "" };
        table.row([
            row.position.to_string(),
            row.pid.to_string(),
            size(row.gives_back_kib),
            age(row.age_s),
            row.uid.to_string(),
            or_unknown(row.oom_score_adj),
            row.class.clone(),
            row.rule.clone().unwrap_or_else(|| "-".into()),
            format!("{paused}{}", harmless(row.cmdline.as_ref().unwrap_or(&row.comm))),
        ]);
    }
    table.write(out, WIDTH);
}

fn age(seconds: f64) -> String {
    let whole = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

/// The whole kill order.
pub(crate) fn rank(rank: &Rank) -> String {
    let mut out = String::new();
    if rank.rank.is_empty() {
        out.push_str("Nobody could be slain now: nothing expendable holds enough memory.\n");
        return out;
    }
    out.push_str(
        "If memory ran out now they would go in this order, one at a time, until enough is back:\n",
    );
    rows(&mut out, &rank.rank);
    out
}
