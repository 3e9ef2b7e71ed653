//! From events to an answer: what belongs together, who held the memory, what to conclude.
//!
//! Everything here is arithmetic on what logs say. Nothing that is only near is called a cause,
//! whoever invoked the killer is never called the culprit, and where the log does not suffice a
//! finding says so.

mod badness;
mod beside;
mod context;
mod facts;
mod finding;
mod group;
mod holders;
mod impostor;
mod incident;
mod recurrence;
mod release;

pub use badness::{
    Badness, Candidate, badness, expected, expected_victim, kill_order, next_in_line,
};
pub use beside::{Beside, Use, beside};
pub use context::{Context, Near, Running};
pub use facts::{Facts, percent_of};
pub use finding::{Case, Confidence, Finding, Kind, findings};
pub use group::{Role, family, is_database, is_pooled, role};
pub use holders::{Holder, holders, resident};
pub use incident::{Incident, IncidentKind, incidents};
pub use recurrence::{Repeats, repeats};

use crate::oomlog::Event;

/// An event whose time the caller has resolved, as far as it could.
#[derive(Clone, Debug)]
pub struct Dated {
    /// The event.
    pub event: Event,
    /// Microseconds since 1970, UTC.
    pub at_us: Option<i64>,
}
