//! What cron wrote into syslog or the journal about the runs of its jobs.
//!
//! Debian's cron logs the start (`CMD`), and the end only when told to (`-L`); cronie logs `CMDEND`. Where
//! neither does, PAM's session around the run ends when the run does.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A session begins, whose process is the run's parent.
    Opened,
    /// A command starts.
    Started(String),
    /// A command has ended.
    Ended(String),
    /// A session is over.
    Closed,
}

impl What {
    /// What comes first within a second.
    const fn order(&self) -> u8 {
        match self {
            Self::Opened => 0,
            Self::Started(_) => 1,
            Self::Ended(_) => 2,
            Self::Closed => 3,
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Seconds since 1970.
    pub at_s: i64,
    /// The process that logged it.
    pub pid: u32,
    /// The job's user.
    pub user: String,
    /// What it tells.
    pub what: What,
}

/// One run of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its user.
    pub user: String,
    /// Its command as cron logs it.
    pub command: String,
    /// When it began, in seconds since 1970.
    pub start_s: i64,
    /// When it ended, where that is known.
    pub end_s: Option<i64>,
}

/// A PAM session's process is the parent of the one that logs the command, so their numbers are near: as far from
/// each other as jobs start together.
const NEAR: u32 = 64;

/// Reads a line's text from `CRON[123]: ` on; `None` for all others. Without its time, which the prefix has.
#[must_use]
pub fn line(line: &str) -> Option<(u32, String, What)> {
    let tags = ["CRON[", "CROND[", "crond[", "cron["];
    let (at, tag) = tags.iter().find_map(|tag| Some((line.find(tag)?, tag)))?;
    let (pid, text) = line.get(at + tag.len()..)?.split_once("]: ")?;
    let pid = pid.parse().ok()?;
    if let Some(rest) = text.strip_prefix('(') {
        let (user, rest) = rest.split_once(") ")?;
        let (word, rest) = rest.split_once(" (")?;
        let command = rest.trim_end().strip_suffix(')')?.trim().to_string();
        let what = match word {
            "CMD" => What::Started(command),
            "END" | "CMDEND" => What::Ended(command),
            _ => return None,
        };
        return Some((pid, user.to_string(), what));
    }
    let session = text.split_once("session): session ").map(|(_, rest)| rest)?;
    let (word, user) = session.split_once(" for user ")?;
    let user = user.split(['(', ' ']).next()?.trim().to_string();
    match word {
        "opened" => Some((pid, user, What::Opened)),
        "closed" => Some((pid, user, What::Closed)),
        _ => None,
    }
}

/// Puts lines of one or more logs together to runs, the oldest first.
#[must_use]
pub fn runs(mut entries: Vec<Entry>) -> Vec<Run> {
    entries.sort_by(|a, b| {
        let order = |entry: &Entry| (entry.at_s, entry.what.order(), entry.pid);
        order(a).cmp(&order(b)).then_with(|| a.what.cmp(&b.what))
    });
    // Debian's rsyslog writes each line into two logs, cron.log and syslog.
    entries.dedup();
    let mut runs: Vec<Run> = Vec::new();
    // Of each open run: its number, the process that logged it, and its session's.
    let mut open: Vec<(usize, u32, Option<u32>)> = Vec::new();
    let mut sessions: Vec<(u32, String)> = Vec::new();
    for entry in entries {
        match entry.what {
            What::Opened => sessions.push((entry.pid, entry.user)),
            What::Started(command) => {
                let is_parent = |(pid, user): &&(u32, String)| {
                    (1..=NEAR).contains(&entry.pid.wrapping_sub(*pid)) && *user == entry.user
                };
                // All begin their sessions before the first starts its command, in the same order.
                let parent = sessions.iter().filter(is_parent).map(|(pid, _)| *pid).min();
                sessions.retain(|(pid, _)| Some(*pid) != parent);
                open.push((runs.len(), entry.pid, parent));
                runs.push(Run { user: entry.user, command, start_s: entry.at_s, end_s: None });
            }
            What::Ended(command) => {
                let same_pid = open.iter().position(|(_, pid, _)| *pid == entry.pid);
                let same_job = || {
                    open.iter().position(|(run, ..)| {
                        runs.get(*run)
                            .is_some_and(|run| run.command == command && run.user == entry.user)
                    })
                };
                if let Some(at) = same_pid.or_else(same_job) {
                    end(&mut runs, open.swap_remove(at).0, entry.at_s);
                }
            }
            What::Closed => {
                sessions.retain(|(pid, _)| *pid != entry.pid);
                if let Some(at) = open.iter().position(|(_, _, parent)| *parent == Some(entry.pid))
                {
                    end(&mut runs, open.swap_remove(at).0, entry.at_s);
                }
            }
        }
    }
    runs
}

fn end(runs: &mut [Run], run: usize, at_s: i64) {
    if let Some(run) = runs.get_mut(run) {
        run.end_s = Some(at_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn entry(at_s: i64, text: &str) -> Entry {
        let (pid, user, what) = line(text).unwrap_or_else(|| panic!("{text}"));
        Entry { at_s, pid, user, what }
    }

    #[test]
    fn lines_of_the_distributions_are_understood() {
        let debian = "Nov 24 03:00:01 node CRON[812]: (app) CMD (php x.php (a))";
        assert_eq!(line(debian), Some((812, "app".into(), What::Started("php x.php (a)".into()))));
        let rhel = "Nov 24 03:00:01 node CROND[9]: (root) CMDEND (x)";
        assert_eq!(line(rhel), Some((9, "root".into(), What::Ended("x".into()))));
        let pam = "node CRON[811]: pam_unix(cron:session): session opened for user app(uid=1000) by (uid=0)";
        assert_eq!(line(pam), Some((811, "app".into(), What::Opened)));
        for other in [
            "node CRON[1]: (CRON) INFO (Running @reboot jobs)",
            "node sshd[1]: pam_unix(sshd:session): session opened for user root",
            "CRON[x]: (root) CMD (y)",
            "",
        ] {
            assert_eq!(line(other), None, "{other}");
        }
    }

    #[test]
    fn jobs_of_one_minute_that_two_logs_tell_of_are_as_many_as_ran() {
        let mut entries = Vec::new();
        for n in 0..12 {
            let (session, command) = (100 + n, 112 + n);
            let lines = [
                (
                    1,
                    format!(
                        "CRON[{session}]: pam_unix(cron:session): session opened for user app(uid=1) by (uid=0)"
                    ),
                ),
                (1, format!("CRON[{command}]: (app) CMD (job{n})")),
                (
                    60,
                    format!("CRON[{session}]: pam_unix(cron:session): session closed for user app"),
                ),
            ];
            for (at, line) in lines.iter().chain(&lines) {
                entries.push(entry(*at, line));
            }
        }
        let runs = runs(entries);
        assert_eq!(runs.len(), 12);
        assert!(runs.iter().all(|run| run.end_s == Some(60)), "{runs:?}");
    }

    #[test]
    fn a_run_ends_with_its_session_or_with_its_own_line() {
        let runs = runs(alloc::vec![
            entry(70, "CRON[10]: pam_unix(cron:session): session closed for user app"),
            entry(
                1,
                "CRON[10]: pam_unix(cron:session): session opened for user app(uid=1) by (uid=0)"
            ),
            entry(1, "CRON[11]: (app) CMD (slow)"),
            entry(1, "CRON[20]: (app) CMD (quick)"),
            entry(5, "CRON[20]: (app) END (quick)"),
            entry(60, "CRON[30]: (app) CMD (still)"),
        ]);
        let ends: Vec<_> = runs.iter().map(|run| (run.command.as_str(), run.end_s)).collect();
        assert_eq!(ends, [("slow", Some(70)), ("quick", Some(5)), ("still", None)]);
    }
}
