//! What is answered when something cannot be done: a status, a sentence, and the field at fault.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::StoreError;

/// The body of every refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The status, not part of the body.
    #[serde(skip)]
    pub(crate) status: StatusCode,
    /// What is wrong and what to do instead.
    pub(crate) detail: String,
    /// The field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), field: None }
    }

    /// For a client that has too many requests under way.
    pub(crate) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests of yours at once")
    }

    pub(crate) fn bad(field: &str, detail: impl Into<String>) -> Self {
        let field = Some(field.to_owned());
        Self { status: StatusCode::BAD_REQUEST, detail: detail.into(), field }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        crate::say(&error.to_string());
        let detail = match error {
            StoreError::Full(_) => "the node's disk has no room for the store",
            _ => "the store does not answer; see the agent's log",
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}
