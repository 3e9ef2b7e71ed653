//! `GET /v1/status`: the node as the guard sees it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use headroom_api::status::Status;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Right};
use super::problem::Problem;
use crate::guard::GuardError;
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(status))
}

/// Headroom per zone, the classes' totals, who would go next, the last incidents
///
/// Command lines are shown to root and to their owner on the node alone: they carry passwords.
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "node",
    responses(
        (status = 200, body = Status),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 503, description = "no guard runs", body = Problem)
    )
)]
async fn status(State(app): State<App>, caller: Caller) -> Result<Json<Status>, Problem> {
    caller.needs(Right::Read)?;
    let status = app.guard.status().await?;
    let mut status = Status::clone(&status);
    for ranked in &mut status.next {
        if caller.uid().is_none_or(|uid| uid != 0 && uid != ranked.uid) {
            ranked.cmdline = None;
        }
    }
    if !caller.is_root() {
        let verdicts = status.incidents.iter_mut().flat_map(|incident| &mut incident.verdicts);
        verdicts.for_each(|verdict| verdict.cmdline = None);
    }
    Ok(Json(status))
}

impl From<GuardError> for Problem {
    fn from(error: GuardError) -> Self {
        let detail = match error {
            GuardError::NotRunning => "no guard runs on this node".to_owned(),
            GuardError::Wrong(name, why) => return Self::bad(&name, why),
            GuardError::Refused(why) | GuardError::Failed(why) => why,
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}
