//! `headroom setup`'s hands: looks at the node, compares the plan with what is there, writes, takes back.

pub(crate) mod apply;
pub(crate) mod change;
pub(crate) mod database;
pub(crate) mod facts;
mod file;
pub(crate) mod record;
pub(crate) mod undo;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What went wrong, where.
#[derive(Debug)]
pub(crate) struct Failure {
    path: PathBuf,
    why: String,
}

impl Failure {
    pub(crate) fn new(path: &Path, why: impl ToString) -> Self {
        Self { path: path.to_path_buf(), why: why.to_string() }
    }

    /// For `map_err` on what was done to `path`.
    pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::new(path, error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}
