//! What can be concluded from an incident: a file a group of findings, here the order they are told in.
//!
//! Three kinds of conclusion come together. Signs are what the report says outright and what decides
//! everything else. Suspects are who may have taken the memory; the one with the most weight is told
//! first, where memory that comes and goes weighs more than memory that is always there: a database of
//! steady size is no culprit for being the biggest. Circumstances are what made it worse, what came of
//! it, and what else happened then.

mod database;
mod kernel;
mod kind;
mod leak;
mod limit;
mod many;
mod pages;
mod runaway;
mod shared;
mod signs;
mod surroundings;
mod swap;
mod unkillable;
mod victim;

#[cfg(test)]
mod tests;

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::IncidentKind;
use super::context::Context;
use super::facts::Facts;
use super::impostor::unmasked;
use super::recurrence::Repeats;
use crate::oomlog::{Constraint, Event, Position, Task};
use crate::units::Kib;

pub use kind::Kind;

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The log says so.
    High,
    /// The numbers speak for it.
    Medium,
    /// It may play a part.
    Low,
}

/// A conclusion with what speaks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// Whom it is about: a service, a unit, `kernel`, `tmpfs`.
    pub group: Option<String>,
    /// The conclusion in one sentence.
    pub title: String,
    /// The lines it rests on.
    pub evidence: Vec<Position>,
    /// What to do.
    pub advice: Vec<String>,
    /// What following the advice would save.
    pub saves: Option<Kib>,
    /// How sure it is.
    pub confidence: Confidence,
}

impl Finding {
    fn new(kind: Kind, confidence: Confidence, title: String) -> Self {
        Self {
            kind,
            group: None,
            title,
            evidence: Vec::new(),
            advice: Vec::new(),
            saves: None,
            confidence,
        }
    }

    fn about(mut self, group: &str) -> Self {
        self.group = Some(group.to_string());
        self
    }

    fn seen(mut self, at: &[Option<Position>]) -> Self {
        self.evidence.extend(at.iter().flatten());
        self
    }

    fn advise(mut self, advice: Vec<String>) -> Self {
        self.advice = advice;
        self
    }
}

/// Everything there is to conclude from.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The incident's events.
    pub events: &'a [&'a Event],
    /// Whether it is one of many.
    pub kind: IncidentKind,
    /// Every event of the logs in the order of time, for what shows only over time.
    pub history: &'a [&'a Event],
    /// What other logs say near it.
    pub context: &'a Context<'a>,
    /// The same time of day on other days.
    pub repeats: Option<&'a Repeats>,
}

/// A case with its numbers.
struct View<'v> {
    case: &'v Case<'v>,
    facts: &'v Facts<'v>,
}

impl View<'_> {
    fn event(&self) -> &Event {
        self.facts.event
    }
}

/// Who may have taken the memory.
struct Suspect {
    finding: Finding,
    /// How much it took, weighed by whether that comes and goes.
    weight: Kib,
}

/// A suspect's weight in percent of what it held.
mod weight {
    /// It was seen growing.
    pub(super) const GREW: u64 = 300;
    /// It comes and goes.
    pub(super) const JOB: u64 = 150;
    /// It belongs to nobody, and no kill gives it back.
    pub(super) const NOBODYS: u64 = 150;
    /// It grows with the visitors, up to a setting.
    pub(super) const POOL: u64 = 100;
    /// It runs all the time, and may have grown.
    pub(super) const SERVICE: u64 = 60;
    /// It is always there.
    pub(super) const STEADY: u64 = 30;
    /// What is said when nobody is to blame.
    pub(super) const NOBODY: u64 = 1;
}

/// The findings of one incident, the one that answers first.
#[must_use]
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    let plain: Vec<Cow<'_, Event>> = case.events.iter().map(|event| unmasked(event)).collect();
    if plain.iter().all(|event| matches!(event, Cow::Borrowed(_))) {
        return of_plain(case);
    }
    let events: Vec<&Event> = plain.iter().map(Cow::as_ref).collect();
    of_plain(&Case { events: &events, ..*case })
}

/// The findings of events in which every name is what it says.
fn of_plain(case: &Case<'_>) -> Vec<Finding> {
    let Some(facts) = Facts::of(case.events) else { return Vec::new() };
    let view = View { case, facts: &facts };
    let mut list: Vec<Finding> = Vec::new();
    list.extend(signs::manual_run(&view));
    list.extend(pages::nodes_full(&view));
    list.extend(pages::high_order(&view));
    list.extend(pages::zone_full(&view));
    list.extend(signs::daemon_kill(&view));
    list.sort_by_key(|finding| (finding.confidence, finding.kind));
    let mut circumstances: Vec<Finding> = Vec::new();
    circumstances.extend(signs::no_killable(&view));
    circumstances.extend(signs::panic_on_oom(&view));
    circumstances.extend(signs::allocating_task(&view));
    if facts.event.constraint != Some(Constraint::Manual) {
        let (told, lesser) = ranked(suspects(&view));
        // What a daemon ended before the kernel had to is no answer where the kernel's own report has one.
        let answered = told.iter().any(|finding| finding.confidence != Confidence::Low);
        let at = list.iter().position(|f| f.kind == Kind::DaemonKill && answered);
        let daemon = at.map(|at| list.remove(at));
        list.extend(told);
        circumstances.extend(daemon);
        circumstances.extend(lesser);
        circumstances.extend(unkillable::share(&view));
        circumstances.extend(database::unprotected(&view));
        circumstances.extend(victim::wrong(&view));
        circumstances.extend(swap::findings(&view));
    }
    circumstances.extend(victim::units_stopped(&view));
    circumstances.extend(victim::again(&view));
    circumstances.extend(surroundings::findings(&view));
    circumstances.sort_by_key(|finding| (finding.confidence, finding.kind));
    for finding in circumstances {
        if list.iter().all(|told| told.kind != finding.kind) {
            list.push(finding);
        }
    }
    if !list.iter().any(|finding| says_why(finding.kind)) {
        list.insert(0, signs::not_enough(&view));
    }
    list
}

/// Whether a finding of that kind is an answer at all, or only stands beside one.
fn says_why(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::NoSwap
            | Kind::SwapFull
            | Kind::Thrashing
            | Kind::DatabaseUnprotected
            | Kind::RepeatVictim
            | Kind::RepeatsDaily
            | Kind::UnitStopped
            | Kind::SlowQuery
            | Kind::RecentChange
            | Kind::WrongVictim
    )
}

fn suspects(view: &View<'_>) -> Vec<Suspect> {
    let mut suspects: Vec<Suspect> = Vec::new();
    suspects.extend(leak::suspects(view));
    suspects.extend(kernel::suspects(view));
    suspects.extend(shared::suspect(view));
    suspects.extend(unkillable::hog(view));
    suspects.extend(runaway::suspects(view));
    suspects.extend(many::suspects(view));
    suspects.extend(database::too_large(view));
    // A crowd of processes fills the kernel's own caches and page tables as well.
    if suspects.iter().any(|suspect| suspect.finding.kind == Kind::ForkBomb) {
        suspects.retain(|suspect| {
            !matches!(suspect.finding.kind, Kind::KernelMemory | Kind::PageTables)
        });
    }
    if suspects.iter().all(|suspect| suspect.finding.confidence == Confidence::Low) {
        suspects.extend(limit::suspect(view));
    }
    suspects
}

/// The first suspect and those that come near it; then those of whom one is less sure. Who weighs a
/// fifth of the first is none.
fn ranked(mut suspects: Vec<Suspect>) -> (Vec<Finding>, Vec<Finding>) {
    suspects
        .sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.finding.kind.cmp(&b.finding.kind)));
    let most = suspects.first().map(|suspect| suspect.weight).unwrap_or_default();
    let (mut told, mut lesser) = (Vec::new(), Vec::new());
    for (number, Suspect { mut finding, weight }) in suspects.into_iter().enumerate() {
        // The one that leaks or hogs is not told again for being large.
        let told_of_it = told.iter().any(|other: &Finding| other.group == finding.group);
        if finding.kind == Kind::RunawayProcess && told_of_it {
            continue;
        }
        if number > 0 {
            // A store that came second was there before whoever came first.
            let steady = finding.kind == Kind::DatabaseTooLarge;
            let near = weight.0.saturating_mul(2) >= most.0 && !steady;
            let least = if near { Confidence::Medium } else { Confidence::Low };
            finding.confidence = finding.confidence.max(least);
            if weight.0.saturating_mul(5) < most.0 {
                continue;
            }
            if !near {
                lesser.push(finding);
                continue;
            }
        }
        told.push(finding);
    }
    (told, lesser)
}

fn weighed(size: Kib, percent: u64) -> Kib {
    size.percent(percent)
}

/// What a task took, swap included.
fn held(event: &Event, task: &Task) -> Kib {
    event.pages(task.rss.unwrap_or(0).saturating_add(task.swap.unwrap_or(0)))
}
