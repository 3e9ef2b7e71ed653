//! Peels off what a logger put before the kernel's own text, and keeps the time, host and caller.
//!
//! Each form is tried in turn and none is required: what is left over is the text. Forms seen:
//! raw dmesg, `dmesg -T` in any language, `-x`, `--time-format iso`, `<N>` levels, printk caller
//! ids, `/dev/kmsg` records, RFC 3164 and 5424 syslog, ISO times, journalctl's forms and JSON, epoch
//! seconds, Android's logcat, containers' and clouds' wrappers around any of these, grep's names and
//! numbers, mail quotes, a colour terminal's escapes, and no prefix at all.

mod clean;
pub(crate) mod clock;
mod export;
mod header;
mod json;
mod months;
mod pretty;
mod stamp;
mod verbose;

use alloc::borrow::Cow;
use alloc::string::String;

use super::event::{Stamp, Wall};

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

/// A time that takes the line before to be known (`dmesg -e`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relative {
    /// The minute of this line, which is another than that of the line before.
    Minute(Wall),
    /// So many microseconds after the line before.
    Later(u64),
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
    /// What a prefix says of the time in relation to the line before.
    pub relative: Option<Relative>,
    /// Whether there was any prefix; a line without one may belong to the line before.
    pub prefixed: bool,
    /// What the writer wrote. Newlines in it are newlines of one message.
    pub text: Cow<'a, str>,
}

/// What a line was to a record that goes over many lines.
#[derive(Debug, PartialEq, Eq)]
pub enum Fed {
    /// Not part of one.
    Foreign,
    /// A part of a record that is not finished.
    Taken,
    /// The end of a record with a message.
    Finished(Record<'static>),
}

/// The formats in which a record goes over many lines.
#[derive(Debug, Default)]
pub(super) struct Many {
    export: export::Export,
    verbose: verbose::Verbose,
    pretty: pretty::Pretty,
}

impl Many {
    /// Takes one line, without its newline.
    pub(super) fn feed(&mut self, line: &[u8]) -> Fed {
        if !self.pretty.is_idle() || line.trim_ascii().first().is_some_and(|b| b"{[}".contains(b)) {
            let fed = self.pretty.feed(&String::from_utf8_lossy(line));
            if fed != Fed::Foreign {
                return fed;
            }
        }
        if !self.verbose.is_idle() || line.windows(4).any(|w| w == b" [s=") {
            let fed = self.verbose.feed(&String::from_utf8_lossy(line));
            if fed != Fed::Foreign {
                return fed;
            }
        }
        self.export.feed(line)
    }

    /// Whether no record is being put together.
    pub(super) fn is_idle(&self) -> bool {
        self.export.is_idle() && self.verbose.is_idle() && self.pretty.is_idle()
    }

    /// The record so far, as at the end of the input.
    pub(super) fn finish(&mut self) -> Option<Record<'static>> {
        self.pretty = pretty::Pretty::default();
        self.verbose.finish().or_else(|| self.export.finish())
    }
}

/// Splits a line into prefix and text.
#[must_use]
pub fn strip(line: &str) -> Record<'_> {
    match clean::cleaned(line) {
        Cow::Borrowed(line) => strip_plain(line),
        Cow::Owned(line) => owned(strip_plain(&line)),
    }
}

fn owned(record: Record<'_>) -> Record<'static> {
    let text = Cow::Owned(record.text.into_owned());
    Record {
        stamp: record.stamp,
        relative: record.relative,
        origin: record.origin,
        host: record.host,
        caller: record.caller,
        prefixed: record.prefixed,
        text,
    }
}

/// Prefixes one within another: a container's logger around syslog's around the kernel's.
const LAYERS: usize = 6;

fn strip_plain(line: &str) -> Record<'_> {
    let line = clean::without_quote(line);
    if let Some(record) = json::record(line) {
        return record;
    }
    // fluentd's file: a time, a tag and an object between tabs.
    if let Some(found) = line.find("\t{\"").and_then(|at| json::object(&line[at + 1..])) {
        let wall = found.stamp.wall.or_else(|| clock::iso(line).map(|(wall, _)| wall));
        return Record { stamp: Stamp { wall, ..found.stamp }, ..found };
    }
    // Fluent Bit's standard output writes its objects as Ruby would.
    if let Some(at) = line.find("{\"").filter(|_| line.contains("\"=>"))
        && let Some(found) = json::object(&line[at..].replace("\"=>", "\":"))
    {
        return found;
    }
    let mut record = Record::default();
    let mut rest = line;
    for _ in 0..LAYERS {
        let text = rest.trim_start_matches([' ', '\t']);
        let Some(after) = layer(text, &mut record).or_else(|| embedded(text, &mut record)) else {
            break;
        };
        rest = after;
    }
    // What a shipper wrote behind its own prefix.
    if !matches!(record.origin, Origin::Program(_))
        && let Some(found) = rest.find("{\"").and_then(|at| json::object(&rest[at..]))
    {
        let stamp = Stamp {
            uptime_us: found.stamp.uptime_us.or(record.stamp.uptime_us),
            wall: found.stamp.wall.or(record.stamp.wall),
        };
        return Record { stamp, ..found };
    }
    record.text = clean::unescape(rest);
    record
}

/// Takes one prefix off, if the text begins with one.
fn layer<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    // Behind an uptime comes the kernel's own text, whatever it looks like.
    if record.stamp.uptime_us.is_some() || record.relative.is_some() {
        return None;
    }
    if let Origin::Program(_) = record.origin {
        // A program that passes the kernel's ring buffer on; nobody else writes such stamps.
        let after = stamp::kernel(text, record)?;
        record.origin = Origin::Kernel;
        return Some(after);
    }
    if let Some(after) = stamp::kmsg(text, record) {
        return Some(after);
    }
    if let Some(after) = stamp::level(text).or_else(|| stamp::decoded_level(text)) {
        record.prefixed = true;
        return Some(after);
    }
    if let Some(after) = stamp::kernel(text, record) {
        return Some(after);
    }
    // The kernel's own text may begin with a word and a colon, but with no time.
    let known = record.origin == Origin::Kernel;
    (!known).then(|| header::strip(text, record)).flatten()
}

/// How far into a line a prefix can begin behind another of unknown form.
const REACH: usize = 256;

/// A prefix further in, behind what grep, a container's logger, a console or another program put on the
/// same line: only forms that cannot be mistaken, at the beginning of a word.
fn embedded<'a>(text: &'a str, record: &mut Record<'_>) -> Option<&'a str> {
    if record.origin != Origin::Unknown
        || record.stamp.uptime_us.is_some()
        || record.relative.is_some()
    {
        return None;
    }
    let mut word_begins = true;
    for (at, c) in text.char_indices().take_while(|(at, _)| *at < REACH) {
        let begins = word_begins;
        word_begins = !c.is_alphanumeric();
        if at == 0 || !begins && c != '[' {
            continue;
        }
        let inner = &text[at..];
        let found = match c {
            '[' => clock::uptime(inner).is_some(),
            '0'..='9' => record.stamp.wall.is_none() && clock::iso(inner).is_some(),
            _ if c.is_alphabetic() => {
                clock::bsd(inner).is_some_and(|(_, rest)| rest.starts_with(' '))
            }
            _ => false,
        };
        if found {
            record.prefixed = true;
            let quote = text[..at].chars().next_back().filter(|c| matches!(c, '"' | '`' | '\''));
            return Some(quote.map_or(inner, |quote| inner.strip_suffix(quote).unwrap_or(inner)));
        }
    }
    None
}

impl Record<'_> {
    /// Keeps a time; of two, one within the other, the one that has a year.
    fn set_wall(&mut self, wall: Wall) {
        let has_year = |wall: &Wall| match wall {
            Wall::Unix(_) => true,
            Wall::Civil { year, .. } => year.is_some(),
            Wall::TimeOfDay(_) => false,
        };
        if self.stamp.wall.as_ref().is_none_or(|known| !has_year(known)) {
            self.stamp.wall = Some(wall);
        }
    }
}

/// The time of a journal entry in microseconds since 1970, as a stamp.
fn journal_stamp(realtime_us: Option<i64>, monotonic_us: Option<u64>) -> Stamp {
    Stamp { uptime_us: monotonic_us, wall: realtime_us.map(Wall::Unix) }
}

#[cfg(test)]
mod tests;
