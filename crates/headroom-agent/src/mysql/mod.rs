//! The database: how it is reached, what it does now, what it can give back online.

mod busy;
mod connect;
mod pool;
mod queries;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod version;

use std::path::PathBuf;

use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use crate::state::App;

#[cfg(test)]
use busy::Busy;
pub(crate) use busy::hindrances;
pub(crate) use connect::{DbError, Server};
pub(crate) use pool::{Pool, resize};
pub(crate) use queries::{Running, end_query, heaviest, running};

/// Its table in `agent.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The server's socket; where distributions put it unless given.
    pub(crate) socket: Option<PathBuf>,
    /// The user; `headroom release mysql --grants` prints the statements that make it.
    pub(crate) user: String,
    /// A file with the password in its first line; without one the socket's peer is the proof.
    pub(crate) password_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { socket: None, user: "headroom".into(), password_file: None }
    }
}

/// Its part of the API: `release` has it.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}

/// Starts what goes on beside requests: `release` does.
pub(crate) fn start(_app: &App) {}
