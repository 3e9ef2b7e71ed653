//! `GET /healthz`: whether the agent answers, without a token.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use crate::RELEASE;
use crate::state::App;

/// The agent's health.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// It answers, and its store does.
    ok: bool,
    /// Its version.
    release: &'static str,
    /// Whether what it stores outlives it; not while the disk has no room or no right for it.
    store_is_kept: bool,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health))
}

/// Whether the agent and its store answer; needs no token
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "agent",
    security(()),
    responses((status = 200, body = Health), (status = 503, body = Problem))
)]
async fn health(State(app): State<App>) -> Result<Json<Health>, Problem> {
    app.store.call(|db| db.query_row("SELECT 1", [], |_| Ok(()))).await?;
    let store_is_kept = app.store.in_memory().is_none();
    Ok(Json(Health { ok: true, release: RELEASE, store_is_kept }))
}
