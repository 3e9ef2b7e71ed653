//! The API: a file a resource, put together here. Each file has `routes()`, which the router and the
//! OpenAPI document are both made from.

mod app;
pub(crate) mod caller;
mod document;
pub(crate) mod fields;
mod flows;
pub(crate) mod guesses;
mod health;
mod incidents;
mod limits;
mod metrics;
pub(crate) mod problem;
pub(crate) mod serve;
mod settings;
mod status;
mod tokens;

use axum::http::StatusCode;
use axum::{Router, middleware};
use utoipa_axum::router::OpenApiRouter;

pub use document::openapi;
use problem::Problem;

use crate::state::App;
use crate::{mysql, notify, protect, release, services};

/// Every resource there is.
fn routes() -> OpenApiRouter<App> {
    document::begin()
        .merge(health::routes())
        .merge(document::routes())
        .merge(metrics::routes())
        .merge(status::routes())
        .merge(incidents::routes())
        .merge(settings::routes())
        .merge(flows::routes())
        .merge(tokens::routes())
        .merge(app::routes())
        .merge(services::routes())
        .merge(protect::routes())
        .merge(mysql::routes())
        .merge(release::routes())
        .merge(notify::routes())
}

/// All of the API.
pub(crate) fn router(app: &App) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(nothing_there)
        .method_not_allowed_fallback(not_that_way)
        .layer(middleware::from_fn_with_state(app.clone(), caller::identify))
        .layer(middleware::from_fn(limits::read_body))
        .with_state(app.clone())
}

/// Nothing is told to who is not known, not even what there is.
async fn nothing_there(_caller: caller::Caller) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing of that path; see /openapi.json")
}

async fn not_that_way(_caller: caller::Caller) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method; see /openapi.json")
}
