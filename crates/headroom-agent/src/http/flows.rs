//! The logbook: what was done by request. `/v1/log` says by whom and from where as well; the platform's
//! own form is `/logbook/v1/logbooks/NAME/flows`.

use axum::Json;
use axum::extract::{Path, State};
use headroom_api::time::rfc3339;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::own;
use super::caller::{Caller, Right};
use super::fields::Asked;
use super::problem::Problem;
use crate::state::App;
use crate::store::flows::{Flow, State as FlowState, page};

/// Rows of a page unless asked otherwise, and at most.
const PAGE: u32 = 50;
const MOST: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Query {
    /// Rows of a page
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// How many to pass by
    #[param(minimum = 0)]
    offset: Option<u32>,
}

impl Query {
    fn checked(&self) -> Result<(u32, u32), Problem> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::bad("limit", format!("{limit} is not in 1 to {MOST}")));
        }
        Ok((limit, self.offset.unwrap_or(0)))
    }
}

/// A page of something.
#[derive(Debug, Serialize, ToSchema)]
struct Page<T> {
    /// How many there are on all pages.
    count: u64,
    /// The next page's path.
    next: Option<String>,
    /// The page's before it.
    previous: Option<String>,
    /// The newest first.
    results: Vec<T>,
}

impl<T> Page<T> {
    fn new(path: &str, (limit, offset): (u32, u32), count: u64, results: Vec<T>) -> Self {
        let at = |offset: u32| format!("{path}?limit={limit}&offset={offset}");
        let behind = offset.saturating_add(limit);
        Self {
            count,
            next: (u64::from(behind) < count).then(|| at(behind)),
            previous: (offset > 0).then(|| at(offset.saturating_sub(limit))),
            results,
        }
    }
}

/// One entry of the logbook, as the platform has it.
#[derive(Debug, Serialize, ToSchema)]
struct PlatformFlow {
    uuid: String,
    /// `running`, `success` or `failed`.
    state: &'static str,
    /// `update_node` for a change of settings.
    name: String,
    created_at: Option<String>,
    updated_at: Option<String>,
    progress: Progress,
    /// The node's name.
    logbook: String,
    tracker: Tracker,
}

#[derive(Debug, Serialize, ToSchema)]
struct Progress {
    running: Vec<String>,
    total: u32,
    completed: u32,
}

#[derive(Debug, Serialize, ToSchema)]
struct Tracker {
    uuid: Option<String>,
    /// What was done, in words.
    description: Option<String>,
}

/// One entry of the logbook.
#[derive(Debug, Serialize, ToSchema)]
struct Entry {
    uuid: String,
    /// `update_node` for a change of settings, `add_token`, ...
    name: String,
    /// `running`, `success` or `failed`.
    state: &'static str,
    /// What was done, in words.
    what: String,
    /// Why it failed.
    why: Option<String>,
    /// A user's name, or `token NAME`.
    who: String,
    /// `uid 1000, pid 33`, or an address.
    from: String,
    created_at: Option<String>,
    updated_at: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(log)).routes(routes!(flows))
}

/// What was done by request, by whom and from where, the newest first
#[utoipa::path(
    get,
    path = "/v1/log",
    tag = "settings",
    params(Query),
    responses(
        (status = 200, body = Page<Entry>), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem)
    )
)]
async fn log(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Json<Page<Entry>>, Problem> {
    caller.needs(Right::Read)?;
    let place = query.checked()?;
    let (count, flows) = app.store.call(move |db| page(db, place.0, place.1)).await?;
    let results = flows.into_iter().map(entry).collect();
    Ok(Json(Page::new("/v1/log", place, count, results)))
}

/// The same in the platform's form
#[utoipa::path(
    get,
    path = "/logbook/v1/logbooks/{name}/flows",
    tag = "platform",
    params(("name" = String, Path, description = "The node's name"), Query),
    responses(
        (status = 200, body = Page<PlatformFlow>), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem)
    )
)]
async fn flows(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Asked(query): Asked<Query>,
) -> Result<Json<Page<PlatformFlow>>, Problem> {
    own(&app, &caller, &name, Right::Read)?;
    let place = query.checked()?;
    let (count, flows) = app.store.call(move |db| page(db, place.0, place.1)).await?;
    let results = flows.into_iter().map(|flow| platform_flow(&app.name, flow)).collect();
    // A path and no address: behind a proxy this side does not know how it was reached.
    let path = format!("/logbook/v1/logbooks/{}/flows", app.name);
    Ok(Json(Page::new(&path, place, count, results)))
}

fn entry(flow: Flow) -> Entry {
    Entry {
        uuid: flow.uuid,
        name: flow.name,
        state: flow.state.name(),
        what: flow.what,
        who: flow.asker.who,
        from: flow.asker.whence,
        created_at: rfc3339(flow.created_ms),
        updated_at: rfc3339(flow.updated_ms),
        why: match flow.state {
            FlowState::Failed(why) => Some(why),
            FlowState::Running | FlowState::Success => None,
        },
    }
}

fn platform_flow(node: &str, flow: Flow) -> PlatformFlow {
    let is_done = flow.state == FlowState::Success;
    PlatformFlow {
        state: flow.state.name(),
        created_at: rfc3339(flow.created_ms),
        updated_at: rfc3339(flow.updated_ms),
        progress: Progress {
            running: match flow.state {
                FlowState::Running => vec![flow.name.clone()],
                FlowState::Success | FlowState::Failed(_) => Vec::new(),
            },
            total: 1,
            completed: u32::from(is_done),
        },
        uuid: flow.uuid,
        name: flow.name,
        logbook: node.to_owned(),
        tracker: Tracker { uuid: None, description: Some(flow.what) },
    }
}
