//! `crons-same-minute`: jobs that all start in the same minute though nothing makes them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::calendar::{Calendar, Load, spread};
use super::need::{Need, need, short};
use crate::advise::facts::{CronJob, Facts};
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// A run of unknown length is taken to last so many minutes, so that a proposal leaves it time.
const ASSUMED_MIN: u64 = 5;
/// So many at once are a habit and no chance.
const FEWEST: usize = 3;
/// Smaller jobs are left where they are.
const SMALL: Kib = Kib::from_mib(8);
/// A list longer than this is not read.
const LISTED: usize = 12;

/// The load of a job that the clock starts.
pub(super) fn load(job: &CronJob, need: &Need) -> Option<Load> {
    let schedule = job.job.schedule?;
    let gap = schedule.shortest_gap().map_or(ASSUMED_MIN, u64::from);
    let minutes = match &job.longest_s {
        Some(longest) => longest.value.div_ceil(60),
        None => ASSUMED_MIN.min(gap),
    };
    let minutes = usize::try_from(minutes.max(1)).ok()?;
    Some(Load { schedule, offset_min: job.offset_min, minutes, need: need.size })
}

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let jobs: Vec<(&CronJob, Need, Load)> = facts
        .jobs
        .iter()
        .filter_map(|job| {
            let need = need(job);
            let load = load(job, &need)?;
            Some((job, need, load))
        })
        .collect();
    let loads: Vec<Load> = jobs.iter().map(|(.., load)| load.clone()).collect();
    let Some((at, members)) = crowd(facts, &loads) else { return Vec::new() };
    let mut now = Calendar::new(facts);
    loads.iter().for_each(|load| now.add(load));
    let (before, _) = now.peak();
    let movable: Vec<bool> = (0..loads.len()).map(|index| members.contains(&index)).collect();
    let (shifts, after) = spread(facts, &loads, &movable);
    let cut = before.saturating_sub(after);
    if !worth(facts, cut) {
        return Vec::new();
    }
    let mut advice = Advice::of(Kind::CronsSameMinute);
    let together =
        members.iter().fold(Kib::ZERO, |sum, index| sum.saturating_add(loads[*index].need));
    let clock = format!("{:02}:{:02}", at % 1440 / 60, at % 60);
    advice.title = format!("{} jobs start together at {clock} and take {together}", members.len());
    let mut command = String::new();
    let mut is_measured = true;
    for index in &members {
        let (job, need, _) = &jobs[*index];
        is_measured &= need.is_measured;
        if advice.evidence.len() < LISTED {
            let what = format!("{} {}: {}", job.job.when, short(job), need.words);
            advice.because(job.job.at.clone(), what);
        }
        if let Some(shifted) = job.job.schedule.and_then(|s| s.shifted(shifts[*index]))
            && shifts[*index] > 0
        {
            command.push_str(&format!("{}\n{}\n", job.job.at, job.job.rewritten(&shifted)));
        }
    }
    advice.because("the month ahead", format!("jobs take up to {before} together, {after} after"));
    advice.cuts_peak = Some(cut);
    advice.confidence = if is_measured { Confidence::High } else { Confidence::Low };
    advice.risk = Risk::Low;
    advice.command = format!("put instead of these lines:\n{}", command.trim_end());
    advice.check = format!("headroom history after the next {clock}: no incident then");
    alloc::vec![advice]
}

/// The minute in which the most memory starts, and who starts in it.
fn crowd(facts: &Facts, loads: &[Load]) -> Option<(usize, Vec<usize>)> {
    let calendar = Calendar::new(facts);
    let mut starts: Vec<(usize, usize)> = Vec::new();
    for (index, load) in loads.iter().enumerate().filter(|(_, load)| load.need >= SMALL) {
        starts.extend(calendar.starts(load).into_iter().map(|minute| (minute, index)));
    }
    starts.sort_unstable();
    let groups = starts.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= FEWEST);
    let weight =
        |group: &[(usize, usize)]| group.iter().map(|(_, index)| loads[*index].need.0).sum::<u64>();
    // Of equals the first.
    let heaviest = groups.rev().max_by_key(|group| weight(group))?;
    Some((heaviest.first()?.0, heaviest.iter().map(|(_, index)| *index).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::need::tests::job;
    use super::*;

    #[test]
    fn jobs_of_midnight_are_moved_apart_and_the_new_lines_are_given() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(2000);
        for name in ["a", "b", "c", "d"] {
            let line = format!("0 3 * * * app php {name}.php");
            facts.jobs.push(job(&line, Some(150), Some(240)));
        }
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(450)));
        assert_eq!(advice.confidence, Confidence::High);
        assert!(
            advice.title.contains("4 jobs start together at 03:00 and take 600 MiB"),
            "{}",
            advice.title
        );
        for line in
            ["4 3 * * * app php b.php", "8 3 * * * app php c.php", "12 3 * * * app php d.php"]
        {
            assert!(advice.command.contains(line), "{}", advice.command);
        }
    }

    #[test]
    fn two_jobs_or_small_ones_are_no_crowd() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(2000);
        facts.jobs = (0..2).map(|_| job("0 3 * * * app php x.php", Some(150), None)).collect();
        assert_eq!(advise(&facts), []);
        facts.jobs = (0..5).map(|_| job("0 3 * * * app true", None, None)).collect();
        assert_eq!(advise(&facts), []);
    }

    #[test]
    fn unknown_needs_are_said_to_be_assumed() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(1000);
        facts.jobs = (0..3).map(|_| job("*/15 * * * * app php x.php", None, None)).collect();
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.confidence, Confidence::Low);
        assert!(advice.evidence[0].what.contains("64 MiB assumed"));
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(128)));
    }
}
