//! What a person is told while long work goes on. Standard output is for score lines alone.

use std::io::Write;
use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Says one line on standard error, with the seconds since the command began.
pub(crate) fn say(text: &str) {
    let start = START.get_or_init(Instant::now);
    // With standard error closed there is nobody to tell.
    drop(writeln!(std::io::stderr(), "lab {:5.0}s  {text}", start.elapsed().as_secs_f64()));
}
