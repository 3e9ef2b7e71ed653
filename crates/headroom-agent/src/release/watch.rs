//! The agent's own policy: `[release.mysql] below`.

use std::time::Duration;

use headroom_api::release::Ask;
use tokio::time::sleep;

use super::ladder::available;
use super::resource::mysql;
use crate::say;
use crate::state::App;

/// How often memory is looked at.
const EVERY: Duration = Duration::from_secs(5);

pub(super) fn start(app: &App) {
    let Some(below) = app.config.release.mysql.below else { return };
    let config = &app.config.release.mysql;
    let ask = Ask {
        below_mib: below.0.0 / 1024,
        cooldown_min: config.cooldown.0.as_secs().div_ceil(60),
        online_only: !config.restart,
        ..Ask::default()
    };
    let app = app.clone();
    tokio::spawn(async move {
        let mut said = String::new();
        loop {
            tokio::select! {
                () = app.stops() => return,
                () = sleep(EVERY) => {}
            }
            // Cheap: the database is not asked while there is enough.
            if available(&app.options.root).is_ok_and(|now| now.0 / 1024 >= ask.below_mib) {
                continue;
            }
            let release = mysql(&app, &ask).await;
            let line = format!(
                "release of mysql by the agent itself: {}{}",
                release.verdict,
                release.reasons.iter().map(|why| format!("; {why}")).collect::<String>()
            );
            // Busy again and again is said once.
            if release.verdict != "cooling_down" && line != said {
                say(&line);
                said = line;
            }
        }
    });
}
