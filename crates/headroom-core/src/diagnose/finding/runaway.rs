//! One process that outgrew everything else.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Confidence, Finding, Kind, Suspect, View, held, weighed, weight};
use crate::diagnose::group::{self, Role};
use crate::diagnose::percent_of;
use crate::oomlog::{Constraint, Event, Task};
use crate::units::Kib;
use crate::words::explain::held as victim_held;
use crate::words::finding as words;

/// A part of everything that one process may have before it is looked at.
const MUCH: f64 = 0.2;

/// The same beside a database that takes half of everything: little is left for others then.
const MUCH_BESIDE_A_STORE: f64 = 0.12;

/// Where nothing says how much there was, a process this small explains nothing.
const LITTLE: Kib = Kib::from_mib(64);

/// The process that holds the most, stores aside, if it is far ahead of the others.
pub(super) fn suspects(view: &View<'_>) -> Vec<Suspect> {
    let event = view.event();
    if event.tasks.is_empty() {
        return victim_alone(view).into_iter().collect();
    }
    let candidates = event.tasks.iter().filter(|task| !group::is_database(&task.comm));
    let biggest = candidates.max_by_key(|task| held(event, task));
    biggest.and_then(|task| of(view, task)).into_iter().collect()
}

fn of(view: &View<'_>, task: &Task) -> Option<Suspect> {
    let (facts, event) = (view.facts, view.event());
    let rss = event.pages(task.rss.unwrap_or(0));
    let family = group::family(&task.comm);
    let holder = facts.holders.iter().find(|holder| holder.group == family)?;
    let store = facts.holders.iter().filter(|holder| holder.role == Role::Store);
    let store_share = store.map(|holder| facts.part(holder.rss)).fold(0.0, f64::max);
    let much = if store_share >= 0.5 { MUCH_BESIDE_A_STORE } else { MUCH };
    let took = held(event, task);
    if facts.part(took) < much || (facts.capacity.is_none() && took < LITTLE) {
        return None;
    }
    let at = [event.evidence.table, event.evidence.end];
    let mut advice = words::runaway_advice(family, facts.whole(), is_bounded(view));
    // What to do comes first, where to look second.
    if let Some(place) = ran_in(view, task) {
        advice.insert(advice.len().min(1), place);
    }
    let finding = |confidence, title| {
        Finding::new(Kind::RunawayProcess, confidence, title)
            .about(family)
            .seen(&at)
            .advise(advice.clone())
    };
    let percent = match holder.role {
        Role::Service => weight::SERVICE,
        _ => weight::JOB,
    };
    if let Some(times) = holder.far_ahead() {
        let title = words::worker_far_ahead(&task.comm, task.pid, rss, times);
        let finding = finding(Confidence::High, title);
        return Some(Suspect { finding, weight: weighed(took, percent) });
    }
    if holder.mostly_one(facts.capacity) {
        let siblings = holder.rss.saturating_sub(holder.largest).0 / (holder.processes - 1);
        let times = rss.0.checked_div(siblings).unwrap_or(0);
        let title = words::worker_far_ahead(&task.comm, task.pid, rss, times);
        let finding = finding(Confidence::Medium, title);
        return Some(Suspect { finding, weight: weighed(took, percent) });
    }
    // One of several alike is a matter of their number.
    if holder.is_many() || (holder.processes > 1 && took.0.saturating_mul(5) < holder.held().0 * 3)
    {
        return None;
    }
    let others = event
        .tasks
        .iter()
        .filter(|other| other.pid != task.pid && !group::is_database(&other.comm));
    let second = others.map(|other| held(event, other)).max().unwrap_or_default();
    let share = percent_of(took, facts.asked_for());
    let ahead = took.0 >= second.0.saturating_mul(2);
    if share < 45 && !ahead {
        return None;
    }
    let sure = ahead && (share >= 45 || facts.part(took) >= 0.4);
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    let swapped = took.saturating_sub(rss);
    let finding = finding(confidence, words::runaway(&task.comm, task.pid, rss, swapped, share));
    Some(Suspect { finding, weight: weighed(took, percent) })
}

/// Where it ran, which the kernel says of the one it chose.
fn ran_in(view: &View<'_>, task: &Task) -> Option<String> {
    let events = view.case.events.iter();
    let chose = |event: &&&Event| event.victims.iter().any(|v| v.pid == Some(task.pid));
    let event = events.rev().find(chose)?;
    words::ran_in(event.task_cgroup.as_deref()?)
}

/// Whether a limit holds it already.
fn is_bounded(view: &View<'_>) -> bool {
    view.event().constraint == Some(Constraint::Memcg)
}

/// With no table the kill line is all there is: it names a size, and nothing to compare it with but the
/// limit.
fn victim_alone(view: &View<'_>) -> Option<Suspect> {
    let facts = view.facts;
    let victim = facts.event.victims.iter().max_by_key(|victim| victim_held(victim))?;
    let (rss, whole) = (victim_held(victim)?, facts.capacity?);
    let share = percent_of(rss, whole);
    (share >= 50 && !group::is_database(&victim.comm)).then(|| {
        let name = facts.capacity_name();
        let title = words::runaway_of(&victim.comm, victim.pid, rss, share, name);
        let family = group::family(&victim.comm);
        let finding = Finding::new(Kind::RunawayProcess, Confidence::Medium, title)
            .about(family)
            .seen(&[Some(victim.at)])
            .advise(words::runaway_advice(family, whole, is_bounded(view)));
        Suspect { finding, weight: weighed(rss, weight::JOB) }
    })
}
