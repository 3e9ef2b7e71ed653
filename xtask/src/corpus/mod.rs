//! `cargo xtask corpus`: every report of the corpus through `headroom explain --format json`, and what
//! differs from its rows in INDEX.tsv and EVENTS.tsv.

mod compare;
mod rows;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{Outcome, say, tree};
use compare::Difference;
use rows::Rows;

/// What to read.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder with the reports, INDEX.tsv and EVENTS.tsv; else $HEADROOM_CORPUS, else
    /// ../shared/corpus beside the project
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Read with this program instead of building one
    #[arg(long, value_name = "HEADROOM")]
    program: Option<PathBuf>,
}

/// Compares and prints a table of what differs.
pub(crate) fn run(args: &Args) -> Outcome {
    let Some(folder) = args.folder.clone().or_else(beside) else {
        bail!("there is no corpus beside the project; name its folder, or set HEADROOM_CORPUS");
    };
    let program = match &args.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    let outcome = compare(&folder, &program)?;
    write!(io::stdout(), "{}", outcome.table())?;
    Ok(if outcome.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// For `cargo xtask test`: an error if anything differs; `false` when there is no corpus.
pub(crate) fn check() -> Result<bool> {
    let Some(folder) = beside() else { return Ok(false) };
    let outcome = compare(&folder, &build()?)?;
    if !outcome.differences.is_empty() {
        bail!("not all of the corpus reads as its rows say\n{}", outcome.table());
    }
    say(&outcome.summary());
    Ok(true)
}

/// The corpus where it is expected, if it is there.
fn beside() -> Option<PathBuf> {
    let folder = env::var_os("HEADROOM_CORPUS")
        .filter(|folder| !folder.is_empty())
        .map_or_else(|| tree::root().join("../shared/corpus"), PathBuf::from);
    folder.join("INDEX.tsv").is_file().then_some(folder)
}

fn build() -> Result<PathBuf> {
    let mut command = tree::cargo(["build", "--quiet", "--package", "headroom-cli"]);
    // Cargo says itself where it puts what it builds, wherever that is.
    command.args(["--bin", "headroom", "--message-format", "json"]);
    let output =
        command.stderr(std::process::Stdio::inherit()).output().context("starting cargo")?;
    if !output.status.success() {
        bail!("building headroom failed ({})", output.status);
    }
    let messages = String::from_utf8(output.stdout).context("reading what cargo built")?;
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.context("cargo built no program")
}

/// What came of all files.
#[derive(Debug, Default)]
struct Compared {
    files: usize,
    wrong: usize,
    events: usize,
    differences: Vec<Difference>,
}

fn compare(folder: &Path, program: &Path) -> Result<Compared> {
    let rows = Rows::read(folder)?;
    let mut compared = Compared::default();
    for file in rows.files() {
        let found = explain(program, folder, &file.name)?;
        let differences = compare::file(file, &found);
        compared.files += 1;
        compared.events += found.len();
        compared.wrong += usize::from(!differences.is_empty());
        compared.differences.extend(differences);
    }
    if compared.files == 0 {
        bail!("{}: INDEX.tsv names no file", folder.display());
    }
    Ok(compared)
}

/// The events of a file, in the order of their first lines.
fn explain(program: &Path, folder: &Path, name: &str) -> Result<Vec<Value>> {
    let output = Command::new(program)
        .args(["explain", "--format", "json", "--", name])
        .current_dir(folder)
        .env_remove("HEADROOM_ROOT")
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    // 1 is the answer that nothing was found.
    if !matches!(output.status.code(), Some(0 | 1)) {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{name}: headroom ended with {}: {}", output.status, said.trim());
    }
    let json: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{name}: reading headroom's JSON"))?;
    let incidents = json["incidents"].as_array().cloned().unwrap_or_default();
    let mut events: Vec<Value> = incidents
        .iter()
        .filter_map(|incident| incident["events"].as_array())
        .flatten()
        .cloned()
        .collect();
    events.sort_by_key(|event| event["source"]["line"].as_u64());
    Ok(events)
}

impl Compared {
    fn summary(&self) -> String {
        format!(
            "{} of {} files read as their rows say, {} events",
            self.files - self.wrong,
            self.files,
            self.events
        )
    }

    /// A line a difference, and the counts alone on the last.
    fn table(&self) -> String {
        let mut text = String::new();
        let width = |column: fn(&Difference) -> &str| {
            self.differences.iter().map(|d| column(d).chars().count()).max().unwrap_or(0)
        };
        let (file, field) = (width(|d| d.file.as_str()), width(|d| d.field.as_str()));
        for difference in &self.differences {
            text.push_str(&format!(
                "{:<file$}  {:<field$}  {}, not {}\n",
                difference.file, difference.field, difference.found, difference.expected
            ));
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_file_by_file() {
        let difference = Difference {
            file: "a.log".into(),
            field: "#1 invoker".into(),
            found: "sed".into(),
            expected: "awk".into(),
        };
        let compared = Compared { files: 2, wrong: 1, events: 3, differences: vec![difference] };
        let table = compared.table();
        assert_eq!(
            table,
            "a.log  #1 invoker  sed, not awk\n1 of 2 files read as their rows say, 3 events\n"
        );
    }

    #[test]
    fn the_fixtures_in_the_tree_have_rows_that_can_be_read() {
        let folder = tree::root().join("crates/headroom-core/tests/data");
        let rows = Rows::read(&folder).unwrap();
        assert!(rows.files().len() > 5);
        assert!(rows.files().iter().all(|file| folder.join(&file.name).is_file()));
    }
}
