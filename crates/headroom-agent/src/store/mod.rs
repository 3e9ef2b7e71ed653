//! The database: the one room that opens it. One thread owns the connection; whoever wants something
//! sends it a closure.

pub(crate) mod flows;
pub(crate) mod history;
mod migrations;
mod open;
pub(crate) mod retention;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::say;
pub(crate) use open::OpenError;
use open::Opened;

/// Something to do; gives back whether the file was found corrupt.
type Work = Box<dyn FnOnce(&mut Connection) -> bool + Send>;

/// The way to the database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    work: Sender<Work>,
    in_memory: Arc<Mutex<Option<String>>>,
}

/// Why the store did not do what it was asked.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The disk has no room for it.
    Full(rusqlite::Error),
    /// The database said so.
    Database(rusqlite::Error),
    /// Its thread is gone.
    Gone,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(error) => write!(f, "the store cannot be written: {error}"),
            Self::Database(error) => write!(f, "the store: {error}"),
            Self::Gone => f.write_str("the store has stopped"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if open::is_full(&error) { Self::Full(error) } else { Self::Database(error) }
    }
}

impl Store {
    /// Opens the database in `dir` and brings it to the present form.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("headroom.db");
        let Opened { connection, in_memory } = open::open(&path)?;
        let (work, queue) = channel::<Work>();
        let in_memory = Arc::new(Mutex::new(in_memory));
        let shared = Arc::clone(&in_memory);
        thread::Builder::new()
            .name("store".into())
            .spawn(move || keep(connection, &queue, &path, &shared))
            .map_err(OpenError::Thread)?;
        Ok(Self { work, in_memory })
    }

    /// Has the store's thread do something, and waits for it. Whoever goes away meanwhile does not stop
    /// it. Writes of several rows take a transaction in `work` themselves.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Work = Box::new(move |connection| {
            let done = work(connection);
            let is_corrupt = done.as_ref().is_err_and(open::is_corrupt);
            // Nobody waits any more: the work is done all the same.
            let _ = answer.send(done);
            is_corrupt
        });
        self.work.send(job).map_err(|_| StoreError::Gone)?;
        Ok(answered.await.map_err(|_| StoreError::Gone)??)
    }

    /// Why nothing of it outlives the agent; `None` when it does.
    pub(crate) fn in_memory(&self) -> Option<String> {
        self.in_memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Does the work. A file found corrupt on the way is moved aside and begun anew.
fn keep(
    mut connection: Connection,
    queue: &Receiver<Work>,
    path: &Path,
    in_memory: &Mutex<Option<String>>,
) {
    while let Ok(work) = queue.recv() {
        if !work(&mut connection) {
            continue;
        }
        drop(connection);
        match open::open_anew(path) {
            Ok(opened) => {
                *in_memory.lock().unwrap_or_else(PoisonError::into_inner) = opened.in_memory;
                connection = opened.connection;
            }
            Err(error) => return say(&format!("{error}; the store stops")),
        }
    }
}
