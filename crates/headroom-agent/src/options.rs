//! How an agent is told to run.

use std::path::PathBuf;

use headroom_api::paths;

/// What the command line says; the default serves this machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// A configuration file instead of the one under /etc.
    pub config: Option<PathBuf>,
    /// Where the store is kept and the guard's journal is found.
    pub state_dir: PathBuf,
    /// Where the sockets are.
    pub runtime_dir: PathBuf,
    /// The root under which /proc and /etc are read.
    pub root: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: None,
            state_dir: paths::STATE_DIR.into(),
            runtime_dir: paths::RUNTIME_DIR.into(),
            root: paths::root(),
        }
    }
}
