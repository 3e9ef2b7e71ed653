//! Settings and tokens for people.

use headroom_api::settings::{Setting, Settings};
use headroom_api::tokens::Tokens;
use serde_json::Value;

use super::harmless;
use super::status::WIDTH;
use super::table::{Align, Table};

/// A value without the quotes of JSON.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => harmless(text).into_owned(),
        other => other.to_string(),
    }
}

/// All settings: value, what is allowed, and where the value comes from.
pub(crate) fn list(all: &Settings) -> String {
    let mut table = Table::new([
        ("setting", Align::Left),
        ("value", Align::Right),
        ("default", Align::Right),
        ("from", Align::Left),
        ("allowed", Align::Left),
    ]);
    for setting in &all.settings {
        table.row([
            setting.name.clone(),
            value(&setting.value),
            value(&setting.default),
            setting.source.clone(),
            allowed(setting),
        ]);
    }
    let mut out = String::new();
    table.write(&mut out, WIDTH);
    if all.settings.iter().any(|setting| setting.in_force == Some(false)) {
        out += "\nNo guard runs: these are for the next one.\n";
    }
    out + "\nheadroom settings --help says what each is for.\n"
}

fn allowed(setting: &Setting) -> String {
    setting.allowed.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// What a setting is now.
pub(crate) fn changed(setting: &Setting) -> String {
    format!("{} is {}\n", harmless(&setting.name), value(&setting.value))
}

/// All tokens.
pub(crate) fn tokens(tokens: &Tokens) -> String {
    if tokens.tokens.is_empty() {
        return "no tokens; headroom token add NAME makes one\n".into();
    }
    let mut table = Table::new([
        ("name", Align::Left),
        ("rights", Align::Left),
        ("made", Align::Left),
        ("by", Align::Left),
    ]);
    for token in &tokens.tokens {
        table.row([
            harmless(&token.name).into_owned(),
            token.rights.join(" "),
            token.created_at.clone().unwrap_or_else(|| "unknown".into()),
            harmless(&token.created_by).into_owned(),
        ]);
    }
    let mut out = String::new();
    table.write(&mut out, WIDTH);
    out
}
