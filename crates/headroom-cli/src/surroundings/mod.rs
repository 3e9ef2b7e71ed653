//! What other logs say around incidents: the files given, or those a node is known to have.
//!
//! Runs after the events are known, so that each log is read once and only what lies near an incident is
//! kept (`headroom_core::otherlog`).

mod found;
mod read;

use std::path::PathBuf;

use headroom_core::diagnose::Incident;
use headroom_core::otherlog::{Collector, Noted};

use crate::input::Gathered;

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Where<'a> {
    /// In the files given.
    Files(&'a [PathBuf]),
    /// In this node's own logs, or in those under `HEADROOM_ROOT`.
    Node,
}

/// Collects what lies near the incidents, in the order of time.
pub(crate) fn collect(
    gathered: &mut Gathered,
    incidents: &[Incident],
    place: Where<'_>,
) -> Vec<Noted> {
    let spans: Vec<(i64, i64)> = incidents.iter().filter_map(|i| span(gathered, i)).collect();
    let mut collector = Collector::new(&spans);
    let Some(earliest_us) = collector.earliest_us() else { return Vec::new() };
    match place {
        Where::Files(paths) => {
            for path in paths {
                if path.as_os_str() == "-" {
                    read::piped(gathered, &mut collector);
                } else {
                    read::file(gathered, &mut collector, path);
                }
            }
        }
        Where::Node => {
            let root = std::env::var_os("HEADROOM_ROOT").filter(|root| !root.is_empty());
            for path in found::logs(root.as_deref().map(PathBuf::from), earliest_us) {
                read::file(gathered, &mut collector, &path);
            }
            if root.is_none() {
                read::journal(gathered, &mut collector, &spans);
            }
        }
    }
    collector.finish()
}

/// The first and last moment of an incident, where they are known.
pub(crate) fn span(gathered: &Gathered, incident: &Incident) -> Option<(i64, i64)> {
    let mut times = incident.events.iter().filter_map(|index| gathered.events.get(*index)?.at_us);
    let first = times.next()?;
    Some(times.fold((first, first), |(low, high), at| (low.min(at), high.max(at))))
}
