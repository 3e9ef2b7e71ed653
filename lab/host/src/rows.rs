//! The results that are kept: one line of JSON a run, in the tree.
//!
//! A row carries what it depends on, so that nothing is run twice: the image and the terms for a peer,
//! the build as well for ours.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::places;
use crate::run::Lab;
use crate::score::Score;
use crate::settings::Run;

/// What must be equal for two rows to be runs of the same thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    /// The scenario's name, for whoever reads the file.
    pub(crate) scenario: String,
    /// The guard's.
    pub(crate) guard: String,
    /// Headroom's thresholds; none for peers.
    pub(crate) policy: Option<String>,
    /// The image's hash.
    pub(crate) image: String,
    /// The hash of the node's settings, the scenario and the guard's configuration.
    pub(crate) terms: String,
    /// The hash of the build under test; none for peers, which do not depend on it.
    pub(crate) build: Option<String>,
}

/// One run, kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What it is a run of.
    pub(crate) key: Key,
    /// When it began.
    pub(crate) at: String,
    /// The node in words.
    pub(crate) node: String,
    /// The command that does it again.
    pub(crate) command: String,
    /// What came of it; none when the node never got through.
    pub(crate) score: Option<Score>,
}

impl Key {
    /// The key of a run in this lab.
    pub(crate) fn of(lab: &Lab, run: &Run) -> Result<Self> {
        Ok(Self {
            scenario: run.scenario.clone(),
            guard: run.guard.clone(),
            policy: run.is_own().then(|| run.policy.word().to_owned()),
            image: lab.image.hash.clone(),
            terms: run.terms()?,
            build: lab.build_of(run).map(str::to_owned),
        })
    }

    /// Whether it is about the same cell of the tables, in whatever version.
    pub(crate) fn same_cell(&self, other: &Self) -> bool {
        let cell = |key: &Self| (key.scenario.clone(), key.guard.clone(), key.policy.clone());
        cell(self) == cell(other)
    }
}

/// Where the rows are.
pub(crate) fn path() -> PathBuf {
    places::tree().join("docs/lab-results.jsonl")
}

/// All rows, oldest first.
pub(crate) fn read() -> Result<Vec<Row>> {
    if !path().exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path())?;
    let rows = text.lines().enumerate().map(|(index, line)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}", path().display(), index + 1))
    });
    rows.collect()
}

/// Adds a row. Two matrices may run at once, so it is one write under a lock.
pub(crate) fn append(row: &Row) -> Result<()> {
    let mut line = serde_json::to_string(row)?;
    line.push('\n');
    if let Some(folder) = path().parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::options().create(true).append(true).open(path())?;
    file.lock()?;
    file.write_all(line.as_bytes())?;
    Ok(())
}
