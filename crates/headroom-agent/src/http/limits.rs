//! What one request may take: a body of a size, sent in a time, and how many at once.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONNECTION, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use super::problem::Problem;

/// The longest body: all settings at once are a tenth of it.
const BODY: usize = 64 * 1024;
/// The longest path with its query.
const TARGET: usize = 4 * 1024;
/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(5);

/// Reads the body before anything is done with the request, so that no handler waits for a client.
pub(super) async fn read_body(request: Request, next: Next) -> Response {
    let mut response = match take_in(request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => {
            let mut response = problem.into_response();
            // The rest of what it sends is not read.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn take_in(request: Request) -> Result<Request, Problem> {
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET) {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "the path is too long"));
    }
    let (parts, body) = request.into_parts();
    let too_large = || {
        let detail = format!("the body is larger than {BODY} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    if http_body::Body::size_hint(&body).lower() > BODY as u64 {
        return Err(too_large());
    }
    let read = timeout(BODY_TIME, Limited::new(body, BODY).collect()).await;
    let bytes: Bytes = match read {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(_)) => return Err(Problem::new(StatusCode::BAD_REQUEST, "the body ended early")),
        Err(_) => {
            let detail = format!("the body did not come within {} s", BODY_TIME.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
        }
    };
    if parts.method == Method::GET && bytes.len() > 1024 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "a question has no body of that size"));
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}
