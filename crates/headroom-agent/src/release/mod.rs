//! Memory that services give back before anybody has to die for it.

#[cfg(test)]
mod bench;
mod cooldown;
mod grow;
mod kept;
mod ladder;
mod redis;
mod rescue;
mod resource;
mod simple;
#[cfg(test)]
mod tests;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use headroom_core::policy::{Percent, Size, Time};
use headroom_core::units::Kib;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use crate::state::App;

pub(crate) use resource::Releases;

/// Its table in `agent.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The database.
    pub(crate) mysql: Mysql,
    /// Redis and Valkey.
    pub(crate) redis: Redis,
}

/// `[release.mysql]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mysql {
    /// The agent releases by itself when less than this is available; only when asked unless given.
    below: Option<Size>,
    /// When memory is nearly gone and the database took it, the statement that made it grow is ended.
    rescue: bool,
    /// From one release by the agent itself to the next.
    cooldown: Time,
    /// Whether the agent by itself may go as far as a restart.
    restart: bool,
    /// The pool never shrinks under this share of its configured size ...
    least: Percent,
    /// ... nor under this.
    least_size: Size,
    /// How long one resize may take.
    resize_within: Time,
    /// A transaction open for longer than this is not disturbed.
    transaction: Time,
    /// A query that holds more than this when memory is low is ended; `"0MiB"`: none is.
    query: Size,
    /// Before the pool grows again this much more than `below` must be available.
    grow_margin: Size,
    /// From one step of growing to the next.
    grow_every: Time,
}

impl Default for Mysql {
    fn default() -> Self {
        let minutes = |n: u64| Time(Duration::from_secs(60 * n));
        Self {
            below: None,
            rescue: true,
            cooldown: minutes(30),
            restart: false,
            least: Percent(25),
            least_size: Size(Kib::from_mib(64)),
            resize_within: minutes(2),
            transaction: minutes(1),
            query: Size(Kib::from_mib(256)),
            grow_margin: Size(Kib::from_mib(128)),
            grow_every: minutes(1),
        }
    }
}

/// `[release.redis]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Redis {
    /// Sockets or addresses; where distributions put them unless given.
    at: Option<Vec<String>>,
    /// A file with the password in its first line.
    password_file: Option<PathBuf>,
}

/// Its part of the API.
pub(crate) fn routes() -> OpenApiRouter<App> {
    resource::routes()
}

/// Starts what goes on beside requests. Tasks end when `app.stopping` says so.
pub(crate) fn start(app: &App) {
    grow::start(app);
    watch::start(app);
    rescue::start(app);
}
