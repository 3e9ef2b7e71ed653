//! What the clock starts: the crontabs of all users and the system's, and systemd's timers, with what is known of
//! their runs.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use headroom_core::advise::facts::{CronJob, Process, RecordedJob};
use headroom_core::advise::parse::cronlog::Run;
use headroom_core::advise::parse::crontab::{self, Form, Job};
use headroom_core::advise::parse::{Said, Unread};
use headroom_core::policy::Glob;
use headroom_core::units::Kib;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::root::{Root, explained};
use super::timers;

/// Users' own crontabs: Debian's folder, then those of all others.
const SPOOLS: [&str; 3] = ["/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/var/spool/cron"];

/// All jobs.
pub(super) fn gather(
    root: &Root,
    processes: &[Process],
    runs: &[Run],
    recorded: &[RecordedJob],
    unread: &mut Vec<Unread>,
) -> Vec<CronJob> {
    let users = users(root);
    let is_user = |name: &str| users.as_ref().map(|users| users.contains(name));
    let mut jobs = Vec::new();
    let mut read = |path: &str, form: Form<'_>, unread: &mut Vec<Unread>| match root.read(path) {
        Ok(text) => {
            let (found, problems) = crontab::read(path, &text, form, &is_user);
            jobs.extend(found);
            unread.extend(problems);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => unread.push(Unread::file(path, explained(&error))),
    };
    read("/etc/crontab", Form::System, unread);
    let is_debian = root.has("/etc/debian_version");
    for name in root.names("/etc/cron.d").unwrap_or_default() {
        let path = format!("/etc/cron.d/{name}");
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if name.starts_with('.') || root.has_folder(&path) {
            continue;
        }
        if is_debian && !is_plain {
            let why = "cron does not read it: a name here may only have letters, digits, - and _";
            unread.push(Unread::file(&path, why));
            continue;
        }
        read(&path, Form::System, unread);
    }
    for spool in SPOOLS {
        let names = match root.names(spool) {
            Ok(names) => names,
            Err(error) => {
                if error.kind() == ErrorKind::PermissionDenied {
                    unread.push(Unread::file(spool, explained(&error)));
                }
                continue;
            }
        };
        for name in names {
            let path = format!("{spool}/{name}");
            if name.starts_with('.') || root.has_folder(&path) {
                continue;
            }
            if is_user(&name) == Some(false) {
                unread.push(Unread::file(&path, format!("no such user: {name}; cron skips it")));
                continue;
            }
            read(&path, Form::User(&name), unread);
        }
    }
    jobs.extend(timers::gather(root, unread));
    let zones = Zones::of(root);
    let known = |job| known(job, &zones, processes, runs, recorded, unread);
    jobs.into_iter().map(known).collect()
}

/// Names in `/etc/passwd`; `None` where it cannot be read.
fn users(root: &Root) -> Option<BTreeSet<String>> {
    let text = root.maybe("/etc/passwd")?;
    let names: BTreeSet<String> =
        text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_string())).collect();
    // With LDAP and the like it has not everybody, but always root.
    names.contains("root").then_some(names)
}

/// The node's own zone, and how far others are from it today.
struct Zones {
    own: TimeZone,
}

impl Zones {
    fn of(root: &Root) -> Self {
        if root.is_live() {
            return Self { own: TimeZone::system() };
        }
        let name = root.maybe("/etc/timezone").map(|name| name.trim().to_string()).or_else(|| {
            let link = std::fs::read_link(root.path().join("etc/localtime")).ok()?;
            Some(link.to_str()?.split_once("zoneinfo/")?.1.to_string())
        });
        let zone = name.and_then(|name| TimeZone::get(&name).ok());
        Self { own: zone.unwrap_or(TimeZone::UTC) }
    }

    /// Minutes to add to a zone's times to get the node's.
    fn offset(&self, zone: &str) -> Option<i32> {
        let now = Timestamp::now();
        let other = TimeZone::get(zone).ok()?.to_offset(now);
        Some((self.own.to_offset(now).seconds() - other.seconds()) / 60)
    }
}

/// A job with what the logs, the record and the processes say of it.
fn known(
    job: Job,
    zones: &Zones,
    processes: &[Process],
    runs: &[Run],
    recorded: &[RecordedJob],
    unread: &mut Vec<Unread>,
) -> CronJob {
    let mut offset_min = 0;
    if let Some(zone) = &job.zone {
        match zones.offset(zone) {
            Some(offset) => offset_min = offset,
            None => unread.push(Unread::file(&job.at, format!("no such time zone: {zone}"))),
        }
    }
    let shell = job.shell();
    let now = running(&shell, processes);
    let mut peak: Option<Said<Kib>> = None;
    let mut longest: Option<Said<u64>> = None;
    let mut higher = |size: Kib, at: &str| {
        if size > peak.as_ref().map_or(Kib::ZERO, |known| known.value) {
            peak = Some(Said::new(size, at));
        }
    };
    let mut longer = |seconds: u64, at: &str| {
        if seconds > longest.as_ref().map_or(0, |known| known.value) {
            longest = Some(Said::new(seconds, at));
        }
    };
    for record in recorded.iter().filter(|record| is_of(&shell, &record.command)) {
        higher(record.peak, &record.at);
        if let Some(seconds) = record.longest_s {
            longer(seconds, &record.at);
        }
    }
    let logged = runs
        .iter()
        .filter(|run| run.user == job.user && (run.command == shell || run.command == job.command));
    for run in logged {
        if let Some(end) = run.end_s {
            longer(u64::try_from(end - run.start_s).unwrap_or(0), "cron's log");
        }
    }
    for (size, age) in &now {
        higher(*size, "what it holds now");
        if let Some(age) = age {
            longer(*age, "it still runs");
        }
    }
    let running = u64::try_from(now.len()).unwrap_or(0);
    CronJob { job, offset_min, peak, longest_s: longest, running }
}

/// Whether a recorded command line, which may be cut, is a part of a job's command. In the record of kinds
/// `#` stands for any number.
fn is_of(shell: &str, recorded: &str) -> bool {
    let recorded = plain(recorded.trim_end_matches('…').trim());
    let pattern = format!("*{}*", recorded.replace('#', "*"));
    recorded.len() >= 6 && Glob::new(&pattern).matches(plain(shell).as_bytes())
}

/// A command without what only the shell sees: redirections, and more than one blank.
fn plain(command: &str) -> String {
    let mut words = Vec::new();
    let mut skip = false;
    for word in command.split_whitespace() {
        if std::mem::take(&mut skip) {
            continue;
        }
        let is_redirection = word.contains('>') || word.starts_with('<');
        skip = is_redirection && word.ends_with(['>', '<']);
        if !is_redirection {
            words.push(word.trim_matches(['"', '\'']));
        }
    }
    words.join(" ")
}

/// Runs of a job there are now: what each holds with its children, and how old it is.
fn running(shell: &str, processes: &[Process]) -> Vec<(Kib, Option<u64>)> {
    let bare = plain(shell);
    let is_cron =
        |process: &Process| matches!(process.comm.as_str(), "cron" | "crond" | "CRON" | "CROND");
    let parent = |pid: i32| processes.iter().find(|process| process.pid == pid);
    let is_run = |process: &&Process| {
        // "sh -c COMMAND", or the command in the shell's place.
        let is_shell = process.arguments.get(1).is_some_and(|flag| flag == "-c")
            && process.arguments.get(2).is_some_and(|command| command.trim() == shell);
        let is_itself = bare.len() >= 6 && plain(&process.line()) == bare;
        let from_cron = || {
            let mut above = parent(process.parent);
            for _ in 0..4 {
                match above {
                    Some(found) if is_cron(found) => return true,
                    Some(found) => above = parent(found.parent),
                    None => return false,
                }
            }
            false
        };
        (is_shell || is_itself) && from_cron()
    };
    let tops: Vec<&Process> = processes.iter().filter(is_run).collect();
    let is_below = |process: &&&Process| !tops.iter().any(|top| top.pid == process.parent);
    let family = |top: &&Process| {
        let mut pids = vec![top.pid];
        let mut held = top.held;
        // Processes come in the order of their numbers; a child's is mostly the larger one, so a few passes
        // find all.
        for _ in 0..4 {
            for process in processes {
                if pids.contains(&process.parent) && !pids.contains(&process.pid) {
                    pids.push(process.pid);
                    held = held.saturating_add(process.held);
                }
            }
        }
        (held, top.age_s)
    };
    tops.iter().filter(is_below).map(family).collect()
}

#[cfg(test)]
mod tests;
