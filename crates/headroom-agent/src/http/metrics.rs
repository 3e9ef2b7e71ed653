//! `GET /metrics`: the node in Prometheus' text form
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Sizes are bytes, times seconds.

mod text;

use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use headroom_api::status::Status;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Right};
use super::problem::Problem;
use crate::RELEASE;
use crate::holders::Counters;
use crate::state::App;
use crate::store::history;
pub(crate) use text::Text;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// The node for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "node",
    responses(
        (status = 200, description = "Prometheus' text form, version 0.0.4", body = String,
         content_type = "text/plain"),
        (status = 401, body = Problem), (status = 403, body = Problem)
    )
)]
async fn metrics(State(app): State<App>, caller: Caller) -> Result<impl IntoResponse, Problem> {
    caller.needs(Right::Read)?;
    let status = app.guard.status().await.ok();
    let (totals, open) =
        app.store.call(|db| Ok((history::totals(db)?, history::open_incidents(db)?))).await?;
    let mut text = Text::default();
    text.gauge("headroom_agent_info", "The agent's version.").value(&[("release", RELEASE)], 1.0);
    let up = f64::from(u8::from(status.is_some()));
    text.gauge("headroom_guard_up", "1 while a guard answers.").value(&[], up);
    if let Some(status) = &status {
        guard(&mut text, status);
        zones(&mut text, status);
        classes(&mut text, status);
    }
    happened(&mut text, &totals, open);
    holders(&mut text, &app.holders);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.finish()))
}

fn guard(text: &mut Text, status: &Status) {
    let guard = &status.guard;
    let dry_run = if guard.dry_run { "true" } else { "false" };
    text.gauge("headroom_guard_info", "The guard's version and the thresholds in force.").value(
        &[("release", &guard.release), ("policy", &guard.policy), ("dry_run", dry_run)],
        1.0,
    );
    let permissive = f64::from(u8::from(guard.policy == "permissive"));
    text.gauge("headroom_permissive", "The setting permissive_memory_management.")
        .value(&[], permissive);
    text.gauge("headroom_guard_missing", "Things the guard would need and does not have.")
        .value(&[], number(guard.missing.len() as u64));
    if let Some(rss) = guard.rss_kib {
        text.gauge("headroom_guard_resident_bytes", "The guard's own memory.").value(&[], kib(rss));
    }
    if let Some(cpu) = guard.cpu_ms {
        text.counter("headroom_guard_cpu_seconds_total", "Processor time the guard has used.")
            .value(&[], number(cpu) / 1000.0);
    }
    text.gauge("headroom_protected_processes", "Processes that were made unkillable.")
        .value(&[], number(status.protected.len() as u64));
}

fn zones(text: &mut Text, status: &Status) {
    type Get = fn(&headroom_api::status::Zone) -> Option<f64>;
    let gauges: [(&str, &str, Get); 6] = [
        ("limit_bytes", "A zone's limit; the machine's is its RAM.", |z| Some(kib(z.limit_kib))),
        ("available_bytes", "What can be taken, reclaim of caches included.", |z| {
            Some(kib(z.available_kib))
        }),
        ("headroom_bytes", "What can be taken without hurting an essential process.", |z| {
            Some(kib(z.headroom_kib))
        }),
        ("floor_bytes", "What is never handed out to expendables.", |z| Some(kib(z.floor_kib))),
        (
            "pressure_some_ratio",
            "Share of the last 10 s in which some task stalled for memory.",
            |z| z.some_avg10.map(|percent| percent / 100.0),
        ),
        (
            "pressure_full_ratio",
            "Share of the last 10 s in which all tasks stalled for memory.",
            |z| z.full_avg10.map(|percent| percent / 100.0),
        ),
    ];
    for (name, help, get) in gauges {
        let mut family = text.gauge(&format!("headroom_zone_{name}"), help);
        for zone in &status.zones {
            if let Some(value) = get(zone) {
                family.value(&[("zone", &zone.path)], value);
            }
        }
    }
    let help = "The kernel's OOM kills, of the machine since boot, of a zone since it was made.";
    let mut family = text.counter("headroom_zone_kernel_oom_kills_total", help);
    for zone in &status.zones {
        if let Some(kills) = zone.kernel_oom_kills {
            family.value(&[("zone", &zone.path)], number(kills));
        }
    }
}

fn classes(text: &mut Text, status: &Status) {
    let mut family = text.gauge("headroom_class_processes", "Processes of a class.");
    for class in &status.classes {
        family.value(&[("class", &class.class)], number(class.processes));
    }
    let help = "Resident memory of a class; pages they share count for each.";
    let mut family = text.gauge("headroom_class_resident_bytes", help);
    for class in &status.classes {
        family.value(&[("class", &class.class)], kib(class.rss_kib));
    }
}

/// What the journal told since the store was begun.
fn happened(text: &mut Text, totals: &[(String, u64)], open: u64) {
    let of = |name: &str| totals.iter().find(|(n, _)| n == name).map_or(0, |(_, value)| *value);
    text.counter("headroom_incidents_total", "Storms there were.").value(&[], number(of("opened")));
    text.gauge("headroom_incidents_open", "Storms that are not over.").value(&[], number(open));
    let mut family = text.counter("headroom_verdicts_total", "What the guard decided.");
    for (name, value) in totals {
        if let Some((action, trigger)) =
            name.strip_prefix("verdict ").and_then(|rest| rest.split_once(' '))
        {
            family.value(&[("action", action), ("trigger", trigger)], number(*value));
        }
    }
    let mut family = text.counter("headroom_outcomes_total", "What came of it.");
    for (name, value) in totals {
        if let Some(outcome) = name.strip_prefix("outcome ") {
            family.value(&[("outcome", outcome)], number(*value));
        }
    }
    text.counter("headroom_freed_bytes_total", "Memory that relief gave back.")
        .value(&[], kib(of("freed_kib")));
    text.counter("headroom_storm_kernel_oom_kills_total", "Kernel kills during storms.")
        .value(&[], number(of("kernel_oom_kills")));
    text.counter("headroom_journal_lost_total", "Records the guard's disk could not take.")
        .value(&[], number(of("lost")));
}

/// What the agent found out about paused jobs with connections.
fn holders(text: &mut Text, counters: &Counters) {
    let of = |counter: &AtomicU64| number(counter.load(Ordering::Relaxed));
    let help = "Questions to the database about who holds locks while paused.";
    text.counter("headroom_holders_questions_total", help).value(&[], of(&counters.questions));
    text.counter("headroom_holders_failures_total", "Those that were not answered in time.")
        .value(&[], of(&counters.failures));
    let help = "Answers about paused jobs, by what they hold.";
    let mut family = text.counter("headroom_holders_told_total", help);
    for (holding, counter) in ["nothing", "lock", "waited"].iter().zip(&counters.told) {
        family.value(&[("holding", holding)], of(counter));
    }
}

/// Prometheus knows no whole numbers.
#[expect(clippy::cast_precision_loss, reason = "a count of 2^53 is not reached")]
fn number(value: u64) -> f64 {
    value as f64
}

fn kib(value: u64) -> f64 {
    number(value) * 1024.0
}
