//! `history` for people: incidents with their verdicts, samples, what jobs take.

use std::fmt::Write;
use std::time::Duration;

use headroom_api::history::{History, Incident, JobKind, Sample, Verdict};

use super::harmless;
use super::status::{or_unknown, size};
use super::table::{Align, Table};

/// An incident on one line.
pub(super) fn incident_line(incident: &Incident) -> String {
    let mut line = format!(
        "{}  {} in {}, policy {}: {} slain",
        incident.first.as_deref().unwrap_or("?"),
        incident.trigger,
        incident.zone,
        incident.policy,
        incident.slain
    );
    match (&incident.last, incident.kernel_oom_kills) {
        (Some(last), kills) => {
            let _ = write!(line, ", over at {last}");
            if let Some(kills) = kills.filter(|k| *k > 0) {
                let _ = write!(line, ", {kills} killed by the kernel");
            }
        }
        (None, _) => line.push_str(", not over"),
    }
    line
}

/// Incidents with their verdicts.
pub(crate) fn history(history: &History) -> String {
    let mut out = String::new();
    for incident in &history.incidents {
        let _ = writeln!(out, "{}", incident_line(incident));
        for verdict in &incident.verdicts {
            verdict_lines(&mut out, verdict);
        }
    }
    match (&history.samples, &history.jobs) {
        (None, None) if history.incidents.is_empty() => {
            out.push_str("No incident is recorded.\n");
        }
        (None, None) => {}
        (samples, jobs) => {
            samples.iter().for_each(|samples| self::samples(&mut out, samples));
            if samples.is_some() && jobs.is_some() {
                out.push('\n');
            }
            jobs.iter().for_each(|jobs| self::jobs(&mut out, jobs));
        }
    }
    let reach = &history.reach;
    if let Some(from) = &reach.samples_from {
        let _ = writeln!(out, "Samples reach back to {from}.");
    } else if let Some(from) = reach.events_from.as_ref().filter(|_| history.jobs.is_none()) {
        let _ = writeln!(out, "The journal reaches back to {from}.");
    }
    if reach.lost_records + reach.lost_samples > 0 {
        let _ = writeln!(
            out,
            "{} records and {} samples are missing: the disk could not follow.",
            reach.lost_records, reach.lost_samples
        );
    }
    if history.skipped_records > 0 {
        let _ =
            writeln!(out, "{} records were torn or corrupt and left out.", history.skipped_records);
    }
    out
}

fn verdict_lines(out: &mut String, verdict: &Verdict) {
    let would = if verdict.dry_run && verdict.pid.is_some() { "would " } else { "" };
    let _ = write!(out, "  {}  {would}{}", verdict.time.as_deref().unwrap_or("?"), verdict.action);
    if let (Some(comm), Some(pid)) = (&verdict.comm, verdict.pid) {
        let _ = write!(out, " {comm} ({pid})");
    }
    if let Some(signal) = &verdict.signal {
        let _ = write!(out, " with {signal}");
    }
    if let Some(outcome) = verdict.outcome.as_deref().filter(|_| !verdict.dry_run) {
        let _ = write!(out, ": {outcome}");
        if let Some(took) = verdict.took_ms.filter(|_| matches!(outcome, "gone" | "thawed")) {
            let _ = write!(out, " after {took} ms");
        }
        if let Some(freed) = verdict.freed_kib {
            let _ = write!(out, ", freed {}", size(freed));
        }
    }
    out.push('\n');
    if let Some(cmdline) = &verdict.cmdline {
        let _ = writeln!(out, "      {}", harmless(cmdline));
    }
    let _ = writeln!(out, "      {}", verdict.reason);
}

fn samples(out: &mut String, samples: &[Sample]) {
    if samples.is_empty() {
        out.push_str("No sample was taken in that time; --since names an earlier one.\n");
        return;
    }
    let mut table = Table::new([
        ("time", Align::Left),
        ("zone", Align::Left),
        ("available", Align::Right),
        ("floor", Align::Right),
        ("falls/s", Align::Right),
        ("stall", Align::Right),
        ("refaults/s", Align::Right),
        ("kills", Align::Right),
        ("paused", Align::Right),
        ("largest expendable", Align::Left),
    ]);
    for sample in samples {
        let expendable = sample.top.iter().filter(|p| p.class == "expendable");
        let largest = expendable.max_by_key(|p| p.gives_back_kib);
        let largest = largest
            .map(|p| format!("{} ({}) {}", p.comm, p.pid, size(p.gives_back_kib.unwrap_or(0))));
        let paused = sample.top.iter().filter(|p| p.paused).count();
        for (n, zone) in sample.zones.iter().enumerate() {
            let first = |text: String| if n == 0 { text } else { String::new() };
            table.row([
                first(sample.time.clone().unwrap_or_else(|| "?".into())),
                zone.path.clone(),
                size(zone.available_kib),
                size(zone.floor_kib),
                if zone.falling_kib_s == 0 { "-".into() } else { size(zone.falling_kib_s) },
                zone.stall_percent.map_or_else(|| "?".into(), |s| format!("{s} %")),
                or_unknown(zone.refaults),
                zone.kernel_kills.to_string(),
                first(paused.to_string()),
                first(largest.clone().unwrap_or_else(|| "-".into())),
            ]);
        }
    }
    table.write(out, WIDE);
}

/// Samples are a table for a wide terminal; what does not fit is at the end of the line.
const WIDE: usize = 160;

fn jobs(out: &mut String, jobs: &[JobKind]) {
    if jobs.is_empty() {
        out.push_str(
            "No job is remembered: none that mattered has ended since a guard runs here.\n",
        );
        return;
    }
    let mut table = Table::new([
        ("runs", Align::Right),
        ("slain", Align::Right),
        ("expected", Align::Right),
        ("highest", Align::Right),
        ("time", Align::Right),
        ("waited", Align::Right),
        ("longest", Align::Right),
        ("last seen", Align::Left),
        ("command", Align::Left),
    ]);
    // Those that take the most first: they decide who fits beside whom.
    let mut order: Vec<&JobKind> = jobs.iter().collect();
    order.sort_by_key(|kind| std::cmp::Reverse((kind.job.peak_kib, kind.job.highest_peak_kib)));
    for kind in order {
        let job = &kind.job;
        let waits = match job.waits {
            0 => "-".into(),
            waits => format!("{waits} x"),
        };
        let longest = if job.waits == 0 { "-".into() } else { time(job.longest_wait_ms) };
        table.row([
            job.runs.to_string(),
            job.slain.to_string(),
            job.peak_kib.map_or_else(|| "?".into(), size),
            size(job.highest_peak_kib),
            job.mean_ms.map_or_else(|| "?".into(), time),
            waits,
            longest,
            kind.seen.as_deref().map_or("?", |t| t.split('.').next().unwrap_or(t)).to_string(),
            harmless(&job.command).into_owned(),
        ]);
    }
    out.push_str(
        "What jobs take, by kind of command line (# a number or id, * a temporary path); the largest first:\n",
    );
    table.write(out, WIDE);
    let _ = writeln!(
        out,
        "expected: what the next one is reckoned with; time: the mean, the waiting left out; waited: how \
         many\nhad to wait for room, and the longest that one did."
    );
}

fn time(ms: u64) -> String {
    match Duration::from_millis(ms).as_secs() {
        0 => format!("{ms} ms"),
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}
