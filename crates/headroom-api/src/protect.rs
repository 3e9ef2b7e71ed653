//! `headroom protect`: what is asked of the agent, and what it answers.

use serde::{Deserialize, Serialize};

/// The version of these forms.
pub const VERSION: u32 = 1;

/// A protection that was given to the process that asked, and by it to all that it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Granted {
    /// [`VERSION`].
    pub version: u32,
    /// To whom, by the kernel's word.
    pub pid: i32,
    /// How much it may take with what it starts.
    pub budget_kib: u64,
    /// When the protection ends; `null` when it does not.
    pub until: Option<String>,
    /// What is worth saying all the same.
    pub warnings: Vec<String>,
}

/// What the protected jobs may take together, and what they do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Budget {
    /// [`VERSION`].
    pub version: u32,
    /// The zone it is a share of, `/` for the machine.
    pub zone: String,
    /// What all protected jobs may take together.
    pub limit_kib: u64,
    /// What they take now.
    pub used_kib: u64,
    /// Jobs that one user may have protected at once.
    pub per_user: u32,
    /// Seconds after which a protection ends; `null` when none does.
    pub time_s: Option<u64>,
    /// The jobs, children left out.
    pub jobs: Vec<Job>,
}

/// One protected job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// Its first process.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// Whose.
    pub user: String,
    /// Since when.
    pub since: String,
    /// What it takes with its children.
    pub rss_kib: u64,
    /// How much it may take.
    pub budget_kib: Option<u64>,
}
