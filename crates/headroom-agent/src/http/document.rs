//! `GET /openapi.json`: the API described, from the same declarations that it is made of.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Right};
use super::problem::Problem;
use crate::state::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Headroom",
        description = "What a node guarded by Headroom knows and does about its memory. On the Unix socket \
                       the caller is known by the kernel's word; over TCP by a token, `Authorization: Bearer \
                       TOKEN` or `Authorization: Token TOKEN`."
    ),
    modifiers(&Tokens),
    security(("bearer" = []), ("token" = []))
)]
struct Document;

/// The two ways to send a token.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
        let value = ApiKeyValue::with_description(
            "Authorization",
            "The word Token, a blank and the token, as the platform's own client sends it.",
        );
        components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(value)));
    }
}

/// A router that has the document's head.
pub(super) fn begin() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
}

/// The OpenAPI document, as JSON with a line feed at its end.
#[must_use]
pub fn openapi() -> String {
    // A document that cannot be written as JSON would have failed the test that compares it.
    super::routes().to_openapi().to_pretty_json().unwrap_or_default() + "\n"
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(document))
}

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "agent",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = serde_json::Value),
        (status = 401, body = Problem), (status = 403, body = Problem)
    )
)]
async fn document(caller: Caller) -> Result<impl IntoResponse, Problem> {
    caller.needs(Right::Read)?;
    Ok(([(CONTENT_TYPE, "application/json")], openapi()))
}
