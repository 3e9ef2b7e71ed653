//! Who was killed, and by whom: read from the kernel's log and from each guard's own.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::is_own;

/// One death that somebody answers for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Kill {
    /// `kernel` or the guard's name.
    pub(crate) by: String,
    /// The process, where the killer names one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) pid: Option<u32>,
    /// Its name, or the path of the cgroup that was killed whole.
    pub(crate) what: String,
}

fn regex(pattern: &str) -> Regex {
    // Constant patterns; each is run by the tests.
    #[expect(clippy::unwrap_used, reason = "a constant pattern that the tests compile")]
    Regex::new(pattern).unwrap()
}

static KERNEL: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i:out of memory).*: Killed process (\d+) \((.*?)\) total-vm"));
static EARLYOOM: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"sending SIG\w+ to process (\d+) uid \d+ "(.*?)""#));
static NOHANG_CHOICE: LazyLock<Regex> = LazyLock::new(|| regex(r"PID: +(\d+), [Nn]ame: ([^,]*)"));
static SYSTEMD_OOMD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"systemd-oomd\[\d+\]: Killed (\S+) due to"));
static OOMD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"oomd kill: .*?(\S+\.(?:service|scope|slice))"));
static HEADROOM: LazyLock<Regex> =
    LazyLock::new(|| regex(r"headroom-guard.*: slay (.+?) \((\d+)\) with SIG"));

/// Every kernel OOM kill of a kernel log.
pub(crate) fn by_kernel(log: &str) -> Vec<Kill> {
    let kills = log.lines().filter_map(|line| KERNEL.captures(line));
    kills.filter_map(|found| process("kernel", &found[1], &found[2])).collect()
}

/// Every kill that the guard's own lines in the journal tell of, each victim once.
pub(crate) fn by_guard(guard: &str, journal: &str) -> Vec<Kill> {
    let mut kills = BTreeSet::new();
    let mut choice = None;
    for line in journal.lines() {
        let kill = match guard {
            "earlyoom" | "earlyoom-tuned" => {
                EARLYOOM.captures(line).and_then(|found| process(guard, &found[1], &found[2]))
            }
            "nohang" => {
                if let Some(found) = NOHANG_CHOICE.captures(line) {
                    choice = process(guard, &found[1], &found[2]);
                }
                if line.contains("Sending SIG") && line.contains("to the victim") {
                    choice.take()
                } else {
                    None
                }
            }
            "systemd-oomd" => SYSTEMD_OOMD.captures(line).map(|found| group(guard, &found[1])),
            "oomd" => OOMD.captures(line).map(|found| group(guard, &found[1])),
            own if is_own(own) => {
                HEADROOM.captures(line).and_then(|found| process(guard, &found[2], &found[1]))
            }
            _ => None,
        };
        kills.extend(kill);
    }
    kills.into_iter().collect()
}

/// How many processes the guard says it paused (`headroom history --format json`), some perhaps too shortly
/// for the director to see. Nothing when there is no such history.
pub(crate) fn paused(history: &str) -> u32 {
    let history: Value = serde_json::from_str(history).unwrap_or_default();
    let incidents = history["incidents"].as_array().into_iter().flatten();
    let verdicts =
        incidents.flat_map(|incident| incident["verdicts"].as_array().into_iter().flatten());
    let pauses = verdicts.filter(|verdict| verdict["action"] == "pause");
    let pids: BTreeSet<u64> = pauses.filter_map(|verdict| verdict["pid"].as_u64()).collect();
    u32::try_from(pids.len()).unwrap_or(u32::MAX)
}

fn process(by: &str, pid: &str, name: &str) -> Option<Kill> {
    Some(Kill { by: by.to_owned(), pid: Some(pid.parse().ok()?), what: name.trim().to_owned() })
}

fn group(by: &str, path: &str) -> Kill {
    Kill { by: by.to_owned(), pid: None, what: path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_and_memcg_kills_of_the_kernel_are_found_and_the_reaper_is_not_another() {
        let log = "[  99.1] Out of memory: Killed process 812 (mariadbd) total-vm:1kB, anon-rss:2kB\n\
                   [  99.2] oom_reaper: reaped process 812 (mariadbd), now anon-rss:0kB\n\
                   [ 101.0] Memory cgroup out of memory: Killed process 9 (a) b (c)) total-vm:1kB\n";
        let kills = by_kernel(log);
        let found: Vec<_> = kills.iter().map(|kill| (kill.pid, kill.what.as_str())).collect();
        assert_eq!(found, [(Some(812), "mariadbd"), (Some(9), "a) b (c)")]);
    }

    #[test]
    fn a_victim_that_is_told_twice_by_earlyoom_is_one_kill() {
        let journal = "[5.0] lab earlyoom[9]: sending SIGTERM to process 700 uid 1000 \"php\": badness 9\n\
                       [5.4] lab earlyoom[9]: sending SIGKILL to process 700 uid 1000 \"php\": badness 9\n";
        let kills = by_guard("earlyoom-tuned", journal);
        assert_eq!(kills.len(), 1);
        assert_eq!(kills[0].pid, Some(700));
    }

    #[test]
    fn nohang_names_its_choice_some_lines_before_the_signal() {
        let journal = "lab nohang[9]: Process with highest badness (found in 9ms):\n\
                       lab nohang[9]:   PID: 55, Name: php, badness: 800\n\
                       lab nohang[9]: Implementing a corrective action:\n\
                       lab nohang[9]:   Sending SIGTERM to the victim\n";
        assert_eq!(by_guard("nohang", journal)[0].pid, Some(55));
    }

    #[test]
    fn killers_of_whole_cgroups_are_understood() {
        let systemd =
            "lab systemd-oomd[7]: Killed /system.slice/cron.service due to memory pressure for x";
        assert_eq!(by_guard("systemd-oomd", systemd)[0].what, "/system.slice/cron.service");
        let oomd = "kernel: oomd kill: 81.0 60.0 20.0 system.slice/cron.service 52 ruleset:[a]";
        assert_eq!(by_guard("oomd", oomd)[0].what, "system.slice/cron.service");
    }

    #[test]
    fn a_process_paused_again_and_again_is_one() {
        let history = r#"{"version": 1, "incidents": [{"verdicts": [
            {"action": "pause", "pid": 7}, {"action": "thaw", "pid": 7}, {"action": "pause", "pid": 7},
            {"action": "pause", "pid": 8}, {"action": "slay", "pid": 9}]}]}"#;
        assert_eq!(paused(history), 2);
        assert_eq!(paused("headroom: no journal"), 0);
    }

    #[test]
    fn a_verdict_of_headroom_that_is_escalated_is_one_kill() {
        let journal = "[5.0] lab headroom-guard[9]: headroom-guard: slay php (700) with SIGTERM: floor\n\
                       [5.5] lab headroom-guard[9]: headroom-guard: slay php (700) with SIGKILL: floor\n";
        let kills = by_guard("headroom", journal);
        assert_eq!((kills.len(), kills[0].pid, kills[0].what.as_str()), (1, Some(700), "php"));
    }
}
