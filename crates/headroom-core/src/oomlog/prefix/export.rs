//! The journal's export format (`journalctl -o export`): a record over many lines.
//!
//! <https://systemd.io/JOURNAL_EXPORT_FORMATS/>: `KEY=value` lines, or `KEY`, a 64-bit length and raw
//! bytes for values with newlines; an empty line ends the record.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Fed, Record, header, journal_stamp};

/// Fields longer than this are cut: no kernel message comes near it.
const LONGEST_VALUE: usize = 64 * 1024;

/// A record being put together.
#[derive(Debug, Default)]
pub(super) struct Export {
    inside: bool,
    realtime_us: Option<i64>,
    monotonic_us: Option<u64>,
    from_kernel: bool,
    tag: Option<String>,
    host: Option<String>,
    message: Option<String>,
    binary: Option<Binary>,
}

#[derive(Debug)]
struct Binary {
    is_message: bool,
    bytes: Vec<u8>,
    seen: u64,
}

impl Export {
    pub(super) fn is_idle(&self) -> bool {
        !self.inside
    }

    /// Takes one line, without its newline.
    pub(super) fn feed(&mut self, line: &[u8]) -> Fed {
        if self.binary.is_some() {
            self.feed_binary(line);
            return Fed::Taken;
        }
        if line.starts_with(b"__CURSOR=") {
            let finished = self.finish();
            self.inside = true;
            return finished.map_or(Fed::Taken, Fed::Finished);
        }
        if !self.inside {
            return Fed::Foreign;
        }
        if line.is_empty() {
            return self.finish().map_or(Fed::Taken, Fed::Finished);
        }
        match line.iter().position(|b| *b == b'=') {
            Some(at) => {
                let value = String::from_utf8_lossy(&line[at + 1..]).into_owned();
                self.set(&line[..at], value);
            }
            None if is_key(line) => {
                self.binary =
                    Some(Binary { is_message: line == b"MESSAGE", bytes: Vec::new(), seen: 0 });
            }
            None => {
                *self = Self::default();
                return Fed::Foreign;
            }
        }
        Fed::Taken
    }

    fn feed_binary(&mut self, line: &[u8]) {
        let Some(binary) = &mut self.binary else { return };
        let room = LONGEST_VALUE.saturating_sub(binary.bytes.len());
        binary.bytes.extend_from_slice(&line[..line.len().min(room)]);
        if room > line.len() {
            binary.bytes.push(b'\n');
        }
        binary.seen = binary
            .seen
            .saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX))
            .saturating_add(1);
        let Some(length) = binary.bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b)) else {
            return;
        };
        // The value is followed by a newline of its own, which the last line brought.
        if binary.seen > length.saturating_add(8) {
            let bytes = binary.bytes.get(8..).unwrap_or(&[]);
            let value = String::from_utf8_lossy(bytes).trim_end_matches('\n').to_string();
            if binary.is_message {
                self.message = Some(value);
            }
            self.binary = None;
        }
    }

    fn set(&mut self, key: &[u8], value: String) {
        match key {
            b"__REALTIME_TIMESTAMP" => self.realtime_us = value.parse().ok(),
            b"_SOURCE_MONOTONIC_TIMESTAMP" => self.monotonic_us = value.parse().ok(),
            b"_TRANSPORT" => self.from_kernel = value == "kernel",
            b"SYSLOG_IDENTIFIER" => self.tag = Some(value),
            b"_HOSTNAME" => self.host = Some(value),
            b"MESSAGE" => self.message = Some(value),
            _ => {}
        }
    }

    /// The record so far, as at the end of the input.
    pub(super) fn finish(&mut self) -> Option<Record<'static>> {
        let done = core::mem::take(self);
        let message = done.message?;
        let tag = done.tag.as_deref().unwrap_or(if done.from_kernel { "kernel" } else { "-" });
        Some(Record {
            stamp: journal_stamp(done.realtime_us, done.monotonic_us.filter(|_| done.from_kernel)),
            origin: header::origin(tag),
            host: done.host,
            prefixed: true,
            text: Cow::Owned(message),
            ..Record::default()
        })
    }
}

fn is_key(line: &[u8]) -> bool {
    line.len() <= 64
        && line.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_is_one_record() {
        let mut export = Export::default();
        let text = b"anon 5\nfile 0";
        let mut first = 13_u64.to_le_bytes().to_vec();
        first.extend_from_slice(b"anon 5");
        assert_eq!(export.feed(b"__CURSOR=x"), Fed::Taken);
        assert_eq!(export.feed(b"_TRANSPORT=kernel"), Fed::Taken);
        assert_eq!(export.feed(b"MESSAGE"), Fed::Taken);
        assert_eq!(export.feed(&first), Fed::Taken);
        assert_eq!(export.feed(b"file 0"), Fed::Taken);
        assert_eq!(export.feed(b"PRIORITY=6"), Fed::Taken);
        let Fed::Finished(record) = export.feed(b"") else { panic!("no record") };
        assert_eq!(record.text.as_bytes(), text);
        assert_eq!(record.origin, super::super::Origin::Kernel);
    }
}
