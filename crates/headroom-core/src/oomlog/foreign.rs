//! Learns what a logger of unknown form puts before each line.
//!
//! Some lines of a report begin with words that cannot be mistaken. Where such words stand further in,
//! what is before them is the logger's: its shape, words and numbers in place of the words and numbers
//! themselves, is then taken off other lines, whose own beginning does not tell (a task's row, a
//! statistics line).

use alloc::vec::Vec;

/// Longest prefix that is learned, in bytes.
const LONGEST: usize = 200;

/// Lines with the same shape of prefix after which it is believed.
const ENOUGH: u8 = 2;

/// What lines of a report begin with.
const BEGINNINGS: [&str; 21] = [
    "Mem-Info:",
    "Call Trace:",
    "Call trace:",
    "CPU: ",
    "Hardware name: ",
    "oom-kill:constraint=",
    "Memory cgroup out of memory: Kill",
    "Out of memory: Kill",
    "Out of memory (oom_kill_allocating_task): Kill",
    "Out of memory and no killable processes",
    "Killed process ",
    "Tasks state (memory values",
    "[ pid ] ",
    "[  pid  ] ",
    "oom_reaper: reaped process ",
    "memory: usage ",
    "Memory cgroup stats for ",
    "Task in /",
    "Tasks in /",
    "Node 0 DMA",
    "Kernel panic - not syncing: ",
];

/// A piece of a prefix's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// Letters and digits.
    Word,
    /// Blanks, as many as there are.
    Blanks,
    /// This character.
    Mark(char),
}

/// The shape learned so far.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    shape: Vec<Piece>,
    seen: u8,
}

impl Foreign {
    /// Whether a prefix was seen often enough to be believed.
    pub(super) fn is_sure(&self) -> bool {
        self.seen >= ENOUGH
    }

    /// The text behind the prefix, where one is known or can be told; `None` for a line without one.
    pub(super) fn strip<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        if self.seen >= ENOUGH
            && let Some(rest) = after(&self.shape, line)
        {
            return Some(unquoted(line, rest));
        }
        let at = beginning(line)?;
        let shape = shape(&line[..at]);
        if shape == self.shape {
            self.seen = self.seen.saturating_add(1);
        } else if self.seen != ENOUGH {
            // Two in a row against it, and what was believed is forgotten.
            (self.shape, self.seen) = (shape, 1);
        } else {
            self.seen = ENOUGH + 1;
        }
        Some(unquoted(line, &line[at..]))
    }
}

/// Where words begin in a line that begin a line of a report, if not at its very front.
fn beginning(line: &str) -> Option<usize> {
    let within = |at: &usize| {
        *at > 0
            && *at <= LONGEST
            && !line[..*at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/'))
    };
    let first = BEGINNINGS.iter().filter_map(|words| line.find(words)).filter(within).min()?;
    // "Out of memory: Killed process": the first of several is the line's own, unless it stands at the front.
    let own = BEGINNINGS.iter().any(|words| line.trim_start().starts_with(words));
    (!own && !line[..first].trim().is_empty()).then_some(first)
}

fn shape(prefix: &str) -> Vec<Piece> {
    let mut shape: Vec<Piece> = Vec::new();
    for c in prefix.chars() {
        let piece = match c {
            ' ' | '\t' => Piece::Blanks,
            c if is_word(c) => Piece::Word,
            c => Piece::Mark(c),
        };
        if matches!(piece, Piece::Mark(_)) || shape.last() != Some(&piece) {
            shape.push(piece);
        }
    }
    shape
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What follows a prefix of this shape.
fn after<'a>(shape: &[Piece], line: &'a str) -> Option<&'a str> {
    let mut rest = line;
    for piece in shape {
        rest = match piece {
            Piece::Mark(mark) => rest.strip_prefix(*mark)?,
            Piece::Word => {
                let after = rest.trim_start_matches(is_word);
                (after.len() < rest.len()).then_some(after)?
            }
            Piece::Blanks => {
                let after = rest.trim_start_matches([' ', '\t']);
                (after.len() < rest.len()).then_some(after)?
            }
        };
    }
    Some(rest)
}

/// The text without the quote that ends what a quote right before it began.
fn unquoted<'a>(line: &str, rest: &'a str) -> &'a str {
    let before = &line[..line.len() - rest.len()];
    let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`'));
    quote.and_then(|quote| rest.strip_suffix(quote)).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_seen_twice_is_taken_off_other_lines() {
        let mut foreign = Foreign::default();
        assert_eq!(foreign.strip("#17| web1 @22h20 >> anon 5"), None);
        assert_eq!(foreign.strip("#17| web1 @22h20 >> Mem-Info:"), Some("Mem-Info:"));
        assert_eq!(foreign.strip("#18| web1 @22h20 >> anon 5"), None);
        assert_eq!(foreign.strip("#18| web1 @22h21 >> CPU: 1 PID: 2"), Some("CPU: 1 PID: 2"));
        assert_eq!(foreign.strip("#190| web2 @22h21 >> [  480] 0"), Some("[  480] 0"));
        assert_eq!(foreign.strip("something else"), None);
    }

    #[test]
    fn a_line_that_begins_as_it_should_has_no_prefix() {
        let mut foreign = Foreign::default();
        assert_eq!(foreign.strip("Out of memory: Killed process 7 (a)"), None);
        assert_eq!(foreign.strip("  Mem-Info:"), None);
        assert_eq!(foreign.strip("msg=\"Mem-Info:\""), Some("Mem-Info:"));
    }

    #[test]
    fn another_prefix_is_learned_when_the_first_is_gone() {
        let mut foreign = Foreign::default();
        for line in
            ["a> Mem-Info:", "a> Mem-Info:", "b 1: Mem-Info:", "b 1: Mem-Info:", "b 1: Mem-Info:"]
        {
            assert_eq!(foreign.strip(line), Some("Mem-Info:"), "{line}");
        }
        assert_eq!(foreign.strip("b 2: anon 5"), Some("anon 5"));
    }
}
