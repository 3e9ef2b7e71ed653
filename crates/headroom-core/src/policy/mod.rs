//! What the guard goes by: classes, the rules that give them, and the thresholds of relief.
//!
//! A policy is made of layers, each one file: the built-in one, which is complete, and those an
//! administrator wrote, which say only what differs.

mod class;
mod glob;
mod identity;
mod journal;
mod layer;
mod rule;
mod setup;
mod thresholds;
mod value;

#[cfg(test)]
mod shipped;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;

pub use class::Class;
pub use glob::Glob;
pub use identity::{Identity, Role};
pub use journal::JournalValues;
pub use layer::{Layer, Problem};
pub use rule::{Condition, Rule, Slay, UidRange, User};
pub use setup::SetupValues;
pub use thresholds::{THRESHOLD_HELP, THRESHOLD_NAMES, Thresholds, ThresholdsLayer};
pub use value::{Percent, Size, Time};

use crate::snapshot::Process;

/// The text of the built-in policy, which is also the shipped file.
pub const BUILT_IN: &str = include_str!("../../../../policy/policy.toml");

/// What a class or rule says of `oom_score_adj` (`proc_pid_oom_score_adj(5)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// The process keeps the value it has.
    Keep,
    /// The process gets this value, -1000 to 1000.
    Is(i16),
}

/// A cgroup that is guarded as a zone of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its path below the cgroup hierarchy's root, `limited.slice`.
    pub cgroup: String,
}

impl Zone {
    /// Whether that cgroup is this zone's own. A path is as `/proc/PID/cgroup` has it: it begins with a slash.
    #[must_use]
    pub fn is(&self, path: &[u8]) -> bool {
        self.below(path).is_some_and(<[u8]>::is_empty)
    }

    /// Whether that cgroup is this zone's own or lies in it.
    #[must_use]
    pub fn holds(&self, path: &[u8]) -> bool {
        self.below(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// What follows the zone's own path. The root is no zone of a policy's: it is guarded as the machine.
    fn below<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let own = self.cgroup.trim_matches('/').as_bytes();
        path.strip_prefix(b"/")?.strip_prefix(own).filter(|_| !own.is_empty())
    }
}

/// A complete policy, ready to decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The setting of mission M4: false acts early, true allows short peaks.
    pub permissive_memory_management: bool,
    /// The numbers in force while the setting is false.
    pub strict: Thresholds,
    /// The numbers in force while the setting is true.
    pub permissive: Thresholds,
    /// What each class carries, in the order of [`Class::ALL`].
    scores: [Score; Class::ALL.len()],
    /// Cgroups watched beside the machine.
    pub zones: Vec<Zone>,
    /// What `headroom setup` builds the limited zone by.
    pub setup: SetupValues,
    /// How much is remembered on the disk.
    pub journal: JournalValues,
    /// The rules in the order they are asked.
    pub rules: Vec<Rule>,
}

impl Policy {
    /// The built-in policy.
    ///
    /// # Panics
    ///
    /// Never in a build that passed its tests: the built-in text is one of their cases.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the text is a constant and a test parses it")]
    pub fn built_in() -> Self {
        Self::from_layers(&[]).expect("the built-in policy is complete")
    }

    /// The built-in policy with `layers` on it, the later ones winning.
    ///
    /// # Errors
    ///
    /// What is wrong with the whole, though each file alone is well-formed.
    pub fn from_layers(layers: &[Layer]) -> Result<Self, Problem> {
        layer::compose(layers)
    }

    /// The thresholds in force.
    #[must_use]
    pub const fn thresholds(&self) -> &Thresholds {
        if self.permissive_memory_management { &self.permissive } else { &self.strict }
    }

    /// The name of the set in force, as outputs show it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        if self.permissive_memory_management { "permissive" } else { "strict" }
    }

    /// The class of a process and the rule that gave it, its parent's name being unknown: a rule
    /// that asks for one does not match. Never allocates.
    #[must_use]
    pub fn classify(&self, who: &Identity<'_>) -> (Class, Option<u16>) {
        self.classify_child_of(None, who)
    }

    /// The class of a process and the rule that gave it; `parent` is its parent's command name.
    /// Never allocates.
    #[must_use]
    pub fn classify_child_of(
        &self,
        parent: Option<&[u8]>,
        who: &Identity<'_>,
    ) -> (Class, Option<u16>) {
        for (index, rule) in (0u16..).zip(&self.rules) {
            if rule.refuses(who, parent).is_none() {
                return (rule.class, Some(index));
            }
        }
        (Class::Normal, None)
    }

    /// The rule of that index, as [`Self::classify`] gave it.
    #[must_use]
    pub fn rule(&self, index: Option<u16>) -> Option<&Rule> {
        self.rules.get(usize::from(index?))
    }

    /// What a process of this class and rule is to carry.
    #[must_use]
    pub fn score(&self, class: Class, rule: Option<u16>) -> Score {
        let of_rule = self.rule(rule).and_then(|r| r.oom_score_adj);
        of_rule.unwrap_or(self.scores[class as usize])
    }

    /// The value to write for a process that has `current` now, if it is to change. Values move in
    /// the class's own direction only: what is safer already stays as safe as it is, so that what
    /// a vendor's unit sets (`OOMScoreAdjust=`) is respected unless a rule asks for more.
    #[must_use]
    pub fn score_to_set(&self, class: Class, rule: Option<u16>, current: i16) -> Option<i16> {
        let Score::Is(wanted) = self.score(class, rule) else { return None };
        let moves = if class.may_be_slain() { current < wanted } else { current > wanted };
        moves.then_some(wanted)
    }

    /// [`Self::score_to_set`] for a process as it was found: one whose value is not known is left
    /// alone, and so is a protected one.
    #[must_use]
    pub fn score_for(&self, process: &Process) -> Option<i16> {
        if process.protected {
            return None;
        }
        self.score_to_set(process.class, process.rule, process.oom_score_adj?)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::Is(value) => write!(f, "{value}"),
        }
    }
}
