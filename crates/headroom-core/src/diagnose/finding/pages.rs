//! Memory that was free and of no use: in pieces, in another zone, on another node.

use super::{Confidence, Finding, Kind, View};
use crate::oomlog::{Constraint, Zone};
use crate::words::finding as words;

/// A cpuset or memory policy was full, not the machine.
pub(super) fn nodes_full(view: &View<'_>) -> Option<Finding> {
    let event = view.event();
    let constraint = event.constraint?;
    let of_nodes = matches!(constraint, Constraint::Cpuset | Constraint::MemoryPolicy);
    of_nodes.then(|| {
        let cpuset = event.cpuset.as_deref();
        let finding =
            Finding::new(Kind::NodesFull, Confidence::High, words::nodes_full(constraint, cpuset))
                .seen(&[event.evidence.choice.or(event.evidence.head)])
                .advise(words::nodes_full_advice(constraint));
        match cpuset.filter(|_| constraint == Constraint::Cpuset) {
            Some(cpuset) => finding.about(cpuset),
            None => finding,
        }
    })
}

/// There was memory, but no pages in a row.
pub(super) fn high_order(view: &View<'_>) -> Option<Finding> {
    let zones = zones(view)?;
    let order = u32::try_from(view.event().order?).ok().filter(|order| *order > 0)?;
    let free = zones.iter().filter(|zone| roomy(zone)).filter_map(|zone| zone.free).max()?;
    Some(
        Finding::new(Kind::HighOrder, Confidence::High, words::high_order(order, free))
            .about("kernel")
            .seen(&[view.event().evidence.head, view.event().evidence.mem_info])
            .advise(words::high_order_advice()),
    )
}

/// A zone was exhausted while another had room.
pub(super) fn zone_full(view: &View<'_>) -> Option<Finding> {
    let zones = zones(view)?;
    if view.event().order.is_some_and(|order| order > 0) && zones.iter().any(roomy) {
        return None;
    }
    // The DMA zones keep memory back from everybody else (lowmem_reserve): room there says nothing.
    let common = || zones.iter().filter(|zone| !zone.name.contains("DMA"));
    let full = common().find(|zone| !roomy(zone))?;
    let free = common().find(|zone| roomy(zone))?;
    // A last bit in another zone would not have saved anybody.
    let room = free.free.filter(|room| view.facts.part(*room) >= 0.1);
    if view.facts.capacity.is_some() && room.is_none() {
        return None;
    }
    Some(
        Finding::new(Kind::ZoneFull, Confidence::Medium, words::zone_full(full, free))
            .about("kernel")
            .seen(&[view.event().evidence.mem_info])
            .advise(words::zone_full_advice(full)),
    )
}

fn zones<'v>(view: &'v View<'_>) -> Option<&'v [Zone]> {
    let event = view.event();
    let info = event.mem_info.as_ref()?;
    (event.constraint == Some(Constraint::None)).then_some(&info.zones)
}

/// A zone counts as having room when it has far more than its reserve.
fn roomy(zone: &Zone) -> bool {
    let sizes = zone.free.zip(zone.min);
    sizes.is_some_and(|(free, min)| free.0 > min.0.saturating_mul(2) && free.0 > 64 * 1024)
}
