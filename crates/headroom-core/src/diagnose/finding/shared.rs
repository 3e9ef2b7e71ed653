//! tmpfs and shared memory, which no kill gives back.

use super::{Confidence, Finding, Kind, Suspect, View, weighed, weight};
use crate::diagnose::Use;
use crate::oomlog::Constraint;
use crate::units::Kib;
use crate::words::finding as words;

/// Shared memory that no process's size explains, if it is a large part of everything.
pub(super) fn suspect(view: &View<'_>) -> Option<Suspect> {
    let facts = view.facts;
    let capacity = facts.capacity?;
    let shared = facts.beside(Use::SharedMemory);
    // Before 6.8 the table does not tell what processes map of it: what does not fit beside their
    // resident memory must be in there already.
    let told = facts.holders.iter().any(|holder| holder.shared.is_some());
    let both = facts.resident.saturating_add(shared);
    let overlap = if told { Kib::ZERO } else { both.saturating_sub(capacity) };
    let nobodys = shared.saturating_sub(overlap);
    if facts.part(nobodys) < 0.2 {
        return None;
    }
    let event = view.event();
    let sure = told || event.constraint == Some(Constraint::Memcg) || facts.part(nobodys) >= 0.3;
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    let finding =
        Finding::new(Kind::SharedMemory, confidence, words::shared_memory(nobodys, facts))
            .about("tmpfs")
            .seen(&[event.evidence.mem_info.or(event.evidence.usage)])
            .advise(words::shared_memory_advice());
    Some(Suspect { finding, weight: weighed(nobodys, weight::NOBODYS) })
}
