//! `/v2/app`: the part of the platform's own API that is about memory, as its public client asks for it.

use std::collections::BTreeMap;
use std::fs;
use std::thread::available_parallelism;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use headroom_api::paths;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Caller, Right};
use super::fields::Fields;
use super::problem::Problem;
use crate::config::Plan;
use crate::settings;
use crate::state::App;

/// A node, as the platform shows it.
#[derive(Debug, Serialize, ToSchema)]
struct AppInfo {
    /// Its name.
    name: String,
    /// `persistent`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `false`: it answers.
    destroyed: bool,
    /// Its full name.
    domainname: String,
    /// `true`.
    in_production: bool,
    flavor: Flavor,
    /// Every setting by its name.
    #[serde(flatten)]
    settings: BTreeMap<String, Value>,
}

/// What the node has.
#[derive(Debug, Serialize, ToSchema)]
struct Flavor {
    /// Processors and memory, `2CPU/4GB`.
    name: String,
    /// Redis' part of it in MiB; not known here.
    redis_size: Option<String>,
}

/// A plan of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
struct NextPlan {
    name: String,
    code: String,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(info, change))
        .routes(routes!(describe))
        .routes(routes!(flavor))
        .routes(routes!(next_plan))
}

/// Refuses who may not, and names of other nodes: a token is good for this one alone.
pub(super) fn own(app: &App, caller: &Caller, name: &str, right: Right) -> Result<(), Problem> {
    if name != app.name {
        let detail = "You do not have permission to perform this action: this is another node.";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    caller.needs(right)
}

/// The node with its settings
#[utoipa::path(
    get,
    path = "/v2/app/{name}/",
    tag = "platform",
    params(
        ("name" = String, Path, description = "The node's name"),
        ("destroyed" = Option<String>, Query, description = "Taken and of no effect")
    ),
    responses((status = 200, body = AppInfo), (status = 401, body = Problem), (status = 403, body = Problem))
)]
async fn info(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<AppInfo>, Problem> {
    own(&app, &caller, &name, Right::Read)?;
    app_info(&app).await
}

/// Change settings: all that are named or none
#[utoipa::path(
    patch,
    path = "/v2/app/{name}/",
    tag = "platform",
    params(
        ("name" = String, Path, description = "The node's name"),
        ("destroyed" = Option<String>, Query, description = "Taken and of no effect")
    ),
    request_body(
        content(
            (BTreeMap<String, String> = "application/x-www-form-urlencoded"),
            (BTreeMap<String, Value> = "application/json")
        ),
        description = "Values by the names of their settings"
    ),
    responses(
        (status = 200, body = AppInfo),
        (status = 400, description = "The field at fault with what is wrong, `{\"FIELD\": [\"...\"]}`",
         body = BTreeMap<String, Value>),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 415, body = Problem)
    )
)]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<Json<AppInfo>, Response> {
    own(&app, &caller, &name, Right::Settings).map_err(IntoResponse::into_response)?;
    super::settings::apply(&app, &caller, fields).await.map_err(by_field)?;
    app_info(&app).await.map_err(IntoResponse::into_response)
}

/// The platform names the field at fault as the key; programs of ours look for `field`.
fn by_field(problem: Problem) -> Response {
    let Some(field) = problem.field.clone() else { return problem.into_response() };
    let mut body = Map::new();
    body.insert("detail".into(), json!(problem.detail));
    body.insert("field".into(), json!(field));
    body.insert(field, json!([problem.detail]));
    (problem.status, Json(Value::Object(body))).into_response()
}

/// Every setting with its allowed values
#[utoipa::path(
    get,
    path = "/v2/app/eav_descriptions/",
    tag = "platform",
    responses(
        (status = 200, body = BTreeMap<String, Vec<Value>>), (status = 401, body = Problem),
        (status = 403, body = Problem)
    )
)]
async fn describe(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<BTreeMap<String, Vec<Value>>>, Problem> {
    caller.needs(Right::Read)?;
    let all = settings::read(&app).await?;
    Ok(Json(all.settings.into_iter().map(|s| (s.name, s.allowed)).collect()))
}

/// What the node has
#[utoipa::path(
    get,
    path = "/v2/app/{name}/flavor/",
    tag = "platform",
    params(("name" = String, Path, description = "The node's name")),
    responses((status = 200, body = Flavor), (status = 401, body = Problem), (status = 403, body = Problem))
)]
async fn flavor(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Flavor>, Problem> {
    own(&app, &caller, &name, Right::Read)?;
    Ok(Json(flavor_of(&app)))
}

/// The next larger plan: of the catalogue in agent.toml, else the next size of memory
#[utoipa::path(
    get,
    path = "/v2/app/{name}/next_best_plan/",
    tag = "platform",
    params(("name" = String, Path, description = "The node's name")),
    responses(
        (status = 200, body = NextPlan), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, description = "there is no larger one", body = Problem)
    )
)]
async fn next_plan(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<NextPlan>, Problem> {
    own(&app, &caller, &name, Right::Read)?;
    let Some(memory) = memory_mib(&app) else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "the node's memory is not known"));
    };
    match larger(&app.config.plans, memory) {
        Some(plan) => Ok(Json(plan)),
        None => {
            Err(Problem::new(StatusCode::NOT_FOUND, "there is no larger plan in the catalogue"))
        }
    }
}

async fn app_info(app: &App) -> Result<Json<AppInfo>, Problem> {
    let all = settings::read(app).await?;
    let read = |path: &str| {
        let text = fs::read_to_string(paths::under(&app.options.root, path)).unwrap_or_default();
        text.trim().to_owned()
    };
    let domain =
        Some(read("/proc/sys/kernel/domainname")).filter(|d| !d.is_empty() && d != "(none)");
    Ok(Json(AppInfo {
        name: app.name.clone(),
        kind: "persistent",
        destroyed: false,
        domainname: domain.map_or_else(|| app.name.clone(), |d| format!("{}.{d}", app.name)),
        in_production: true,
        flavor: flavor_of(app),
        settings: all.settings.into_iter().map(|s| (s.name, s.value)).collect(),
    }))
}

fn flavor_of(app: &App) -> Flavor {
    let processors = available_parallelism().map_or(1, usize::from);
    // What the kernel keeps for itself is part of what was paid for.
    let memory = memory_mib(app).map_or_else(|| "?".into(), |mib| mib.div_ceil(1024).to_string());
    Flavor { name: format!("{processors}CPU/{memory}GB"), redis_size: None }
}

fn memory_mib(app: &App) -> Option<u64> {
    let text = fs::read_to_string(paths::under(&app.options.root, "/proc/meminfo")).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

/// The smallest plan with more memory than that; without a catalogue the next power of two.
fn larger(plans: &[Plan], memory_mib: u64) -> Option<NextPlan> {
    if plans.is_empty() {
        let gib = memory_mib.div_ceil(1024).checked_add(1)?.checked_next_power_of_two()?;
        return Some(NextPlan { name: format!("{gib} GiB"), code: format!("MEMORY_{gib}_GIB") });
    }
    // A machine shows a little less than its plan says.
    let is_larger = |plan: &&Plan| plan.memory_mib > memory_mib + memory_mib / 16;
    let next = plans.iter().filter(is_larger).min_by_key(|plan| plan.memory_mib)?;
    Some(NextPlan { name: next.name.clone(), code: next.code.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(code: &str, memory_mib: u64) -> Plan {
        Plan { name: code.to_lowercase(), code: code.into(), memory_mib }
    }

    #[test]
    fn the_next_plan_is_the_smallest_that_is_really_larger() {
        let plans = [plan("L", 16_384), plan("S", 4_096), plan("M", 8_192)];
        let code = |memory| larger(&plans, memory).map(|plan| plan.code);
        assert_eq!(code(3_900).as_deref(), Some("M"), "a machine of 4 GiB shows 3.9");
        assert_eq!(code(2_000).as_deref(), Some("S"));
        assert_eq!(code(16_000), None);
        let without = |memory| larger(&[], memory).map(|plan| plan.code);
        assert_eq!(without(3_900).as_deref(), Some("MEMORY_8_GIB"));
        assert_eq!(without(24_105).as_deref(), Some("MEMORY_32_GIB"));
    }
}
