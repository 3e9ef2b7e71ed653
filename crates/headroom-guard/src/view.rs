//! What others may see of the guard: published by the loop when somebody asked, put into the wire's
//! form by whoever answers.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use headroom_api::journal::{Entry, Record};
use headroom_api::status::{
    ClassTotal, Guard, Missing, Protected, Rank, Ranked, Status, VERSION, Zone as WireZone,
};
use headroom_api::{history, paths};
use headroom_core::action::Measured;
use headroom_core::decide::{State, decide, rank};
use headroom_core::policy::{Class, Policy};
use headroom_core::snapshot::{Pressure, Process, ProcessId, Snapshot, ZoneIndex};
use headroom_sys::ReadError;

use crate::RELEASE;
use crate::abilities::Abilities;
use crate::peers;
use crate::protect::Grants;
use crate::sense::Senses;
use crate::table::class_total;

/// Records kept in memory for the incidents that `status` shows.
pub(crate) const REMEMBERED: usize = 64;
/// Places of the kill order that `status` shows.
const NEXT: usize = 5;
/// Incidents that `status` shows.
const LAST: usize = 3;

/// The node at one moment, with all that is needed to describe it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) snapshot: Snapshot,
    pub(crate) measured: Vec<Option<Measured>>,
    pub(crate) policy: Policy,
    pub(crate) guard: Guard,
}

/// What the loop and its threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    wanted: AtomicBool,
    view: Mutex<Option<View>>,
    published: Condvar,
    remembered: Mutex<VecDeque<Record>>,
    /// Who was protected by a request.
    pub(crate) grants: Grants,
    regranted: AtomicBool,
    /// What was missing at the start and has been found since.
    found: Mutex<Vec<&'static str>>,
    reload: AtomicBool,
}

impl Shared {
    /// Whether somebody waits for a view. Asked by the loop; clears the wish.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::AcqRel)
    }

    /// Asks the loop to read the policy anew.
    pub(crate) fn ask_reload(&self) {
        self.reload.store(true, Ordering::Release);
    }

    /// Whether somebody asked for that.
    pub(crate) fn is_reload_asked(&self) -> bool {
        self.reload.load(Ordering::Acquire)
    }

    /// As [`Self::is_reload_asked`]. Asked by the loop; clears the wish.
    pub(crate) fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::AcqRel)
    }

    /// Wishes for a view.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// Says that protections have changed.
    pub(crate) fn note_grants(&self) {
        self.regranted.store(true, Ordering::Release);
    }

    /// Takes in who was protected, if that has changed. Asked by the loop, which waits for nobody.
    pub(crate) fn take_grants(&self, granted: &mut Vec<ProcessId>) -> bool {
        if !self.regranted.swap(false, Ordering::AcqRel) {
            return false;
        }
        let copied = self.grants.copy_to(granted);
        if !copied {
            self.note_grants();
        }
        copied
    }

    /// Says that something is missing no more.
    pub(crate) fn note_found(&self, what: &'static str) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// Takes out of a list what is missing no more. Asked by the loop, which waits for nobody.
    pub(crate) fn take_found(&self, missing: &mut Vec<Missing>) {
        if let Ok(mut found) = self.found.try_lock() {
            let found = std::mem::take(&mut *found);
            missing.retain(|lack| !found.contains(&lack.what.as_str()));
        }
    }

    /// Publishes a view, unless somebody reads the last one just now: the loop waits for nobody. Says
    /// whether it did; if not the wish for one still stands.
    pub(crate) fn publish(&self, make: impl FnOnce() -> View) -> bool {
        let Ok(mut view) = self.view.try_lock() else {
            self.want();
            return false;
        };
        *view = Some(make());
        self.published.notify_all();
        true
    }

    /// Asks the loop for a view and waits for it, `wake` being what wakes the loop.
    pub(crate) fn ask(&self, patience: Duration, wake: impl Fn()) -> Option<View> {
        let view = || self.view.lock().unwrap_or_else(PoisonError::into_inner);
        *view() = None;
        self.want();
        // Not with the lock in hand: on a node with one core the loop, in the real-time class, runs as soon as
        // it is woken, and would find it taken each time.
        wake();
        let (mut view, _) = self
            .published
            .wait_timeout_while(view(), patience, |view| view.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        view.take()
    }

    /// Keeps a record for `status`.
    pub(crate) fn remember(&self, record: Record) {
        if matches!(record.entry, Entry::Started(_) | Entry::Stopped(_) | Entry::Lost(_)) {
            return;
        }
        let mut kept = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == REMEMBERED {
            kept.pop_front();
        }
        kept.push_back(record);
    }

    /// The last incidents, the newest first.
    pub(crate) fn incidents(&self) -> Vec<history::Incident> {
        let mut kept = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut incidents = history::incidents(kept.make_contiguous());
        incidents.reverse();
        incidents.truncate(LAST);
        incidents
    }
}

/// Looks at this node once, without a running guard: its state, and the kill order of one zone if there is
/// such a zone.
///
/// # Errors
///
/// When /proc under `root` cannot be read.
pub fn look_once(
    root: &Path,
    policy: &Policy,
    zone: &str,
) -> Result<(Status, Option<Rank>), ReadError> {
    let senses = Senses::open(root, policy)?;
    let abilities = Abilities::find(&senses);
    let mut state = State::new(policy.zones.len(), 0);
    decide(&mut state, &senses.snapshot, policy, &mut Vec::new());
    let view = View {
        guard: Guard {
            policy: policy.name().into(),
            release: RELEASE.into(),
            missing: abilities.missing,
            ..Guard::default()
        },
        measured: measured_of(&state, policy),
        policy: policy.clone(),
        snapshot: senses.snapshot,
    };
    let users = fs::read_to_string(paths::under(root, "/etc/passwd")).unwrap_or_default();
    let protected = Grants::default().shown(&view.snapshot, &users);
    Ok((view.status(Vec::new(), protected), view.rank(zone)))
}

/// The measurements of all zones, the machine first.
pub(crate) fn measured_of(state: &State, policy: &Policy) -> Vec<Option<Measured>> {
    zones(policy).map(|zone| state.measured(zone).copied()).collect()
}

fn zones(policy: &Policy) -> impl Iterator<Item = ZoneIndex> {
    (0..=policy.zones.len()).filter_map(|n| u8::try_from(n).ok()).map(ZoneIndex)
}

/// A zone's path as outputs show it.
pub(crate) fn zone_path(policy: &Policy, zone: ZoneIndex) -> String {
    match usize::from(zone.0).checked_sub(1).and_then(|n| policy.zones.get(n)) {
        Some(zone) => format!("/{}", zone.cgroup.trim_matches('/')),
        None => "/".into(),
    }
}

impl View {
    /// The view as `status`.
    pub(crate) fn status(
        &self,
        incidents: Vec<history::Incident>,
        protected: Vec<Protected>,
    ) -> Status {
        let mut next = self.rank("/").unwrap_or_default().rank;
        next.truncate(NEXT);
        let mut guard = self.guard.clone();
        guard.missing.extend(peers::running(&self.snapshot));
        Status {
            version: VERSION,
            guard,
            zones: zones(&self.policy).filter_map(|zone| self.zone(zone)).collect(),
            classes: Class::ALL.iter().rev().map(|class| self.class(*class)).collect(),
            protected,
            next,
            incidents,
        }
    }

    /// The kill order of the zone of that path; `None` when there is no such zone.
    pub(crate) fn rank(&self, path: &str) -> Option<Rank> {
        let wanted = path.trim_matches('/');
        let zone = zones(&self.policy)
            .find(|zone| zone_path(&self.policy, *zone).trim_matches('/') == wanted)?;
        let order = rank(&self.snapshot, zone, self.policy.thresholds());
        let rank = (1..).zip(&order).map(|(position, p)| self.ranked(position, p)).collect();
        Some(Rank { version: VERSION, rank })
    }

    fn zone(&self, zone: ZoneIndex) -> Option<WireZone> {
        let measured = self.measured.get(usize::from(zone.0)).copied().flatten()?;
        let below = usize::from(zone.0).checked_sub(1);
        let cgroup = below.and_then(|n| self.snapshot.zones.get(n).copied().flatten());
        let (pressure, kills) = match (below, cgroup) {
            (None, _) => (self.snapshot.pressure, self.snapshot.vm.oom_kill),
            (Some(_), zone) => (zone.and_then(|z| z.pressure), zone.and_then(|z| z.oom_kill)),
        };
        let percent = |get: fn(&Pressure) -> u32| pressure.map(|p| f64::from(get(&p)) / 100.0);
        Some(WireZone {
            path: zone_path(&self.policy, zone),
            limit_kib: measured.limit.0,
            available_kib: measured.available.0,
            headroom_kib: measured.headroom().0,
            floor_kib: measured.floor.0,
            some_avg10: percent(|p| p.some_avg10),
            full_avg10: percent(|p| p.full_avg10),
            kernel_oom_kills: kills,
        })
    }

    fn class(&self, class: Class) -> ClassTotal {
        let (processes, rss) = class_total(&self.snapshot.processes, class);
        ClassTotal { class: class.name().into(), processes, rss_kib: rss.0 }
    }

    fn ranked(&self, position: u64, p: &Process) -> Ranked {
        let age = p.age(self.snapshot.at);
        let rule = self.policy.rule(p.rule).map(|r| r.name.clone());
        let by = rule.as_ref().map(|name| format!(" by rule {name}")).unwrap_or_default();
        Ranked {
            position,
            pid: p.id.pid,
            start_ticks: p.id.start_ticks,
            comm: p.comm.to_string(),
            cmdline: (!p.command.is_empty()).then(|| p.command.to_string()),
            uid: p.uid,
            class: p.class.name().into(),
            oom_score_adj: p.oom_score_adj,
            rss_kib: p.rss.0,
            gives_back_kib: p.gives_back.0,
            age_s: (age.as_secs_f64() * 10.0).round() / 10.0,
            paused: p.paused,
            reason: format!(
                "{}{by}, gives back {} for {} s of work",
                p.class,
                p.gives_back,
                age.as_secs()
            ),
            rule,
        }
    }
}

/// A note that something the guard wanted at its start is not there.
pub(crate) fn missing(what: &str, why: impl ToString, instead: &str) -> Missing {
    Missing { what: what.into(), why: why.to_string(), instead: instead.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let policy = Policy::built_in();
        View {
            snapshot: Snapshot::default(),
            measured: Vec::new(),
            policy,
            guard: Guard::default(),
        }
    }

    #[test]
    fn a_loop_that_runs_before_whoever_woke_it_publishes_at_once() {
        let shared = Shared::default();
        let turn = || assert!(shared.is_wanted() && shared.publish(view));
        assert!(shared.ask(Duration::from_secs(60), turn).is_some());
    }

    #[test]
    fn a_view_that_is_being_read_is_published_later() {
        let shared = Shared::default();
        let reader = shared.view.lock().unwrap();
        assert!(!shared.publish(view));
        drop(reader);
        assert!(shared.is_wanted(), "the wish still stands");
        assert!(shared.publish(view));
    }
}
