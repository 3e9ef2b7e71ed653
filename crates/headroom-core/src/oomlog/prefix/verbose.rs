//! The journal's verbose format (`journalctl -o verbose`): a time and a cursor, then a field a line,
//! indented by four.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use super::super::event::Stamp;
use super::{Fed, Record, clock, header};

/// Messages longer than this are cut: no kernel message comes near it.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// An entry being put together.
#[derive(Debug, Default)]
pub(super) struct Verbose {
    inside: bool,
    stamp: Stamp,
    from_kernel: bool,
    tag: Option<String>,
    host: Option<String>,
    message: Option<String>,
    /// Whether the field before was the message, whose further lines are indented deeper.
    in_message: bool,
}

impl Verbose {
    pub(super) fn is_idle(&self) -> bool {
        !self.inside
    }

    /// Takes one line, without its newline.
    pub(super) fn feed(&mut self, line: &str) -> Fed {
        if let Some(stamp) = heading(line) {
            let finished = self.finish();
            self.inside = true;
            self.stamp = stamp;
            return finished.map_or(Fed::Taken, Fed::Finished);
        }
        if !self.inside {
            return Fed::Foreign;
        }
        match line.strip_prefix("    ") {
            Some(field) if self.in_message && field.starts_with("        ") => {
                if let Some(message) = self.message.as_mut().filter(|m| m.len() < LONGEST_MESSAGE) {
                    message.push('\n');
                    message.push_str(field.trim_start());
                }
            }
            Some(field) => self.set(field),
            None => return Fed::Foreign,
        }
        Fed::Taken
    }

    fn set(&mut self, field: &str) {
        let Some((key, value)) = field.split_once('=') else { return };
        self.in_message = key == "MESSAGE";
        match key {
            "_SOURCE_MONOTONIC_TIMESTAMP" => self.stamp.uptime_us = value.parse().ok(),
            "_TRANSPORT" => self.from_kernel = value == "kernel",
            "SYSLOG_IDENTIFIER" => self.tag = Some(value.to_string()),
            "_HOSTNAME" => self.host = Some(value.to_string()),
            "MESSAGE" => self.message = Some(value.chars().take(LONGEST_MESSAGE).collect()),
            _ => {}
        }
    }

    /// The entry so far, as at the end of the input.
    pub(super) fn finish(&mut self) -> Option<Record<'static>> {
        let done = core::mem::take(self);
        let message = done.message?;
        let tag = done.tag.as_deref().unwrap_or(if done.from_kernel { "kernel" } else { "-" });
        Some(Record {
            stamp: Stamp {
                uptime_us: done.stamp.uptime_us.filter(|_| done.from_kernel),
                ..done.stamp
            },
            origin: header::origin(tag),
            host: done.host,
            prefixed: true,
            text: Cow::Owned(message),
            ..Record::default()
        })
    }
}

/// `Mon 2026-11-23 22:20:23.043143 UTC [s=0123;i=4b2;b=0a1b;m=607f06;t=6417;x=9d]`
fn heading(line: &str) -> Option<Stamp> {
    let (time, cursor) = line.split_once(" [s=")?;
    if !cursor.contains(";i=") || !cursor.trim_end().ends_with(']') {
        return None;
    }
    // The zone is the last word; what reads it wants another behind it.
    let mut padded = String::from(time);
    padded.push(' ');
    let wall = header::short_full(&padded).map(|(wall, _)| wall);
    let wall = wall.or_else(|| clock::iso(time).map(|(wall, _)| wall));
    Some(Stamp { uptime_us: None, wall })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oomlog::Wall;

    #[test]
    fn a_message_of_several_lines_is_one_entry() {
        let mut verbose = Verbose::default();
        let heading = "Mon 2026-11-23 22:20:23.5 UTC [s=01;i=4b2;b=0a;m=60;t=64;x=9d]";
        for line in [
            heading,
            "    _TRANSPORT=kernel",
            "    MESSAGE=active_anon:1",
            "             active_file:2",
            "    PRIORITY=4",
        ] {
            assert!(matches!(verbose.feed(line), Fed::Taken), "{line}");
        }
        let Fed::Finished(record) = verbose.feed(heading) else { panic!("no entry") };
        assert_eq!(record.text, "active_anon:1\nactive_file:2");
        let Some(Wall::Civil { offset_s, time_us, .. }) = record.stamp.wall else {
            panic!("no time")
        };
        assert_eq!((offset_s, time_us), (Some(0), 80_423_500_000));
    }

    #[test]
    fn what_is_no_entry_is_let_through() {
        let mut verbose = Verbose::default();
        assert!(matches!(verbose.feed("    MESSAGE=x"), Fed::Foreign));
        assert!(matches!(verbose.feed("[    1.0] x"), Fed::Foreign));
    }
}
