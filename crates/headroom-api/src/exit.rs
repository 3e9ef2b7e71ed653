//! How a program of Headroom ends (`contract`: the same codes everywhere).

use std::process::{ExitCode, Termination};

/// The exit codes scripts may lean on; 64, 77 and 78 are those of sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The answer is no: nothing found, not low, refused by policy.
    No = 1,
    /// It was tried and failed.
    Failed = 2,
    /// The command line was wrong (EX_USAGE).
    Usage = 64,
    /// The caller may not do this (EX_NOPERM).
    NotAllowed = 77,
    /// The configuration is bad (EX_CONFIG).
    BadConfiguration = 78,
    /// The command that was to be run is there and cannot be (as shells say it).
    CannotRun = 126,
    /// There is no such command (as shells say it).
    NoCommand = 127,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}
