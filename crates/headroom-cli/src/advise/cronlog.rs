//! Runs of cron jobs: syslog and PAM's lines of the last two weeks, or the journal's.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use headroom_core::advise::parse::Unread;
use headroom_core::advise::parse::cronlog::{self, Entry, Run};
use headroom_core::oomlog::prefix;
use memchr::memmem;

use super::root::{Root, explained};
use crate::input::open;
use crate::input::when::Clock;

/// Where cron's and PAM's lines go by the distributions' habits.
const LOGS: [&str; 6] = ["syslog", "cron", "cron.log", "auth.log", "secure", "messages"];
/// What is older tells of another time.
const DAYS: u64 = 14;
/// So much of one log is read; where it is longer, its first part is left out.
const LONGEST: u64 = 256 * 1024 * 1024;

/// All runs that were logged.
pub(super) fn gather(root: &Root, unread: &mut Vec<Unread>) -> Vec<Run> {
    let mut entries = Vec::new();
    let names = root.names("/var/log").unwrap_or_default();
    let is_log = |name: &&String| {
        LOGS.iter().any(|log| {
            name.strip_prefix(log)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
        })
    };
    for name in names.iter().filter(is_log) {
        let path = format!("/var/log/{name}");
        let Ok(real) = root.resolve(&path) else { continue };
        let Ok(stat) = fs::metadata(&real) else { continue };
        let age = SystemTime::now().duration_since(stat.modified().unwrap_or(SystemTime::now()));
        // A captured log is as old as its capture.
        let is_old =
            root.is_live() && age.is_ok_and(|age| age > Duration::from_secs(DAYS * 86_400));
        if !stat.is_file() || is_old {
            continue;
        }
        match open::log(&real) {
            Ok((log, clock)) => read(log.reader.take(LONGEST), &clock, &mut entries),
            Err(_) => {
                let why = root.open(&path).err().map(|error| explained(&error));
                unread.push(Unread::file(&path, why.unwrap_or_else(|| "not a log".into())));
            }
        }
    }
    if entries.is_empty() && root.is_live() {
        journal(&mut entries);
    }
    cronlog::runs(entries)
}

fn read(log: impl Read, clock: &Clock, entries: &mut Vec<Entry>) {
    let mut reader = BufReader::with_capacity(128 * 1024, log);
    let finders = [memmem::Finder::new("CRON"), memmem::Finder::new("cron")];
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            // Where a log breaks off, what came before still holds.
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if finders.iter().all(|finder| finder.find(&line).is_none()) {
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let Some((pid, user, what)) = cronlog::line(text) else { continue };
        let Some(at_us) = clock.resolve(&prefix::strip(text).stamp) else { continue };
        entries.push(Entry { at_s: at_us / 1_000_000, pid, user, what });
    }
}

/// The journal, by the program that reads it.
fn journal(entries: &mut Vec<Entry>) {
    let since = format!("--since=-{DAYS}d");
    let child = Command::new("journalctl")
        .args(["--quiet", "--no-pager", "--output=short-unix", &since])
        .args(["-t", "CRON", "-t", "CROND", "-t", "crond", "-t", "cron"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    // A node without systemd has no journal, which is no failure.
    let Ok(mut child) = child else { return };
    if let Some(output) = child.stdout.take() {
        read(output.take(LONGEST), &Clock::now(), entries);
    }
    // It has nothing more to say, or we do not want it; either way it is ours to collect.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_out_of_syslog_and_the_log_of_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("var/log");
        fs::create_dir_all(&logs).unwrap();
        let syslog = "2026-11-24T03:00:01+00:00 n CRON[11]: (app) CMD (php x.php)\n\
                      2026-11-24T03:00:02+00:00 n kernel: nothing of cron\n";
        let auth = "2026-11-24T03:00:01+00:00 n CRON[10]: pam_unix(cron:session): session opened for user app(uid=1) by (uid=0)\n\
                    2026-11-24T03:12:01+00:00 n CRON[10]: pam_unix(cron:session): session closed for user app\n";
        fs::write(logs.join("syslog"), syslog).unwrap();
        fs::write(logs.join("auth.log"), auth).unwrap();
        let runs = gather(&Root::new(folder.path()), &mut Vec::new());
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].end_s.map(|end| end - runs[0].start_s), Some(720));
    }
}
