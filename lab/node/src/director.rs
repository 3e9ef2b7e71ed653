//! The director: one run from a node that has booted to a node that is off.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use lab_facts::{FAILED, Facts, ProbeFacts, TOUR};
use rustix::mm::{MlockAllFlags, mlockall};

use crate::arguments::Arguments;
use crate::guard::Cost;
use crate::jobs::Scenario;
use crate::processes::{self, Watch};
use crate::{
    Outcome, advise, clock, cron, guard, http, jobs, probe, results, services, shell, tour,
};

/// How long the shop is probed before the storm.
const BASE: Duration = Duration::from_secs(14);
/// How long jobs that are still there may go on after the probe has ended.
const LATE_JOBS: Duration = Duration::from_secs(90);

/// How often it is told how far the storm is.
const TELL: Duration = Duration::from_secs(10);

/// Runs the scenario and switches the node off, whatever came of it.
pub(crate) fn run() -> Outcome {
    let outcome = direct();
    if let Err(error) = &outcome {
        results::keep("failed.txt", &error.to_string());
        results::collect(None)?;
        results::say(&format!("{FAILED}{error}"));
    }
    shell::run("systemctl", &["poweroff", "--force", "--force"])?;
    outcome
}

fn direct() -> Outcome {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?;
    results::prepare()?;
    let arguments = Arguments::read()?;
    swap_on(&arguments.swap)?;
    if !arguments.advise.is_empty() {
        return advise::run(&arguments);
    }
    if arguments.scenario == TOUR {
        return tour::run(&arguments);
    }
    let scenario = Scenario::read(&arguments.scenario)?;
    let guard_unit = prepare_shop(&arguments)?;
    let guard_unit = guard_unit.as_deref();
    let ready_s = clock::now().as_secs_f64();
    results::say("the shop answers and the guard stands");

    let storm_wall = cron::arrange(&scenario.crontab, BASE)?;
    let storm = clock::now() + storm_wall.saturating_sub(clock::wall());
    let before = services::essential();
    let watch = Watch::begin(&before);
    let cost = Cost::take(guard_unit);
    let mut probe = start_probe(&arguments, storm)?;
    clock::sleep_until(storm);
    results::say("the storm begins");
    let action =
        scenario.action.as_deref().map(|action| start_action(action, &arguments, guard_unit));
    let action = action.transpose()?;

    wait_telling(&mut probe, storm)?;
    results::say("the probe has ended");
    let cost = Cost::take(guard_unit).zip(cost).map(|(now, then)| now.since(&then));
    let late = clock::now() + LATE_JOBS;
    while scenario.jobs > 0 && processes::any_job_left() && clock::now() < late {
        thread::sleep(Duration::from_secs(1));
    }
    let answers_after = http::shop_answers_within(Duration::from_secs(10));
    let seen = watch.end();
    let marks = jobs::marks();
    let facts = Facts {
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim_end().to_owned(),
        probe: serde_json::from_slice::<ProbeFacts>(&fs::read(probe::REPORT)?)?,
        before,
        after: services::essential(),
        essential_processes: seen.essential(),
        job_processes: seen.jobs(),
        paused: seen.paused(),
        kernel_oom_kills: kernel_oom_kills(&fs::read_to_string("/proc/vmstat")?),
        jobs_expected: scenario.jobs,
        jobs_started: marks.started,
        jobs_finished: marks.finished,
        last_finish_s: marks.last_finish.map(|last| last.saturating_sub(storm_wall).as_secs_f64()),
        answers_after,
        guard: cost,
        ready_s,
    };
    if let Some(mut action) = action {
        // It may have ended by itself.
        drop(action.kill());
    }
    results::say("collecting the logs");
    results::collect(guard_unit)?;
    results::report(&facts)
}

/// Gives the node its swap, if it is to have any: `disk` or `zram:MIB`.
fn swap_on(swap: &str) -> Outcome {
    let device = match swap.strip_prefix("zram:") {
        Some(mib) => {
            shell::run("modprobe", &["zram"])?;
            fs::write("/sys/block/zram0/disksize", format!("{mib}M"))?;
            "/dev/zram0"
        }
        None if swap == "disk" => "/dev/vdd",
        None => return Ok(()),
    };
    shell::run("mkswap", &[device])?;
    shell::run("swapon", &[device])
}

/// Waits for a shop that answers, with its data in memory as after hours of visitors, and the guard in
/// place. The guard may have restarted services, so the shop is warmed afterwards.
fn prepare_shop(arguments: &Arguments) -> Outcome<Option<String>> {
    if !http::shop_answers_within(Duration::from_secs(120)) {
        return Err("the shop never answered".into());
    }
    results::say("the shop answers");
    let unit = guard::install(arguments)?;
    shell::run("mariadb", &["shop", "-e", "SELECT SUM(LENGTH(v)) FROM t"])?;
    if !http::shop_answers_within(Duration::from_secs(60)) {
        return Err("the shop does not answer with the guard in place".into());
    }
    Ok(unit)
}

/// Starts the probe in the real-time class, so that no storm of work can keep it from its clock.
fn start_probe(arguments: &Arguments, storm: Duration) -> Outcome<Child> {
    let times = [storm.saturating_sub(BASE), storm, storm + arguments.hold];
    let mut command = Command::new("chrt");
    command.args(["--fifo", "20", "/lab/lab-node", "probe", &arguments.rate]);
    command.args(times.map(|time| time.as_nanos().to_string())).stdin(Stdio::null());
    Ok(command.spawn()?)
}

/// Waits for the probe's end. An emulated minute can take many real ones, so it says where it is.
fn wait_telling(probe: &mut Child, storm: Duration) -> Outcome {
    let mut next = storm + TELL;
    loop {
        if let Some(status) = probe.try_wait()? {
            if status.success() {
                return Ok(());
            }
            return Err(format!("the probe: {status}").into());
        }
        if clock::now() >= next {
            let into = clock::now().saturating_sub(storm).as_secs();
            results::say(&format!("{into} s into the storm, {} jobs done", jobs::marks().finished));
            next += TELL;
        }
        thread::sleep(Duration::from_millis(500));
    }
}

fn start_action(action: &str, arguments: &Arguments, guard_unit: Option<&str>) -> Outcome<Child> {
    let mut command = Command::new(action);
    command.env("LAB_HOLD", arguments.hold.as_secs().to_string());
    command.env("LAB_GUARD_UNIT", guard_unit.unwrap_or_default()).stdin(Stdio::null());
    Ok(command.spawn()?)
}

fn kernel_oom_kills(vmstat: &str) -> u64 {
    let mut pairs = vmstat.lines().filter_map(|line| line.split_once(' '));
    let kills = pairs.find(|(name, _)| *name == "oom_kill");
    kills.and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}
