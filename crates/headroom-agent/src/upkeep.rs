//! What is done from time to time: old history goes.

use std::time::Duration;

use tokio::time::sleep;

use crate::say;
use crate::state::App;
use crate::store::{flows::now_ms, retention};

/// From one time to the next.
const PERIOD: Duration = Duration::from_secs(15 * 60);

/// Keeps the store within its bounds until the agent stops.
pub(crate) fn start(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            let keep = app.config.store;
            match app.store.call(move |db| retention::apply(db, keep, now_ms())).await {
                Ok(0) => {}
                Ok(records) => say(&format!("{records} old records dropped from the store")),
                Err(error) => say(&error.to_string()),
            }
            tokio::select! {
                () = app.stops() => return,
                () = sleep(PERIOD) => {}
            }
        }
    });
}
