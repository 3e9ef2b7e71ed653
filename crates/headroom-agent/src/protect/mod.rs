//! Jobs that are made unkillable, within a budget.

mod budget;
mod resource;
mod time;

use std::time::Duration;

use headroom_core::policy::{Percent, Time};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use crate::state::App;

/// Its table in `agent.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The share of the zone's memory that all protected jobs may take together.
    share: Percent,
    /// Jobs that one user may have protected at once.
    per_user: u32,
    /// After this a protection ends; `"0s"`: never.
    time: Time,
}

impl Default for Config {
    fn default() -> Self {
        Self { share: Percent(25), per_user: 2, time: Time(Duration::from_secs(6 * 3600)) }
    }
}

/// Its part of the API.
pub(crate) fn routes() -> OpenApiRouter<App> {
    resource::routes()
}

/// Starts what goes on beside requests. Tasks end when `app.stopping` says so.
pub(crate) fn start(app: &App) {
    time::start(app);
}
