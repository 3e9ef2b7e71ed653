//! The score of one run: judged from what the node reported and from its logs.

use lab_facts::{Facts, Process, Service};
use serde::{Deserialize, Serialize};

use crate::kills::Kill;
use crate::settings::Run;

/// A fork bomb has hundreds of victims; a line that a person reads has not.
const KILLS_TOLD: usize = 20;

/// The line that a run prints. The order of the fields is the order in which a person wants to read them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) guard: String,
    pub(crate) scenario: String,
    pub(crate) kernel: String,
    pub(crate) mem_mib: u32,
    pub(crate) swap_mib: u32,
    pub(crate) iops: u32,
    pub(crate) shift: u32,
    /// None for guards that have no such thing.
    pub(crate) policy: Option<String>,
    pub(crate) probes: u32,
    pub(crate) answered: u32,
    /// In percent, rounded down, so that 100 means all of them.
    pub(crate) availability: f64,
    pub(crate) longest_outage_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) base_p50_ms: f64,
    pub(crate) base_p99_ms: f64,
    /// Services that the shop needs and that did not live through the storm, or were started anew.
    pub(crate) essential_restarts: u32,
    /// Processes of theirs that the kernel or the guard killed.
    pub(crate) essential_kills: u32,
    pub(crate) kernel_oom_kills: u64,
    pub(crate) guard_kills: u32,
    /// Processes that the guard ever stopped or froze, as seen or as told, whichever is more.
    pub(crate) paused: u32,
    pub(crate) jobs_expected: u32,
    pub(crate) jobs_started: u32,
    pub(crate) jobs_finished: u32,
    /// From the storm's start to the end of the last job that finished.
    pub(crate) jobs_took_s: Option<f64>,
    /// The longest stretch with less than a twentieth of the memory available; none if there was none.
    pub(crate) relief_ms: Option<u64>,
    pub(crate) least_available_mib: u64,
    pub(crate) answers_after: bool,
    pub(crate) guard_rss_kib: Option<u64>,
    pub(crate) guard_anon_kib: Option<u64>,
    pub(crate) guard_cpu_ms: Option<u64>,
    pub(crate) guard_wakeups_per_s: Option<f64>,
    /// Which services were lost, by name.
    pub(crate) lost: Vec<String>,
    /// Who was killed by whom; the first of them when there are very many.
    pub(crate) kills: Vec<Kill>,
}

/// Judges one run.
pub(crate) fn score(run: &Run, facts: &Facts, kills: &[Kill], told_paused: u32) -> Score {
    let storm = &facts.probe.storm;
    let lost = lost(&facts.before, &facts.after);
    let by = |kernel: bool| kills.iter().filter(move |kill| (kill.by == "kernel") == kernel);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let essential = kills.iter().filter(|kill| is_essential(kill, facts));
    Score {
        guard: run.guard.clone(),
        scenario: run.scenario.clone(),
        kernel: facts.kernel.clone(),
        mem_mib: run.machine.mem_mib,
        swap_mib: run.swap_mib,
        iops: run.machine.iops,
        shift: run.machine.shift,
        policy: run.is_own().then(|| run.policy.word().to_owned()),
        probes: storm.probes,
        answered: storm.answered,
        availability: share(storm.answered, storm.probes),
        longest_outage_s: rounded(storm.longest_outage_s, 2),
        p50_ms: rounded(storm.p50_ms, 1),
        p99_ms: rounded(storm.p99_ms, 1),
        max_ms: rounded(storm.max_ms, 1),
        base_p50_ms: rounded(facts.probe.base.p50_ms, 1),
        base_p99_ms: rounded(facts.probe.base.p99_ms, 1),
        essential_restarts: count(lost.len()),
        essential_kills: count(essential.count()),
        kernel_oom_kills: facts.kernel_oom_kills,
        guard_kills: count(by(false).count()),
        paused: facts.paused.max(told_paused),
        jobs_expected: facts.jobs_expected,
        jobs_started: facts.jobs_started,
        jobs_finished: facts.jobs_finished,
        jobs_took_s: facts.last_finish_s.map(|took| rounded(took, 1)),
        relief_ms: facts.probe.short_ms,
        least_available_mib: facts.probe.least_available_kib / 1024,
        answers_after: facts.answers_after,
        guard_rss_kib: facts.guard.map(|guard| guard.rss_kib),
        guard_anon_kib: facts.guard.map(|guard| guard.anon_kib),
        guard_cpu_ms: facts.guard.map(|guard| guard.cpu_ms),
        guard_wakeups_per_s: facts.guard.map(|guard| rounded(guard.switches_per_s, 2)),
        lost,
        kills: kills.iter().take(KILLS_TOLD).cloned().collect(),
    }
}

/// Services that were up before and are not the same now.
fn lost(before: &[Service], after: &[Service]) -> Vec<String> {
    let pairs = before.iter().zip(after).filter(|(before, after)| before != after);
    pairs.map(|(before, _)| before.name.clone()).collect()
}

/// Whether a kill hit what the shop needs. A process is looked up by its id among those seen alive; one
/// that lived too short a time to be seen is judged by its name, or by its unit if that was killed whole.
fn is_essential(kill: &Kill, facts: &Facts) -> bool {
    let Some(pid) = kill.pid else {
        let unit = kill.what.rsplit('/').next().unwrap_or_default();
        return facts.before.iter().any(|service| unit == format!("{}.service", service.name));
    };
    let seen = facts.essential_processes.iter().find(|process| process.pid == pid);
    if let Some(process) = seen {
        return !is_second_site(process);
    }
    let is_job = facts.job_processes.iter().any(|process| process.pid == pid);
    !is_job && ["mariadbd", "php-fpm8.2", "nginx", "sshd"].contains(&kill.what.as_str())
}

/// The workers of the second site are what storms in `swarm`; the shop does without them.
fn is_second_site(process: &Process) -> bool {
    process.title.contains("pool campaign")
}

/// In percent, two decimals, rounded down: one lost question in a million is not 100.
fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (f64::from(part) * 10_000.0 / f64::from(whole)).floor() / 100.0
}

fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab_facts::ProbeFacts;

    fn service(name: &str, main_pid: u32, restarts: u32) -> Service {
        Service { name: name.to_owned(), main_pid, restarts, state: "active".to_owned() }
    }

    fn process(pid: u32, comm: &str, title: &str) -> Process {
        let (comm, title) = (comm.to_owned(), title.to_owned());
        Process { pid, start_ticks: 1, comm, unit: String::new(), title }
    }

    fn facts() -> Facts {
        Facts {
            kernel: "6.1.0".to_owned(),
            probe: ProbeFacts::default(),
            before: vec![service("mariadb", 10, 0), service("cron", 20, 0)],
            after: vec![service("mariadb", 10, 0), service("cron", 20, 0)],
            essential_processes: vec![
                process(30, "php-fpm8.2", "php-fpm: pool www"),
                process(31, "php-fpm8.2", "php-fpm: pool campaign"),
            ],
            job_processes: vec![process(40, "mariadbd", "mariadbd import.php")],
            paused: 0,
            kernel_oom_kills: 0,
            jobs_expected: 1,
            jobs_started: 1,
            jobs_finished: 0,
            last_finish_s: None,
            answers_after: true,
            guard: None,
            ready_s: 30.0,
        }
    }

    fn kill(pid: Option<u32>, what: &str) -> Kill {
        Kill { by: "kernel".to_owned(), pid, what: what.to_owned() }
    }

    #[test]
    fn a_service_with_another_main_process_is_lost_even_if_systemd_counts_no_restart() {
        let mut after = facts().after;
        after[1].main_pid = 21;
        assert_eq!(lost(&facts().before, &after), ["cron"]);
    }

    #[test]
    fn identity_comes_from_the_process_and_only_then_from_the_name() {
        let facts = facts();
        assert!(is_essential(&kill(Some(30), "php-fpm8.2"), &facts));
        assert!(!is_essential(&kill(Some(31), "php-fpm8.2"), &facts), "the second site's worker");
        assert!(!is_essential(&kill(Some(40), "mariadbd"), &facts), "a job with a misleading name");
        assert!(is_essential(&kill(Some(99), "mariadbd"), &facts), "never seen alive");
        assert!(is_essential(&kill(None, "/system.slice/cron.service"), &facts));
    }

    #[test]
    fn one_lost_answer_is_never_rounded_away() {
        assert!(share(99_999, 100_000) < 100.0);
        assert!((share(225, 225) - 100.0).abs() < 1e-9);
    }
}
