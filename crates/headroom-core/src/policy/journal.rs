//! How much the guard remembers on the disk: `[journal]` in the policy.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::value::{Size, Written};

/// The sizes of the journal's two rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalValues {
    /// Verdicts and what came of them.
    pub events: Size,
    /// What was measured.
    pub samples: Size,
}

/// What one policy file says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalLayer {
    #[serde(default)]
    events: Option<Size>,
    #[serde(default)]
    samples: Option<Size>,
}

impl JournalLayer {
    /// Lets what `above` says win over this layer.
    pub(super) fn overlay(&mut self, above: &Self) {
        self.events = above.events.or(self.events);
        self.samples = above.samples.or(self.samples);
    }

    /// The complete set, or the name of the first number that no layer gave.
    pub(super) fn complete(&self) -> Result<JournalValues, &'static str> {
        Ok(JournalValues {
            events: self.events.ok_or("events")?,
            samples: self.samples.ok_or("samples")?,
        })
    }

    /// The first size that is too small to be of use or too large to be meant.
    pub(super) fn problem(&self) -> Option<String> {
        [("events", self.events), ("samples", self.samples)].into_iter().find_map(|(name, size)| {
            let sensible = JournalValues::LEAST.0..=JournalValues::MOST.0;
            let size = size.filter(|size| !sensible.contains(&size.0))?;
            Some(format!(
                "journal.{name} = {} is not in {} to {}",
                size.written(),
                JournalValues::LEAST.written(),
                JournalValues::MOST.written()
            ))
        })
    }
}

impl JournalValues {
    /// The smallest ring: what one storm may fill.
    pub const LEAST: Size = Size(crate::units::Kib::from_mib(1));
    /// The largest.
    pub const MOST: Size = Size(crate::units::Kib::from_mib(1024));

    /// The set as lines of a policy file.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        alloc::vec![
            format!("events = {}", self.events.written()),
            format!("samples = {}", self.samples.written()),
        ]
    }
}
