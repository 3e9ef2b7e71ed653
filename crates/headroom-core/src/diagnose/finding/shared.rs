//! tmpfs and shared memory, which no kill gives back.

use super::{Confidence, Finding, Kind, Suspect, View, weighed, weight};
use crate::diagnose::Use;
use crate::oomlog::Constraint;
use crate::words::finding as words;

/// Shared memory that no process's size explains, if it is a large part of everything. Before 6.8 the
/// table does not say what processes map of it, so one is less sure.
pub(super) fn suspect(view: &View<'_>) -> Option<Suspect> {
    let facts = view.facts;
    facts.capacity?;
    let shared = facts.beside(Use::SharedMemory);
    if facts.part(shared) < 0.2 {
        return None;
    }
    let event = view.event();
    let told = facts.holders.iter().any(|holder| holder.shared.is_some());
    let sure = told || event.constraint == Some(Constraint::Memcg) || facts.part(shared) >= 0.3;
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    let finding = Finding::new(Kind::SharedMemory, confidence, words::shared_memory(shared, facts))
        .about("tmpfs")
        .seen(&[event.evidence.mem_info.or(event.evidence.usage)])
        .advise(words::shared_memory_advice());
    Some(Suspect { finding, weight: weighed(shared, weight::NOBODYS) })
}
