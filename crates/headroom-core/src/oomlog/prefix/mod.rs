//! Peels off what a logger put before the kernel's own text, and keeps the time, host and caller.
//!
//! Each form is tried in turn and none is required: what is left over is the text. Forms seen:
//! raw dmesg, `dmesg -T` in any language, `-x`, `--time-format iso`, `<N>` levels, printk caller
//! ids, `/dev/kmsg` records, RFC 3164 and 5424 syslog, ISO times, journalctl's short forms and JSON,
//! epoch seconds, mail quotes, a colour terminal's escapes, and no prefix at all.

pub(crate) mod clock;
pub mod export;
mod header;
mod json;

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use super::event::{Stamp, Wall};
use super::scan;

/// Who wrote a line, as far as its prefix says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The kernel, or somebody passing its ring buffer on.
    Kernel,
    /// Another program, by its syslog tag.
    Program(String),
    /// The prefix does not say.
    #[default]
    Unknown,
}

/// One line without its prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was logged.
    pub stamp: Stamp,
    /// Who wrote it.
    pub origin: Origin,
    /// The host in the prefix.
    pub host: Option<String>,
    /// printk's caller id, `T123` for a task and `C0` for a CPU in interrupt context.
    pub caller: Option<String>,
    /// Whether there was any prefix; a line without one may belong to the line before.
    pub prefixed: bool,
    /// What the writer wrote. Newlines in it are newlines of one message.
    pub text: Cow<'a, str>,
}

/// Splits a line into prefix and text.
#[must_use]
pub fn strip(line: &str) -> Record<'_> {
    let line = line.trim_end_matches(['\r', '\n']);
    let foreign_blank = |c: char| c != ' ' && c != '\t' && c.is_whitespace();
    if line.contains('\u{1b}') || line.contains(foreign_blank) {
        // Mail clients turn blanks into no-break spaces.
        let plain = without_escapes(line).replace(foreign_blank, " ");
        let record = strip_plain(&plain);
        let text = Cow::Owned(record.text.to_string());
        return Record { text, ..Record { text: Cow::Borrowed(""), ..detach(&record) } };
    }
    strip_plain(line)
}

fn detach(record: &Record<'_>) -> Record<'static> {
    Record {
        stamp: record.stamp,
        origin: record.origin.clone(),
        host: record.host.clone(),
        caller: record.caller.clone(),
        prefixed: record.prefixed,
        text: Cow::Borrowed(""),
    }
}

fn strip_plain(line: &str) -> Record<'_> {
    let line = without_quote(line);
    if let Some(record) = line.starts_with('{').then(|| json::record(line)).flatten() {
        return record;
    }
    let mut record = Record::default();
    let mut rest = line.trim_start_matches([' ', '\t']);
    if let Some(after) = kmsg(rest, &mut record) {
        rest = after;
    } else {
        if let Some(after) = level(rest).or_else(|| decoded_level(rest)) {
            record.prefixed = true;
            rest = after;
        }
        rest = header::strip(rest, &mut record);
        rest = kernel_stamp(rest, &mut record);
        if !record.prefixed {
            rest = embedded_stamp(line, &mut record).unwrap_or(line);
        }
    }
    record.text = unescape(rest);
    record
}

/// `[   23.157011]`, `[Di Aug 12 03:54:03 2025]`, `[  +0.000123]` and the caller id behind it.
fn kernel_stamp<'a>(text: &'a str, record: &mut Record<'_>) -> &'a str {
    let Some(inner) = text.strip_prefix('[') else { return text };
    let after = if let Some((uptime_us, after)) = clock::uptime(text) {
        record.stamp.uptime_us = Some(uptime_us);
        after
    } else if let Some((wall, after)) =
        clock::ctime(inner).and_then(|(wall, rest)| Some((wall, rest.strip_prefix(']')?)))
    {
        record.stamp.wall = record.stamp.wall.or(Some(wall));
        after
    } else if let Some(after) = relative(inner) {
        after
    } else {
        return text;
    };
    record.prefixed = true;
    let after = caller(after, record);
    let after = after.strip_prefix(' ').unwrap_or(after);
    header::strip_after_uptime(after, record)
}

/// `[ T5241]`, `[T17032]` or `[    C0]`, printed with CONFIG_PRINTK_CALLER.
fn caller<'a>(text: &'a str, record: &mut Record<'_>) -> &'a str {
    let id = |text: &'a str| {
        let inner = text.strip_prefix('[')?.trim_start_matches(' ');
        let (id, after) = inner.split_at_checked(inner.find(']')?)?;
        let digits = id.strip_prefix(['T', 'C'])?;
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| (id, after.strip_prefix(']').unwrap_or(after)))
    };
    match id(text).or_else(|| id(text.trim_start_matches(' '))) {
        Some((id, after)) => {
            record.caller = Some(id.to_string());
            after
        }
        None => text,
    }
}

/// `  +0.000123]` and `Sep25 15:29]`, the stamps of `dmesg -d` and `-e`, which hold no usable time.
fn relative(inner: &str) -> Option<&str> {
    let end = inner.find(']')?;
    let (stamp, after) = inner.split_at_checked(end)?;
    let stamp = stamp.trim();
    let delta =
        stamp.strip_prefix('+').is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let minute = stamp.len() == 11
        && stamp.as_bytes().get(8) == Some(&b':')
        && stamp.bytes().skip(6).all(|b| b.is_ascii_digit() || b == b':');
    (delta || minute).then(|| after.strip_prefix(']').unwrap_or(after))
}

/// A stamp further in, behind what a console or another program printed on the same line.
fn embedded_stamp<'a>(line: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    const REACH: usize = 256;
    for (at, _) in line.match_indices('[').take_while(|(at, _)| *at < REACH) {
        if clock::uptime(&line[at..]).is_some() {
            return Some(kernel_stamp(&line[at..], record));
        }
    }
    None
}

/// `4,19685342,241227987454,-,caller=T12845;text`, a record of /dev/kmsg
/// (`Documentation/ABI/testing/dev-kmsg`).
fn kmsg<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    let (_, rest) = scan::number(text)?;
    let (_, rest) = scan::number(rest.strip_prefix(',')?)?;
    let (uptime_us, rest) = scan::number(rest.strip_prefix(',')?)?;
    let rest = rest.strip_prefix(',')?;
    let (fields, text) = rest.split_at_checked(rest.find(';')?)?;
    record.stamp.uptime_us = Some(uptime_us);
    record.origin = Origin::Kernel;
    record.prefixed = true;
    record.caller =
        fields.split(',').find_map(|field| field.strip_prefix("caller=")).map(ToString::to_string);
    text.strip_prefix(';')
}

/// `<4>`, the syslog level of printk, pstore and RFC 3164.
fn level(text: &str) -> Option<&str> {
    let (value, rest) = scan::number(text.strip_prefix('<')?)?;
    (value < 192).then(|| rest.strip_prefix('>')).flatten()
}

/// `kern  :warn  : `, what `dmesg -x` prints.
fn decoded_level(text: &str) -> Option<&str> {
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];
    let (facility, rest) = text.split_at_checked(text.get(..12)?.find(':')?)?;
    let rest = rest.strip_prefix(':')?;
    let (level, rest) = rest.split_at_checked(rest.get(..8)?.find(':')?)?;
    let known = LEVELS.contains(&level.trim_end())
        && facility.trim_end().bytes().all(|b| b.is_ascii_alphanumeric());
    let rest = rest.strip_prefix(':')?;
    known.then(|| rest.strip_prefix(' ').unwrap_or(rest))
}

/// The line without the `> ` of a quoting mail client.
fn without_quote(line: &str) -> &str {
    let mut rest = line;
    while let Some(inner) = rest.strip_prefix('>') {
        rest = inner.strip_prefix(' ').unwrap_or(inner);
    }
    rest
}

/// The line without the escape sequences of a colour terminal (`dmesg --color=always`).
fn without_escapes(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| ('@'..='~').contains(&c));
        rest = end.and_then(|end| after.get(end + 1..)).unwrap_or("");
    }
    plain.push_str(rest);
    plain
}

/// Newlines of one message as the loggers write them: rsyslog `#012`, syslog-ng and kmsg `\x0a`.
fn unescape(text: &str) -> Cow<'_, str> {
    if text.contains("#012") || text.contains("\\x0a") {
        return Cow::Owned(text.replace("#012", "\n").replace("\\x0a", "\n"));
    }
    Cow::Borrowed(text)
}

/// The time of a journal entry in microseconds since 1970, as a stamp.
fn journal_stamp(realtime_us: Option<i64>, monotonic_us: Option<u64>) -> Stamp {
    Stamp { uptime_us: monotonic_us, wall: realtime_us.map(Wall::Unix) }
}

#[cfg(test)]
mod tests;
