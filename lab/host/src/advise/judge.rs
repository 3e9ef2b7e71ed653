//! Whether a mistake was found, alone, and with its figure.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use lab_facts::Case;
use serde::{Deserialize, Serialize};

use super::WELL;

/// A figure may be so many percent off.
const TOLERANCE: f64 = 20.0;

/// What `headroom advise --format json` printed, as far as it is judged.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Advices {
    advices: Vec<Advice>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Advice {
    id: String,
    title: String,
    saves_kib: Option<u64>,
    cuts_peak_kib: Option<u64>,
}

impl Advices {
    fn ids(&self) -> Vec<String> {
        self.advices.iter().map(|advice| advice.id.clone()).collect()
    }
}

/// What it said before the mistake, with it, and after the advice was followed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    before: Advices,
    found: Advices,
    after: Option<Advices>,
}

impl Said {
    /// Reads what a case left in its folder; what it never came to say is empty.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| -> Result<Option<Advices>> {
            let Ok(text) = fs::read_to_string(folder.join(name)) else { return Ok(None) };
            let all = serde_json::from_str(&text)
                .with_context(|| format!("reading {name} of {}", folder.display()))?;
            Ok(Some(all))
        };
        Ok(Self {
            before: read("before.json")?.unwrap_or_default(),
            found: read("advise.json")?.unwrap_or_default(),
            after: read("after.json")?,
        })
    }
}

/// One case, judged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The case's folder.
    pub(crate) name: String,
    /// `right`, or what is wrong.
    pub(crate) verdict: String,
    /// What the advice that should find it says.
    pub(crate) title: Option<String>,
    /// Advices there were before the mistake was made; there should be none.
    pub(crate) before: Vec<String>,
    /// All advices, in their order.
    pub(crate) found: Vec<String>,
    pub(crate) said_mib: Option<u64>,
    pub(crate) truth_mib: Option<u64>,
    pub(crate) followed: Option<Followed>,
    pub(crate) took_s: f64,
}

/// The same storm before and after the advice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Followed {
    /// Memory in use at the highest.
    pub(crate) peak_before_mib: u64,
    pub(crate) peak_after_mib: u64,
    /// Advices that are left.
    pub(crate) left: Vec<String>,
}

impl Followed {
    /// What it really saved.
    pub(crate) const fn saved_mib(&self) -> u64 {
        self.peak_before_mib.saturating_sub(self.peak_after_mib)
    }
}

impl Row {
    pub(crate) fn is_right(&self) -> bool {
        self.verdict == "right"
    }
}

/// How far a figure is off, in percent of the truth.
pub(crate) fn off(said: u64, truth: u64) -> Option<f64> {
    let number = |value: u64| u32::try_from(value).ok().map(f64::from);
    let (said, truth) = (number(said)?, number(truth).filter(|truth| *truth > 0.0)?);
    Some((said - truth) / truth * 100.0)
}

/// Judges one case: `id` must be found, first, alone, and as large as it is.
pub(crate) fn row(case: &Case, id: &str, said: &Said) -> Row {
    let mib = |kib: u64| kib / 1024;
    let position = said.found.advices.iter().position(|advice| advice.id == id);
    let advice = position.and_then(|at| said.found.advices.get(at));
    let said_mib = advice.and_then(|advice| advice.saves_kib.max(advice.cuts_peak_kib)).map(mib);
    let found = said.found.ids();
    let followed = case.storms.map(|[first, second]| Followed {
        peak_before_mib: mib(first.peak_kib),
        peak_after_mib: mib(second.peak_kib),
        left: said.after.as_ref().map(Advices::ids).unwrap_or_default(),
    });
    let off = said_mib.zip(case.truth_mib).and_then(|(said, truth)| off(said, truth));
    let verdict = match (&case.failed, position, off) {
        (Some(failed), ..) => format!("failed: {failed}"),
        _ if case.name == WELL && found.is_empty() => "right".to_owned(),
        _ if case.name == WELL => {
            format!("advice where there is nothing to say: {}", found.join(", "))
        }
        (_, None, _) => "not found".to_owned(),
        (_, Some(at), _) if at > 0 => format!("found in place {}", at + 1),
        (_, _, None) => "found, and no figure to compare".to_owned(),
        (_, _, Some(off)) if off.abs() > TOLERANCE => format!("{off:+.0} % off"),
        _ => "right".to_owned(),
    };
    Row {
        name: case.name.clone(),
        verdict,
        title: advice.map(|advice| advice.title.clone()),
        before: said.before.ids(),
        found,
        said_mib,
        truth_mib: case.truth_mib,
        followed,
        took_s: case.took_s.round(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(advices: &[(&str, u64)]) -> Said {
        let advice = |(id, mib): &(&str, u64)| Advice {
            id: (*id).to_owned(),
            cuts_peak_kib: Some(mib * 1024),
            ..Advice::default()
        };
        let found = Advices { advices: advices.iter().map(advice).collect() };
        Said { found, ..Said::default() }
    }

    fn verdict(advices: &[(&str, u64)], truth_mib: Option<u64>) -> String {
        let case = Case { name: "x".to_owned(), truth_mib, ..Case::default() };
        row(&case, "no-swap", &said(advices)).verdict
    }

    #[test]
    fn a_mistake_must_be_found_first_and_with_its_figure() {
        assert_eq!(verdict(&[("no-swap", 110)], Some(100)), "right");
        assert_eq!(verdict(&[("no-swap", 130)], Some(100)), "+30 % off");
        assert_eq!(verdict(&[("no-swap", 70)], Some(100)), "-30 % off");
        assert_eq!(verdict(&[("psi-off", 1), ("no-swap", 90)], Some(100)), "found in place 2");
        assert_eq!(verdict(&[("psi-off", 1)], Some(100)), "not found");
        assert_eq!(verdict(&[("no-swap", 1)], None), "found, and no figure to compare");
    }

    #[test]
    fn a_node_as_it_should_be_yields_nothing() {
        let case = Case { name: WELL.to_owned(), ..Case::default() };
        assert!(row(&case, "nothing", &said(&[])).is_right());
        assert!(row(&case, "nothing", &said(&[("no-swap", 9)])).verdict.contains("no-swap"));
    }
}
