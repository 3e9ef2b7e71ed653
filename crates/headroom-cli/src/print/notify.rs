//! Notifications for people.

use headroom_api::notice::{Outlets, Tested};

use super::harmless;
use super::status::WIDTH;
use super::table::{Align, Table};

/// When there is nobody to tell.
const NOBODY: &str = "Nobody is told of incidents: agent.toml names no channel under [notify].\n";

/// Where messages go, and how that works.
pub(crate) fn list(outlets: &Outlets) -> String {
    if outlets.outlets.is_empty() {
        return NOBODY.to_owned();
    }
    let mut table = Table::new([
        ("channel", Align::Left),
        ("kind", Align::Left),
        ("to", Align::Left),
        ("state", Align::Left),
        ("waiting", Align::Right),
        ("sent today", Align::Right),
        ("last sent", Align::Left),
    ]);
    for outlet in &outlets.outlets {
        // To the second: who wants it finer asks for JSON.
        let sent = outlet.last_sent.as_deref().unwrap_or("never");
        let sent = sent.split('.').next().unwrap_or(sent).trim_end_matches('Z').replace('T', " ");
        table.row([
            outlet.channel.clone(),
            outlet.kind.clone(),
            harmless(&outlet.address).into_owned(),
            outlet.state.clone(),
            outlet.waiting.to_string(),
            outlet.sent_today.to_string(),
            sent,
        ]);
    }
    let mut out = String::new();
    table.write(&mut out, WIDTH);
    for outlet in &outlets.outlets {
        let Some(error) = &outlet.error else { continue };
        let next = outlet.next_try.as_deref();
        let next = next.map(|next| format!(" (tried again at {next})")).unwrap_or_default();
        out += &format!("\n{} to {}: {}{next}\n", outlet.channel, outlet.address, harmless(error));
    }
    for warning in &outlets.warnings {
        out += &format!("\n{}\n", harmless(warning));
    }
    out
}

/// What came of tests.
pub(crate) fn tested(tested: &Tested) -> String {
    if tested.tests.is_empty() {
        return NOBODY.to_owned();
    }
    let mut out = String::new();
    for test in &tested.tests {
        let came = if test.delivered { "taken" } else { "NOT taken" };
        out += &format!(
            "{} to {}: {came} after {} ms: {}\n",
            test.channel,
            harmless(&test.address),
            test.took_ms,
            harmless(&test.answer)
        );
    }
    out
}
