//! The sentences about other logs' entries.

use alloc::format;
use alloc::string::{String, ToString};

use crate::diagnose::Near;
use crate::otherlog::{Peak, What};
use crate::units::Kib;

/// What an entry tells, in one line.
#[must_use]
pub fn what(near: &Near<'_>) -> String {
    let mut text = entry(near);
    if let Some(running) = near.running {
        text += &match running.waits {
            true => ", its shell still waiting".to_string(),
            false => format!(", still running with {}", running.rss),
        };
    }
    if near.times > 1 {
        text += &format!(" ({} times)", near.times);
    }
    text
}

fn entry(near: &Near<'_>) -> String {
    let lasted = near.entry.lasted_us;
    match &near.entry.what {
        What::Query { examined, disk_tables, .. } => {
            let rows = examined.map(|rows| format!(", {} rows examined", count(rows)));
            let disk = if *disk_tables { ", temporary tables on disk" } else { "" };
            let lasted = lasted.map(duration).unwrap_or_default();
            format!("query of {lasted}{}{disk}", rows.unwrap_or_default())
        }
        What::SlowRequest { pool, script, inside, .. } => {
            let inside = inside.split(' ').next().unwrap_or("");
            let inside = if inside.is_empty() { String::new() } else { format!(" in {inside}") };
            format!("slow request in pool {pool}: {script}{inside}")
        }
        What::WorkersExhausted { pool, setting, limit } => {
            let limit = limit.map(|limit| format!(" ({limit})")).unwrap_or_default();
            format!("all workers of {pool} busy: {setting}{limit} reached")
        }
        What::MemoryLimit { limit, place } => {
            format!("PHP ended a script at its memory_limit of {limit}: {place}")
        }
        What::Complaint { level, message } => format!("{level}: {message}"),
        What::CronStarted { user, command, .. } => format!("cron of {user} began: {command}"),
        What::UnitKilled { unit, ended: true } => format!("{unit} failed with result oom-kill"),
        What::UnitKilled { unit, ended: false } => {
            format!("a process of {unit} was killed for want of memory")
        }
        What::Package { action } => format!("packages: {action}"),
        What::Deployed { what } => format!("deployed: {what}"),
        What::Login { user, from: Some(from) } => format!("{user} logged in from {from}"),
        What::Login { user, from: None } => format!("{user} logged in"),
        What::Command { user, command } => format!("{user} ran with sudo: {command}"),
        What::Requests(peak) => requests(peak),
    }
}

fn requests(peak: &Peak) -> String {
    let mut text = format!("{} requests a minute in the 5 minutes before", peak.a_minute());
    if let Some(times) = peak.times_usual() {
        text += &format!(", {}.{} times the usual", times / 10, times % 10);
    }
    if peak.failed > 0 {
        text += &format!("; {} failed", count(peak.failed));
    }
    if let Some(bot) = &peak.bot {
        text +=
            &format!("; {} % bots ({bot})", peak.bots.saturating_mul(100) / peak.requests.max(1));
    }
    if let Some((path, number)) = peak.paths.first() {
        text += &format!("; most for {path} ({number})");
    }
    text
}

/// How far off: `42 s before`, `3 min after`, `during`.
#[must_use]
pub fn distance(us: i64) -> String {
    match us {
        0 => "during".to_string(),
        us if us < 0 => format!("{} before", duration(us.unsigned_abs())),
        us => format!("{} after", duration(us.unsigned_abs())),
    }
}

/// A time as a person says it: `0.4 s`, `42 s`, `12 min`, `3 h 05 min`.
#[must_use]
pub fn duration(us: u64) -> String {
    match us / 1_000_000 {
        0 => format!("0.{} s", us / 100_000),
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s => format!("{} h {:02} min", s / 3600, s / 60 % 60),
    }
}

/// A number as a person says it: `812`, `12 k`, `1.2 M`.
#[must_use]
pub fn count(number: u64) -> String {
    match number {
        n if n < 10_000 => n.to_string(),
        n if n < 1_000_000 => format!("{} k", n / 1000),
        n => format!("{}.{} M", n / 1_000_000, n / 100_000 % 10),
    }
}

/// What a use of memory beside the processes is called.
#[must_use]
pub fn usage(usage: crate::diagnose::Use) -> &'static str {
    use crate::diagnose::Use;
    match usage {
        Use::SharedMemory => "tmpfs and shared memory",
        Use::SlabUnreclaimable => "kernel slab, for good",
        Use::SlabReclaimable => "kernel slab, reclaimable",
        Use::HugePages => "huge pages set aside",
        Use::PageTables => "page tables",
        Use::KernelStacks => "kernel stacks",
        Use::KernelOther => "kernel, other",
        Use::PageCache => "page cache",
        Use::Free => "free",
        Use::Unaccounted => "unaccounted for",
    }
}

/// `mariadbd (PID 244, 442 MiB)`, who would have been next.
#[must_use]
pub fn candidate(comm: &str, pid: u32, rss: Kib) -> String {
    format!("{comm} (PID {pid}, {rss})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_a_person_says_them() {
        assert_eq!(duration(400_000), "0.4 s");
        assert_eq!(duration(42_500_000), "42 s");
        assert_eq!(duration(720_000_000), "12 min");
        assert_eq!(duration(11_100_000_000), "3 h 05 min");
        assert_eq!(distance(-90_000_000), "90 s before");
        assert_eq!(distance(0), "during");
        assert_eq!(
            (count(812), count(12_345), count(1_234_567)),
            ("812".into(), "12 k".into(), "1.2 M".into())
        );
    }
}
