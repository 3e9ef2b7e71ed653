//! Opening the database: WAL, and the schema brought to the present form in one transaction.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::migrations::MIGRATIONS;

/// Why there is no store.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The database said so.
    Database(PathBuf, rusqlite::Error),
    /// A newer release has written it.
    Newer(PathBuf, i64),
    /// Its thread did not start.
    Thread(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Newer(path, version) => write!(
                f,
                "{}: written by a newer release (form {version}, this one knows up to {}); \
                 install that release again or move the file away",
                path.display(),
                MIGRATIONS.len()
            ),
            Self::Thread(error) => write!(f, "the store's thread: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Opens and upgrades.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let failed = |error| OpenError::Database(path.to_owned(), error);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    upgrade(&mut connection)
        .map_err(failed)?
        .map_or(Ok(()), |newer| Err(OpenError::Newer(path.to_owned(), newer)))?;
    Ok(connection)
}

/// Runs the steps that are missing; `Some` with the version of a database that is newer.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<Option<i64>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(missing) = usize::try_from(version).ok().and_then(|v| MIGRATIONS.get(v..)) else {
        return Ok(Some(version));
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    transaction.commit()?;
    Ok(None)
}
