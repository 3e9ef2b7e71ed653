//! Short texts that processes choose for themselves, kept without allocation and shown harmlessly.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// Text of at most `N` bytes, cut there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortText<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

/// A command name as the kernel keeps it: `TASK_COMM_LEN` (16) bytes with the closing zero.
pub type Comm = ShortText<15>;

/// The beginning of a command line, NULs turned into blanks.
pub type CommandLine = ShortText<95>;

impl<const N: usize> Default for ShortText<N> {
    fn default() -> Self {
        Self { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> ShortText<N> {
    /// The text from its bytes: cut at `N`, NULs (the ends of arguments) turned into blanks.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        const { assert!(N <= 255, "the length is kept in a byte") }
        let mut short = Self::default();
        for (to, &from) in short.bytes.iter_mut().zip(text) {
            *to = if from == 0 { b' ' } else { from };
            short.len += 1;
        }
        short
    }

    /// The bytes, which a process may have chosen freely.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Harmless on any terminal: control characters and what is not UTF-8 become `?`.
impl<const N: usize> fmt::Display for ShortText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                f.write_char(if c.is_control() { '?' } else { c })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_char('?')?;
            }
        }
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for ShortText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Whether a terminal, a mail program or a browser would obey this character instead of showing it:
/// control characters, those that turn the direction of writing (UAX #9), and those that nobody sees
/// and that make one name look like another.
#[must_use]
pub fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A text somebody else chose, on one line of at most `most` characters, with everything that would
/// be obeyed made visible as `\u{1b}`.
#[must_use]
pub fn harmless(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut length = 0;
    for c in text.chars() {
        let escaped = is_obeyed(c);
        length += if escaped { c.escape_unicode().count() } else { 1 };
        if length > most {
            shown.push('…');
            break;
        }
        if escaped {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Levenshtein's distance: how many letters to insert, drop or change.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Text as it may stand in HTML, between tags and in quoted attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_would_be_obeyed_is_shown_and_what_is_long_is_cut() {
        assert_eq!(harmless("php import.php ü 漢", 99), "php import.php ü 漢");
        assert_eq!(
            harmless("a\r\nBcc: x\u{1b}[2J\u{202e}\u{200b}", 99),
            "a\\u{d}\\u{a}Bcc: x\\u{1b}[2J\\u{202e}\\u{200b}"
        );
        assert_eq!(harmless("abcdef", 3), "abc…");
        assert_eq!(harmless("ab\u{1b}", 3), "ab…");
    }

    #[test]
    fn a_name_is_cut_where_the_kernel_cuts_it() {
        assert_eq!(Comm::new(b"systemd-journald").to_string(), "systemd-journal");
    }

    #[test]
    fn escapes_and_broken_utf8_come_out_harmless() {
        assert_eq!(Comm::new(b"\x1b[2Jevil\xff").to_string(), "?[2Jevil?");
        assert_eq!(CommandLine::new("php\0Müller.php".as_bytes()).to_string(), "php Müller.php");
    }
}
