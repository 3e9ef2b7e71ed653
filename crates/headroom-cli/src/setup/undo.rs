//! Takes back all that setup did, byte for byte.

use headroom_api::paths;

use super::Failure;
use super::change::Change;
use super::record::{Record, Store};

/// Carries out `changes`, then removes what was made for them and the record itself. Cut short, it
/// can be run again.
pub(crate) fn undo(store: &Store, record: &Record, changes: &[Change]) -> Result<(), Failure> {
    for change in changes {
        let path = paths::under(store.root(), &change.path);
        change.after.put(&path).map_err(Failure::at(&path))?;
    }
    // Backwards: the first entry made the folders that later ones share.
    for entry in record.entries.iter().rev() {
        store.sweep(entry)?;
    }
    store.end(record)
}
