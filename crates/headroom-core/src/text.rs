//! Short texts that processes choose for themselves, kept without allocation and shown harmlessly.

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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

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
