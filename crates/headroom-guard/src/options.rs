//! How a guard is told to run.

use std::path::PathBuf;

use headroom_api::paths;

/// What the command line says; the default guards this machine on the built-in policy.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only say what would be done.
    pub dry_run: bool,
    /// A policy file instead of those under /etc.
    pub policy: Option<PathBuf>,
    /// Where the journal is kept.
    pub state_dir: PathBuf,
    /// Where the socket is.
    pub runtime_dir: PathBuf,
    /// The root under which /proc, /sys and /etc are read.
    pub root: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dry_run: false,
            policy: None,
            state_dir: paths::STATE_DIR.into(),
            runtime_dir: paths::RUNTIME_DIR.into(),
            root: paths::root(),
        }
    }
}
