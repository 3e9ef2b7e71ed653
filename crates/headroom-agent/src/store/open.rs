//! Opening the database: WAL, and the schema brought to the present form in one transaction. What cannot
//! be read is moved aside, and where nothing can be written the store is kept in memory.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::migrations::MIGRATIONS;
use crate::say;

/// A database up to this size is looked through when it is opened.
const LOOKED_THROUGH: u64 = 64 << 20;

/// Why there is no store.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// A newer release has written it.
    Newer(PathBuf, i64),
    /// The database said so.
    Database(PathBuf, rusqlite::Error),
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

/// A connection, and why it is not what one would wish.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Why the store is kept in memory alone.
    pub(super) in_memory: Option<String>,
}

/// Opens the store at `path`: the one that is there, else a new one, else one in memory.
pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let on_disk = |connection| Opened { connection, in_memory: None };
    let error = match open_file(path) {
        Ok(connection) => return Ok(on_disk(connection)),
        Err(OpenError::Database(_, error)) if is_corrupt(&error) => {
            let aside = move_aside(path);
            say(&format!("{}: {error}; {aside}, a new one is begun", path.display()));
            match open_file(path) {
                Ok(connection) => return Ok(on_disk(connection)),
                Err(error) => error,
            }
        }
        Err(error @ OpenError::Newer(..)) => return Err(error),
        Err(error) => error,
    };
    // No room, no right, no disk: the API answers all the same.
    say(&format!("{error}; the store is kept in memory until the agent is started anew"));
    let connection = Connection::open_in_memory()
        .and_then(|mut connection| upgrade(&mut connection).map(|_| connection))
        .map_err(|e| OpenError::Database(path.to_owned(), e))?;
    Ok(Opened { connection, in_memory: Some(error.to_string()) })
}

/// Moves aside a store that was found corrupt while it was used, and opens a new one.
pub(super) fn open_anew(path: &Path) -> Result<Opened, OpenError> {
    say(&format!("{}: found corrupt; {}, a new one is begun", path.display(), move_aside(path)));
    open(path)
}

/// Whether the file itself is at fault.
pub(super) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether the disk has no room or no right for it.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly)
    )
}

/// Gives the database and what belongs to it another name; says which.
fn move_aside(path: &Path) -> String {
    let now = jiff::Timestamp::now().as_second();
    let named = |suffix: &str, kept: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(kept);
        name.push(suffix);
        PathBuf::from(name)
    };
    let kept = (0..)
        .map(|n: u32| if n == 0 { format!(".bad-{now}") } else { format!(".bad-{now}-{n}") })
        .find(|kept| !named("", kept).exists())
        .unwrap_or_default();
    for suffix in ["-wal", "-shm", ""] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        match fs::rename(&from, named(suffix, &kept)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return format!("it cannot be moved aside ({error})");
            }
            _ => {}
        }
    }
    format!("it is kept as {}", named("", &kept).display())
}

fn open_file(path: &Path) -> Result<Connection, OpenError> {
    let failed = |error| OpenError::Database(path.to_owned(), error);
    // Before SQLite makes it for everybody to read: it holds command lines. What cannot be made here,
    // SQLite says better.
    let _ = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    // Before the first table is made, or it does nothing.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    if let Some(newer) = upgrade(&mut connection).map_err(failed)? {
        return Err(OpenError::Newer(path.to_owned(), newer));
    }
    if fs::metadata(path).is_ok_and(|file| file.len() <= LOOKED_THROUGH) {
        look_through(&connection).map_err(failed)?;
    }
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

fn look_through(connection: &Connection) -> rusqlite::Result<()> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(code, Some(found.replace('\n', " "))))
}
