//! `crons-overlap`: jobs of different times that run into each other because they take long.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::calendar::{Calendar, Load, spread};
use super::crons_same_minute::load;
use super::need::{Need, need, runs, short};
use crate::advise::facts::{CronJob, Facts};
use crate::advise::parse::cronlog::Run;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    // Only what is known to take long can be known to overlap.
    let jobs: Vec<(&CronJob, Need, Load)> = facts
        .jobs
        .iter()
        .filter(|job| job.longest_s.is_some())
        .filter_map(|job| {
            let need = need(job);
            let load = load(job, &need)?;
            Some((job, need, load))
        })
        .collect();
    let loads: Vec<Load> = jobs.iter().map(|(.., load)| load.clone()).collect();
    let mut now = Calendar::new(facts);
    loads.iter().for_each(|load| now.add(load));
    let (before, at) = now.peak();
    let mut members = Vec::new();
    let mut starting = 0;
    for (index, load) in loads.iter().enumerate() {
        let (runs, starts) = now.runs_at(load, at);
        if runs {
            members.push(index);
            starting += usize::from(starts);
        }
    }
    // Those that start together are the advice's beside this one.
    if members.len() < 2 || starting == members.len() {
        return Vec::new();
    }
    let movable: Vec<bool> = (0..loads.len()).map(|index| members.contains(&index)).collect();
    let (shifts, after) = spread(facts, &loads, &movable);
    let largest = members.iter().map(|index| loads[*index].need).max().unwrap_or_default();
    let by_shift = before.saturating_sub(after);
    // In turn, only one of them is there at a time.
    let by_turns = before.saturating_sub(largest);
    let is_shift = by_shift.0.saturating_mul(10) >= by_turns.0.saturating_mul(9);
    let cut = if is_shift { by_shift } else { by_turns };
    if !worth(facts, cut) {
        return Vec::new();
    }
    let mut advice = Advice::of(Kind::CronsOverlap);
    let clock = format!("{:02}:{:02}", at % 1440 / 60, at % 60);
    advice.title =
        format!("{} jobs run beside each other at {clock} and take {before}", members.len());
    let mut command = String::new();
    let mut is_measured = true;
    for index in &members {
        let (job, need, load) = &jobs[*index];
        is_measured &= need.is_measured;
        let lasts =
            job.longest_s.as_ref().map(|said| format!("{} ({})", duration(said.value), said.at));
        advice.because(
            job.job.at.clone(),
            format!(
                "{} {}: {}, up to {}",
                job.job.when,
                short(job),
                need.words,
                lasts.unwrap_or_else(|| format!("{} min", load.minutes))
            ),
        );
        let line = if is_shift {
            let shifted = job.job.schedule.and_then(|s| s.shifted(shifts[*index]));
            shifted.filter(|_| shifts[*index] > 0).map(|shifted| job.job.rewritten(&shifted))
        } else {
            let locked = format!("flock /run/lock/jobs.{} {}", job.job.user, job.job.command);
            (!job.job.is_locked()).then(|| job.job.with_command(&locked))
        };
        if let Some(line) = line {
            command.push_str(&format!("{}\n{line}\n", job.job.at));
        }
    }
    let did = overlaps(facts, &members.iter().map(|index| jobs[*index].0).collect::<Vec<_>>());
    if did > 0 {
        advice.because("cron's log", format!("they did so {did} times"));
    }
    let after = if is_shift { after } else { largest };
    let how = if is_shift { "moved apart" } else { "one after another" };
    advice.because("the month ahead", format!("up to {before} together; {how}, up to {after}"));
    advice.cuts_peak = Some(cut);
    advice.confidence = match (is_measured, did > 0) {
        (true, true) => Confidence::High,
        (true, false) => Confidence::Medium,
        (false, _) => Confidence::Low,
    };
    advice.risk = if is_shift { Risk::Low } else { Risk::Medium };
    advice.command = format!("put instead of these lines:\n{}", command.trim_end());
    advice.check = "headroom advise: the jobs' runs no longer meet".into();
    alloc::vec![advice]
}

/// How often runs of different ones of these jobs met in the log.
fn overlaps(facts: &Facts, jobs: &[&CronJob]) -> usize {
    let of = |job: &&CronJob| runs(facts, job).collect::<Vec<&Run>>();
    let all: Vec<Vec<&Run>> = jobs.iter().map(of).collect();
    let meet = |a: &Run, b: &Run| {
        a.end_s.is_some_and(|end| end > b.start_s) && b.end_s.is_some_and(|end| end > a.start_s)
    };
    let pairs = all
        .iter()
        .enumerate()
        .flat_map(|(index, first)| all.iter().skip(index + 1).map(move |second| (first, second)));
    pairs.map(|(a, b)| a.iter().filter(|a| b.iter().any(|b| meet(a, b))).count()).sum()
}

/// `40 s`, `12 min`, `3 h`.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s => format!("{} h", s / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::super::need::tests::job;
    use super::*;
    use crate::units::Kib;

    fn node() -> Facts {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(1000);
        facts
    }

    #[test]
    fn a_long_import_meets_the_next_job_and_one_of_them_moves() {
        let mut facts = node();
        facts.jobs.push(job("0 3 * * * app php import.php", Some(300), Some(25 * 60)));
        facts.jobs.push(job("10 3 * * * app php export.php", Some(200), Some(600)));
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(200)));
        assert!(advice.command.contains("25 3 * * * app php export.php"), "{}", advice.command);
    }

    #[test]
    fn where_no_minute_is_free_they_take_turns() {
        let mut facts = node();
        facts.jobs.push(job("0 3 * * * app php import.php", Some(300), Some(3 * 3600)));
        facts.jobs.push(job("30 4 * * * app php export.php", Some(200), Some(3 * 3600)));
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(200)));
        assert!(advice.command.contains("flock /run/lock/jobs.app php export.php"));
    }

    #[test]
    fn what_the_log_shows_makes_it_sure_and_what_is_short_does_not_meet() {
        let mut facts = node();
        facts.jobs.push(job("0 3 * * * app php import.php", Some(300), Some(1500)));
        facts.jobs.push(job("10 3 * * * app php export.php", Some(200), Some(600)));
        let run = |command: &str, start_s, end_s| Run {
            user: "app".into(),
            command: command.into(),
            start_s,
            end_s: Some(end_s),
        };
        facts.runs.extend([run("php import.php", 0, 1500), run("php export.php", 600, 1000)]);
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.confidence, Confidence::High);
        facts.jobs[0].longest_s.as_mut().unwrap().value = 300;
        assert_eq!(advise(&facts), []);
    }
}
