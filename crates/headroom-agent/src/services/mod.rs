//! Services that may be restarted or reloaded, over systemd's D-Bus.

use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use crate::state::App;

/// Its table in `agent.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {}

/// Its part of the API.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}

/// Starts what goes on beside requests. Tasks end when `app.stopping` says so.
pub(crate) fn start(_app: &App) {}
