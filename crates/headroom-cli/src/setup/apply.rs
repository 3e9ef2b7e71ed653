//! Makes the plan true: remembers first, then writes file by file.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use headroom_api::paths;

use super::Failure;
use super::change::Change;
use super::record::{Choices, Entry, Record, Store};

/// Carries out `changes`. Whatever happens in between, the record on the disk knows enough to undo.
pub(crate) fn apply(
    store: &Store,
    record: Option<Record>,
    choices: Choices,
    changes: &[Change],
) -> Result<(), Failure> {
    let mut record = match record {
        Some(record) => record,
        None => store.begin()?,
    };
    record.choices = choices;
    for change in changes {
        if let Some(text) = &change.ours {
            remember(store, &mut record, change, text)?;
        }
    }
    store.save(&record)?;
    for change in changes {
        let path = paths::under(store.root(), &change.path);
        if let Some(folder) = path.parent().filter(|_| change.ours.is_some()) {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o755).create(folder).map_err(Failure::at(folder))?;
        }
        change.after.put(&path).map_err(Failure::at(&path))?;
    }
    for change in changes {
        let Some(at) = record.entries.iter().position(|entry| entry.path == change.path) else {
            continue;
        };
        match &change.ours {
            Some(text) => record.entries[at].ours = vec![text.clone()],
            None => store.sweep(&record.entries.remove(at))?,
        }
    }
    store.save(&record)
}

/// Notes what is about to be written over what.
fn remember(
    store: &Store,
    record: &mut Record,
    change: &Change,
    text: &str,
) -> Result<(), Failure> {
    let made = store.to_be_made(&change.path);
    if let Some(entry) = record.entries.iter_mut().find(|entry| entry.path == change.path) {
        entry.ours.push(text.into());
        // Folders that somebody removed since are made anew, and are ours as well.
        let new: Vec<_> = made.into_iter().filter(|dir| !entry.made.contains(dir)).collect();
        entry.made.extend(new);
        return Ok(());
    }
    let original = store.keep(&change.before, &store.free_copy(record))?;
    let ours = vec![text.into()];
    record.entries.push(Entry { path: change.path.clone(), ours, original, made });
    Ok(())
}
