//! Nobody to blame: a limit below the steady load, or a machine with too much on it.

use super::{Confidence, Finding, Kind, Suspect, View, weighed, weight};
use crate::diagnose::{IncidentKind, Use};
use crate::oomlog::Constraint;
use crate::words::finding as words;

/// What is said when no suspect stands out.
pub(super) fn suspect(view: &View<'_>) -> Option<Suspect> {
    let (facts, event) = (view.facts, view.event());
    let capacity = facts.capacity.filter(|_| !event.tasks.is_empty())?;
    if event.constraint == Some(Constraint::Memcg) {
        let often = view.case.kind == IncidentKind::Structural
            || event.memcg.memory.and_then(|m| m.failcnt).is_some_and(|count| count >= 1000);
        // Several alike that together are too much are no accident either.
        let alike = facts.holders.first().is_some_and(|h| h.is_many() && h.portion >= 0.5);
        let confidence = if often || alike { Confidence::Medium } else { Confidence::Low };
        let group =
            event.cgroup.as_deref().and_then(|path| path.rsplit('/').find(|p| !p.is_empty()));
        let mut finding = Finding::new(
            Kind::LimitTooSmall,
            confidence,
            words::limit_too_small(facts, facts.beside(Use::PageCache)),
        )
        .seen(&[event.evidence.usage, event.evidence.table])
        .advise(words::limit_advice(group, capacity));
        finding.group = group.map(Into::into);
        return Some(Suspect { finding, weight: weighed(capacity, weight::NOBODY) });
    }
    // The same for the machine, if the table shows where most of its memory went.
    let of_machine =
        event.constraint == Some(Constraint::None) && facts.part(facts.resident) >= 0.5;
    of_machine.then(|| {
        let title = words::nobody(&facts.holders, facts.resident);
        let finding = Finding::new(Kind::NobodyStandsOut, Confidence::Medium, title)
            .seen(&[event.evidence.table])
            .advise(words::nobody_advice());
        Suspect { finding, weight: weighed(capacity, weight::NOBODY) }
    })
}
