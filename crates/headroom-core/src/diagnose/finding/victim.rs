//! Who died: whether it helped, what else it took down, and whether it is always the same one.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Confidence, Finding, Kind, View};
use crate::diagnose::group::Role;
use crate::diagnose::{badness, group, holders};
use crate::oomlog::Killer;
use crate::otherlog::What;
use crate::words::explain::held;
use crate::words::finding as words;

/// A victim that held little while others held much.
pub(super) fn wrong(view: &View<'_>) -> Option<Finding> {
    let events = view.case.events.iter();
    let (event, victim) = events.clone().find_map(|event| Some((event, event.victims.first()?)))?;
    let rss = held(victim)?;
    let row = event.tasks.iter().find(|task| Some(task.pid) == victim.pid);
    let adj = victim.oom_score_adj.or_else(|| row.and_then(|task| task.oom_score_adj));
    let by_arithmetic = victim.pid.and_then(|pid| badness::expected(event, pid));
    let holders = holders(event, None);
    let holder = holders.first()?;
    let little = holder.largest.0 > rss.0.saturating_mul(8) && event.victims.len() == 1;
    let passed_over =
        adj.is_some_and(|adj| adj > 0) || holder.unkillable || by_arithmetic == Some(false);
    (little && passed_over).then(|| {
        Finding::new(
            Kind::WrongVictim,
            Confidence::Medium,
            words::wrong_victim(&victim.comm, rss, adj, holder),
        )
        .about(group::family(&victim.comm))
        .seen(&[Some(victim.at), event.evidence.table])
        .advise(words::wrong_victim_advice())
    })
}

/// Units that ended because one of their processes was killed.
pub(super) fn units_stopped(view: &View<'_>) -> Option<Finding> {
    let mut units: Vec<&str> = Vec::new();
    let mut at = Vec::new();
    for near in &view.case.context.near {
        if let What::UnitKilled { unit, ended: true } = &near.entry.what {
            at.push(Some(near.entry.at));
            if !units.contains(&unit.as_str()) {
                units.push(unit);
            }
        }
    }
    let first = units.first()?;
    Some(
        Finding::new(Kind::UnitStopped, Confidence::High, words::units_stopped(&units))
            .about(first)
            .seen(&at)
            .advise(words::units_stopped_advice(first)),
    )
}

/// One program that was the victim of most kills in the logs.
pub(super) fn again(view: &View<'_>) -> Option<Finding> {
    /// So many kills make a habit.
    const HABIT: usize = 3;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kills = 0;
    let kernel = view.case.history.iter().filter(|event| event.killer == Killer::Kernel);
    for victim in kernel.filter_map(|event| event.victims.first()) {
        kills += 1;
        *counts.entry(group::family(&victim.comm)).or_default() += 1;
    }
    let (name, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let here = view.case.events.iter().flat_map(|event| &event.victims);
    let this = here.clone().any(|victim| group::family(&victim.comm) == name);
    // Within one incident it says nothing that is not seen at once.
    let elsewhere = count > view.case.events.len();
    (count >= HABIT && count * 3 >= kills * 2 && this && elsewhere).then(|| {
        Finding::new(Kind::RepeatVictim, Confidence::Medium, words::again(name, count, kills))
            .about(name)
            .seen(&[here.map(|victim| victim.at).next()])
            .advise(words::again_advice(name, group::role(name) == Role::Job))
    })
}
