//! The node's two clocks: the one that only runs forward, and the wall's, which cron goes by.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::shell;

/// Time since boot, of the clock that all processes of the node share (`CLOCK_MONOTONIC`).
pub(crate) fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// Time of day since 1970. The node's time zone is UTC.
pub(crate) fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Sleeps until `then` on the clock of [`now`]; at once when that has passed.
pub(crate) fn sleep_until(then: Duration) {
    thread::sleep(then.saturating_sub(now()));
}

/// Puts the wall clock forward so that the next full minute is `ahead` away.
///
/// Cron starts jobs at full minutes only; waiting for one would cost half a minute a run.
pub(crate) fn bring_minute(ahead: Duration) -> Outcome {
    let wall = wall().as_secs();
    let second = 60_u64.saturating_sub(ahead.as_secs()) % 60;
    let minute = if wall % 60 < second { wall / 60 } else { wall / 60 + 1 };
    shell::run("date", &["-s", &format!("@{}", minute * 60 + second)])
}
