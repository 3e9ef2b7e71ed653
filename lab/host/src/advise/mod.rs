//! `headroom advise` on nodes that are set up wrongly in known ways: what it finds beside what is true.

mod judge;
pub(crate) mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use lab_facts::Advised;

use crate::cli::AdviseArgs;
use crate::places;
use crate::progress::say;
use crate::run::Lab;
use crate::settings::{self, OWN_GUARD, Policy, Run, WrongUsage};

/// The node that all cases lie over; as a case of its own it has a node of its own.
pub(crate) const WELL: &str = "well-configured";
/// Room for every storm, so that what is taken away shows: no demand is cut off by its end.
const SWAP_MIB: u32 = 1536;

/// Boots as many nodes as it takes, and keeps a row of each case.
pub(crate) fn run(arguments: &AdviseArgs) -> Result<()> {
    let known = settings::folders(&places::lab().join("image/run/misconfigured"))?;
    if let Some(name) = arguments.names.iter().find(|name| !known.contains(name)) {
        let text = format!("no misconfiguration {name:?}; there are {}", known.join(", "));
        return Err(WrongUsage(text).into());
    }
    let names = if arguments.names.is_empty() { known } else { arguments.names.clone() };
    let (well, wrong): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| name == WELL);
    let size = usize::try_from(arguments.at_a_time)?;
    let nodes: Vec<Vec<String>> =
        wrong.chunks(size).map(<[String]>::to_vec).chain([well]).collect();

    let mut runs = Vec::new();
    for names in nodes.into_iter().filter(|names| !names.is_empty()) {
        let mut run = Run::new("idle", OWN_GUARD, Policy::Strict, &arguments.machine)?;
        run.swap_mib = arguments.machine.swap_mib.unwrap_or(SWAP_MIB);
        run.advise = names;
        runs.push(run);
    }
    let lab = Lab::open(&runs, arguments.package.as_deref())?;
    let mut wrong = Vec::new();
    for run in &runs {
        wrong.extend(node(&lab, run, arguments.keep.as_deref())?);
    }
    table::write()?;
    if !wrong.is_empty() {
        bail!("{} cases are not as they should be: {}", wrong.len(), wrong.join(", "));
    }
    Ok(())
}

/// One node with its cases. Gives those that are not as they should be.
fn node(lab: &Lab, run: &Run, keep: Option<&Path>) -> Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let folder = match keep {
        Some(keep) => keep.join(format!("{}-{at}", run.advise.join("-"))),
        None => scratch.path().to_owned(),
    };
    let advised = lab.boot::<Advised>(run, &folder)?.context("the node never got through")?;
    let mut wrong = Vec::new();
    for case in &advised.cases {
        let about = places::lab().join("image/run/misconfigured").join(&case.name).join("about");
        let id = fs::read_to_string(about)?;
        let id = id.split(':').next().unwrap_or_default();
        let said = judge::Said::read(&folder.join(&case.name))?;
        let row = judge::row(case, id, &said);
        say(&format!("{}: {}", case.name, row.verdict));
        if !row.is_right() {
            wrong.push(case.name.clone());
        }
        let build = lab.build_of(run).unwrap_or_default().to_owned();
        let image = lab.image.hash.clone();
        table::append(&table::Kept { at: at.clone(), image, build, node: run.node(), row })?;
    }
    Ok(wrong)
}
