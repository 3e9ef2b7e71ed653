//! The settings: the part of the policy that may be changed while the guard runs, by command and API.
//! Each has a name, a type, allowed values, a default and one sentence of help.
//!
//! Names are those of the policy file: `permissive_memory_management`, `strict.floor`.

mod chosen;
mod value;

#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::policy::{Policy, THRESHOLD_HELP, Thresholds};

pub use chosen::Chosen;
pub use value::{Kind, Value};

/// The first of all settings (mission M4).
pub const PERMISSIVE: &str = "permissive_memory_management";

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, `strict.floor`.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// One sentence.
    pub help: String,
    place: Place,
}

/// Where in a policy it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Permissive,
    Threshold { set: Set, name: &'static str },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Strict,
    Permissive,
}

impl Set {
    const ALL: [Self; 2] = [Self::Strict, Self::Permissive];

    const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Permissive => "permissive",
        }
    }

    const fn of(self, policy: &Policy) -> &Thresholds {
        match self {
            Self::Strict => &policy.strict,
            Self::Permissive => &policy.permissive,
        }
    }
}

/// All settings, in the order in which they are listed.
#[must_use]
pub fn all() -> Vec<Setting> {
    let mut settings = alloc::vec![Setting {
        name: PERMISSIVE.into(),
        kind: Kind::Boolean,
        help: "False acts early, so that the shop never notices; true allows short peaks and acts late."
            .into(),
        place: Place::Permissive,
    }];
    for set in Set::ALL {
        for (name, help, value) in THRESHOLD_HELP {
            settings.push(Setting {
                name: format!("{}.{name}", set.name()),
                kind: Kind::of(name, value()),
                help: sentence(help),
                place: Place::Threshold { set, name },
            });
        }
    }
    settings
}

/// The setting of that name. A threshold's name alone is not one: it stands in two sets.
///
/// # Errors
///
/// What to write instead.
pub fn find(name: &str) -> Result<Setting, String> {
    let settings = all();
    let mut near: Vec<_> =
        settings.iter().map(|s| (crate::text::distance(name, &s.name), s.name.clone())).collect();
    near.sort();
    let in_sets =
        settings.iter().filter(|s| s.name.split_once('.').is_some_and(|(_, n)| n == name));
    let in_sets: Vec<_> = in_sets.map(|s| s.name.clone()).collect();
    if let Some(found) = settings.into_iter().find(|s| s.name == name) {
        return Ok(found);
    }
    let hint = match near.first() {
        _ if !in_sets.is_empty() => format!("; there are {}", in_sets.join(" and ")),
        Some((far, nearest)) if *far <= 1 + name.len() / 3 => format!("; did you mean {nearest}?"),
        _ => "; \"headroom settings\" lists them".into(),
    };
    // Names come from outside: a long one is not repeated whole.
    let shown: String = name.chars().take(64).collect();
    Err(format!("there is no setting \"{shown}\"{hint}"))
}

impl Setting {
    /// Its value in a policy.
    #[must_use]
    pub fn value_in(&self, policy: &Policy) -> Value {
        match self.place {
            Place::Permissive => Value::Boolean(policy.permissive_memory_management),
            Place::Threshold { set, name } => {
                // Every threshold has a value: the registry is made from them.
                set.of(policy).get(name).unwrap_or(Value::Count(0))
            }
        }
    }

    /// Reads a value that somebody wrote.
    ///
    /// # Errors
    ///
    /// What is allowed instead.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        self.kind.parse(text)
    }
}

/// What is well-formed alone and cannot be meant together.
///
/// # Errors
///
/// The name of the setting at fault, and why.
pub fn check(policy: &Policy) -> Result<(), (String, String)> {
    for set in Set::ALL {
        let thresholds = set.of(policy);
        if thresholds.floor_min > thresholds.floor_max {
            let name = |n: &str| format!("{}.{n}", set.name());
            let value = |n: &str| thresholds.get(n).map_or_else(String::new, |v| format!("{v}"));
            let why = format!(
                "{} ({}) would be above {} ({})",
                name("floor_min"),
                value("floor_min"),
                name("floor_max"),
                value("floor_max")
            );
            return Err((name("floor_min"), why));
        }
    }
    Ok(())
}

/// A documentation comment of the thresholds as one line without Markdown.
fn sentence(help: &str) -> String {
    help.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "")
}
