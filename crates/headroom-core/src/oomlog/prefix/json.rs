//! A line that is a JSON object: `journalctl -o json`, container logs, log shippers.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{Record, header, journal_stamp, strip_plain};

/// The record of a JSON line, if it holds a message.
pub(super) fn record(line: &str) -> Option<Record<'static>> {
    let object: Map<String, Value> = serde_json::from_str(line).ok()?;
    if let Some(message) = object.get("MESSAGE") {
        return Some(journal(&object, text(message)?));
    }
    let message =
        ["message", "msg", "log", "line", "text"].iter().find_map(|key| object.get(*key))?;
    let message = text(message)?;
    let inner = strip_plain(message.trim_end());
    let text = Cow::Owned(inner.text.to_string());
    Some(Record { text, prefixed: true, ..super::detach(&inner) })
}

fn journal(object: &Map<String, Value>, message: String) -> Record<'static> {
    let field = |key| object.get(key).and_then(Value::as_str);
    let from_kernel = field("_TRANSPORT") == Some("kernel");
    // systemd's own lines reach the journal through the kernel's buffer too; their tag says so.
    let tag = field("SYSLOG_IDENTIFIER").unwrap_or(if from_kernel { "kernel" } else { "-" });
    let uptime_us = field("_SOURCE_MONOTONIC_TIMESTAMP").and_then(|us| us.parse().ok());
    Record {
        stamp: journal_stamp(
            field("__REALTIME_TIMESTAMP").and_then(|us| us.parse().ok()),
            uptime_us.filter(|_| from_kernel),
        ),
        origin: header::origin(tag),
        host: field("_HOSTNAME").map(ToString::to_string),
        caller: None,
        prefixed: true,
        text: Cow::Owned(message),
    }
}

/// A string, or the array of bytes journalctl writes when a message is no clean text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(bytes) => {
            let bytes: Vec<u8> = bytes
                .iter()
                .map(|b| b.as_u64().and_then(|b| u8::try_from(b).ok()))
                .collect::<Option<_>>()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => None,
    }
}
