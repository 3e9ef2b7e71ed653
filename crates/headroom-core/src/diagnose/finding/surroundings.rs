//! What else happened then, and when it happened before. Near is not a cause, and is not called one.

use alloc::vec::Vec;

use super::{Confidence, Finding, Kind, View};
use crate::diagnose::Near;
use crate::otherlog::What;
use crate::words::finding as words;

/// A rate this many tenths of the usual one is a peak.
const PEAK_TENTHS: u64 = 30;

/// Fewer requests a minute are no crowd.
const CROWD: u64 = 30;

/// A query as long as this, or of as many rows, can take memory.
const LONG_US: u64 = 10_000_000;
const MANY_ROWS: u64 = 1_000_000;

const HOUR_US: i64 = 3_600_000_000;

pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let near = &view.case.context.near;
    let mut list: Vec<Finding> = Vec::new();
    list.extend(near.iter().find_map(traffic));
    list.extend(near.iter().filter_map(query).min_by_key(|finding| finding.confidence));
    list.extend(near.iter().find_map(exhausted));
    list.extend(near.iter().rev().find_map(change));
    list.extend(daily(view));
    list
}

fn traffic(near: &Near<'_>) -> Option<Finding> {
    let What::Requests(peak) = &near.entry.what else { return None };
    let times = peak.times_usual()?;
    (times >= PEAK_TENTHS && peak.a_minute() >= CROWD).then(|| {
        Finding::new(Kind::TrafficPeak, Confidence::Medium, words::traffic(peak, times))
            .seen(&[Some(near.entry.at)])
            .advise(words::traffic_advice(peak))
    })
}

fn query(near: &Near<'_>) -> Option<Finding> {
    let What::Query { examined, disk_tables, .. } = &near.entry.what else { return None };
    let lasted = near.entry.lasted_us.unwrap_or(0);
    let rows = examined.unwrap_or(0);
    let heavy = lasted >= LONG_US || rows >= MANY_ROWS || *disk_tables;
    (near.distance_us == 0 && heavy).then(|| {
        Finding::new(Kind::SlowQuery, Confidence::Low, words::slow_query(lasted, *examined))
            .about("mysql")
            .seen(&[Some(near.entry.at)])
            .advise(words::slow_query_advice())
    })
}

fn exhausted(near: &Near<'_>) -> Option<Finding> {
    let What::WorkersExhausted { pool, setting, limit } = &near.entry.what else { return None };
    Some(
        Finding::new(
            Kind::WorkersExhausted,
            Confidence::Low,
            words::exhausted(pool, setting, *limit),
        )
        .about(pool)
        .seen(&[Some(near.entry.at)])
        .advise(words::exhausted_advice()),
    )
}

fn change(near: &Near<'_>) -> Option<Finding> {
    let what = match &near.entry.what {
        What::Package { action } => action,
        What::Deployed { what } => what,
        _ => return None,
    };
    (near.distance_us > -6 * HOUR_US).then(|| {
        Finding::new(Kind::RecentChange, Confidence::Low, words::changed(what, near.distance_us))
            .seen(&[Some(near.entry.at)])
            .advise(words::changed_advice())
    })
}

fn daily(view: &View<'_>) -> Option<Finding> {
    /// Places named as evidence.
    const PLACES: usize = 6;
    let repeats = view.case.repeats?;
    let finding = Finding::new(Kind::RepeatsDaily, Confidence::Medium, words::daily(repeats));
    let others = repeats.others.iter().take(PLACES).map(|at| Some(*at));
    let at: Vec<_> = others.collect();
    Some(finding.seen(&at).advise(words::daily_advice(repeats)))
}
