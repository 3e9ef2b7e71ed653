//! A whole log within one JSON value: `aws ec2 get-console-output`, Loki's and Elasticsearch's answers,
//! `dmesg -J` on one line, Ansible's results. Its texts become the lines they stand for.
//!
//! What is left of it: each string value that holds a blank, in its order, one line each or more where it
//! holds newlines; the `time` of the object around it stands before it as the kernel would write it.
//! Line numbers then count these lines.

use std::io::{self, Read};

/// Begins of several records on one line, or of several lines in one string, that make it a bundle.
const MANY: usize = 4;
/// A line that is no longer holds one record at most.
const LONG: usize = 1500;
/// Longest string that is kept; what is beyond is lost.
const LONGEST: usize = 8 * 1024 * 1024;

/// Whether what a log begins with is such a value.
pub(super) fn is_bundle(beginning: &[u8]) -> bool {
    let beginning = beginning.trim_ascii_start();
    if !beginning.starts_with(b"{") && !beginning.starts_with(b"[") {
        return false;
    }
    // A stamp in brackets begins like an array.
    let inside = beginning[1..].trim_ascii_start();
    if !matches!(inside.first(), Some(b'"' | b'{' | b'[')) {
        return false;
    }
    let lines = || beginning.split(|byte| *byte == b'\n');
    lines().any(|line| line.len() > LONG && holds_many(line))
        || lines().filter(|line| is_element(line)).take(MANY).count() == MANY
}

/// An array's text on a line of its own, as indented answers have it.
fn is_element(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let line = line.strip_suffix(b",").unwrap_or(line);
    let text = line.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    text.is_some_and(|text| text.contains(&b' ') && memchr::memmem::find(text, b"\": ").is_none())
}

fn holds_many(line: &[u8]) -> bool {
    let count = |part: &[u8]| memchr::memmem::find_iter(line, part).take(MANY).count();
    let records = count(b"},{") + count(b"}, {") + count(b"],[") + count(b"], [");
    records >= MANY || count(b"\\n") >= MANY && count(b"\":") < 64
}

/// Turns the value's texts into lines.
pub(super) struct Bundle<R> {
    reader: R,
    state: State,
    /// What follows in the string: the rest of an escape.
    escape: Option<String>,
    /// The string being read.
    text: Vec<u8>,
    /// The last string, as long as it may be a key or a value.
    ended: Option<Vec<u8>>,
    key: Vec<u8>,
    bare: Vec<u8>,
    stamp: String,
    ready: Vec<u8>,
    given: usize,
}

#[derive(PartialEq)]
enum State {
    Between,
    InString,
}

impl<R: Read> Bundle<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            state: State::Between,
            escape: None,
            text: Vec::new(),
            ended: None,
            key: Vec::new(),
            bare: Vec::new(),
            stamp: String::new(),
            ready: Vec::new(),
            given: 0,
        }
    }

    fn take(&mut self, byte: u8) {
        if self.state == State::InString {
            self.in_string(byte);
            return;
        }
        match byte {
            b'"' => {
                self.text.clear();
                self.state = State::InString;
            }
            b':' => self.key = self.ended.take().unwrap_or_default(),
            b'{' => {
                self.stamp.clear();
                self.key.clear();
            }
            b',' | b'}' | b']' => {
                self.value();
                if byte != b',' {
                    self.key.clear();
                }
            }
            _ if byte.is_ascii_whitespace() => {}
            _ if self.bare.len() < 64 => self.bare.push(byte),
            _ => {}
        }
    }

    fn in_string(&mut self, byte: u8) {
        if let Some(mut escape) = self.escape.take() {
            escape.push(char::from(byte));
            let long = escape.starts_with('u');
            if long && escape.len() < 5 {
                self.escape = Some(escape);
                return;
            }
            let code = escape.get(1..).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let c = match byte {
                _ if long => code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER),
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                _ => char::from(byte),
            };
            self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
        match byte {
            b'\\' => self.escape = Some(String::new()),
            b'"' => {
                self.state = State::Between;
                self.ended = Some(std::mem::take(&mut self.text));
            }
            _ if self.text.len() < LONGEST => self.text.push(byte),
            _ => {}
        }
    }

    /// A value has ended.
    fn value(&mut self) {
        let bare = std::mem::take(&mut self.bare);
        let Some(text) = self.ended.take() else {
            self.time(&bare);
            return;
        };
        if self.key == b"time" && text.iter().all(|b| b.is_ascii_digit() || b" .".contains(b)) {
            self.time(text.trim_ascii());
            return;
        }
        // What a journal or a shipper notes of the writer is no text of its own.
        if self.key.starts_with(b"_") && self.key != b"_raw" || !text.contains(&b' ') {
            return;
        }
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.ready.extend_from_slice(self.stamp.as_bytes());
            self.ready.extend_from_slice(line);
            self.ready.push(b'\n');
        }
    }

    /// Seconds since the boot, of `dmesg -J`.
    fn time(&mut self, bare: &[u8]) {
        let seconds = std::str::from_utf8(bare).ok().filter(|_| self.key == b"time");
        if let Some(seconds) = seconds
            && seconds.split_once('.').is_some_and(|(whole, _)| (1..10).contains(&whole.len()))
        {
            self.stamp = format!("[{seconds:>12}] ");
        }
    }
}

impl<R: Read> Read for Bundle<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut block = [0; 16 * 1024];
        while self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
            let count = self.reader.read(&mut block)?;
            if count == 0 {
                // A value that was cut off: what there is of its last string.
                if std::mem::replace(&mut self.state, State::Between) == State::InString {
                    self.ended = Some(std::mem::take(&mut self.text));
                }
                self.value();
                if self.ready.is_empty() {
                    return Ok(0);
                }
            }
            for byte in &block[..count] {
                self.take(*byte);
            }
        }
        let count = (self.ready.len() - self.given).min(into.len());
        into[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(json: &str) -> String {
        let mut text = String::new();
        Bundle::new(json.as_bytes()).read_to_string(&mut text).expect("text");
        text
    }

    #[test]
    fn a_console_in_one_string_becomes_its_lines() {
        let json =
            r#"{"InstanceId":"i-0","Output":"[ 1.0] a b\r\n[ 1.1] \"c\" \u003cd\u003e","T":1}"#;
        assert_eq!(unpacked(json), "[ 1.0] a b\n[ 1.1] \"c\" <d>\n");
    }

    #[test]
    fn the_kernels_time_stands_before_each_of_its_lines() {
        let json = r#"{"dmesg":[{"pri":4,"time":40.059115,"msg":"a b\nc d"},{"time":" 41.5","msg":"e f"}]}"#;
        assert_eq!(unpacked(json), "[   40.059115] a b\n[   40.059115] c d\n[        41.5] e f\n");
    }

    #[test]
    fn what_was_cut_off_is_kept_as_far_as_it_goes() {
        assert_eq!(unpacked(r#"{"values":[["1","x y"],["2","z and"#), "x y\nz and\n");
    }

    #[test]
    fn only_many_records_on_a_line_are_a_bundle() {
        let record = format!(r#"{{"msg":"{}"}}"#, "x".repeat(1000));
        let many = [record.as_str(); 6];
        assert!(is_bundle(format!("[{}]", many.join(",")).as_bytes()));
        assert!(!is_bundle(many.join("\n").as_bytes()));
        assert!(!is_bundle(format!("[ 1.0] {}", many.join(",")).as_bytes()));
    }
}
