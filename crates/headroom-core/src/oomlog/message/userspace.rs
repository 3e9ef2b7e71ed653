//! The kill lines of the killers in user space: earlyoom, systemd-oomd, nohang, oomd and our guard.

use super::super::event::Killer;
use super::super::scan;
use super::Message;

/// One kill by a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserspaceKill<'a> {
    /// Which daemon.
    pub killer: Killer,
    /// The process, when it was one.
    pub pid: Option<u32>,
    /// Its name, or the cgroup's path.
    pub comm: &'a str,
    /// Its user.
    pub uid: Option<u32>,
    /// Its resident memory in KiB, where the line says it.
    pub rss_kib: Option<u64>,
    /// The daemon's own reason.
    pub reason: Option<&'a str>,
}

/// Reads a daemon's line. `tag` is the syslog tag; without one only forms that cannot be mistaken
/// are taken.
pub(super) fn message<'a>(tag: Option<&str>, text: &'a str) -> Option<Message<'a>> {
    let kill = match tag {
        Some("systemd-oomd") => systemd_oomd(text),
        Some("earlyoom") if text.starts_with("dryrun, not actually sending") => {
            return Some(Message::DryRun);
        }
        Some("earlyoom") => earlyoom(text).or_else(|| old_earlyoom(text)),
        Some("systemd") => unit(text),
        Some("nohang" | "nohang-desktop") => return nohang(text),
        Some("headroom-guard" | "headroom") => headroom(text),
        Some(_) => None,
        None => earlyoom(text).or_else(|| oomd(text)),
    };
    match (kill, tag) {
        (Some(kill), _) => Some(Message::Userspace(kill)),
        (None, None) => nohang(text),
        (None, Some(_)) => None,
    }
}

/// `Killed /system.slice/x.service due to memory pressure for /system.slice being 91.73% > …`
/// (`src/oom/oomd-manager.c`), since systemd 258 `Marked /system.slice/x.service for killing due to …`.
fn systemd_oomd(text: &str) -> Option<UserspaceKill<'_>> {
    let (path, reason) = match text.strip_prefix("Killed ") {
        Some(rest) => rest.split_once(" due to ")?,
        None => text.strip_prefix("Marked ")?.split_once(" for killing due to ")?,
    };
    path.starts_with('/').then_some(UserspaceKill {
        killer: Killer::SystemdOomd,
        pid: None,
        comm: path,
        uid: None,
        rss_kib: None,
        reason: Some(reason),
    })
}

/// `x.service: systemd-oomd killed 147 process(es) in this unit.`, systemd's own line on the same kill.
fn unit(text: &str) -> Option<UserspaceKill<'_>> {
    let (unit, rest) = text.split_once(": systemd-oomd killed ")?;
    rest.contains("process(es) in this unit").then_some(UserspaceKill {
        killer: Killer::SystemdOomd,
        pid: None,
        comm: unit,
        uid: None,
        rss_kib: None,
        reason: None,
    })
}

/// `sending SIGTERM to process 4711 uid 1000 "php": badness 872, VmRSS 410 MiB` (`kill.c`; without
/// the uid before 1.6, with `oom_score` for `badness` since 1.8). A line about a threshold has no PID.
fn earlyoom(text: &str) -> Option<UserspaceKill<'_>> {
    let rest = ["sending SIGTERM to process ", "sending SIGKILL to process "]
        .iter()
        .find_map(|start| text.strip_prefix(start))?;
    let (pid, rest) = scan::number(rest)?;
    // A name may hold quotes of its own; the colon after the closing one ends it.
    let (_, name) = rest.split_once('"')?;
    let end = name
        .find("\": badness ")
        .or_else(|| name.find("\": oom_score "))
        .or_else(|| name.rfind('"'))?;
    let comm = &name[..end];
    Some(UserspaceKill {
        killer: Killer::Earlyoom,
        pid: u32::try_from(pid).ok(),
        comm,
        uid: scan::number_after(rest, "uid ").and_then(|uid| u32::try_from(uid).ok()),
        rss_kib: scan::number_after(rest, "VmRSS ").and_then(|mib| mib.checked_mul(1024)),
        reason: None,
    })
}

/// earlyoom before 1.3: `Killing process 4711 php`, `Killing process: php, pid: 4711, badness: …`,
/// `Killing process 'php' with signal 15, pid: 4711, …`, `killing process 4711 "php" with signal 15: …`.
fn old_earlyoom(text: &str) -> Option<UserspaceKill<'_>> {
    let rest =
        text.strip_prefix("Killing process").or_else(|| text.strip_prefix("killing process"))?;
    let named = rest.strip_prefix(": ").or_else(|| rest.strip_prefix(" '"));
    let (pid, comm) = match named {
        Some(named) => {
            let (name, rest) = named.split_once(", pid: ")?;
            let name = name.split_once("' with signal ").map_or(name, |(name, _)| name);
            (scan::number(rest)?.0, name)
        }
        None => {
            let (pid, rest) = scan::number(rest.strip_prefix(' ')?)?;
            let name = rest.strip_prefix(' ')?;
            let quoted = name.strip_prefix('"').and_then(|n| n.rsplit_once("\" with signal "));
            (pid, quoted.map_or(name, |(name, _)| name))
        }
    };
    Some(UserspaceKill {
        killer: Killer::Earlyoom,
        pid: u32::try_from(pid).ok(),
        comm: comm.trim(),
        uid: None,
        rss_kib: scan::number_after(text, "VmRSS")
            .or_else(|| scan::number_after(text, "VmRSS: "))
            .and_then(|mib| mib.checked_mul(1024)),
        reason: None,
    })
}

/// Meta's oomd tells the kernel's ring buffer of each kill (`logKill` in `src/oomd/plugins`):
/// `oomd kill: 41.2 30.1 12.4 system.slice/x.service 4096 ruleset:[…] detectorgroup:[…] …`, three
/// pressures before the cgroup.
pub(super) fn oomd(text: &str) -> Option<UserspaceKill<'_>> {
    let rest = text.strip_prefix("oomd kill: ")?;
    let path = rest.split_whitespace().nth(3)?;
    let reason = rest.find("ruleset:").and_then(|at| rest.get(at..));
    Some(UserspaceKill {
        killer: Killer::Oomd,
        pid: None,
        comm: path,
        uid: None,
        rss_kib: None,
        reason,
    })
}

/// nohang names its victim, `PID: 903309, name: mysqld, badness: 849`, and some lines later what it
/// does, `Sending SIGTERM to the victim` (`src/nohang`, `implement_corrective_action`).
fn nohang(text: &str) -> Option<Message<'_>> {
    if let Some(rest) = text.strip_prefix("PID: ") {
        let (pid, rest) = scan::number(rest)?;
        let comm = rest.strip_prefix(", name: ")?;
        let (comm, _) = comm.rsplit_once(", badness: ")?;
        return Some(Message::NohangVictim { pid: u32::try_from(pid).ok()?, comm });
    }
    if let Some(rest) = text.strip_prefix("New victim is cached victim ") {
        let (pid, rest) = scan::number(rest)?;
        let comm = rest.strip_prefix(" (")?.strip_suffix(')')?;
        return Some(Message::NohangVictim { pid: u32::try_from(pid).ok()?, comm });
    }
    if text.contains("tasks with non-zero oom_score") {
        return Some(Message::NohangSearch);
    }
    let signal = text.strip_prefix("Sending SIG").or_else(|| text.strip_prefix("Send SIG"))?;
    signal.contains(" to the victim").then_some(Message::NohangSignal)
}

/// `headroom-guard: slay php (452) with SIGTERM: reason`, what our guard writes to its log beside its
/// journal (`words/relief.rs`). A dry run's `would slay` is no kill.
fn headroom(text: &str) -> Option<UserspaceKill<'_>> {
    let text = text.strip_prefix("headroom-guard: ").unwrap_or(text);
    let rest = text.strip_prefix("slay ")?;
    let (who, rest) = rest.split_once(") with SIG")?;
    let (comm, pid) = who.rsplit_once(" (")?;
    let reason = rest.split_once(": ").map(|(_signal, reason)| reason);
    Some(UserspaceKill {
        killer: Killer::Headroom,
        pid: Some(pid.parse().ok()?),
        comm,
        uid: None,
        rss_kib: None,
        reason,
    })
}
