//! `headroom status` and `headroom rank` as JSON (`contract`). Sizes are KiB, unknown is `null`.

use serde::{Deserialize, Serialize};

use crate::history::Incident;

/// The version of both forms.
pub const VERSION: u32 = 1;

/// The node as the guard sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// [`VERSION`].
    pub version: u32,
    /// The guard itself.
    pub guard: Guard,
    /// The machine and the zones below it.
    pub zones: Vec<Zone>,
    /// Totals by class, from the most to the least needed.
    pub classes: Vec<ClassTotal>,
    /// What runs protected.
    pub protected: Vec<Protected>,
    /// Who would go next, the first few of [`Rank::rank`].
    pub next: Vec<Ranked>,
    /// The last incidents, the newest first.
    pub incidents: Vec<Incident>,
}

/// Who keeps watch and how well it can.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Guard {
    /// Whether a guard runs; without one the rest was sensed for this answer alone.
    pub running: bool,
    /// It only says what it would do.
    pub dry_run: bool,
    /// The set of thresholds in force, `strict` or `permissive`.
    pub policy: String,
    /// Its version.
    pub release: String,
    /// What it would need and does not have.
    pub missing: Vec<Missing>,
    /// Its pid.
    pub pid: Option<i32>,
    /// When it started.
    pub since: Option<String>,
    /// Its resident memory.
    pub rss_kib: Option<u64>,
    /// Processor time it has used, in milliseconds.
    pub cpu_ms: Option<u64>,
}

/// A thing the guard would need, and what it does instead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Missing {
    /// What is missing.
    pub what: String,
    /// Why.
    pub why: String,
    /// What is done instead.
    pub instead: String,
}

/// Memory of one zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Zone {
    /// `/` for the machine, else the cgroup's path.
    pub path: String,
    /// Its limit; the machine's is its RAM.
    pub limit_kib: u64,
    /// What can be taken, reclaim of caches included.
    pub available_kib: u64,
    /// What can be taken without hurting an essential process.
    pub headroom_kib: u64,
    /// What is never handed out to expendables.
    pub floor_kib: u64,
    /// Per cent of the last 10 s in which some task stalled for memory.
    pub some_avg10: Option<f64>,
    /// Per cent of the last 10 s in which all tasks stalled for memory.
    pub full_avg10: Option<f64>,
    /// The kernel's OOM kills since boot, for a zone since it was made.
    pub kernel_oom_kills: Option<u64>,
}

/// What the processes of a class hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClassTotal {
    /// The class.
    pub class: String,
    /// How many.
    pub processes: u64,
    /// The sum of their resident memory; pages they share count for each.
    pub rss_kib: u64,
}

/// One process that was made unkillable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Protected {
    /// Which.
    pub pid: i32,
    /// Its name.
    pub comm: String,
    /// Who asked.
    pub user: String,
    /// Since when.
    pub since: String,
    /// How much it may take.
    pub budget_kib: Option<u64>,
    /// Resident memory.
    pub rss_kib: u64,
    /// The protected process it descends from, when it was not protected itself.
    pub by: Option<i32>,
}

/// The kill order of a zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rank {
    /// [`VERSION`].
    pub version: u32,
    /// The first goes first.
    pub rank: Vec<Ranked>,
}

/// One place in the kill order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ranked {
    /// From 1.
    pub position: u64,
    /// Which.
    pub pid: i32,
    /// With the pid, which one for ever.
    pub start_ticks: u64,
    /// Its name.
    pub comm: String,
    /// The beginning of its command line.
    pub cmdline: Option<String>,
    /// Its effective user.
    pub uid: u32,
    /// Its class.
    pub class: String,
    /// The rule that gave the class.
    pub rule: Option<String>,
    /// Its `oom_score_adj`.
    pub oom_score_adj: Option<i16>,
    /// Resident memory.
    pub rss_kib: u64,
    /// What its end would really return.
    pub gives_back_kib: u64,
    /// How long it has run, in seconds.
    pub age_s: f64,
    /// It is stopped.
    pub paused: bool,
    /// Why it stands here.
    pub reason: String,
}
