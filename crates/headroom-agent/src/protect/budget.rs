//! Whether one more job may be protected: unkillable memory is taken from everybody else.

use headroom_api::protect::{Budget, Job, VERSION};
use headroom_api::status::{Protected, Status, Zone};
use headroom_core::units::Kib;

use super::Config;

/// Under this a job's share is not worth its protection.
const LEAST: Kib = Kib::from_mib(32);

/// What the protected jobs may take, and what they take now.
pub(super) fn budget_of(status: &Status, config: &Config) -> Budget {
    let zone = zone_of(status);
    let limit = zone.map_or(Kib::ZERO, |zone| Kib(zone.limit_kib));
    let limit = limit.percent(u64::from(config.share.0));
    let jobs = jobs_of(&status.protected);
    Budget {
        version: VERSION,
        zone: zone.map_or_else(|| "/".into(), |zone| zone.path.clone()),
        limit_kib: limit.0,
        used_kib: jobs.iter().map(|job| job.rss_kib).sum(),
        per_user: config.per_user,
        time_s: Some(config.time.0.as_secs()).filter(|time| *time > 0),
        jobs,
    }
}

/// The zone where users' work is: the smallest there is, since a job may be in any.
fn zone_of(status: &Status) -> Option<&Zone> {
    status.zones.iter().filter(|zone| zone.limit_kib > 0).min_by_key(|zone| zone.limit_kib)
}

/// Jobs with what their children take; a child whose job has ended counts as one.
fn jobs_of(protected: &[Protected]) -> Vec<Job> {
    let with_children = |job: &Protected| {
        let children = protected.iter().filter(|p| p.by == Some(job.pid));
        job.rss_kib + children.map(|p| p.rss_kib).sum::<u64>()
    };
    let is_job = |p: &&Protected| p.by.is_none();
    protected
        .iter()
        .filter(is_job)
        .map(|p| Job {
            pid: p.pid,
            comm: p.comm.clone(),
            user: p.user.clone(),
            since: p.since.clone(),
            rss_kib: with_children(p),
            budget_kib: p.budget_kib,
        })
        .collect()
}

/// What one more job of this user may take.
///
/// # Errors
///
/// Why it may not be protected, with the figures.
pub(super) fn allot(budget: &Budget, user: &str) -> Result<Kib, String> {
    let own: Vec<_> = budget.jobs.iter().filter(|job| job.user == user).collect();
    if own.len() >= usize::try_from(budget.per_user).unwrap_or(usize::MAX) {
        let names: Vec<_> = own.iter().map(|job| format!("{} ({})", job.comm, job.pid)).collect();
        return Err(format!(
            "{user} has {} jobs protected already, of {} allowed at once: {}",
            own.len(),
            budget.per_user,
            names.join(", ")
        ));
    }
    let left = Kib(budget.limit_kib).saturating_sub(Kib(budget.used_kib));
    if left < LEAST {
        return Err(format!(
            "protected jobs take {} of the {} that may be unkillable in {}; wait for one to end",
            Kib(budget.used_kib),
            Kib(budget.limit_kib),
            budget.zone
        ));
    }
    Ok(left)
}

/// What is worth saying to whom was protected.
pub(super) fn warnings(budget: &Budget, allotted: Kib, status: &Status) -> Vec<String> {
    let mut warnings = Vec::new();
    let headroom = zone_of(status).map(|zone| Kib(zone.headroom_kib));
    if let Some(headroom) = headroom.filter(|headroom| *headroom < allotted) {
        warnings.push(format!(
            "protected, but only {headroom} is left in {}: protection adds no memory, others are slain \
             for what this job takes",
            budget.zone
        ));
    }
    if budget.used_kib > 0 {
        warnings.push(format!(
            "{} other protected jobs take {} already; this one may take {allotted}",
            budget.jobs.len(),
            Kib(budget.used_kib)
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protected(pid: i32, user: &str, mib: u64, by: Option<i32>) -> Protected {
        Protected {
            pid,
            user: user.into(),
            comm: "php".into(),
            rss_kib: mib * 1024,
            by,
            ..Protected::default()
        }
    }

    fn status(protected: Vec<Protected>) -> Status {
        let zone = |path: &str, mib: u64| Zone {
            path: path.into(),
            limit_kib: mib * 1024,
            headroom_kib: 100 * 1024,
            ..Zone::default()
        };
        Status {
            protected,
            zones: vec![zone("/", 2000), zone("/limited.slice", 1600)],
            ..Status::default()
        }
    }

    #[test]
    fn the_budget_is_a_share_of_the_smallest_zone_and_children_count() {
        let status = status(vec![protected(1, "app", 100, None), protected(2, "app", 50, Some(1))]);
        let budget = budget_of(&status, &Config::default());
        assert_eq!((budget.zone.as_str(), budget.limit_kib), ("/limited.slice", 400 * 1024));
        assert_eq!((budget.jobs.len(), budget.used_kib), (1, 150 * 1024));
        assert_eq!(allot(&budget, "app"), Ok(Kib::from_mib(250)));
        let warnings = warnings(&budget, Kib::from_mib(250), &status);
        assert!(warnings[0].contains("only 100 MiB is left"), "{warnings:?}");
        assert!(warnings[1].contains("take 150 MiB already"), "{warnings:?}");
    }

    #[test]
    fn one_user_cannot_have_more_than_its_number_and_all_together_not_more_than_the_share() {
        let two = vec![protected(1, "app", 10, None), protected(2, "app", 10, None)];
        let budget = budget_of(&status(two), &Config::default());
        assert!(allot(&budget, "app").unwrap_err().contains("2 jobs protected already, of 2"));
        assert!(allot(&budget, "other").is_ok());
        let full = budget_of(&status(vec![protected(1, "app", 390, None)]), &Config::default());
        let refused = allot(&full, "other").unwrap_err();
        assert!(refused.contains("take 390 MiB of the 400 MiB"), "{refused}");
    }
}
