//! The part of a syslog or journal line between its start and the message: time, host, tag.

use alloc::string::ToString;

use super::super::event::Wall;
use super::super::scan;
use super::{Origin, Record, clock};

/// Strips time, host and tag, whichever of them are there; `None` when none is.
pub(super) fn strip<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    if let Some(rest) = rfc5424(text, record) {
        return Some(rest);
    }
    if let Some(rest) = bracketed(text, record).or_else(|| logcat(text, record)) {
        return Some(rest);
    }
    if let Some((wall, rest, names_host)) = time(text) {
        record.set_wall(wall);
        record.prefixed = true;
        let rest = rest.trim_start_matches([' ', ',']);
        return Some(if names_host {
            host_and_tag(rest, record)
        } else {
            strip_after_uptime(rest, record)
        });
    }
    // "kernel: text", what is left of a syslog line whose time and host were cut off.
    let rest = text.strip_prefix("kernel:")?;
    record.origin = Origin::Kernel;
    record.prefixed = true;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
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
    (is_pid && !name.is_empty()).then(|| origin(name))
}

/// A time in brackets: `dmesg -T` in any language, Apache's habit, a terminal that stamps lines.
fn bracketed<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    let inner = text.strip_prefix('[')?;
    let (wall, rest) = clock::ctime(inner)
        .or_else(|| clock::iso(inner))
        .or_else(|| clock::bsd(inner))
        .or_else(|| clock::day_first(inner))
        .or_else(|| clock::time_of_day(inner).map(|(us, rest)| (Wall::TimeOfDay(us), rest)))?;
    let rest = clock::without_delta(rest).strip_prefix(']')?;
    record.set_wall(wall);
    record.prefixed = true;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Some(strip_after_uptime(rest, record))
}

/// Android's `11-23 22:20:23.043   123   456 W kernel  : text`, and in brief `W/kernel  (  123): text`.
fn logcat<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    const LEVELS: [char; 7] = ['V', 'D', 'I', 'W', 'E', 'F', 'S'];
    let (tag, rest) = if let Some((wall, rest)) = clock::logcat(text) {
        let (_process, rest) = scan::number(rest.trim_start_matches(' '))?;
        let (_thread, rest) = scan::number(rest.trim_start_matches(' '))?;
        let rest = rest.strip_prefix(' ')?.strip_prefix(LEVELS)?;
        let found = rest.split_once(": ").or_else(|| Some((rest.strip_suffix(':')?, "")))?;
        record.set_wall(wall);
        found
    } else {
        let rest = text.strip_prefix(LEVELS)?.strip_prefix('/')?;
        let (tag, rest) = rest.split_once('(')?;
        let (process, rest) = rest.split_once("): ")?;
        process.trim().bytes().all(|b| b.is_ascii_digit()).then_some((tag, rest))?
    };
    record.prefixed = true;
    record.origin = match tag.trim() {
        "" => Origin::Kernel,
        tag => origin(tag),
    };
    Some(rest)
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
    if let Some((wall, rest)) = clock::day_first(text) {
        return Some((wall, rest, true));
    }
    if let Some((wall, rest)) = short_full(text) {
        return Some((wall, rest, true));
    }
    if let Some((wall, rest)) = clock::ctime(text).filter(|(_, rest)| rest.starts_with(' ')) {
        return Some((wall, rest, true));
    }
    if let Some(rest) = tai64n(text) {
        return Some(rest);
    }
    let (time_us, rest) = clock::time_of_day(text)?;
    rest.starts_with(' ').then_some((Wall::TimeOfDay(time_us), rest, true))
}

/// journalctl's short-full: a day's name, a date, a time and a zone.
pub(super) fn short_full(text: &str) -> Option<(Wall, &str)> {
    let (day, rest) = text.split_once(' ')?;
    let day = day.trim_end_matches(['.', ',']);
    let is_name = !day.is_empty() && day.len() <= 12 && day.chars().all(char::is_alphabetic);
    let (wall, rest) = is_name.then(|| clock::iso(rest)).flatten()?;
    let (zone, after) = rest.trim_start_matches(' ').split_once(' ')?;
    match (zone, wall) {
        ("UTC" | "GMT", Wall::Civil { year, month, day, time_us, .. }) => {
            Some((Wall::Civil { year, month, day, time_us, offset_s: Some(0) }, after))
        }
        (zone, wall) if zone.len() <= 6 && zone.starts_with(|c: char| c.is_ascii_uppercase()) => {
            Some((wall, after))
        }
        _ => Some((wall, rest)),
    }
}

/// `@4000000065a1b2c3d4e5f607 `, what multilog and svlogd write: seconds since 1970 above 2^62 (and ten
/// leap seconds), then nanoseconds.
fn tai64n(text: &str) -> Option<(Wall, &str, bool)> {
    let label = text.strip_prefix('@')?.get(..24)?;
    let rest = text.get(25..).filter(|rest| rest.starts_with(' '))?;
    let seconds = i64::from_str_radix(&label[..16], 16).ok()?.checked_sub((1 << 62) + 10)?;
    let nanoseconds = i64::from_str_radix(&label[16..], 16).ok()?;
    let us = seconds.checked_mul(1_000_000)?.checked_add(nanoseconds / 1000)?;
    Some((Wall::Unix(us), rest, true))
}

/// `host tag[pid]: `, or either alone. A host alone is believed only before an uptime, since the
/// first word of a message would look the same; words between host and tag (`kern.warn`) only
/// before the kernel's.
fn host_and_tag<'a>(text: &'a str, record: &mut Record<'_>) -> &'a str {
    const MOST_WORDS: usize = 3;
    if let Some((tag, rest)) = tag(text) {
        record.origin = origin(tag);
        return rest;
    }
    let mut rest = text;
    let mut host = None;
    for _ in 0..MOST_WORDS {
        let Some((word, after)) = rest.split_once(' ') else { break };
        if word.ends_with(':') {
            break;
        }
        let host = *host.get_or_insert(word);
        rest = after.trim_start_matches(' ');
        let tag = tag(rest).map(|(tag, after)| (origin(tag), after));
        if let Some((origin, after)) =
            tag.filter(|(origin, _)| host == word || *origin == Origin::Kernel)
        {
            record.host = Some(host.to_string());
            record.origin = origin;
            return after;
        }
        if host == word && clock::uptime(rest).is_some() {
            record.host = Some(host.to_string());
            return rest;
        }
    }
    text
}

/// `kernel: `, `systemd-oomd[722]: ` or metalog's `[kernel] `, but not the `memory: ` a message can
/// begin with.
fn tag(text: &str) -> Option<(&str, &str)> {
    const NO_TAGS: [&str; 16] = [
        "memory",
        "memory+swap",
        "swap",
        "kmem",
        "CPU",
        "Mem-Info",
        "oom_reaper",
        "oom_kill_process",
        "oom-kill",
        "sysrq",
        "DMA",
        "DMA32",
        "Normal",
        "HighMem",
        "Movable",
        "Device",
    ];
    if let Some((name, rest)) = text.strip_prefix('[').and_then(|text| text.split_once("] ")) {
        return matches!(name, "kernel" | "kern").then_some((name, rest));
    }
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
    // `journalctl -o with-unit` has the unit for a tag.
    let tag = tag.strip_suffix(".service").unwrap_or(tag);
    match tag {
        "kernel" | "Kernel" | "KERNEL" | "kern" | "klogd" | "vmunix" | "kmsg" | "dmesg"
        | "logger" => Origin::Kernel,
        level if level.starts_with("kern.") => Origin::Kernel,
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
    record.set_wall(wall);
    record.host = (host != "-").then(|| host.to_string());
    record.origin = origin(app);
    record.prefixed = true;
    let rest = rest.trim_start_matches(' ');
    Some(rest.strip_prefix('\u{feff}').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_host_and_tag_are_the_kernels_alone() {
        let read = |text: &str| {
            let mut record = Record::default();
            let rest = strip(text, &mut record).map(ToString::to_string);
            (rest, record.origin, record.host)
        };
        let (rest, origin, host) = read("Nov 23 22:20:23 h warning kernel: text");
        assert_eq!((rest.as_deref(), origin), (Some("text"), Origin::Kernel));
        assert_eq!(host.as_deref(), Some("h"));
        let (rest, origin, _) = read("Nov 23 22:20:23 some words program: text");
        assert_eq!((rest.as_deref(), origin), (Some("some words program: text"), Origin::Unknown));
    }

    #[test]
    fn a_tai64n_label_is_a_time() {
        let wall = tai64n("@400000003b9aca0a07bfa480 x").map(|(wall, rest, _)| (wall, rest));
        assert_eq!(wall, Some((Wall::Unix(1_000_000_000_130_000), " x")));
        assert_eq!(tai64n("@40000000 x"), None);
    }
}
