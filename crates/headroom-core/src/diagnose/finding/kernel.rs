//! Memory of the kernel itself: slab caches, page tables, huge pages, and what nothing accounts for.

use alloc::vec::Vec;

use super::{Confidence, Finding, Kind, Suspect, View, weighed, weight};
use crate::diagnose::{Use, percent_of};
use crate::units::Kib;
use crate::words::finding as words;

/// Each use that took a large part of what there was.
pub(super) fn suspects(view: &View<'_>) -> Vec<Suspect> {
    let facts = view.facts;
    if facts.capacity.is_none() {
        return Vec::new();
    }
    let mut suspects = Vec::new();
    let slab = facts.beside(Use::SlabUnreclaimable);
    let caches = facts.beside(Use::SlabReclaimable);
    let all = slab.saturating_add(caches).saturating_add(facts.beside(Use::KernelOther));
    if facts.part(slab) >= 0.2 || facts.part(all) >= 0.3 {
        let slabs = view.event().mem_info.as_ref().map_or(&[][..], |info| info.slabs.as_slice());
        let other = facts.beside(Use::KernelOther);
        let title = words::kernel_memory(slab, caches, other, slabs, facts);
        suspects.extend(suspect(
            view,
            Kind::KernelMemory,
            all,
            title,
            words::kernel_memory_advice(slabs),
        ));
    }
    let huge = facts.beside(Use::HugePages);
    if facts.part(huge) >= 0.3 {
        let title = words::huge_pages(huge, facts);
        suspects.extend(suspect(view, Kind::HugePages, huge, title, words::huge_pages_advice()));
    }
    let tables = facts.beside(Use::PageTables);
    if facts.part(tables) >= 0.15 {
        let title = words::page_tables(tables, facts);
        suspects.extend(suspect(
            view,
            Kind::PageTables,
            tables,
            title,
            words::page_tables_advice(),
        ));
    }
    let lost = facts.beside(Use::Unaccounted);
    if facts.part(lost) >= 0.25 {
        let title = words::unaccounted(lost, facts);
        let found =
            suspect(view, Kind::UnaccountedMemory, lost, title, words::unaccounted_advice());
        suspects.extend(found.map(|mut suspect| {
            suspect.finding.confidence = Confidence::Medium;
            suspect
        }));
    }
    suspects
}

fn suspect(
    view: &View<'_>,
    kind: Kind,
    size: Kib,
    title: alloc::string::String,
    advice: Vec<alloc::string::String>,
) -> Option<Suspect> {
    let event = view.event();
    let sure = percent_of(size, view.facts.whole()) >= 30;
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    let finding = Finding::new(kind, confidence, title)
        .about("kernel")
        .seen(&[event.evidence.mem_info.or(event.evidence.usage)])
        .advise(advice);
    Some(Suspect { finding, weight: weighed(size, weight::NOBODYS) })
}
