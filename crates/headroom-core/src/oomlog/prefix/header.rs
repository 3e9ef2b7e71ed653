//! The part of a syslog or journal line between its start and the message: time, host, tag.

use alloc::string::ToString;

use super::super::event::Wall;
use super::{Origin, Record, clock};

/// Strips time, host and tag, whichever of them are there.
pub(super) fn strip<'a>(text: &'a str, record: &mut Record<'_>) -> &'a str {
    if let Some(rest) = rfc5424(text, record) {
        return rest;
    }
    if let Some((wall, rest, names_host)) = time(text) {
        record.stamp.wall = Some(wall);
        record.prefixed = true;
        let rest = rest.trim_start_matches(' ');
        return if names_host { host_and_tag(rest, record) } else { rest };
    }
    // "kernel: text", what is left of a syslog line whose time and host were cut off.
    match text.strip_prefix("kernel:") {
        Some(rest) => {
            record.origin = Origin::Kernel;
            record.prefixed = true;
            rest.strip_prefix(' ').unwrap_or(rest)
        }
        None => text,
    }
}

/// Strips host and tag behind an uptime, as `journalctl -o short-monotonic` prints them.
pub(super) fn strip_after_uptime<'a>(text: &'a str, record: &mut Record<'_>) -> &'a str {
    let mut words = text.splitn(3, ' ');
    if let (Some(host), Some(tag), rest) = (words.next(), words.next(), words.next())
        && record.origin == Origin::Unknown
        && !host.ends_with(':')
        && let Some(origin) = origin_after_uptime(tag)
    {
        record.host = Some(host.to_string());
        record.origin = origin;
        return rest.unwrap_or("");
    }
    text
}

/// The kernel by its name. Programs only with their pid, `name[433]:`: what the kernel itself writes
/// behind an uptime may well have a second word that ends in a colon.
fn origin_after_uptime(tag: &str) -> Option<Origin> {
    let tag = tag.strip_suffix(':')?;
    if tag == "kernel" {
        return Some(Origin::Kernel);
    }
    let (name, pid) = tag.strip_suffix(']')?.split_once('[')?;
    let is_pid = !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit());
    (is_pid && !name.is_empty()).then(|| Origin::Program(name.to_string()))
}

/// The time at the front, and whether a host and a tag may follow it.
fn time(text: &str) -> Option<(Wall, &str, bool)> {
    if let Some((wall, rest)) = clock::iso(text) {
        // `dmesg --time-format iso` writes a comma before the fraction, and no host.
        return Some((wall, rest, text.as_bytes().get(19) != Some(&b',')));
    }
    if let Some((wall, rest)) = clock::bsd(text).filter(|(_, rest)| rest.starts_with(' ')) {
        return Some((wall, rest, true));
    }
    if let Some((wall, rest)) = clock::epoch(text) {
        return Some((wall, rest, true));
    }
    // journalctl's short-full: a day's name, a date, a time and a zone.
    if let Some((day, rest)) = text.split_once(' ')
        && day.len() <= 12
        && day.chars().all(char::is_alphabetic)
        && let Some((wall, rest)) = clock::iso(rest)
    {
        let (zone, rest) = rest.trim_start_matches(' ').split_once(' ')?;
        let wall = if zone == "UTC" { in_utc(wall) } else { wall };
        return Some((wall, rest, true));
    }
    if let Some((wall, rest)) = clock::ctime(text).filter(|(_, rest)| rest.starts_with(' ')) {
        return Some((wall, rest, true));
    }
    let (time_us, rest) = clock::time_of_day(text)?;
    rest.starts_with(' ').then_some((Wall::TimeOfDay(time_us), rest, true))
}

fn in_utc(wall: Wall) -> Wall {
    match wall {
        Wall::Civil { year, month, day, time_us, .. } => {
            Wall::Civil { year, month, day, time_us, offset_s: Some(0) }
        }
        other => other,
    }
}

/// `host tag[pid]: `, or either alone. A host alone is believed only before an uptime, since the
/// first word of a message would look the same.
fn host_and_tag<'a>(text: &'a str, record: &mut Record<'_>) -> &'a str {
    if let Some((tag, rest)) = tag(text) {
        record.origin = origin(tag);
        return rest;
    }
    let Some((host, mut rest)) = text.split_once(' ') else { return text };
    // busybox and OpenWrt write "kern.warn" between host and tag.
    if let Some((priority, after)) = rest.split_once(' ')
        && priority.starts_with("kern.")
    {
        rest = after;
    }
    if let Some((tag, after)) = tag(rest) {
        record.host = Some(host.to_string());
        record.origin = origin(tag);
        return after;
    }
    if clock::uptime(rest).is_some() {
        record.host = Some(host.to_string());
        return rest;
    }
    text
}

/// `kernel: ` or `systemd-oomd[722]: `, but not the `memory: ` a message can begin with.
fn tag(text: &str) -> Option<(&str, &str)> {
    const NO_TAGS: [&str; 10] = [
        "memory",
        "memory+swap",
        "swap",
        "kmem",
        "CPU",
        "Mem-Info",
        "oom_reaper",
        "DMA",
        "DMA32",
        "Normal",
    ];
    let end = text.find(':')?;
    let (word, rest) = text.split_at_checked(end)?;
    let rest = rest.strip_prefix(':')?;
    let after_blank = rest.strip_prefix(' ').or_else(|| rest.is_empty().then_some(""));
    let rest = after_blank.or_else(|| rest.starts_with('[').then_some(rest))?;
    let name = word.split_once('[').map_or(word, |(name, _)| name);
    let one_word = !name.is_empty() && !word.contains(' ') && word.len() <= 64;
    (one_word && !NO_TAGS.contains(&name)).then_some((name, rest))
}

/// Who stands behind a tag; those that pass the kernel's ring buffer on count as the kernel.
pub(super) fn origin(tag: &str) -> Origin {
    let tag = tag.rsplit_once('/').map_or(tag, |(_, name)| name);
    match tag {
        "kernel" | "Kernel" | "klogd" | "vmunix" | "kmsg" | "dmesg" | "logger" => Origin::Kernel,
        other => Origin::Program(other.to_string()),
    }
}

/// `1 2026-11-23T22:20:23Z host kernel - - - text` (RFC 5424), its level already gone.
fn rfc5424<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    let (wall, rest) = clock::iso(text.strip_prefix("1 ")?)?;
    let mut fields = rest.strip_prefix(' ')?.splitn(5, ' ');
    let (host, app) = (fields.next()?, fields.next()?);
    let (_process, _message_id, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let rest = match rest.strip_prefix('-') {
        Some(rest) => rest,
        None => rest.strip_prefix('[').and_then(|r| Some(r.split_once("] ")?.1)).unwrap_or(rest),
    };
    record.stamp.wall = Some(wall);
    record.host = (host != "-").then(|| host.to_string());
    record.origin = origin(app);
    record.prefixed = true;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Some(rest.strip_prefix('\u{feff}').unwrap_or(rest))
}
