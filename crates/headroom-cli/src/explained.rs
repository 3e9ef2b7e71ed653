//! One incident with everything there is to say about it, ready to be printed in any form.

use headroom_core::diagnose::{
    self, Candidate, Case, Context, Dated, Facts, Finding, Incident, Repeats,
};
use headroom_core::oomlog::{Event, Position};
use headroom_core::otherlog::Noted;

use crate::input::{Gathered, when};
use crate::surroundings;

/// How many are named of those who would have been next.
const NEXT: usize = 3;

/// One incident.
#[derive(Debug)]
pub(crate) struct Explained<'a> {
    pub(crate) incident: &'a Incident,
    /// Its events with their times.
    pub(crate) dated: Vec<&'a Dated>,
    /// Its events.
    pub(crate) events: Vec<&'a Event>,
    pub(crate) facts: Facts<'a>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) context: Context<'a>,
    /// Who would have been next, by the last event with a table.
    pub(crate) next: Vec<Candidate<'a>>,
}

/// Explains all of `incidents`.
pub(crate) fn all<'a>(
    gathered: &'a Gathered,
    incidents: &'a [Incident],
    noted: &'a [Noted],
) -> Vec<Explained<'a>> {
    let history: Vec<&Event> = gathered.events.iter().map(|dated| &dated.event).collect();
    // The others of the same time of day are looked for among all, whatever was asked to be told.
    let moments: Vec<(i64, Position)> = diagnose::incidents(&gathered.events)
        .iter()
        .filter_map(|incident| {
            let first = gathered.events.get(*incident.events.first()?)?;
            Some((first.at_us?, first.event.first))
        })
        .collect();
    incidents
        .iter()
        .filter_map(|incident| one(gathered, incident, &history, &moments, noted))
        .collect()
}

fn one<'a>(
    gathered: &'a Gathered,
    incident: &'a Incident,
    history: &[&'a Event],
    moments: &[(i64, Position)],
    noted: &'a [Noted],
) -> Option<Explained<'a>> {
    let dated: Vec<&Dated> =
        incident.events.iter().filter_map(|index| gathered.events.get(*index)).collect();
    let events: Vec<&Event> = dated.iter().map(|dated| &dated.event).collect();
    let facts = Facts::of(&events)?;
    let span = surroundings::span(gathered, incident);
    let context = span.map(|(first, last)| Context::of(noted, first, last, &events));
    let context = context.unwrap_or_default();
    let repeats: Option<Repeats> =
        span.and_then(|(first, _)| diagnose::repeats(moments, first, when::offset_s(first)));
    let case = Case {
        events: &events,
        kind: incident.kind,
        history,
        context: &context,
        repeats: repeats.as_ref(),
    };
    let findings = diagnose::findings(&case);
    let gone: Vec<u32> =
        events.iter().flat_map(|e| &e.victims).filter_map(|victim| victim.pid).collect();
    let last = events.iter().rev().find(|event| !event.tasks.is_empty());
    let next = last.map(|event| diagnose::next_in_line(event, &gone, NEXT)).unwrap_or_default();
    Some(Explained { incident, dated, events, facts, findings, context, next })
}
