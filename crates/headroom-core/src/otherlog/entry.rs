//! What an entry of another log tells.

use alloc::string::{String, ToString};

use super::traffic::Peak;
use crate::oomlog::{Position, Stamp};
use crate::units::Kib;

/// An entry's own text is kept this long.
const KEPT: usize = 400;

/// One entry of a log that is not the kernel's.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its first line.
    pub at: Position,
    /// When it was logged, which for what lasts is its end.
    pub stamp: Stamp,
    /// How long what it tells of had lasted by then.
    pub lasted_us: Option<u64>,
    /// What it tells.
    pub what: What,
    /// The entry itself, in one line, shortened.
    pub text: String,
}

impl Entry {
    /// An entry of something that lasted no time.
    pub(super) fn new(at: Position, stamp: Stamp, what: What, text: &str) -> Self {
        Self { at, stamp, lasted_us: None, what, text: kept(text) }
    }
}

/// What happened, as far as it can bear on memory.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A query in the database's slow log.
    Query {
        /// The rows it read.
        examined: Option<u64>,
        /// Whether it sorted or joined in a temporary table on disk.
        disk_tables: bool,
        /// The statement's beginning.
        statement: String,
    },
    /// A request in php-fpm's slow log.
    SlowRequest {
        /// The pool.
        pool: String,
        /// The worker.
        pid: Option<u32>,
        /// What it ran.
        script: String,
        /// The innermost function.
        inside: String,
    },
    /// All workers of a pool were busy.
    WorkersExhausted {
        /// The pool, or the server.
        pool: String,
        /// The setting's name.
        setting: String,
        /// Its value.
        limit: Option<u64>,
    },
    /// PHP ended a script at its `memory_limit`.
    MemoryLimit {
        /// The limit.
        limit: Kib,
        /// The file and line.
        place: String,
    },
    /// An application's own complaint.
    Complaint {
        /// Its level.
        level: String,
        /// What it says.
        message: String,
    },
    /// A cron job began.
    CronStarted {
        /// Whose.
        user: String,
        /// The PID of its shell, which becomes the command's own where the shell hands over to it.
        pid: Option<u32>,
        /// The command.
        command: String,
    },
    /// A unit lost a process to an OOM kill, or ended because of one.
    UnitKilled {
        /// The unit.
        unit: String,
        /// Whether the whole unit ended.
        ended: bool,
    },
    /// A package was installed, upgraded or removed, or a run of the package manager began.
    Package {
        /// What was done to what.
        action: String,
    },
    /// A new release of the application went live.
    Deployed {
        /// What the log says of it.
        what: String,
    },
    /// Somebody logged in.
    Login {
        /// Who.
        user: String,
        /// From where, where the log says so.
        from: Option<String>,
    },
    /// Somebody ran a command with sudo.
    Command {
        /// Who.
        user: String,
        /// What.
        command: String,
    },
    /// How busy a web server was.
    Requests(Peak),
}

/// A text in one line and no longer than an entry's may be.
pub(super) fn kept(text: &str) -> String {
    let one_line = text.split_whitespace();
    let mut kept = String::new();
    for word in one_line {
        if !kept.is_empty() {
            kept.push(' ');
        }
        if kept.len() + word.len() > KEPT {
            kept.extend(word.chars().take(KEPT.saturating_sub(kept.len())));
            kept.push('…');
            break;
        }
        kept.push_str(word);
    }
    kept
}

/// A short owned copy.
pub(super) fn owned(text: &str) -> String {
    if text.len() <= KEPT { text.to_string() } else { kept(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_entry_is_kept_short_and_in_one_line() {
        assert_eq!(kept("a\n\tb  c"), "a b c");
        assert!(kept(&"ü".repeat(2000)).chars().count() <= KEPT + 1);
        assert!(kept(&"word ".repeat(500)).len() <= KEPT + 8);
    }
}
