//! One step of the tour: what was typed, what was expected of it, and what came.

use serde::{Deserialize, Serialize};

/// A step that was taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its file's name.
    pub name: String,
    /// What it shows, in a sentence.
    pub title: String,
    /// Who logged in.
    pub user: String,
    /// What was typed.
    pub command: String,
    /// What was expected, in words.
    pub expected: Vec<String>,
    /// How the command ended; none when it was ended for taking too long.
    pub exit: Option<i32>,
    /// What it printed, errors included.
    pub output: String,
    /// What root found afterwards, where it looked.
    pub found: String,
    /// Seconds of the node's clock from the login to its end.
    pub took_s: f64,
    /// What was otherwise than expected.
    pub wrong: Vec<String>,
}

impl Step {
    /// Whether all was as expected.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.wrong.is_empty()
    }
}
