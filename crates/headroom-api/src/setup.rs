//! `headroom setup` as JSON: what it would change or has changed.

use serde::{Deserialize, Serialize};

/// The version of this form.
pub const VERSION: u32 = 1;

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// [`VERSION`].
    pub version: u32,
    /// Whether the changes were carried out.
    pub applied: bool,
    /// MemoryMax of the zone; `null` when it is taken back.
    pub limit_kib: Option<u64>,
    /// All changes, in their order.
    pub changes: Vec<Change>,
    /// Running units that change their slice when they are restarted.
    pub restart: Vec<String>,
    /// Statements that make the database user the agent connects as; `null` where there is no database,
    /// and when all is taken back.
    pub grants: Option<String>,
    /// The client that runs them, as root.
    pub grants_client: Option<String>,
    /// Units that were restarted.
    pub restarted: Vec<String>,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its path below the root.
    pub path: String,
    /// `create`, `replace`, `remove`.
    pub change: String,
    /// Why it is not done without --force: `in_the_way`, `edited`.
    pub obstacle: Option<String>,
    /// What it says after the change; `null` when it is removed.
    pub contents: Option<String>,
}
