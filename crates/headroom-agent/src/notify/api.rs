//! `/v1/notify`: where notices go and how that works, and a test of it.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use headroom_api::notice::{Notice, NoticeKind, Outlet as Row, Outlets, TestOutcome, Tested};
use headroom_core::words::notice as words;
use rusqlite::{Connection, OptionalExtension, Result, params};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::channel::{Plan, Sending, plans};
use super::frame::{Frame, wire};
use super::start::{frame, now_ms, outlets};
use crate::http::caller::{Caller, Right};
use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::state::App;

const DAY_MS: i64 = 24 * 3_600_000;

/// One test at a time: each may send mail to everybody.
static TESTING: Semaphore = Semaphore::const_new(1);

/// Which channel is tested.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes a body, which is read field by field")]
struct Test {
    /// The channel's name; all of them unless given.
    channel: Option<String>,
}

/// Its part of the API.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(test))
}

/// Where notices go, and how that works
#[utoipa::path(
    get,
    path = "/v1/notify",
    tag = "notify",
    responses((status = 200, body = Outlets), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 503, body = Problem))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
) -> std::result::Result<Json<Outlets>, Problem> {
    caller.needs(Right::Read)?;
    let plans = plans(&app.config.notify);
    let warnings = plans.iter().flat_map(|plan| plan.warnings.clone()).collect();
    let now = now_ms();
    let rows = app
        .store
        .call(move |db| {
            let mut rows = Vec::new();
            for plan in &plans {
                for outlet in outlets(plan) {
                    rows.push(row(db, plan, &outlet.address, now)?);
                }
            }
            Ok(rows)
        })
        .await?;
    Ok(Json(Outlets { version: 1, outlets: rows, warnings }))
}

fn row(db: &Connection, plan: &Plan, address: &str, now_ms: i64) -> Result<Row> {
    let channel = &plan.common.name;
    type Known = (u32, Option<i64>, Option<String>, Option<i64>);
    let known: Option<Known> = db
        .query_row(
            "SELECT failures, retry_ms, error, sent_ms FROM notify_outlet
             WHERE channel = ?1 AND address = ?2",
            params![channel, address],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    let count = |sql: &str, since: i64| {
        db.query_row(sql, params![channel, address, since], |row| row.get::<_, u32>(0))
    };
    let waiting = count(
        "SELECT count(*) FROM notify_message WHERE channel = ?1 AND address = ?2
           AND state IN ('waiting', 'claimed', 'handed') AND due_ms > ?3",
        i64::MIN,
    )?;
    let sent = count(
        "SELECT count(*) FROM notify_message WHERE channel = ?1 AND address = ?2
           AND state = 'sent' AND handed_ms > ?3",
        now_ms - DAY_MS,
    )?;
    let (failures, retry, error, sent_ms) = known.unwrap_or_default();
    let state = match (failures, &error, sent_ms) {
        (1.., ..) | (0, Some(_), _) => "failing",
        (0, None, Some(_)) => "ok",
        (0, None, None) => "unused",
    };
    Ok(Row {
        channel: channel.clone(),
        kind: plan.kind.to_owned(),
        address: address.to_owned(),
        state: state.to_owned(),
        waiting: waiting.into(),
        sent_today: sent.into(),
        last_sent: sent_ms.and_then(wire),
        error,
        next_try: retry.and_then(wire),
    })
}

/// Send a test by one channel or by all, and say what came of it
///
/// It goes out at once, beside the queue and its limits.
#[utoipa::path(
    post,
    path = "/v1/notify/test",
    tag = "notify",
    request_body = Test,
    responses((status = 200, body = Tested), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 415, body = Problem),
        (status = 503, body = Problem))
)]
async fn test(
    State(app): State<App>,
    caller: Caller,
    fields: Fields,
) -> std::result::Result<Json<Tested>, Problem> {
    caller.needs(Right::Settings)?;
    let asked = channel_of(&fields)?;
    let mut chosen = plans(&app.config.notify);
    if let Some(name) = &asked {
        let names: Vec<String> = chosen.iter().map(|plan| plan.common.name.clone()).collect();
        chosen.retain(|plan| plan.common.name == *name);
        if chosen.is_empty() {
            let there = match names.as_slice() {
                [] => "there are none; see [notify] in agent.toml".to_owned(),
                names => format!("there are: {}", names.join(", ")),
            };
            return Err(Problem::new(StatusCode::NOT_FOUND, format!("no such channel; {there}")));
        }
    }
    let Ok(_turn) = TESTING.try_acquire() else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "another test is under way; try again then",
        ));
    };
    let frame = frame(&app);
    let tests = spawn_blocking(move || {
        chosen.iter().flat_map(|plan| try_out(plan, &frame)).collect::<Vec<_>>()
    });
    let tests = tests.await.map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the test broke off; see the agent's log")
    })?;
    Ok(Json(Tested { version: 1, tests }))
}

fn channel_of(fields: &Fields) -> std::result::Result<Option<String>, Problem> {
    if let Some(other) = fields.0.keys().find(|name| *name != "channel") {
        return Err(Problem::bad(other, "no such field; there is \"channel\""));
    }
    match fields.0.get("channel") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(_) => Err(Problem::bad("channel", "is the name of a channel, a text")),
    }
}

fn try_out(plan: &Plan, frame: &Frame) -> Vec<TestOutcome> {
    let mut channel = plan.build(&frame.node);
    let notice = notice(frame, now_ms());
    let mut tests = Vec::new();
    for address in &plan.addresses {
        let begun = Instant::now();
        let mut hand = || Ok(());
        let sending = Sending { address, notice: &notice, follows: false, hand: &mut hand };
        let result = channel.deliver(sending);
        let (delivered, answer) = match result {
            Ok(answer) => (true, answer),
            Err(trouble) => (false, trouble.why().to_owned()),
        };
        tests.push(TestOutcome {
            channel: plan.common.name.clone(),
            address: address.clone(),
            delivered,
            answer,
            took_ms: millis(begun.elapsed()),
        });
    }
    channel.rest();
    tests
}

fn notice(frame: &Frame, now_ms: i64) -> Notice {
    Notice {
        version: 1,
        id: format!("test/{now_ms}"),
        kind: NoticeKind::Test,
        node: frame.node.clone(),
        time: wire(now_ms),
        title: words::test_title(&frame.node),
        state: format!("{}.", words::TEST_STATE),
        ..Notice::default()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
