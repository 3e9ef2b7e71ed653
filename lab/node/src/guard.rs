//! Puts the guard under test in place, and takes down what it costs.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use lab_facts::{GuardFacts, setting};

use crate::arguments::Arguments;
use crate::{Outcome, clock, services, shell};

/// Linux counts the CPU time it shows in hundredths of a second, on every architecture (`USER_HZ`).
const TICK_MS: u64 = 10;

/// Copies the guard's files over the node's and runs its `start`. Returns its unit, if it has one.
pub(crate) fn install(arguments: &Arguments) -> Outcome<Option<String>> {
    let folder = format!("/lab/guards/{}", arguments.guard);
    let about = fs::read_to_string(format!("{folder}/about"))?;
    let files = format!("{folder}/root");
    if fs::exists(&files)? {
        shell::run("cp", &["-r", "--no-preserve=ownership", &format!("{files}/."), "/"])?;
    }
    let start = format!("{folder}/start");
    if fs::exists(&start)? {
        let mut command = Command::new(&start);
        command.env("LAB_POLICY", &arguments.policy).stdin(Stdio::null());
        let status = command.status()?;
        if !status.success() {
            return Err(format!("{start}: {status}").into());
        }
    }
    Ok(setting(&about, "unit").map(str::to_owned))
}

/// What a guard had used at one moment.
pub(crate) struct Cost {
    at: Duration,
    cpu_ms: u64,
    switches: u64,
    rss_kib: u64,
    anon_kib: u64,
}

impl Cost {
    /// Of the unit's main process; none when there is none.
    pub(crate) fn take(unit: Option<&str>) -> Option<Self> {
        let pid = services::main_pid(unit?)?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        // utime and stime are fields 14 and 15, and the first after the name is field 3 (proc(5)).
        let ticks: u64 =
            fields.split(' ').skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Some(Self {
            at: clock::now(),
            cpu_ms: ticks * TICK_MS,
            // Whom the probe took the core from was not asleep and is not woken.
            switches: field(&status, "voluntary_ctxt_switches"),
            rss_kib: field(&status, "VmRSS"),
            anon_kib: field(&status, "RssAnon"),
        })
    }

    /// From `earlier` to this. A guard that was restarted meanwhile counts from its new start.
    pub(crate) fn since(&self, earlier: &Self) -> GuardFacts {
        let over_s = self.at.saturating_sub(earlier.at).as_secs_f64();
        let switches = self.switches.saturating_sub(earlier.switches);
        GuardFacts {
            rss_kib: self.rss_kib,
            anon_kib: self.anon_kib,
            cpu_ms: self.cpu_ms.saturating_sub(earlier.cpu_ms),
            switches_per_s: f64::from(u32::try_from(switches).unwrap_or(u32::MAX)) / over_s,
            over_s,
        }
    }
}

/// A number of /proc/PID/status, 0 when it is missing.
fn field(status: &str, name: &str) -> u64 {
    let mut pairs = status.lines().filter_map(|line| line.split_once(':'));
    let value = pairs.find(|(found, _)| *found == name).map_or("", |(_, value)| value);
    value.split_whitespace().next().and_then(|value| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_status_is_found_by_its_whole_name() {
        let status =
            "VmRSS:\t    1400 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t5\n";
        assert_eq!(field(status, "VmRSS"), 1400);
        assert_eq!(field(status, "voluntary_ctxt_switches"), 7);
        assert_eq!(field(status, "RssAnon"), 0);
    }
}
