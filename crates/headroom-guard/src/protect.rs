//! Who is protected: not slain, not paused, and left at the value it was given.
//!
//! A protection is an `oom_score_adj` of -1000 that was asked for. Only whoever has CAP_SYS_RESOURCE can
//! give it, and children inherit it, so the value itself is the proof: it outlives the guard and needs no
//! list. It is no proof for what a service of the shop started, since services may have that value from
//! their units, and what they start has it then though nobody meant it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use headroom_api::status::Protected as Wire;
use headroom_api::time::rfc3339;
use headroom_core::snapshot::{Process, ProcessId, Snapshot};
use headroom_sys::ReadError;
use headroom_sys::own::NEVER_KILL;
use headroom_sys::proc::Proc;

use crate::say::wall_clock_ms;

#[cfg(test)]
mod tests;

/// Protections that are kept account of.
pub(crate) const MOST: usize = 64;
/// A child is looked for among that many generations.
const GENERATIONS: usize = 64;

/// One protection that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) id: ProcessId,
    pub(crate) since_ms: i64,
    pub(crate) budget_kib: Option<u64>,
}

/// Those that were asked for and whose process may still live.
#[derive(Debug, Default)]
pub(crate) struct Grants(Mutex<Vec<Grant>>);

impl Grants {
    fn all(&self) -> MutexGuard<'_, Vec<Grant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the protection. The value is written before it is said to be there.
    pub(crate) fn give(
        &self,
        proc: &mut Proc,
        id: ProcessId,
        budget_kib: Option<u64>,
    ) -> Result<(), ReadError> {
        proc.set_oom_score_adj_of(id, NEVER_KILL)?;
        let mut grants = self.all();
        grants.retain(|grant| grant.id != id && is_alive(proc, grant.id));
        if grants.len() == MOST {
            grants.remove(0);
        }
        grants.push(Grant { id, since_ms: wall_clock_ms(), budget_kib });
        Ok(())
    }

    /// Takes it back, from the process and from what descends from it.
    pub(crate) fn take_back(
        &self,
        proc: &mut Proc,
        snapshot: &Snapshot,
        id: ProcessId,
    ) -> Result<(), ReadError> {
        self.all().retain(|grant| grant.id != id);
        let family = snapshot.processes.iter().filter(|p| {
            p.id != id && p.oom_score_adj == Some(NEVER_KILL) && descends_from(snapshot, p, id)
        });
        for process in family {
            // One that ended meanwhile needs no more.
            let _gone = proc.set_oom_score_adj_of(process.id, 0);
        }
        proc.set_oom_score_adj_of(id, 0)
    }

    /// Copies who was protected, for the loop, which waits for nobody: false when it must ask again.
    pub(crate) fn copy_to(&self, ids: &mut Vec<ProcessId>) -> bool {
        let Ok(grants) = self.0.try_lock() else { return false };
        ids.clear();
        ids.extend(grants.iter().map(|grant| grant.id));
        true
    }

    /// What `status` shows. `users` is the text of passwd(5).
    pub(crate) fn shown(&self, snapshot: &Snapshot, users: &str) -> Vec<Wire> {
        let grants = self.all().clone();
        let protected = snapshot.processes.iter().filter(|p| p.protected && !p.ending);
        let now = wall_clock_ms();
        protected
            .map(|p| {
                let grant = grants.iter().find(|grant| grant.id == p.id);
                let by = grants.iter().find(|g| g.id != p.id && descends_from(snapshot, p, g.id));
                let age = i64::try_from(p.age(snapshot.at).as_millis()).unwrap_or(i64::MAX);
                let since = grant.map_or(now.saturating_sub(age), |grant| grant.since_ms);
                Wire {
                    pid: p.id.pid,
                    comm: p.comm.to_string(),
                    user: user_of(users, p.uid).unwrap_or_else(|| p.uid.to_string()),
                    since: rfc3339(since).unwrap_or_default(),
                    budget_kib: grant.and_then(|grant| grant.budget_kib),
                    rss_kib: p.rss.0,
                    by: by.filter(|_| grant.is_none()).map(|grant| grant.id.pid),
                }
            })
            .collect()
    }
}

/// Whether a process, examined just now, is protected.
pub(crate) fn is_protected(
    proc: &mut Proc,
    process: &Process,
    parent: Option<Process>,
    granted: &[ProcessId],
) -> bool {
    if process.oom_score_adj != Some(NEVER_KILL) {
        return false;
    }
    if granted.contains(&process.id) || parent.is_some_and(|parent| parent.protected) {
        return true;
    }
    if !process.class.may_be_slain() {
        return false;
    }
    match (proc.oom_score_adj(process.parent), parent) {
        // From a service that has it from its unit, not from anybody who asked.
        (Ok(NEVER_KILL), Some(_)) => false,
        // A parent that was not looked at yet: of the same user, or a service.
        (Ok(NEVER_KILL), None) => {
            proc.status(process.parent).is_ok_and(|s| s.uid_effective == process.uid)
        }
        // It was given to this one, or to an ancestor that has ended.
        _ => true,
    }
}

/// Takes in that a process was protected, or is not any more, since it was examined.
pub(crate) fn at_weighing(proc: &mut Proc, process: Process) -> Process {
    match (process.oom_score_adj, proc.oom_score_adj(process.id.pid)) {
        (Some(before), Ok(NEVER_KILL)) if before != NEVER_KILL => {
            Process { protected: true, oom_score_adj: Some(NEVER_KILL), ..process }
        }
        (Some(NEVER_KILL), Ok(now)) if now != NEVER_KILL => {
            Process { protected: false, oom_score_adj: Some(now), ..process }
        }
        _ => process,
    }
}

fn is_alive(proc: &mut Proc, id: ProcessId) -> bool {
    proc.stat(id.pid).is_ok_and(|stat| stat.start_ticks == id.start_ticks)
}

fn descends_from(snapshot: &Snapshot, process: &Process, ancestor: ProcessId) -> bool {
    let parent_of = |process: &Process| {
        let at = snapshot.processes.binary_search_by_key(&process.parent, |p| p.id.pid).ok()?;
        snapshot.processes.get(at)
    };
    std::iter::successors(parent_of(process), |p| parent_of(p))
        .take(GENERATIONS)
        .any(|p| p.id == ancestor)
}

/// A user's name, from the text of passwd(5).
fn user_of(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_string())
    })
}
