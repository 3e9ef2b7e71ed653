//! The end of protections: none lasts longer than the configuration lets it.

use std::time::Duration;

use headroom_api::guard::Request;
use headroom_sys::proc::Proc;
use jiff::Timestamp;
use tokio::time::sleep;

use super::budget::budget_of;
use crate::say;
use crate::state::App;

/// How often protections are looked at.
const EVERY: Duration = Duration::from_secs(30);

pub(super) fn start(app: &App) {
    if app.config.protect.time.0.is_zero() {
        return;
    }
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = app.stops() => return,
                () = sleep(EVERY) => look(&app).await,
            }
        }
    });
}

/// Takes back what has lasted too long. A guard that does not answer is asked again.
async fn look(app: &App) {
    let Ok(status) = app.guard.status().await else { return };
    let limit = app.config.protect.time.0;
    for job in budget_of(&status, &app.config.protect).jobs {
        let Some(start_ticks) = start_of(app, job.pid) else { continue };
        if job.budget_kib.is_none() || age(&job.since).is_none_or(|age| age < limit) {
            continue;
        }
        let hours = limit.as_secs_f64() / 3600.0;
        say(&format!(
            "{} ({}) of {} was protected for {hours:.1} h: the protection ends",
            job.comm, job.pid, job.user
        ));
        let request = Request::Unprotect { pid: job.pid, start_ticks };
        if app.guard.ask(request).await.is_err() {
            say(&format!("the protection of {} could not be taken back", job.pid));
        }
        app.guard.forget().await;
    }
}

fn start_of(app: &App, pid: i32) -> Option<u64> {
    Some(Proc::open(&app.options.root).ok()?.stat(pid).ok()?.start_ticks)
}

fn age(since: &str) -> Option<Duration> {
    let since: Timestamp = since.parse().ok()?;
    Timestamp::now().duration_since(since).try_into().ok()
}
