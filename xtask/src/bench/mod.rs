//! `cargo xtask bench NAME`: measures something, and writes what it measured into docs/benchmarks.md.
//!
//! A bench a file beside this one. Each owns the part of the document between `<!-- bench:NAME -->`
//! and `<!-- /bench:NAME -->` and replaces nothing but that.

mod birth;
mod choose;
mod cost;
mod explain;
mod figures;
mod guard;
mod holders;
mod images;
mod measure;
mod mysqltuner;
mod reflex;
mod release;
mod stall;
mod trace;
mod zone;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::{Outcome, tree};

/// The document, from the project's root.
const DOCUMENT: &str = "docs/benchmarks.md";

/// What the document begins with.
const PREAMBLE: &str = "# Benchmarks

Measured by `cargo xtask bench NAME`, each on the machine it names; a run replaces its own section.
";

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// How fast `headroom explain` reads a large log, beside cat, wc, grep and ripgrep
    Explain(explain::Args),
    /// What the database gives back online beside a restart, and the requests that each costs
    Release(release::Args),
    /// How soon the agent says what a paused job holds, and what asking the database costs
    Holders(holders::Args),
    /// From the kernel's kill to the guard's signal
    Reflex(reflex::Args),
    /// From a program's start to the value its class asks for, at 1,000 starts a second
    Birth(birth::Args),
    /// How long choosing among 10,000 processes takes
    Choose(choose::Args),
    /// What the guard costs a quiet node, beside earlyoom
    Cost(cost::Args),
    /// How fast oversized images are found in a large tree, beside file and identify
    Images(images::Args),
    /// What is said of a misconfigured server's memory, beside MySQLTuner and the truth
    Mysqltuner(mysqltuner::Args),
}

/// Measures and writes.
pub(crate) fn run(bench: &Bench) -> Outcome {
    match bench {
        Bench::Explain(args) => explain::run(args),
        Bench::Release(args) => release::run(args),
        Bench::Holders(args) => holders::run(args),
        Bench::Reflex(args) => reflex::run(args),
        Bench::Birth(args) => birth::run(args),
        Bench::Choose(args) => choose::run(args),
        Bench::Cost(args) => cost::run(args),
        Bench::Images(args) => images::run(args),
        Bench::Mysqltuner(args) => mysqltuner::run(args),
    }
}

/// Writes a bench's section, whose Markdown begins with its own heading, into docs/benchmarks.md.
///
/// # Errors
/// The document cannot be read or written, or holds the section's beginning without its end.
pub(crate) fn write_section(name: &str, section: &str) -> Result<()> {
    let path = tree::root().join(DOCUMENT);
    write_section_to(&path, name, section)
}

fn write_section_to(path: &Path, name: &str, section: &str) -> Result<()> {
    let document = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => PREAMBLE.to_owned(),
        read => read.with_context(|| format!("reading {}", path.display()))?,
    };
    let document = with_section(&document, name, section)
        .with_context(|| format!("writing the section {name} of {}", path.display()))?;
    fs::write(path, document).with_context(|| format!("writing {}", path.display()))
}

/// The document with the section replaced, or added at its end.
fn with_section(document: &str, name: &str, section: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- bench:{name} -->"), format!("<!-- /bench:{name} -->"));
    let own = format!("{begin}\n{}\n{end}", section.trim_end());
    let Some((before, rest)) = document.split_once(&begin) else {
        return Ok(format!("{}\n\n{own}\n", document.trim_end()));
    };
    let Some((_, after)) = rest.split_once(&end) else {
        bail!("there is a {begin} without a {end}; put it back");
    };
    Ok(format!("{before}{own}{after}"))
}

/// What a measurement among the agent's tests prints: they have the database that it needs.
fn measured_by_agent(test: &str, options: &[&str]) -> Result<serde_json::Value> {
    let mut command = tree::cargo(["test", "--package", "headroom-agent", "--lib"]);
    command.args(options).args(["--", test, "--ignored", "--nocapture"]);
    let output = command.output().context("starting cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((_, line)) = text.split_once("BENCH ").filter(|_| output.status.success()) else {
        bail!("nothing was measured:\n{text}{}", String::from_utf8_lossy(&output.stderr));
    };
    let line = line.lines().next().unwrap_or_default();
    serde_json::from_str(line).context("reading what was measured")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_replaces_its_own_section_and_nothing_else() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("benchmarks.md");
        write_section_to(&path, "one", "## One\n\n1\n").unwrap();
        write_section_to(&path, "two", "## Two\n\n2\n").unwrap();
        write_section_to(&path, "one", "## One\n\n3").unwrap();
        let expected = format!(
            "{PREAMBLE}\n<!-- bench:one -->\n## One\n\n3\n<!-- /bench:one -->\n\n\
             <!-- bench:two -->\n## Two\n\n2\n<!-- /bench:two -->\n"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn a_section_without_its_end_is_left_alone() {
        assert!(with_section("<!-- bench:one -->\ntext", "one", "new").is_err());
    }
}
