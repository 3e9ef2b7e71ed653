//! What the node tells of a run of `headroom advise`: figures alone, what it printed is among the logs.

use serde::{Deserialize, Serialize};

/// Every case of one boot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Advised {
    /// `uname -r` of the node.
    pub kernel: String,
    /// `MemTotal` of the node.
    pub ram_kib: u64,
    /// What became of each case, in the order they were laid over the node.
    pub cases: Vec<Case>,
}

/// One mistake laid over the node, looked for, measured and taken away again. Its logs lie in a folder of its
/// name: `advise.json` and `after.json` are what `headroom advise` said before it was followed and after, in the
/// first one's `before.json` what it said of the well-configured node.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Case {
    /// Its folder's name.
    pub name: String,
    /// The step that failed and how, if one did.
    pub failed: Option<String>,
    /// What its program measured the mistake to cost.
    pub truth_mib: Option<u64>,
    /// The storm before the advice was followed, and after it, where both were measured.
    pub storms: Option<[Storm; 2]>,
    /// How long it took, in the node's seconds.
    pub took_s: f64,
}

/// Memory in use by processes and the kernel, swap included: `MemTotal - MemAvailable + SwapTotal - SwapFree`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// When it began.
    pub before_kib: u64,
    /// At its highest.
    pub peak_kib: u64,
}
