//! `GET /v1/incidents` and `GET /v1/incidents/ID`: what happened, from the store.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use headroom_api::history::{History, Incident};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Right};
use super::fields::Asked;
use super::problem::Problem;
use crate::state::App;
use crate::store::history::{Wanted, find, find_one};

/// Incidents of one answer at most.
const MOST: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Query {
    /// Only those that began at or after this time (RFC 3339)
    #[param(format = DateTime)]
    since: Option<String>,
    /// Only those that began before this time (RFC 3339)
    #[param(format = DateTime)]
    until: Option<String>,
    /// The last so many of them
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(incidents)).routes(routes!(incident))
}

/// Incidents with their verdicts, the oldest first
#[utoipa::path(
    get,
    path = "/v1/incidents",
    tag = "node",
    params(Query),
    responses(
        (status = 200, body = History), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem)
    )
)]
async fn incidents(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Json<History>, Problem> {
    caller.needs(Right::Read)?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad("limit", format!("{limit} is not in 1 to {MOST}")));
    }
    let time = |field: &str, text: &Option<String>, default: i64| match text {
        None => Ok(default),
        Some(text) => text
            .parse::<Timestamp>()
            .map(Timestamp::as_millisecond)
            .map_err(|_| Problem::bad(field, "not a time such as 2026-11-24T03:09:20Z")),
    };
    let wanted = Wanted {
        since_ms: time("since", &query.since, i64::MIN)?,
        until_ms: time("until", &query.until, i64::MAX)?,
        limit,
    };
    let mut incidents = app.store.call(move |db| find(db, wanted)).await?;
    incidents.iter_mut().for_each(|incident| hide(incident, &caller));
    Ok(Json(History { version: 1, incidents, ..History::default() }))
}

/// One incident
#[utoipa::path(
    get,
    path = "/v1/incidents/{id}",
    tag = "node",
    params(("id" = String, Path, description = "As in the list, `2026-11-24T03:09:20Z-7`")),
    responses(
        (status = 200, body = Incident), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem)
    )
)]
async fn incident(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Incident>, Problem> {
    caller.needs(Right::Read)?;
    let found = app.store.call(move |db| find_one(db, &id)).await?;
    let mut incident = found.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "there is no such incident; see /v1/incidents")
    })?;
    hide(&mut incident, &caller);
    Ok(Json(incident))
}

/// Command lines carry passwords: root alone sees them.
fn hide(incident: &mut Incident, caller: &Caller) {
    if !caller.is_root() {
        incident.verdicts.iter_mut().for_each(|verdict| verdict.cmdline = None);
    }
}
