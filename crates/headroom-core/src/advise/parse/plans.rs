//! The catalogue of plans: what one could rent instead, with its memory and its price.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::policy::Size;
use crate::units::Kib;

/// The catalogue that is shipped; an administrator puts the own one in its place.
pub const SHIPPED: &str = include_str!("../../../../../contrib/plans.toml");

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Its memory.
    pub memory: Kib,
    /// What it costs, in the words of the catalogue.
    pub price: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    #[serde(default)]
    plan: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    memory: Size,
    price: Option<String>,
}

/// Reads a catalogue; the smallest plan comes first.
///
/// # Errors
/// What is wrong with it, with its line.
pub fn plans(text: &str) -> Result<Vec<Plan>, String> {
    let catalogue: Catalogue = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| {
            let before = text.get(..span.start).unwrap_or_default();
            format!("line {}: ", before.matches('\n').count() + 1)
        });
        format!("{}{}", line.unwrap_or_default(), error.message())
    })?;
    let mut plans: Vec<Plan> = catalogue
        .plan
        .into_iter()
        .map(|entry| Plan { name: entry.name, memory: entry.memory.0, price: entry.price })
        .collect();
    if let Some(plan) = plans.iter().find(|plan| plan.memory == Kib::ZERO) {
        return Err(format!("plan {} has no memory", plan.name));
    }
    plans.sort_by(|a, b| a.memory.cmp(&b.memory).then_with(|| a.name.cmp(&b.name)));
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_is_one() {
        let plans = plans(SHIPPED).unwrap();
        assert!(plans.len() >= 4);
        assert!(plans.windows(2).all(|pair| pair[0].memory <= pair[1].memory));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let text = "[[plan]]\nname = \"S\"\nmemory = \"2 bananas\"\n";
        let why = plans(text).unwrap_err();
        assert!(why.starts_with("line 3: ") && why.contains("bananas"), "{why}");
        assert!(plans("[[plan]]\nname = \"S\"\nram = \"2GiB\"\n").is_err());
        assert!(plans("[[plan]]\nname = \"S\"\nmemory = \"0GiB\"\n").is_err());
    }
}
