//! The database and other stores: too large for the node, or unprotected.

use super::{Confidence, Finding, Kind, Suspect, View, weighed, weight};
use crate::diagnose::group::{self, Role};
use crate::oomlog::Killer;
use crate::words::finding as words;

/// From here down a store was protected as far as that goes.
const PROTECTED: i32 = -500;

/// The store that takes most of what there is. Its memory is steady, so whoever came on top of it
/// weighs more.
pub(super) fn too_large(view: &View<'_>) -> Option<Suspect> {
    let facts = view.facts;
    if facts.event.tasks.is_empty() {
        return victim_alone(view);
    }
    let stores = facts.holders.iter().filter(|holder| holder.role == Role::Store);
    let holder = stores.max_by_key(|holder| holder.rss)?;
    if facts.part(holder.rss) < 0.5 {
        return None;
    }
    let confidence =
        if facts.part(holder.rss) >= 0.6 { Confidence::Medium } else { Confidence::Low };
    let finding =
        Finding::new(Kind::DatabaseTooLarge, confidence, words::database_too_large(holder, facts))
            .about(&holder.group)
            .seen(&[facts.event.evidence.table])
            .advise(words::database_advice(&holder.group, holder.rss));
    Some(Suspect { finding, weight: weighed(holder.held(), weight::STEADY) })
}

/// With no table: the victim's own line against the limit.
fn victim_alone(view: &View<'_>) -> Option<Suspect> {
    let facts = view.facts;
    let victim = facts.event.victims.iter().find(|victim| group::is_database(&victim.comm))?;
    let (rss, whole) = (crate::words::explain::held(victim)?, facts.capacity?);
    let family = group::family(&victim.comm);
    (facts.part(rss) >= 0.6).then(|| {
        let title = words::database_alone(family, rss, whole);
        let finding = Finding::new(Kind::DatabaseTooLarge, Confidence::Medium, title)
            .about(family)
            .seen(&[Some(victim.at)])
            .advise(words::database_advice(family, rss));
        Suspect { finding, weight: weighed(rss, weight::STEADY) }
    })
}

/// A store that died for its size, or is the next to.
pub(super) fn unprotected(view: &View<'_>) -> Option<Finding> {
    let facts = view.facts;
    if facts.event.killer != Killer::Kernel {
        return None;
    }
    let victims = || view.case.events.iter().flat_map(|event| &event.victims);
    let died = |name: &str| victims().any(|victim| group::family(&victim.comm) == name);
    let at = [facts.event.evidence.table, facts.event.evidence.end];
    let stores =
        facts.holders.iter().filter(|holder| holder.role == Role::Store && !holder.unkillable);
    let largest = facts.holders.iter().filter(|h| !h.unkillable).max_by_key(|h| h.largest);
    for holder in stores.filter(|holder| !is_protected(view, &holder.group)) {
        let killed = died(&holder.group);
        let next = largest.is_some_and(|largest| largest.group == holder.group);
        if killed || (next && holder.portion >= 0.1) {
            let confidence = if killed { Confidence::High } else { Confidence::Medium };
            return Some(
                Finding::new(
                    Kind::DatabaseUnprotected,
                    confidence,
                    words::database(holder, killed),
                )
                .about(&holder.group)
                .seen(&at)
                .advise(words::unprotected_advice(&holder.group)),
            );
        }
    }
    // Without a table the kill line still says who died.
    let victim = victims().find(|victim| group::is_database(&victim.comm))?;
    let spared = victim.oom_score_adj.is_some_and(|adj| adj <= PROTECTED);
    (facts.event.tasks.is_empty() && !spared).then(|| {
        let family = group::family(&victim.comm);
        Finding::new(Kind::DatabaseUnprotected, Confidence::High, words::database_died(family))
            .about(family)
            .seen(&[Some(victim.at)])
            .advise(words::unprotected_advice(family))
    })
}

fn is_protected(view: &View<'_>, name: &str) -> bool {
    let mut tasks = view.event().tasks.iter().filter(|task| group::family(&task.comm) == name);
    tasks.all(|task| task.oom_score_adj.is_some_and(|adj| adj <= PROTECTED))
}
