//! One policy file, and how several become a policy.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::journal::JournalLayer;
use super::setup::SetupLayer;
use super::{BUILT_IN, Class, Policy, Rule, Score, ThresholdsLayer, Zone};
use crate::settings::Value;

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the reader was given it.
    pub origin: String,
    /// Line and column from 1, where the text itself is at fault.
    pub place: Option<(usize, usize)>,
    /// What is wrong and, where there is one, what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.origin, self.message),
            None => write!(f, "{}: {}", self.origin, self.message),
        }
    }
}

impl core::error::Error for Problem {}

/// What one file says. Everything may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    origin: String,
    text: LayerText,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerText {
    permissive_memory_management: Option<bool>,
    #[serde(default)]
    strict: ThresholdsLayer,
    #[serde(default)]
    permissive: ThresholdsLayer,
    #[serde(default)]
    class: Scores,
    zone: Option<Vec<Zone>>,
    #[serde(default)]
    setup: SetupLayer,
    #[serde(default)]
    journal: JournalLayer,
    #[serde(default)]
    rule: Vec<Rule>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scores {
    expendable: Option<Score>,
    normal: Option<Score>,
    essential: Option<Score>,
    system: Option<Score>,
}

impl Scores {
    const fn of(&self, class: Class) -> Option<Score> {
        match class {
            Class::Expendable => self.expendable,
            Class::Normal => self.normal,
            Class::Essential => self.essential,
            Class::System => self.system,
        }
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Word(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Number(n)) => i16::try_from(n)
                .ok()
                .filter(|n| (-1000..=1000).contains(n))
                .map(Self::Is)
                .ok_or_else(|| D::Error::custom(format!("{n} is not in -1000..1000"))),
            Ok(Written::Word(word)) if word == "keep" => Ok(Self::Keep),
            _ => Err(D::Error::custom("expected a number in -1000..1000 or \"keep\"")),
        }
    }
}

impl Layer {
    /// Reads one file's text. `origin` is its path, for messages.
    ///
    /// # Errors
    ///
    /// The first problem, with its line and the nearest known key for a misspelt one.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Problem> {
        let parsed: LayerText = toml::from_str(text).map_err(|e| Problem {
            origin: origin.into(),
            place: e.span().map(|span| place_of(text, span.start)),
            message: with_suggestion(e.message()),
        })?;
        let layer = Self { origin: origin.into(), text: parsed };
        layer.check(text)?;
        Ok(layer)
    }

    /// Looks up the users that rules name. `text` is what the layer was parsed from, `uid_of` knows
    /// the node's users.
    ///
    /// # Errors
    ///
    /// The first name that no user has: a rule for nobody is a slip of the pen.
    pub fn resolve_users(
        &mut self,
        text: &str,
        uid_of: &mut dyn FnMut(&str) -> Option<u32>,
    ) -> Result<(), Problem> {
        for user in self.text.rule.iter_mut().flat_map(|rule| &mut rule.user) {
            user.uid = Some(uid_of(&user.name).ok_or_else(|| Problem {
                origin: self.origin.clone(),
                place: Some(place_of(text, user.at)),
                message: format!(
                    "there is no user \"{}\" in /etc/passwd; one from a directory service \
                     goes by number: uid = [\"1000\"]",
                    user.name
                ),
            })?);
        }
        Ok(())
    }

    /// Whether it says nothing but what [settings](crate::settings) may say.
    pub(crate) fn has_settings_only(&self) -> bool {
        let LayerText { permissive_memory_management, strict, permissive, .. } = self.text;
        let settings =
            LayerText { permissive_memory_management, strict, permissive, ..LayerText::default() };
        self.text == settings
    }

    /// What it says of the setting of that name.
    pub(crate) fn setting(&self, name: &str) -> Option<Value> {
        match name.split_once('.') {
            None => self
                .text
                .permissive_memory_management
                .filter(|_| name == crate::settings::PERMISSIVE)
                .map(Value::Boolean),
            Some(("strict", name)) => self.text.strict.get(name),
            Some(("permissive", name)) => self.text.permissive.get(name),
            Some(_) => None,
        }
    }

    /// The second look: what is well-formed and yet cannot be meant.
    fn check(&self, text: &str) -> Result<(), Problem> {
        if let Some(message) = self.text.journal.problem() {
            let place = text.lines().position(|l| l.trim() == "[journal]").map(|at| (at + 1, 1));
            return Err(Problem { origin: self.origin.clone(), place, message });
        }
        for rule in &self.text.rule {
            let place = text
                .lines()
                .position(|l| l.contains("name") && l.contains(rule.name.as_str()))
                .map(|at| (at + 1, 1));
            let refuse =
                |message: String| Err(Problem { origin: self.origin.clone(), place, message });
            if rule.name.is_empty() {
                return refuse("a rule needs a name".into());
            }
            if !rule.has_condition() {
                return refuse(format!(
                    "rule \"{}\" has no condition and would match every process; \
                     give it at least a unit, slice, cgroup, exe, command, comm, user or uid",
                    rule.name
                ));
            }
        }
        Ok(())
    }
}

/// The built-in layer and `above` it, in rising precedence.
pub(super) fn compose(above: &[Layer]) -> Result<Policy, Problem> {
    let built_in = Layer::parse("built-in policy", BUILT_IN)?;
    let mut permissive_memory_management = None;
    let (mut strict, mut permissive) = (ThresholdsLayer::default(), ThresholdsLayer::default());
    let mut scores = [None; Class::ALL.len()];
    let mut zones = None;
    let mut setup = SetupLayer::default();
    let mut journal = JournalLayer::default();
    let mut rules = Vec::new();
    for layer in core::iter::once(&built_in).chain(above) {
        let text = &layer.text;
        permissive_memory_management =
            text.permissive_memory_management.or(permissive_memory_management);
        strict.overlay(&text.strict);
        permissive.overlay(&text.permissive);
        for (score, class) in scores.iter_mut().zip(Class::ALL) {
            *score = text.class.of(class).or(*score);
        }
        zones = text.zone.clone().or(zones);
        setup.overlay(&text.setup);
        journal.overlay(&text.journal);
        // The administrator's rules are asked first, those of the last file before the others.
        rules.splice(0..0, text.rule.iter().cloned());
    }
    let origin = || above.last().map_or(&built_in, |l| l).origin.clone();
    let missing = |table: &str, name: &str| Problem {
        origin: origin(),
        place: None,
        message: format!("no layer gives {table}.{name}"),
    };
    if rules.len() > usize::from(u16::MAX) {
        let message = format!("{} rules are more than the guard can number", rules.len());
        return Err(Problem { origin: origin(), place: None, message });
    }
    Ok(Policy {
        permissive_memory_management: permissive_memory_management.unwrap_or(false),
        strict: strict.complete().map_err(|name| missing("strict", name))?,
        permissive: permissive.complete().map_err(|name| missing("permissive", name))?,
        scores: scores.map(|score| score.unwrap_or(Score::Keep)),
        zones: zones.unwrap_or_default(),
        setup: setup.complete().map_err(|name| missing("setup", name))?,
        journal: journal.complete().map_err(|name| missing("journal", name))?,
        rules,
    })
}

/// Line and column, both from 1, of a place in bytes.
fn place_of(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Adds the nearest known key to a message about an unknown one. serde lists the keys of the very
/// table it stands in: "unknown field `flor`, expected one of `floor`, `floor_min`".
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown field")) else {
        return message.trim_end().to_string();
    };
    let nearest = quoted.map(|known| (crate::text::distance(unknown, known), known)).min();
    match nearest {
        Some((far, known)) if far <= 1 + unknown.len() / 3 => {
            format!("unknown key \"{unknown}\"; did you mean \"{known}\"?")
        }
        _ => message.replacen("unknown field", "unknown key", 1),
    }
}
