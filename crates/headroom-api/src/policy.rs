//! `headroom policy test` as JSON: which rule takes a process, and why no earlier one does.

use serde::{Deserialize, Serialize};

/// The version of this form.
pub const VERSION: u32 = 1;

/// The answer for one process or command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// [`VERSION`].
    pub version: u32,
    /// Who was asked about.
    pub process: Process,
    /// The class.
    pub class: String,
    /// The rule that gave it; `null` when only the default did.
    pub rule: Option<String>,
    /// The `oom_score_adj` it is to carry; `null` to keep what it has.
    pub oom_score_adj: Option<i16>,
    /// The value the guard would write now; `null` when it would leave it.
    pub would_set: Option<i16>,
    /// The rules asked before, in their order.
    pub earlier: Vec<Earlier>,
}

/// All that rules may go by. What is unknown is `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its pid; `null` for a command that does not run.
    pub pid: Option<i32>,
    /// Effective user.
    pub uid: u32,
    /// Command name.
    pub comm: String,
    /// Executable.
    pub exe: Option<String>,
    /// Command line or title.
    pub command: Option<String>,
    /// Path of its cgroup.
    pub cgroup: Option<String>,
    /// The system unit it belongs to.
    pub unit: Option<String>,
    /// Whether it belongs to a login session.
    pub session: Option<bool>,
    /// The part it plays in its program.
    pub role: Option<String>,
    /// The value it has now.
    pub oom_score_adj: Option<i16>,
    /// The parent's command name.
    pub parent: Option<String>,
    /// The parent's effective user.
    pub parent_uid: Option<u32>,
    /// The parent's executable.
    pub parent_exe: Option<String>,
}

/// A rule that did not match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Its name.
    pub rule: String,
    /// The class it would have given.
    pub class: String,
    /// The first of its conditions that does not hold.
    pub failed: String,
    /// What that condition accepts.
    pub accepted: Vec<String>,
    /// What was found instead.
    pub found: Option<String>,
}
