//! JSON objects over many lines: `journalctl -o json-pretty`, `dmesg -J`, cloud consoles' downloads.

use alloc::string::String;

use super::{Fed, json};

/// Longest object that is put together; a journal entry has some tens of fields.
const LONGEST: usize = 64 * 1024;

/// An object being put together.
#[derive(Debug, Default)]
pub(super) struct Pretty {
    text: String,
    depth: u32,
}

impl Pretty {
    pub(super) fn is_idle(&self) -> bool {
        self.depth == 0
    }

    /// Takes one line, without its newline.
    pub(super) fn feed(&mut self, line: &str) -> Fed {
        let line = line.trim();
        let opens = line.ends_with('{') || line.ends_with('[');
        if self.depth == 0 {
            if !matches!(line, "{" | "[{" | "}, {" | "},{") {
                return Fed::Foreign;
            }
            self.begin();
            return Fed::Taken;
        }
        let closes = line.starts_with('}') || line.starts_with(']');
        let is_json = opens || closes || line.starts_with('"') || line.is_empty() || is_value(line);
        if !is_json || self.text.len() + line.len() > LONGEST {
            *self = Self::default();
            return Fed::Foreign;
        }
        if opens && self.depth == 1 && (closes || line.ends_with("[{") || holds_objects(line)) {
            // "},{" between two elements, or the key of the array that holds them all.
            let finished = closes.then(|| self.finish()).flatten();
            self.begin();
            return finished.map_or(Fed::Taken, Fed::Finished);
        }
        match (opens, closes) {
            // The first element of such an array.
            (true, false) if self.text == "{" && line == "{" => return Fed::Taken,
            (true, false) => self.depth += 1,
            (false, true) => self.depth -= 1,
            _ => {}
        }
        self.text.push_str(line);
        if self.depth == 0 {
            return self.finish().map_or(Fed::Taken, Fed::Finished);
        }
        Fed::Taken
    }

    fn begin(&mut self) {
        self.text.clear();
        self.text.push('{');
        self.depth = 1;
    }

    fn finish(&mut self) -> Option<super::Record<'static>> {
        let mut text = core::mem::take(&mut self.text);
        self.depth = 0;
        let length = text.trim_end_matches([',', ']', ' ']).len();
        text.truncate(length);
        if !text.ends_with('}') {
            text.push('}');
        }
        json::object(&text)
    }
}

/// `"dmesg": [`: the array of which the objects are elements, by the names tools give it.
fn holds_objects(line: &str) -> bool {
    const NAMES: [&str; 7] = ["dmesg", "entries", "events", "logs", "records", "results", "hits"];
    let name = line.strip_prefix('"').and_then(|rest| rest.split_once('"')).map(|(name, _)| name);
    line.ends_with(['[', '{']) && name.is_some_and(|name| NAMES.contains(&name))
}

/// A bare element of an array within the object: a number, true, null.
fn is_value(line: &str) -> bool {
    let value = line.trim_end_matches(',').trim_end();
    !value.is_empty()
        && value.len() < 32
        && (matches!(value, "true" | "false" | "null")
            || value
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'e' | b',' | b' ')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn texts(log: &str) -> Vec<String> {
        let mut pretty = Pretty::default();
        let found = log.lines().filter_map(|line| match pretty.feed(line) {
            Fed::Finished(record) => Some(record.text.to_string()),
            _ => None,
        });
        let found = found.collect();
        assert!(pretty.is_idle());
        found
    }

    #[test]
    fn dmesgs_objects_are_read_one_by_one() {
        let log = "{\n   \"dmesg\": [\n      {\n         \"pri\": 4,\n         \"time\":     1.5,\n         \"msg\": \"one\"\n      },{\n         \"pri\": 4,\n         \"time\":     2.5,\n         \"msg\": \"two\"\n      }\n   ]\n}\n";
        assert_eq!(texts(log), ["one", "two"]);
    }

    #[test]
    fn a_journal_entry_with_an_array_in_it_is_read() {
        let log = "{\n\t\"MESSAGE\" : \"one\",\n\t\"_X\" : [\n\t\t1,\n\t\t\"2\"\n\t]\n}\n{\n\t\"MESSAGE\" : \"two\"\n}\n";
        assert_eq!(texts(log), ["one", "two"]);
    }

    #[test]
    fn a_brace_alone_swallows_nothing() {
        let mut pretty = Pretty::default();
        pretty.feed("{");
        assert!(matches!(pretty.feed("[    1.0] a invoked oom-killer"), Fed::Foreign));
        assert!(pretty.is_idle());
    }
}
