//! `headroom advise --format json`, version 1: fields may be added, never renamed or dropped.
//!
//! Sizes are KiB, unknown is `null`.

use serde::{Deserialize, Serialize};

use crate::explain::Confidence;

/// The version this form has.
pub const VERSION: u32 = 1;

/// Everything there is to advise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advices {
    /// [`VERSION`].
    pub version: u32,
    /// The node's RAM.
    pub ram_kib: Option<u64>,
    /// What gives back most comes first.
    pub advices: Vec<Advice>,
    /// What could not be read or understood.
    pub unread: Vec<Unread>,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The kind of advice, for scripts.
    pub id: String,
    /// One sentence.
    pub title: String,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// Memory that comes back at once and stays.
    pub saves_kib: Option<u64>,
    /// Memory by which the highest demand falls.
    pub cuts_peak_kib: Option<u64>,
    /// What it may break.
    pub risk: Risk,
    /// The command or the lines of configuration.
    pub command: String,
    /// How to see afterwards that it worked.
    pub check: String,
    /// How sure it is.
    pub confidence: Confidence,
}

/// Where something was read, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `file:line`, or what else was looked at.
    pub source: String,
    /// What stands there, with its figures.
    pub what: String,
}

/// What following an advice may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Risk {
    Low,
    Medium,
    High,
}

/// What could not be read or understood, and costs the answer nothing but itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// `file:line`, or what else was looked at.
    pub source: String,
    /// What is wrong with it.
    pub why: String,
}
