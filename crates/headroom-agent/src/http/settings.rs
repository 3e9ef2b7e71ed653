//! `/v1/settings`: what is set, and setting it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use headroom_api::settings::{Change, Setting, Settings, text};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Right};
use super::fields::Fields;
use super::problem::Problem;
use crate::settings::{self, ChangeError};
use crate::state::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, change)).routes(routes!(get))
}

/// All settings with their values, allowed values and defaults
#[utoipa::path(
    get,
    path = "/v1/settings",
    tag = "settings",
    responses((status = 200, body = Settings), (status = 401, body = Problem), (status = 403, body = Problem))
)]
async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Settings>, Problem> {
    caller.needs(Right::Read)?;
    Ok(Json(settings::read(&app).await?))
}

/// One setting
#[utoipa::path(
    get,
    path = "/v1/settings/{name}",
    tag = "settings",
    params(("name" = String, Path, description = "Its name, `strict.floor`")),
    responses(
        (status = 200, body = Setting), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)
    )
)]
async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Setting>, Problem> {
    caller.needs(Right::Read)?;
    let all = settings::read(&app).await?;
    match all.settings.into_iter().find(|setting| setting.name == name) {
        Some(setting) => Ok(Json(setting)),
        None => {
            let why = headroom_core::settings::find(&name).err().unwrap_or_default();
            Err(Problem { field: Some(name), ..Problem::new(StatusCode::NOT_FOUND, why) })
        }
    }
}

/// Set one or several: all that are named or none; `null` leaves one to the policy again
///
/// In force in the running guard when the answer comes. With `in_force` false in the answer no guard runs:
/// the value is kept and handed over to the next.
#[utoipa::path(
    patch,
    path = "/v1/settings",
    tag = "settings",
    request_body(
        content(
            (BTreeMap<String, Value> = "application/json"),
            (BTreeMap<String, String> = "application/x-www-form-urlencoded")
        ),
        description = "Values by the names of their settings",
        example = json!({"permissive_memory_management": true})
    ),
    responses(
        (status = 200, body = Settings), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, description = "the guard would not", body = Problem),
        (status = 415, body = Problem)
    )
)]
async fn change(
    State(app): State<App>,
    caller: Caller,
    fields: Fields,
) -> Result<Json<Settings>, Problem> {
    caller.needs(Right::Settings)?;
    apply(&app, &caller, fields).await?;
    Ok(Json(settings::read(&app).await?))
}

/// Sets what the fields say.
pub(super) async fn apply(app: &App, caller: &Caller, fields: Fields) -> Result<(), Problem> {
    let mut change = Change::new();
    for (name, value) in fields.0 {
        let value = match value {
            Value::Null => None,
            value => match text(&value) {
                Some(text) => Some(text),
                None => {
                    return Err(Problem::bad(
                        &name,
                        "a list or an object is no value of a setting",
                    ));
                }
            },
        };
        change.insert(name, value);
    }
    settings::change(app, &change, &caller.asker()).await?;
    Ok(())
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Wrong { name, why } => Self::bad(&name, why),
            ChangeError::Refused(why) => Self::new(StatusCode::CONFLICT, why),
            ChangeError::Store(error) => error.into(),
        }
    }
}
