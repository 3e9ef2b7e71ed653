//! Many processes of one program: a pool's workers, stacked jobs, a burst, a fork bomb.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Confidence, Finding, Kind, Suspect, View, weighed, weight};
use crate::diagnose::beside::Use;
use crate::diagnose::group::{self, Role};
use crate::diagnose::holders::Holder;
use crate::oomlog::{Constraint, Position};
use crate::otherlog::What;
use crate::units::Kib;
use crate::words::explain::held as victim_held;
use crate::words::finding as words;

/// A part of everything that many processes of one program may have before they are looked at.
const MUCH: f64 = 0.2;

/// The same where cron's own processes show that jobs ran at once.
const MUCH_OF_JOBS: f64 = 0.1;

/// More processes of one program than anybody starts on purpose.
const BOMB: u64 = 200;

/// The same where each of them is small: a 400th part of everything at most.
const SMALL_BOMB: u64 = 64;

/// What the kernel keeps for each process beside its memory: stack, structures, descriptors, about.
const KERNEL_SHARE: u64 = 64;

/// Programs that jobs are written in or made of.
const JOBS: [&str; 20] = [
    "php",
    "python",
    "perl",
    "ruby",
    "node",
    "bash",
    "sh",
    "dash",
    "wp",
    "drush",
    "mysqldump",
    "mariadb-dump",
    "mysql",
    "gzip",
    "tar",
    "rsync",
    "restic",
    "borg",
    "composer",
    "java",
];

/// Each program of which many processes held much.
pub(super) fn suspects(view: &View<'_>) -> Vec<Suspect> {
    let facts = view.facts;
    let mut suspects: Vec<Suspect> = Vec::new();
    for holder in facts.holders.iter().filter(|h| h.role != Role::Store && h.processes >= 3) {
        let found = match holder.role {
            Role::Pool => pool(view, holder),
            _ => jobs(view, holder),
        };
        suspects.extend(found);
    }
    if suspects.iter().all(|suspect| suspect.finding.kind != Kind::StackedJobs) {
        suspects.extend(mixed_jobs(view));
    }
    suspects
}

/// What a group took in all: what is swapped out and its share of the kernel's memory count too.
fn footprint(holder: &Holder) -> Kib {
    let kernel = Kib(holder.processes.saturating_mul(KERNEL_SHARE));
    let tables = holder.page_tables.unwrap_or_default();
    let swap = holder.swap.unwrap_or_default();
    [kernel, tables, swap].into_iter().fold(holder.rss, Kib::saturating_add)
}

fn pool(view: &View<'_>, holder: &Holder) -> Option<Suspect> {
    let facts = view.facts;
    let exhausted = view
        .case
        .context
        .near
        .iter()
        .find(|near| matches!(near.entry.what, What::WorkersExhausted { .. }));
    let much = if exhausted.is_some() { MUCH_OF_JOBS } else { MUCH };
    if !holder.is_many() && holder.far_ahead().is_none() || facts.part(holder.rss) < much {
        return None;
    }
    let siblings = holder.without_the_one_far_ahead();
    // With one worker far ahead the others are not the first to look at.
    let alone = holder.far_ahead().is_some();
    if alone && facts.part(siblings.rss) < much {
        return None;
    }
    let sure = !alone && (holder.portion >= 0.5 || exhausted.is_some());
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    let mut finding = Finding::new(Kind::ManyWorkers, confidence, words::many(&siblings))
        .about(&holder.group)
        .seen(&[facts.event.evidence.table, exhausted.map(|near| near.entry.at)]);
    let others = facts.resident.saturating_sub(holder.rss);
    // What the kernel and tmpfs keep is no room for workers either.
    let kept = [Use::SlabUnreclaimable, Use::SharedMemory, Use::HugePages, Use::PageTables]
        .into_iter()
        .chain([Use::KernelStacks, Use::KernelOther, Use::Unaccounted])
        .fold(Kib::ZERO, |sum, usage| sum.saturating_add(facts.beside(usage)));
    // Neither is what was killed before this table and must run again: the database, mostly.
    let killed = killed_before(view, &holder.group);
    let others = others.saturating_add(kept).saturating_add(killed);
    let room = facts.whole().percent(90).saturating_sub(others);
    let fit = room.0.checked_div(siblings.average().0).unwrap_or(0);
    if facts.capacity.is_some() && fit > 0 && fit < siblings.processes {
        finding.advice = words::pool_advice(&siblings, fit, others, facts.whole());
        finding.saves = Some(Kib(siblings.average().0.saturating_mul(siblings.processes - fit)));
    } else {
        finding.advice = words::pool_still_fits(&siblings);
    }
    if let Some(near) = exhausted {
        finding.advice.push(words::pool_was_full(&near.entry.what));
    }
    let percent = if alone { weight::POOL / 2 } else { weight::POOL };
    Some(Suspect { finding, weight: weighed(siblings.rss, percent) })
}

/// What services held that died in this incident and are not in its fullest table: the node needs room for
/// them too.
fn killed_before(view: &View<'_>, pool: &str) -> Kib {
    let victims = view.case.events.iter().flat_map(|event| &event.victims);
    let mut services: Vec<(&str, Kib)> = Vec::new();
    for victim in victims {
        let family = group::family(&victim.comm);
        let serves = matches!(group::role(&victim.comm), Role::Store | Role::Service | Role::Pool);
        let size = victim_held(victim).unwrap_or_default();
        if !serves || family == pool {
            continue;
        }
        match services.iter_mut().find(|(name, _)| *name == family) {
            Some((_, most)) => *most = size.max(*most),
            None => services.push((family, size)),
        }
    }
    let running = |name: &str| {
        let holder = view.facts.holders.iter().find(|holder| holder.group == name);
        holder.map(|holder| holder.rss).unwrap_or_default()
    };
    services
        .iter()
        .map(|(name, size)| size.saturating_sub(running(name)))
        .fold(Kib::ZERO, Kib::saturating_add)
}

fn jobs(view: &View<'_>, holder: &Holder) -> Option<Suspect> {
    let (facts, event) = (view.facts, view.event());
    let footprint = footprint(holder);
    let scheduled = facts.cron_jobs().max(running_crons(view).1.len() as u64);
    let small = holder.average().0 <= facts.whole().0 / 400;
    let bomb = holder.processes >= if small { SMALL_BOMB } else { BOMB };
    let much = if scheduled >= 2 || bomb { MUCH_OF_JOBS } else { MUCH };
    if facts.part(footprint) < much || (!holder.is_many() && !bomb) {
        return None;
    }
    // One process far ahead of its siblings is the one to look at.
    if (holder.far_ahead().is_some() || holder.mostly_one(facts.capacity)) && !bomb {
        return None;
    }
    // A service's own processes under its own limit are no jobs that met by chance: the limit is the
    // matter.
    if !bomb && of_a_service(view) {
        return None;
    }
    let is_job = JOBS.contains(&holder.group.as_str());
    let (kind, sure) = if bomb {
        (Kind::ForkBomb, true)
    } else if scheduled >= 2 || is_job {
        (Kind::StackedJobs, scheduled >= 2 || holder.portion >= 0.5)
    } else {
        (Kind::ProcessBurst, holder.portion >= 0.4)
    };
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    let (title, advice) = match kind {
        Kind::ForkBomb => (words::fork_bomb(holder), words::fork_bomb_advice(holder)),
        Kind::StackedJobs => {
            (words::stacked(holder, scheduled), words::stacked_advice(view.case.context))
        }
        _ => (words::many(holder), words::burst_advice(holder)),
    };
    let mut finding = Finding::new(kind, confidence, title)
        .about(&holder.group)
        .seen(&[event.evidence.table])
        .advise(advice);
    if kind == Kind::StackedJobs {
        finding.evidence.extend(running_crons(view).1);
        // Run one after another they would need one place instead of all.
        finding.saves = Some(holder.rss.saturating_sub(holder.largest));
    }
    Some(Suspect { finding, weight: weighed(footprint, weight::JOB) })
}

/// Whether it was the limit of a unit or a container that runs all the time, and not of cron's or a login's.
fn of_a_service(view: &View<'_>) -> bool {
    let event = view.event();
    let limited = event.cgroup.as_deref().filter(|_| event.constraint == Some(Constraint::Memcg));
    let Some(last) = limited.and_then(|path| path.rsplit('/').find(|part| !part.is_empty())) else {
        return false;
    };
    let service = last.strip_suffix(".service");
    service.is_some_and(|name| !matches!(name, "cron" | "crond" | "cronie" | "atd"))
}

/// Cron jobs of several programs that ran at once: none is much, together they are.
fn mixed_jobs(view: &View<'_>) -> Option<Suspect> {
    let facts = view.facts;
    let (seen, at) = running_crons(view);
    let running = facts.cron_jobs().max(at.len() as u64);
    let jobs: Vec<&Holder> =
        facts.holders.iter().filter(|h| h.role == Role::Job && h.rss.0 > 0).collect();
    let total = jobs.iter().fold(Kib::ZERO, |sum, holder| sum.saturating_add(holder.rss)).max(seen);
    let largest = jobs.first()?;
    let alone = largest.largest.0.saturating_mul(5) >= total.0.saturating_mul(3);
    if running < 3 || alone || facts.part(total) < MUCH {
        return None;
    }
    let names: Vec<String> = jobs.iter().take(4).map(|holder| holder.group.clone()).collect();
    let mut finding = Finding::new(
        Kind::StackedJobs,
        Confidence::Medium,
        words::mixed_jobs(running, total, &names),
    )
    .about(&largest.group)
    .seen(&[facts.event.evidence.table])
    .advise(words::stacked_advice(view.case.context));
    finding.evidence.extend(at);
    Some(Suspect { finding, weight: weighed(total, weight::JOB) })
}

/// What cron's log and the task table together say was still running, and where.
fn running_crons(view: &View<'_>) -> (Kib, Vec<Position>) {
    let mut sum = Kib::ZERO;
    let mut at = Vec::new();
    for (near, running) in view.case.context.running_jobs() {
        sum = sum.saturating_add(running.rss);
        at.push(near.entry.at);
    }
    (sum, at)
}
