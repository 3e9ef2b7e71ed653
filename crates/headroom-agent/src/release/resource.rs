//! `/v1/release/SERVICE`: memory given back when the node is low.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use headroom_api::release::{Ask, Release};
use tokio::sync::{Mutex, MutexGuard};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::ladder::{Ladder, Restart};
use super::simple;
use crate::http::caller::{Caller, Right};
use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::say;
use crate::services::{Action, Once, Services};
use crate::state::App;

/// Who asks for less than this makes no mistake, who asks for more has miscounted: 16 TiB.
const MOST_MIB: u64 = 16 << 20;
/// A year.
const MOST_MIN: u64 = 366 * 24 * 60;

/// Releases under way: one at a time, and requests for the same thing are one.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    once: Once<(String, String), Release>,
    alone: Arc<Mutex<()>>,
}

impl Releases {
    /// Held while the database is changed.
    pub(super) async fn alone(&self) -> MutexGuard<'_, ()> {
        self.alone.lock().await
    }
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(release))
}

/// Have a service give memory back when the node is low
#[utoipa::path(
    post,
    path = "/v1/release/{service}",
    params(("service" = String, Path, description = "mysql, php-fpm or redis")),
    request_body = Ask,
    responses(
        (status = 200, body = Release),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 404, body = Problem)
    )
)]
async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(service): Path<String>,
    Fields(fields): Fields,
) -> Result<Json<Release>, Problem> {
    caller.needs(Right::Release)?;
    let ask: Ask = serde_json::from_value(fields.into_iter().collect())
        .map_err(|e| Problem::new(StatusCode::BAD_REQUEST, format!("what is asked for: {e}")))?;
    if ask.below_mib > MOST_MIB {
        return Err(Problem::bad(
            "below_mib",
            format!("{} is more than {MOST_MIB}", ask.below_mib),
        ));
    }
    if ask.cooldown_min > MOST_MIN {
        return Err(Problem::bad(
            "cooldown_min",
            format!("{} is more than {MOST_MIN}", ask.cooldown_min),
        ));
    }
    if !matches!(service.as_str(), "mysql" | "php-fpm" | "redis") {
        let detail =
            format!("\"{service}\" gives nothing back; there are mysql, php-fpm and redis");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    // Not stopped by a client that goes away in the middle.
    let key = (service.clone(), format!("{ask:?}"));
    let work = {
        let (app, service, ask) = (app.clone(), service.clone(), ask.clone());
        || async move {
            match service.as_str() {
                "php-fpm" => simple::php_fpm(&app, &ask).await,
                "redis" => simple::redis(&app, &ask).await,
                _ => mysql(&app, &ask).await,
            }
        }
    };
    let (release, _) = app.releases.once.run(key, work).await.ok_or_else(|| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the release was lost; see the agent's log")
    })?;
    if !matches!(release.verdict.as_str(), "not_low" | "cooling_down") {
        say(&format!("release of {service} for {}: {}", caller.name, release.verdict));
    }
    Ok(Json(release))
}

/// The database's ladder, with a restart over D-Bus as its last rung.
pub(super) async fn mysql(app: &App, ask: &Ask) -> Release {
    let _alone = app.releases.alone().await;
    let ladder = Ladder {
        mysql: &app.config.mysql,
        config: &app.config.release.mysql,
        state_dir: app.options.state_dir.clone(),
        root: app.options.root.clone(),
        restart: app.services.clone(),
    };
    ladder.climb(ask).await
}

impl Restart for Services {
    async fn restart(&self) -> Result<(), String> {
        let outcomes = self.act("mysql", Action::Restart).await.map_err(|e| e.to_string())?;
        match outcomes.iter().find(|outcome| !outcome.is_good()) {
            None => Ok(()),
            Some(bad) => {
                let detail = bad.detail.clone();
                Err(detail.unwrap_or_else(|| format!("{}: {}", bad.unit, bad.result)))
            }
        }
    }
}
