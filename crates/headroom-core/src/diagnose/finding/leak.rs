//! A process that grows from event to event.

use alloc::vec::Vec;

use super::{Confidence, Finding, Kind, Suspect, View, weighed, weight};
use crate::diagnose::group;
use crate::oomlog::{Event, Position, Stamp, Wall};
use crate::units::Kib;
use crate::words::finding as words;

/// In how many events it must be seen.
const TIMES: usize = 3;

/// Growth within a shorter time than this is a storm and no leak.
const SLOWLY_US: u64 = 600_000_000;

/// A part of everything below which growth is nobody's concern.
const MUCH: f64 = 0.15;

/// The process that grew the most, of those seen in several events with the same PID and name.
pub(super) fn suspects(view: &View<'_>) -> Vec<Suspect> {
    let facts = view.facts;
    let Some(now) = view.case.events.last() else { return Vec::new() };
    let until = view.case.history.iter().position(|event| core::ptr::eq(*event, *now));
    let history = view.case.history.get(..until.map_or(0, |at| at + 1)).unwrap_or_default();
    let mut best: Option<(Kib, Suspect)> = None;
    // What is large now is what can have leaked; of a fork bomb's thousands only the largest are looked at.
    let mut tasks: Vec<_> = facts.event.tasks.iter().collect();
    tasks.sort_by_key(|task| core::cmp::Reverse(task.rss.unwrap_or(0)));
    for task in tasks.into_iter().take(8) {
        let seen: Vec<(Kib, &Event)> = history
            .iter()
            .filter(|event| event.host == now.host)
            .filter_map(|event| Some((size(event, task.pid, &task.comm)?, *event)))
            .collect();
        let (Some((first, then)), Some((last, _))) = (seen.first(), seen.last()) else { continue };
        let rising = seen.windows(2).all(|pair| pair[0].0 <= pair[1].0);
        let slowly = apart_us(&then.stamp, &now.stamp).is_some_and(|us| us >= SLOWLY_US);
        let grown = last.saturating_sub(*first);
        let much = facts.part(*last) >= MUCH && last.0 >= first.0.saturating_mul(5) / 4;
        if seen.len() < TIMES || !rising || !slowly || !much {
            continue;
        }
        let database = group::is_database(&task.comm);
        let kind = if database { Kind::DatabaseGrew } else { Kind::Leak };
        let family = group::family(&task.comm);
        let title = words::leak(&task.comm, task.pid, *first, *last, seen.len());
        let at: Vec<Option<Position>> =
            seen.iter().map(|(_, event)| event.evidence.table).collect();
        let confidence = if seen.len() > TIMES { Confidence::High } else { Confidence::Medium };
        let advice = if database {
            words::database_advice(family, *last)
        } else {
            words::leak_advice(family)
        };
        let finding = Finding::new(kind, confidence, title).about(family).seen(&at).advise(advice);
        let suspect = Suspect { finding, weight: weighed(*last, weight::GREW) };
        if best.as_ref().is_none_or(|(most, _)| grown > *most) {
            best = Some((grown, suspect));
        }
    }
    best.into_iter().map(|(_, suspect)| suspect).collect()
}

/// How far apart two stamps are, as far as they tell without a zone or a year.
fn apart_us(a: &Stamp, b: &Stamp) -> Option<u64> {
    if let Some((a, b)) = a.uptime_us.zip(b.uptime_us).filter(|(a, b)| b >= a) {
        return Some(b - a);
    }
    match (a.wall?, b.wall?) {
        (Wall::Unix(a), Wall::Unix(b)) => Some(b.abs_diff(a)),
        (
            Wall::Civil { month, day, time_us: a, .. },
            Wall::Civil { month: other_month, day: other_day, time_us: b, .. },
        ) => {
            const DAY_US: u64 = 86_400_000_000;
            // Another day is far enough, but for the minutes around midnight.
            let same = (month, day) == (other_month, other_day);
            Some(if same { b.abs_diff(a) } else { (DAY_US - a.min(DAY_US)).saturating_add(b) })
        }
        _ => None,
    }
}

fn size(event: &Event, pid: u32, comm: &str) -> Option<Kib> {
    let task = event.tasks.iter().find(|task| task.pid == pid && task.comm == comm)?;
    let held = task.rss?.saturating_add(task.swap.unwrap_or(0));
    Some(event.pages(held))
}
