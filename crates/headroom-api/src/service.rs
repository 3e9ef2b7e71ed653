//! `headroom service`: which services may be restarted or reloaded, and what came of it.

use serde::{Deserialize, Serialize};

/// The version of these forms.
pub const VERSION: u32 = 1;

/// The services that may be restarted or reloaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Services {
    /// [`VERSION`].
    pub version: u32,
    /// In the order of the list.
    pub services: Vec<Service>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// The units of it that this node has.
    pub units: Vec<Unit>,
}

/// A unit as systemd sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unit {
    /// Its name.
    pub unit: String,
    /// `active`, `inactive`, `failed`, and so on.
    pub active: String,
    /// The memory of its processes that is theirs alone; `null` when it is not known.
    pub memory_kib: Option<u64>,
}

/// What came of one request: a row for each unit it meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outcomes {
    /// [`VERSION`].
    pub version: u32,
    /// One a unit.
    pub outcomes: Vec<Outcome>,
}

/// What came of it for one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outcome {
    /// The service's name in the list.
    pub service: String,
    /// The unit.
    pub unit: String,
    /// `restart` or `reload`.
    pub action: String,
    /// The job's result as systemd says it: `done`, `failed`, `timeout`, `canceled`, `dependency`, and so on.
    pub result: String,
    /// Whether the service answers; `null` when it is not known where it would.
    pub answers: Option<bool>,
    /// From the last answer before to the first answer after, in milliseconds; 0 when it was never away.
    pub away_ms: Option<u64>,
    /// From the request to the answer, in milliseconds.
    pub took_ms: u64,
    /// Memory of its processes before.
    pub before_kib: Option<u64>,
    /// Memory of its processes after.
    pub after_kib: Option<u64>,
    /// Somebody else had asked for the same just before, and this is what came of that.
    pub shared: bool,
    /// What is worth knowing besides.
    pub detail: Option<String>,
}

impl Outcome {
    /// Whether it was done and the service answers, as far as that can be known.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.result == "done" && self.answers != Some(false)
    }
}
