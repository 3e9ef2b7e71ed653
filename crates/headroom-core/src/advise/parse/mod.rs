//! Readers of configuration files and logs: text in, what it says out, with the line it says it on. What
//! cannot be understood is given back as [`Unread`] and costs nothing but itself.

pub mod cronlog;
pub mod crontab;
pub mod fpm;
pub mod jvm;
pub mod mycnf;
pub mod node;
pub mod plans;
pub mod redis;
pub mod schedule;
pub mod size;
pub mod timer;
pub mod units;
pub mod varnish;
pub mod webserver;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What could not be read or understood, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file, with its line where there is one.
    pub source: String,
    /// What is wrong with it.
    pub why: String,
}

impl Unread {
    /// Something of a line.
    #[must_use]
    pub fn line(file: &str, line: usize, why: impl Into<String>) -> Self {
        Self { source: format!("{file}:{line}"), why: why.into() }
    }

    /// Something of a whole file.
    #[must_use]
    pub fn file(file: &str, why: impl Into<String>) -> Self {
        Self { source: file.into(), why: why.into() }
    }
}

/// The files a configuration may include. Who calls hands them over; here nothing opens a file.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn text(&mut self, path: &str) -> Result<String, String>;

    /// Files that match a pattern with `*` in its last component, in the order of their names; none where
    /// there is no such folder. A pattern without a star is that file, where it is one.
    ///
    /// # Errors
    /// Why the folder cannot be read, in words.
    fn list(&mut self, pattern: &str) -> Result<Vec<String>, String>;
}

/// A value with the place it was read at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said<T> {
    /// The value.
    pub value: T,
    /// `file:line`, or where else it comes from.
    pub at: String,
}

impl<T> Said<T> {
    /// A value from a line of a file.
    pub fn new(value: T, at: impl Into<String>) -> Self {
        Self { value, at: at.into() }
    }
}

/// Lines with their numbers, from 1 up.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// Strips one pair of quotes around a value.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let of = |quote| text.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    of('"').or_else(|| of('\'')).unwrap_or(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::string::ToString;

    /// Files that are only in memory.
    pub(crate) struct Fake(pub(crate) BTreeMap<String, String>);

    impl Fake {
        pub(crate) fn new(files: &[(&str, &str)]) -> Self {
            Self(files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect())
        }
    }

    impl Files for Fake {
        fn text(&mut self, path: &str) -> Result<String, String> {
            self.0.get(path).cloned().ok_or_else(|| "no such file".into())
        }

        fn list(&mut self, pattern: &str) -> Result<Vec<String>, String> {
            let Some((dir, end)) = pattern.split_once("/*") else {
                return Ok(self.0.keys().filter(|path| *path == pattern).cloned().collect());
            };
            let inside = |path: &&String| {
                let rest = path.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/'));
                rest.is_some_and(|name| !name.contains('/') && name.ends_with(end))
            };
            Ok(self.0.keys().filter(inside).cloned().collect())
        }
    }
}
