//! What has to change for the plan to be true, and what stands in its way.

use headroom_api::paths;
use headroom_core::setup::Plan;

use super::Failure;
use super::file::Found;
use super::record::{Record, Store};

/// One file that is to become another.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Absolute path below the root.
    pub(crate) path: String,
    /// What stands there.
    pub(crate) before: Found,
    /// What shall stand there.
    pub(crate) after: Found,
    /// Why it is not to be done without --force.
    pub(crate) obstacle: Option<Obstacle>,
    /// The text that makes it ours; `None` when something of ours is taken back.
    pub(crate) ours: Option<String>,
}

/// Why a file is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It was there and is not ours.
    InTheWay,
    /// Ours, but somebody changed it since.
    Edited,
}

impl Obstacle {
    /// Its name for scripts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InTheWay => "in_the_way",
            Self::Edited => "edited",
        }
    }
}

/// What turns the node into the plan: new files, changed ones, and those no longer wanted.
pub(crate) fn to_plan(
    store: &Store,
    record: Option<&Record>,
    plan: &Plan,
) -> Result<Vec<Change>, Failure> {
    let entries = record.map(|record| &record.entries[..]).unwrap_or_default();
    let mut changes = Vec::new();
    for file in &plan.files {
        let before = look(store, &file.path)?;
        if before.says(&file.contents) {
            continue;
        }
        let entry = entries.iter().find(|entry| entry.path == file.path);
        let obstacle = match entry {
            _ if before == Found::Nothing => None,
            None => Some(Obstacle::InTheWay),
            Some(entry) if entry.ours.iter().any(|text| before.says(text)) => None,
            Some(entry) if before == store.original(entry)? => None,
            Some(_) => Some(Obstacle::Edited),
        };
        changes.push(Change {
            path: file.path.clone(),
            before,
            after: Found::ours(&file.contents),
            obstacle,
            ours: Some(file.contents.clone()),
        });
    }
    for entry in entries.iter().filter(|entry| !plan.files.iter().any(|f| f.path == entry.path)) {
        changes.extend(back(store, entry)?);
    }
    Ok(changes)
}

/// What turns the node into what it was.
pub(crate) fn to_before(store: &Store, record: &Record) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    // Backwards: who moved into a slice leaves it before it goes.
    for entry in record.entries.iter().rev() {
        changes.extend(back(store, entry)?);
    }
    Ok(changes)
}

fn back(store: &Store, entry: &super::record::Entry) -> Result<Option<Change>, Failure> {
    let before = look(store, &entry.path)?;
    let after = store.original(entry)?;
    if before == after {
        return Ok(None);
    }
    let is_ours = entry.ours.iter().any(|text| before.says(text));
    let obstacle = (!is_ours).then_some(Obstacle::Edited);
    Ok(Some(Change { path: entry.path.clone(), before, after, obstacle, ours: None }))
}

fn look(store: &Store, path: &str) -> Result<Found, Failure> {
    let path = paths::under(store.root(), path);
    Found::look(&path).map_err(Failure::at(&path))
}
