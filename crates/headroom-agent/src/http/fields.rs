//! What a request says: fields of a form or of a JSON object, and queries. What cannot be read is a
//! problem that names the field.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;

/// The fields of a body, whichever way it was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fields(pub(crate) BTreeMap<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).map(|v| v.to_str().unwrap_or_default());
        let kind =
            kind.map(|k| k.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        // It was read within its bounds before anything else was done.
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap_or_default();
        match kind.as_deref() {
            None if body.is_empty() => Ok(Self::default()),
            Some("application/json") => from_json(&body),
            Some("application/x-www-form-urlencoded") => from_form(&body),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body is neither application/json nor application/x-www-form-urlencoded",
            )),
        }
    }
}

fn from_json(body: &[u8]) -> Result<Fields, Problem> {
    if body.is_empty() {
        return Ok(Fields::default());
    }
    serde_json::from_slice(body).map(Fields).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body is no JSON object: {error}"))
    })
}

fn from_form(body: &[u8]) -> Result<Fields, Problem> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if fields.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
            return Err(Problem::bad(&name, "given twice"));
        }
    }
    Ok(Fields(fields))
}

/// A query.
#[derive(Clone, Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(asked)| Self(asked)).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, format!("the query cannot be read: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_and_json_say_the_same() {
        let form = from_form(b"permissive_memory_management=True&strict.floor=5%25").unwrap();
        let json = from_json(br#"{"permissive_memory_management": "True", "strict.floor": "5%"}"#);
        assert_eq!(form, json.unwrap());
        assert_eq!(from_form(b"a=1&a=2").unwrap_err().field.as_deref(), Some("a"));
        for bad in ["[]", "null", "{", "{\"a\":1}x", "1"] {
            assert!(from_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
