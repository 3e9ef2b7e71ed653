//! `GET /healthz`: whether the agent answers.

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
    /// `true`: it answers and its store does.
    ok: bool,
    /// Its version.
    release: &'static str,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health))
}

/// Whether the agent and its store answer
#[utoipa::path(
    get,
    path = "/healthz",
    responses((status = 200, body = Health), (status = 503, body = Problem))
)]
async fn health(State(app): State<App>) -> Result<Json<Health>, Problem> {
    app.store.call(|db| db.query_row("SELECT 1", [], |_| Ok(()))).await?;
    Ok(Json(Health { ok: true, release: RELEASE }))
}
