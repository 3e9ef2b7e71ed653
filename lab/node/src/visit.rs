//! Visitors of a site: each asks for a page, waits for it, and asks again, for as long as told.

use std::thread;
use std::time::Duration;

use crate::{Outcome, clock, http};

/// Longer than nginx waits for the site's workers.
const PATIENCE: Duration = Duration::from_secs(30);

/// `visit PORT PATH VISITORS SECONDS`.
pub(crate) fn run(port: &str, path: &str, visitors: &str, seconds: &str) -> Outcome {
    let (port, visitors) = (port.parse()?, visitors.parse::<u32>()?);
    let end = clock::now() + Duration::from_secs(seconds.parse()?);
    thread::scope(|scope| {
        for _ in 0..visitors {
            scope.spawn(|| {
                while clock::now() < end {
                    if !http::answers(port, path, PATIENCE) {
                        thread::sleep(Duration::from_millis(500));
                    }
                }
            });
        }
    });
    Ok(())
}
