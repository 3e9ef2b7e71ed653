//! `/v1/services`: the list, and restarts.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use headroom_api::service::{Outcomes, Services, VERSION};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::listed::Action;
use super::restart::Refused;
use crate::http::caller::{Caller, Right};
use crate::http::problem::Problem;
use crate::say;
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(act))
}

/// The services that may be restarted or reloaded
#[utoipa::path(
    get,
    path = "/v1/services",
    responses(
        (status = 200, body = Services),
        (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 502, body = Problem)
    )
)]
async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Services>, Problem> {
    caller.needs(Right::Read)?;
    let services = app.services.list().await?;
    Ok(Json(Services { version: VERSION, services }))
}

/// Restart or reload a service, and wait until it answers again
#[utoipa::path(
    post,
    path = "/v1/services/{name}/{action}",
    params(
        ("name" = String, Path, description = "A service of the list, another name of it, or a unit of it"),
        ("action" = String, Path, description = "restart or reload")
    ),
    responses(
        (status = 200, body = Outcomes),
        (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 502, body = Problem)
    )
)]
async fn act(
    State(app): State<App>,
    caller: Caller,
    Path((name, action)): Path<(String, String)>,
) -> Result<Json<Outcomes>, Problem> {
    caller.needs(Right::Services)?;
    let action: Action = action.parse().map_err(|()| {
        let detail =
            format!("\"{action}\" is nothing to do with a service; there are restart and reload");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    let outcomes = app.services.act(&name, action).await?;
    for outcome in &outcomes {
        say(&format!(
            "{} of {} for {} ({}): {}{}",
            outcome.action,
            outcome.unit,
            caller.name,
            caller.from,
            outcome.result,
            if outcome.shared { ", shared with another request" } else { "" }
        ));
    }
    Ok(Json(Outcomes { version: VERSION, outcomes }))
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::NotListed { .. } => StatusCode::FORBIDDEN,
            Refused::NotHere { .. } => StatusCode::NOT_FOUND,
            Refused::Bus(_) => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, refused.to_string())
    }
}
