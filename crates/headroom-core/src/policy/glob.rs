//! Patterns as administrators write them: `*` any run of bytes, `?` any one byte.

use alloc::string::String;
use core::fmt;

use serde::Deserialize;

/// A pattern that a whole value must match.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// The pattern as written.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// Whether all of `text` matches. Never allocates, never backtracks further than one star:
    /// time is at most the product of both lengths.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        matches(self.0.as_bytes(), text)
    }

    /// The pattern for the last component of a path, for when only a name is known. One for all of a
    /// folder's files says nothing of a name.
    #[must_use]
    pub fn matches_name_of(&self, name: &[u8]) -> bool {
        let file = self.0.rsplit('/').next().unwrap_or(&self.0).as_bytes();
        if file.iter().all(|byte| matches!(byte, b'*' | b'?')) {
            return false;
        }
        matches(file, name)
            // The kernel cuts a command name at 15 bytes.
            || (name.len() == 15 && file.len() > 15 && matches(&file[..15], name))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // Give the last star one byte more and try again behind it.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, text, expected) in [
            ("php*-fpm.service", "php8.2-fpm.service", true),
            ("php*-fpm.service", "php-fpm.service", true),
            ("php*-fpm.service", "php8.2-fpm.service.d", false),
            ("/usr/sbin/php-fpm*", "/usr/sbin/php-fpm8.2", true),
            ("*is shutting down", "nginx: worker process is shutting down", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_name_cut_by_the_kernel_still_matches_its_file() {
        let glob = Glob::new("/usr/lib/systemd/systemd-journald-helper");
        assert!(glob.matches_name_of(b"systemd-journal"));
        assert!(!glob.matches_name_of(b"systemd-journa"));
    }

    #[test]
    fn all_files_of_a_folder_are_no_name() {
        assert!(!Glob::new("/srv/jobs/*").matches_name_of(b"mariadbd"));
        assert!(Glob::new("/srv/jobs/php*").matches_name_of(b"php"));
    }
}
