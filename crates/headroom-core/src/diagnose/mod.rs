//! From events to an answer: what belongs together, who held the memory, what to conclude.
//!
//! Everything here is arithmetic on what the log says. Nothing that is only near is called a cause,
//! whoever invoked the killer is never called the culprit, and where the log does not suffice a
//! finding says so.

mod badness;
mod facts;
mod finding;
mod group;
mod holders;
mod incident;

pub use badness::{badness, expected, expected_victim};
pub use facts::{Facts, percent_of};
pub use finding::{Confidence, Finding, Kind, findings};
pub use group::{family, is_database, is_pooled};
pub use holders::{Holder, holders, resident};
pub use incident::{Incident, IncidentKind, incidents};

use crate::oomlog::Event;

/// An event whose time the caller has resolved, as far as it could.
#[derive(Clone, Debug)]
pub struct Dated {
    /// The event.
    pub event: Event,
    /// Microseconds since 1970, UTC.
    pub at_us: Option<i64>,
}
