//! The API: a file a resource, put together here. Each file has `routes()`, which the router and the
//! OpenAPI document are both made from.

pub(crate) mod caller;
mod health;
pub(crate) mod problem;
pub(crate) mod serve;

use axum::Router;
use axum::middleware;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::state::App;
use crate::{mysql, notify, protect, services};

#[derive(OpenApi)]
#[openapi(info(
    title = "Headroom",
    description = "What a node guarded by Headroom knows and does about its memory. On the Unix socket the \
                   caller is known by the kernel's word; over TCP by a token, `Authorization: Bearer TOKEN` \
                   or `Authorization: Token TOKEN`."
))]
struct Document;

fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(health::routes())
        .merge(services::routes())
        .merge(protect::routes())
        .merge(mysql::routes())
        .merge(notify::routes())
}

/// All of the API.
pub(crate) fn router(app: &App) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .layer(middleware::from_fn_with_state(app.clone(), caller::identify))
        .with_state(app.clone())
}

/// The OpenAPI document, as JSON with a line feed at its end.
#[must_use]
pub fn openapi() -> String {
    // A document that cannot be written as JSON would have failed the test that compares it.
    routes().to_openapi().to_pretty_json().unwrap_or_default() + "\n"
}
