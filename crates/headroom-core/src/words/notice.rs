//! What mail, webhooks and the journal say about an incident as a whole.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::units::Kib;

/// Who or what a notice is about, as the title has it.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A storm the guard acts in, in the zone of that path.
    Storm(&'a str),
    /// Kernel kills outside of any storm; the first victim's name.
    KernelKill(Option<&'a str>),
}

/// The title of all notices of an incident: what stands in a mail's subject, and holds its thread
/// together.
#[must_use]
pub fn title(node: &str, subject: Subject<'_>, when: &str) -> String {
    match subject {
        Subject::Storm("/" | "") => format!("{node}: memory ran short, {when}"),
        Subject::Storm(zone) => {
            format!("{node}: memory ran short in {}, {when}", zone.trim_start_matches('/'))
        }
        Subject::KernelKill(Some(name)) => {
            format!("{node}: out of memory, the kernel killed {name}, {when}")
        }
        Subject::KernelKill(None) => format!("{node}: out of memory, {when}"),
    }
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has just begun.
    Begun,
    /// It lasts, so many seconds by now.
    Lasts(u64),
    /// It is over after so many seconds.
    Over(u64),
    /// The guard was started anew in its middle, so that nobody saw its end.
    EndUnseen,
}

/// How things stand, one sentence.
#[must_use]
pub fn state(stage: Stage, kernel_only: bool, dry_run: bool) -> String {
    match stage {
        Stage::Begun if kernel_only => "The kernel's OOM killer acted".to_string(),
        Stage::Begun if dry_run => {
            "Memory is short; the guard runs dry and only says what it would do".to_string()
        }
        Stage::Begun => "Memory is short; Headroom is acting".to_string(),
        Stage::Lasts(seconds) => format!("Still going on after {}", lasting(seconds)),
        Stage::Over(0) if kernel_only => "Over: no further kill within a minute".to_string(),
        Stage::Over(seconds) => format!("Over after {}", lasting(seconds.max(1))),
        Stage::EndUnseen => {
            "Over, it seems: the guard was started anew in its middle, so nobody saw its end"
                .to_string()
        }
    }
}

/// A time as a person says it: `45 s`, `3 min 20 s`, `2 h 5 min`.
#[must_use]
pub fn lasting(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..600 => format!("{} min {} s", seconds / 60, seconds % 60),
        600..3600 => format!("{} min", seconds / 60),
        3600..172_800 if seconds % 3600 < 60 => format!("{} h", seconds / 3600),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// One that died, for a list of them.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// Its name.
    pub comm: &'a str,
    /// Its number.
    pub pid: Option<i64>,
    /// What it held or gave back.
    pub held: Option<Kib>,
}

/// Whom the guard ended, `more` of them not listed; `None` when it was nobody.
#[must_use]
pub fn slain(listed: &[Ended<'_>], count: u64, dry_run: bool) -> Option<String> {
    let who = ended(listed, count)?;
    Some(match dry_run {
        true => format!("The guard would have ended {who}"),
        false => format!("Headroom ended {who}"),
    })
}

/// Whom the kernel killed meanwhile, where only the number or the names are known.
#[must_use]
pub fn kernel_killed(count: u64) -> Option<String> {
    match count {
        0 => None,
        1 => Some("The kernel's OOM killer killed one process in it".to_string()),
        count => Some(format!("The kernel's OOM killer killed {count} processes in it")),
    }
}

fn ended(listed: &[Ended<'_>], count: u64) -> Option<String> {
    let one = |ended: &Ended<'_>| {
        let pid = ended.pid.map(|pid| format!(" ({pid})")).unwrap_or_default();
        let held = ended.held.map(|held| format!(" with {held}")).unwrap_or_default();
        format!("{}{pid}{held}", ended.comm)
    };
    let names: Vec<String> = listed.iter().take(4).map(one).collect();
    let more = count.saturating_sub(u64::try_from(names.len()).unwrap_or(u64::MAX));
    match (names.as_slice(), count) {
        (_, 0) => None,
        ([], 1) => Some("one process".to_string()),
        ([], count) => Some(format!("{count} processes")),
        ([name], 1) => Some(name.clone()),
        (names, count) => {
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("{count} processes: {}{more}", names.join(", ")))
        }
    }
}

/// Who had to wait; `None` when nobody had to.
#[must_use]
pub fn paused(paused: u64, waiting: u64, longest_s: u64, dry_run: bool) -> Option<String> {
    let jobs = match paused {
        0 => return None,
        1 => Cow::Borrowed("One job"),
        count => Cow::Owned(format!("{count} jobs")),
    };
    if dry_run {
        return Some(format!("{jobs} would have been made to wait"));
    }
    let went_on = match (paused, waiting) {
        (_, 0) => format!("went on after at most {}", lasting(longest_s.max(1))),
        (1, _) => "still waits".to_string(),
        (_, 1) => "one of them still waits".to_string(),
        (paused, waiting) if paused == waiting => "all still wait".to_string(),
        (_, waiting) => format!("{waiting} of them still wait"),
    };
    Some(format!("{jobs} had to wait for room: {went_on}"))
}

/// There was nobody left to end.
pub const NOBODY_LEFT: &str = "Nothing that may be ended would have given back enough: the shop's own \
                               processes hold the memory";

/// The command line of the one that held most.
#[must_use]
pub fn held_most(comm: &str, command_line: &str) -> String {
    format!("{comm} was: {command_line}")
}

/// What `headroom explain` shows.
pub const SHOWS_EXPLANATION: &str = "why, by the kernel's own reports";
/// What `headroom history` shows.
pub const SHOWS_HISTORY: &str = "what the guard did, step by step";
/// What `headroom status` shows.
pub const SHOWS_STATUS: &str = "how much room there is now, and who would go next";
/// What `headroom advise` shows.
pub const SHOWS_ADVICE: &str = "what to change so that it does not come back";
/// What `headroom notify list` shows.
pub const SHOWS_NOTIFY: &str = "where notices go, and what waits";

/// The title of what a cap held back.
#[must_use]
pub fn digest_title(node: &str, incidents: u64) -> String {
    format!("{node}: {}", counted(incidents, "incident", "incidents"))
}

/// What a digest is about.
#[must_use]
pub fn digest_state(incidents: u64, notices: u64, from: &str, until: &str) -> String {
    format!(
        "{} between {from} and {until}, told together: {} went over the limit per hour",
        counted(incidents, "incident", "incidents"),
        counted(notices, "message", "messages"),
    )
}

/// The title of what came too late.
#[must_use]
pub fn summary_title(node: &str, incidents: u64) -> String {
    format!(
        "{node}: {} while messages could not be delivered",
        counted(incidents, "incident", "incidents")
    )
}

/// What a summary is about.
#[must_use]
pub fn summary_state(incidents: u64, notices: u64, from: &str, until: &str) -> String {
    format!(
        "{} between {from} and {until} about {} could not be delivered here in time",
        counted(notices, "message", "messages"),
        counted(incidents, "incident", "incidents"),
    )
}

/// Totals over several incidents.
#[must_use]
pub fn totals(slain: u64, kernel_kills: u64) -> String {
    let slain = counted(slain, "process", "processes");
    match kernel_kills {
        0 => format!("In all, Headroom ended {slain}"),
        kills => {
            let killed = counted(kills, "process", "processes");
            format!("In all, Headroom ended {slain} and the kernel killed {killed}")
        }
    }
}

/// Incidents that a list leaves out.
#[must_use]
pub fn omitted(count: u64) -> Option<String> {
    (count > 0).then(|| {
        format!("{} more; headroom history has them all", counted(count, "incident", "incidents"))
    })
}

/// The limit per hour is reached with this message.
#[must_use]
pub fn capped(per_hour: u64, until: &str) -> String {
    format!(
        "This is message {per_hour} within an hour, the limit. What happens until {until} comes in one message then"
    )
}

/// When the next message about the same incident comes.
#[must_use]
pub fn next_message(every_s: Option<u64>) -> String {
    match every_s {
        Some(seconds) => {
            format!("The next message comes when it is over, or in {}", lasting(seconds))
        }
        None => "The next message comes when it is over".to_string(),
    }
}

/// The title of a test.
#[must_use]
pub fn test_title(node: &str) -> String {
    format!("{node}: a test of Headroom's notifications")
}

/// What a test says.
pub const TEST_STATE: &str =
    "This is a test: nothing has happened. Notices about incidents arrive here";

/// Who wrote this, as the last line.
#[must_use]
pub fn signature(node: &str, incident: Option<&str>) -> String {
    match incident {
        Some(incident) => format!("Headroom on {node}, incident {incident}"),
        None => format!("Headroom on {node}"),
    }
}

/// The heading over the commands.
pub const LOOK_FURTHER: &str = "To look further, on the node:";

fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        0 => format!("no {one}"),
        1 => format!("one {one}"),
        count => format!("{count} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_says_node_zone_and_time() {
        assert_eq!(
            title("shop1", Subject::Storm("/limited.slice"), "14:03"),
            "shop1: memory ran short in limited.slice, 14:03"
        );
        assert_eq!(title("shop1", Subject::Storm("/"), "14:03"), "shop1: memory ran short, 14:03");
        assert_eq!(
            title("shop1", Subject::KernelKill(Some("searchd")), "14:03"),
            "shop1: out of memory, the kernel killed searchd, 14:03"
        );
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [0, 59, 60, 200, 650, 3600, 7500, 100_000, 200_000].map(lasting);
        assert_eq!(
            said,
            [
                "0 s",
                "59 s",
                "1 min",
                "3 min 20 s",
                "10 min",
                "1 h",
                "2 h 5 min",
                "27 h 46 min",
                "2 days"
            ]
        );
    }

    #[test]
    fn who_died_is_named_and_the_rest_counted() {
        let php = Ended { comm: "php", pid: Some(4711), held: Some(Kib::from_mib(398)) };
        let nobody = slain(&[], 0, false);
        assert_eq!(nobody, None);
        assert_eq!(slain(&[php], 1, false).unwrap(), "Headroom ended php (4711) with 398 MiB");
        assert_eq!(
            slain(&[php, php, php, php, php], 7, true).unwrap(),
            "The guard would have ended 7 processes: php (4711) with 398 MiB, php (4711) with 398 \
             MiB, php (4711) with 398 MiB, php (4711) with 398 MiB and 3 more"
        );
        assert_eq!(slain(&[], 3, false).unwrap(), "Headroom ended 3 processes");
    }

    #[test]
    fn those_who_wait_are_told_from_those_who_went_on() {
        assert_eq!(paused(0, 0, 0, false), None);
        assert_eq!(
            paused(4, 0, 42, false).unwrap(),
            "4 jobs had to wait for room: went on after at most 42 s"
        );
        assert_eq!(paused(1, 1, 0, false).unwrap(), "One job had to wait for room: still waits");
        assert_eq!(
            paused(4, 3, 42, false).unwrap(),
            "4 jobs had to wait for room: 3 of them still wait"
        );
    }
}
