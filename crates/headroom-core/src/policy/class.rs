//! What a process is to the shop.

use core::fmt;

use serde::Deserialize;

/// The classes, from the one that goes first to the one that never goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Goes first: the application user's scripts, cron jobs and ssh sessions.
    Expendable,
    /// Not known to matter and not known not to: touched only when nothing expendable is left.
    #[default]
    Normal,
    /// The shop: never touched.
    Essential,
    /// Root's own automation and what the node stands on: never touched.
    System,
}

impl Class {
    /// All classes, in their order.
    pub const ALL: [Self; 4] = [Self::Expendable, Self::Normal, Self::Essential, Self::System];

    /// Its name in the policy file and in every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expendable => "expendable",
            Self::Normal => "normal",
            Self::Essential => "essential",
            Self::System => "system",
        }
    }

    /// Whether relief may ever end a process of this class.
    #[must_use]
    pub const fn may_be_slain(self) -> bool {
        matches!(self, Self::Expendable | Self::Normal)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
