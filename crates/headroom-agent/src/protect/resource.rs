//! `/v1/protect`: the caller, and no other, is made unkillable.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use headroom_api::guard::{Answer, Request};
use headroom_api::protect::{Budget, Granted, VERSION};
use headroom_api::time::rfc3339;
use headroom_core::snapshot::ProcessId;
use headroom_sys::caller::identity_of;
use headroom_sys::proc::Proc;
use jiff::Timestamp;
use tokio::sync::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::budget::{allot, budget_of, warnings};
use crate::guard::GuardError;
use crate::http::caller::{Caller, Local, Right};
use crate::http::problem::Problem;
use crate::say;
use crate::state::App;

/// One decision at a time: two at once would both find the budget free.
static DECIDING: Mutex<()> = Mutex::const_new(());

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, protect))
}

/// What protected jobs may take together, and what they take
#[utoipa::path(
    get,
    path = "/v1/protect",
    responses(
        (status = 200, body = Budget),
        (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 503, body = Problem)
    )
)]
async fn show(State(app): State<App>, caller: Caller) -> Result<Json<Budget>, Problem> {
    caller.needs(Right::Read)?;
    let status = app.guard.status().await.map_err(from_guard)?;
    Ok(Json(budget_of(&status, &app.config.protect)))
}

/// Protect the process that asks, over the Unix socket
#[utoipa::path(
    post,
    path = "/v1/protect",
    responses(
        (status = 200, body = Granted),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 409, body = Problem),
        (status = 503, body = Problem)
    )
)]
async fn protect(State(app): State<App>, caller: Caller) -> Result<Json<Granted>, Problem> {
    caller.needs(Right::Protect)?;
    let id = process_of(&app, caller.local.as_ref())?;
    let _alone = DECIDING.lock().await;
    app.guard.forget().await;
    let status = app.guard.status().await.map_err(from_guard)?;
    let budget = budget_of(&status, &app.config.protect);
    // It asks again: it has what it has.
    let asked_before = budget.jobs.iter().find(|job| job.pid == id.pid);
    let allotted = match asked_before.and_then(|job| job.budget_kib) {
        Some(kib) => headroom_core::units::Kib(kib),
        None => {
            allot(&budget, &caller.name).map_err(|why| Problem::new(StatusCode::CONFLICT, why))?
        }
    };
    let request =
        Request::Protect { pid: id.pid, start_ticks: id.start_ticks, budget_kib: Some(allotted.0) };
    match app.guard.ask(request).await.map_err(from_guard)? {
        Answer::Done => {}
        _ => {
            let detail = "the guard answered another question; do the versions match?";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
        }
    }
    app.guard.forget().await;
    say(&format!("protected {} for {}, up to {allotted}", id.pid, caller.name));
    let time = app.config.protect.time.0;
    let until = (!time.is_zero())
        .then(|| rfc3339(Timestamp::now().as_millisecond() + i64::try_from(time.as_millis()).ok()?))
        .flatten();
    Ok(Json(Granted {
        version: VERSION,
        pid: id.pid,
        budget_kib: allotted.0,
        until,
        warnings: warnings(&budget, allotted, &status),
    }))
}

/// The process at the other end, which nothing in the request can name.
fn process_of(app: &App, local: Option<&Local>) -> Result<ProcessId, Problem> {
    let unknown = |why: &str| {
        let detail = format!("the process that asks is not known: {why}");
        Problem::new(StatusCode::BAD_REQUEST, detail)
    };
    let local = local.ok_or_else(|| unknown("only the Unix socket tells, without a token"))?;
    let pidfd = local.pidfd.as_ref().ok_or_else(|| unknown("it has ended or is in a container"))?;
    let mut proc = Proc::open(&app.options.root).map_err(|e| unknown(&e.to_string()))?;
    identity_of(local.peer, pidfd, &mut proc).map_err(|e| unknown(&e.to_string()))
}

fn from_guard(error: GuardError) -> Problem {
    let detail = match error {
        GuardError::NotRunning => "the guard does not run; systemctl start headroom-guard".into(),
        GuardError::Refused(why) | GuardError::Failed(why) | GuardError::Wrong(_, why) => why,
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}
