//! Why the kernel did not answer.

use core::fmt;

use rustix::io::Errno;

/// The kinds of failure a caller has to tell apart. A process that ended while it was looked at is
/// [`Gone`](Self::Gone), which for most callers is no failure at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// It is not there (`ENOENT`, `ESRCH`, `ENODEV`): a process that ended, a cgroup that was
    /// removed, a file this kernel does not have.
    Gone,
    /// It is there, and this process may not use it (`EACCES`, `EPERM`).
    Forbidden,
    /// It is there and was read, and does not say what it must say.
    Malformed {
        /// What was looked for and not found.
        what: &'static str,
    },
    /// Anything else, as the kernel put it.
    Other(Errno),
}

impl From<Errno> for ReadError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::SRCH | Errno::NODEV => Self::Gone,
            Errno::ACCESS | Errno::PERM => Self::Forbidden,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("not there"),
            Self::Forbidden => f.write_str("not allowed"),
            Self::Malformed { what } => write!(f, "malformed: {what}"),
            Self::Other(errno) => write!(f, "the kernel answered: {errno}"),
        }
    }
}

impl core::error::Error for ReadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vanished_process_a_removed_cgroup_and_a_missing_file_are_all_gone() {
        for errno in [Errno::NOENT, Errno::SRCH, Errno::NODEV] {
            assert_eq!(ReadError::from(errno), ReadError::Gone);
        }
        for errno in [Errno::ACCESS, Errno::PERM] {
            assert_eq!(ReadError::from(errno), ReadError::Forbidden);
        }
        assert_eq!(ReadError::from(Errno::INVAL), ReadError::Other(Errno::INVAL));
    }

    #[test]
    fn errors_read_as_the_end_of_a_sentence() {
        let all = [
            ReadError::Gone,
            ReadError::Forbidden,
            ReadError::Malformed { what: "no MemTotal" },
            ReadError::Other(Errno::INVAL),
        ];
        for error in all {
            let text = error.to_string();
            assert!(text.starts_with(char::is_lowercase), "{text}");
            assert!(!text.ends_with('.'), "{text}");
        }
    }
}
