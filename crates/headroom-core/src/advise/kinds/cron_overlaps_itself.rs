//! `cron-overlaps-itself`: a job that is started again while it still runs.

use alloc::format;
use alloc::vec::Vec;

use super::crons_overlap::duration;
use super::need::{need, runs, short};
use crate::advise::facts::{CronJob, Facts};
use crate::advise::parse::cronlog::Run;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// More copies than this are not counted on: something else ends it then.
const MOST: u64 = 20;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    facts.jobs.iter().filter_map(|job| of(facts, job)).collect()
}

fn of(facts: &Facts, job: &CronJob) -> Option<Advice> {
    let gap = job.job.schedule.as_ref()?.shortest_gap().unwrap_or(1440);
    if job.job.is_locked() {
        return None;
    }
    let logged = beside_itself(&runs(facts, job).collect::<Vec<_>>());
    let longest = job.longest_s.as_ref().map(|said| said.value).unwrap_or(0);
    let possible = longest.div_ceil(u64::from(gap).saturating_mul(60).max(1));
    let copies = job.running.max(logged).max(possible).min(MOST);
    if copies < 2 {
        return None;
    }
    let need = need(job);
    let cut = Kib(need.size.0.saturating_mul(copies - 1));
    if !worth(facts, cut) {
        return None;
    }
    let mut advice = Advice::of(Kind::CronOverlapsItself);
    advice.title = format!("{} runs up to {copies} times beside itself", short(job));
    advice.because(
        job.job.at.clone(),
        format!("{} starts it every {gap} min, with no lock: {}", job.job.when, need.words),
    );
    if let Some(longest) = &job.longest_s {
        advice.because(longest.at.clone(), format!("it ran up to {}", duration(longest.value)));
    }
    if logged > 1 {
        advice.because("cron's log", format!("{logged} of it ran at once"));
    }
    if job.running > 1 {
        advice.because("processes", format!("{} of it run now", job.running));
    }
    advice.cuts_peak = Some(cut);
    advice.confidence = match (need.is_measured, logged > 1 || job.running > 1) {
        (true, true) => Confidence::High,
        (true, false) | (false, true) => Confidence::Medium,
        (false, false) => Confidence::Low,
    };
    advice.risk = Risk::Low;
    let name: alloc::string::String =
        job.job.at.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let command = format!("flock -n /run/lock/{} {}", name.trim_matches('-'), job.job.command);
    advice.command = format!("put instead of {}:\n{}", job.job.at, job.job.with_command(&command));
    advice.check = "pgrep -fc with its command line says 1 at the most".into();
    Some(advice)
}

/// The most runs of one job there were at once. A run whose end was not logged is not counted on.
fn beside_itself(runs: &[&Run]) -> u64 {
    let ended: Vec<(i64, i64)> =
        runs.iter().filter_map(|run| Some((run.start_s, run.end_s?))).collect();
    let at =
        |moment: i64| ended.iter().filter(|(start, end)| *start <= moment && moment < *end).count();
    let most = ended.iter().map(|(start, _)| at(*start)).max().unwrap_or(0);
    u64::try_from(most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::need::tests::job;
    use super::*;

    fn node(job: CronJob) -> Facts {
        let mut facts = Facts { jobs: alloc::vec![job], ..Facts::default() };
        facts.node.ram = Kib::from_mib(2000);
        facts
    }

    #[test]
    fn a_job_that_takes_longer_than_its_period_needs_a_lock() {
        let facts = node(job("*/5 * * * * app php sync.php", Some(120), Some(13 * 60)));
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(240)));
        let line = "*/5 * * * * app flock -n /run/lock/etc-cron-d-shop-1 php sync.php";
        assert!(advice.command.contains(line), "{}", advice.command);
        assert_eq!(advice.confidence, Confidence::Medium);
    }

    #[test]
    fn what_runs_twice_now_is_sure() {
        let mut job = job("* * * * * app php sync.php", Some(120), None);
        job.running = 3;
        let advice = advise(&node(job)).remove(0);
        assert_eq!(
            (advice.cuts_peak, advice.confidence),
            (Some(Kib::from_mib(240)), Confidence::High)
        );
    }

    #[test]
    fn a_lock_or_a_short_run_keeps_it_silent() {
        let locked = job("*/5 * * * * app flock -n /tmp/l php sync.php", Some(120), Some(900));
        assert_eq!(advise(&node(locked)), []);
        assert_eq!(advise(&node(job("*/5 * * * * app php sync.php", Some(120), Some(200)))), []);
        assert_eq!(advise(&node(job("0 3 * * * app php sync.php", Some(120), Some(7200)))), []);
    }

    #[test]
    fn the_log_counts_runs_at_once() {
        let run = |start_s, end_s| Run { user: "a".into(), command: "x".into(), start_s, end_s };
        let all = [
            run(0, Some(100)),
            run(50, Some(150)),
            run(60, None),
            run(99, Some(200)),
            run(150, Some(160)),
        ];
        assert_eq!(beside_itself(&all.iter().collect::<Vec<_>>()), 3);
    }
}
