//! Services that may be restarted or reloaded, over systemd's D-Bus.

mod answers;
mod config;
mod listed;
mod memory;
mod once;
mod resource;
mod restart;
mod systemd;
#[cfg(test)]
mod tests;

use utoipa_axum::router::OpenApiRouter;

use crate::state::App;

pub(crate) use config::Config;
pub(crate) use listed::Action;
pub(crate) use memory::held_by;
pub(crate) use once::Once;
#[cfg(test)]
use restart::Refused;
pub(crate) use restart::Services;

/// Its part of the API.
pub(crate) fn routes() -> OpenApiRouter<App> {
    resource::routes()
}

/// Starts what goes on beside requests: nothing does here.
pub(crate) fn start(_app: &App) {}
