//! `/v1/tokens`: bearer tokens for the TCP listener. Root's alone, and only on the node: a token cannot
//! make another.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use headroom_api::time::rfc3339;
use headroom_api::tokens::{NewToken, Token, TokenWanted, Tokens};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Right};
use super::fields::Fields;
use super::problem::Problem;
use crate::state::App;
use crate::store::{flows, tokens};

/// The longest name.
const LONGEST: usize = 64;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// All tokens, without what they are
#[utoipa::path(
    get,
    path = "/v1/tokens",
    tag = "tokens",
    responses((status = 200, body = Tokens), (status = 401, body = Problem), (status = 403, body = Problem))
)]
async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Tokens>, Problem> {
    caller.needs_root()?;
    let tokens = app.store.call(|db| tokens::list(db)).await?;
    let shown = |token: tokens::Token| Token {
        name: token.name,
        rights: token.rights.split(' ').map(ToOwned::to_owned).collect(),
        created_at: rfc3339(token.created_ms),
        created_by: token.created_by,
    };
    Ok(Json(Tokens { version: 1, tokens: tokens.into_iter().map(shown).collect() }))
}

/// Make a token; it is shown this once
#[utoipa::path(
    post,
    path = "/v1/tokens",
    tag = "tokens",
    request_body = TokenWanted,
    responses(
        (status = 201, body = NewToken), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 415, body = Problem)
    )
)]
async fn add(
    State(app): State<App>,
    caller: Caller,
    Fields(fields): Fields,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    caller.needs_root()?;
    let wanted = serde_json::Value::Object(fields.into_iter().collect());
    let wanted: TokenWanted = serde_json::from_value(wanted)
        .map_err(|e| Problem::new(StatusCode::BAD_REQUEST, e.to_string()))?;
    let name = wanted.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_plain) {
        let why = format!("1 to {LONGEST} letters, digits and any of - _ . @");
        return Err(Problem::bad("name", why));
    }
    if let Some(stranger) =
        wanted.rights.iter().find(|name| Right::ALL.iter().all(|right| right.name() != *name))
    {
        let known = Right::ALL.map(Right::name).join(", ");
        let shown: String = stranger.chars().take(40).collect();
        return Err(Problem::bad("rights", format!("there is no right \"{shown}\", only {known}")));
    }
    let has =
        |right: &Right| wanted.rights.is_empty() || wanted.rights.iter().any(|n| n == right.name());
    let rights: Vec<_> = Right::ALL.iter().filter(|r| has(r)).map(|r| r.name()).collect();
    let (kept, asker) = (rights.join(" "), caller.asker());
    let (named, by) = (name.clone(), caller.name.clone());
    let added = app
        .store
        .call(move |db| {
            let added = tokens::add(db, &named, &kept, &by)?;
            if added.is_some() {
                let what = format!("token {named} with the rights {kept}");
                flows::note(db, "add_token", &asker, &what)?;
            }
            Ok(added)
        })
        .await?;
    let Some(token) = added else {
        let why = "there is a token of that name; remove it first";
        return Err(Problem { status: StatusCode::CONFLICT, ..Problem::bad("name", why) });
    };
    let rights = rights.into_iter().map(ToOwned::to_owned).collect();
    Ok((StatusCode::CREATED, Json(NewToken { name, rights, token })))
}

/// Remove a token
#[utoipa::path(
    delete,
    path = "/v1/tokens/{name}",
    tag = "tokens",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "it counts no more"), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem)
    )
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.needs_root()?;
    let asker = caller.asker();
    let removed = app
        .store
        .call(move |db| {
            let removed = tokens::remove(db, &name)?;
            if removed {
                flows::note(db, "remove_token", &asker, &format!("token {name}"))?;
            }
            Ok(removed)
        })
        .await?;
    if removed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(StatusCode::NOT_FOUND, "there is no token of that name"))
    }
}
