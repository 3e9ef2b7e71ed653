//! Which events belong together, and whether they are one of many.

use alloc::vec::Vec;

use super::Dated;
use crate::oomlog::Killer;

/// Events closer than this are one incident (contract).
const APART_US: i64 = 60_000_000;

/// An incident that comes back within this is structural (contract).
const COMES_BACK_US: i64 = 3_600_000_000;

/// So many kills within a second are structural: the strict policy's number.
const KILLS: usize = 2;

/// The second in which they count.
const WITHIN_US: i64 = 1_000_000;

/// Whether an incident is one of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentKind {
    /// It stands alone.
    Incidental,
    /// Kills came at the policy's rate, or came back within the hour.
    Structural,
}

/// Events that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Indices of its events, in the order they were given.
    pub events: Vec<usize>,
    /// Whether it is one of many.
    pub kind: IncidentKind,
}

/// Groups events that are in the order of time. Where neither clock tells the distance, events are
/// not taken to belong together.
#[must_use]
pub fn incidents(events: &[Dated]) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let last = incidents.last_mut().filter(|incident| {
            let before = incident.events.last().and_then(|last| events.get(*last));
            before.and_then(|before| distance_us(before, event)).is_some_and(|us| us < APART_US)
        });
        match last {
            Some(incident) => incident.events.push(index),
            None => {
                incidents.push(Incident { events: [index].into(), kind: IncidentKind::Incidental })
            }
        }
    }
    let kinds: Vec<IncidentKind> = incidents
        .iter()
        .enumerate()
        .map(|(at, incident)| kind(at, incident, &incidents, events))
        .collect();
    for (incident, kind) in incidents.iter_mut().zip(kinds) {
        incident.kind = kind;
    }
    incidents
}

fn kind(at: usize, incident: &Incident, all: &[Incident], events: &[Dated]) -> IncidentKind {
    let near = |a: Option<&usize>, b: Option<&usize>, reach: i64| {
        let (Some(a), Some(b)) = (a.and_then(|a| events.get(*a)), b.and_then(|b| events.get(*b)))
        else {
            return false;
        };
        distance_us(a, b).is_some_and(|us| us <= reach)
    };
    let kernel: Vec<usize> = incident
        .events
        .iter()
        .copied()
        .filter(|i| {
            events
                .get(*i)
                .is_some_and(|e| e.event.killer == Killer::Kernel && !e.event.victims.is_empty())
        })
        .collect();
    let rate = kernel.windows(KILLS).any(|kills| near(kills.first(), kills.last(), WITHIN_US));
    let before = at.checked_sub(1).and_then(|at| all.get(at));
    let after = all.get(at + 1);
    let again = before
        .is_some_and(|other| near(other.events.last(), incident.events.first(), COMES_BACK_US))
        || after
            .is_some_and(|other| near(incident.events.last(), other.events.first(), COMES_BACK_US));
    if rate || again { IncidentKind::Structural } else { IncidentKind::Incidental }
}

/// How far apart two events are. Uptimes count only within one file and while they rise: each boot
/// begins anew.
fn distance_us(a: &Dated, b: &Dated) -> Option<i64> {
    let uptimes = a.event.stamp.uptime_us.zip(b.event.stamp.uptime_us);
    let same_boot = a.event.first.source == b.event.first.source && a.event.host == b.event.host;
    if let Some((a, b)) = uptimes.filter(|(a, b)| same_boot && b >= a) {
        // The finer clock, unless the coarser one contradicts it.
        let fine = i64::try_from(b - a).ok();
        if fine.is_some_and(|us| us < WITHIN_US) {
            return fine;
        }
    }
    match (a.at_us, b.at_us) {
        (Some(a), Some(b)) => Some(b.checked_sub(a)?.checked_abs()?),
        _ => uptimes
            .filter(|(a, b)| same_boot && b >= a)
            .and_then(|(a, b)| i64::try_from(b - a).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oomlog::{Event, Victim};

    fn at(seconds: f64) -> Dated {
        #[expect(clippy::cast_possible_truncation, reason = "a test's small number")]
        let us = (seconds * 1e6) as i64;
        let event = Event { victims: [Victim::default()].into(), ..Event::default() };
        Dated { event, at_us: Some(us) }
    }

    fn kinds(seconds: &[f64]) -> Vec<(usize, IncidentKind)> {
        let events: Vec<Dated> = seconds.iter().map(|s| at(*s)).collect();
        incidents(&events).into_iter().map(|i| (i.events.len(), i.kind)).collect()
    }

    #[test]
    fn events_within_a_minute_are_one_incident() {
        use IncidentKind::{Incidental, Structural};
        assert_eq!(kinds(&[0.0, 59.0, 118.0]), [(3, Incidental)]);
        assert_eq!(kinds(&[0.0, 60.0]), [(1, Structural), (1, Structural)]);
        assert_eq!(kinds(&[0.0, 4000.0]), [(1, Incidental), (1, Incidental)]);
        assert_eq!(kinds(&[0.0, 0.5]), [(2, Structural)]);
    }
}
