//! The database: the one room that opens it. One thread owns the connection; whoever wants something
//! sends it a closure.

mod migrations;
mod open;

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

pub(crate) use open::OpenError;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// The way to the database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    work: Sender<Work>,
}

/// Why the store did not do what it was asked.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The database said so.
    Database(rusqlite::Error),
    /// Its thread is gone.
    Gone,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "the store: {error}"),
            Self::Gone => f.write_str("the store has stopped"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Store {
    /// Opens the database in `dir` and brings it to the present form.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        let mut connection = open::open(&dir.join("headroom.db"))?;
        let (work, queue) = channel::<Work>();
        thread::Builder::new()
            .name("store".into())
            .spawn(move || {
                for work in queue {
                    work(&mut connection);
                }
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { work })
    }

    /// Has the store's thread do something, and waits for it. Whoever goes away meanwhile does not stop
    /// it. Writes of several rows take a transaction in `work` themselves.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Work = Box::new(move |connection| {
            // Nobody waits any more: the work is done all the same.
            let _ = answer.send(work(connection));
        });
        self.work.send(job).map_err(|_| StoreError::Gone)?;
        Ok(answered.await.map_err(|_| StoreError::Gone)??)
    }
}
