//! A line that is a JSON object, or ends in one: `journalctl -o json`, `dmesg -J`, containers' logs, log
//! shippers, cloud consoles.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::super::event::{Stamp, Wall};
use super::super::scan;
use super::{Origin, Record, clock, header, journal_stamp, strip_plain};

/// Where shippers keep the line itself, and objects in which they keep it.
const TEXTS: [&str; 9] = [
    "message",
    "msg",
    "log",
    "line",
    "text",
    "textPayload",
    "short_message",
    "full_message",
    "_raw",
];
const INSIDE: [&str; 6] = ["jsonPayload", "fields", "event", "properties", "_source", "result"];

/// The record of a line that is an object, bare or as an element of an array, if it holds a message.
pub(super) fn record(line: &str) -> Option<Record<'static>> {
    let line = line.trim_start();
    let line = line.strip_prefix("data: ").unwrap_or(line);
    let line = line.trim_start_matches(['[', ',']).trim_start();
    object(line)
}

/// The record of an object that begins the text; a comma or a bracket may follow it.
pub(super) fn object(text: &str) -> Option<Record<'static>> {
    if !text.starts_with('{') {
        return None;
    }
    let text = text.trim_end().trim_end_matches([',', ']']);
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    if let Some(message) = object.get("MESSAGE") {
        return Some(journal(&object, self::text(message)?));
    }
    let message = message(&object)?;
    let inner = super::owned(strip_plain(message.trim_end()));
    let outer = time(&object);
    let field = |names: &[&str]| names.iter().find_map(|name| object.get(*name)?.as_str());
    let origin = match (inner.origin, field(&["ident", "programname", "appname", "program", "tag"]))
    {
        (Origin::Unknown, Some(tag)) => header::origin(tag),
        (known, _) => known,
    };
    Some(Record {
        stamp: Stamp {
            uptime_us: inner.stamp.uptime_us.or(outer.uptime_us),
            // What the shipper noted has its year and zone.
            wall: outer.wall.or(inner.stamp.wall),
        },
        origin,
        host: inner.host.or_else(|| field(&["host", "hostname"]).map(ToString::to_string)),
        prefixed: true,
        ..inner
    })
}

fn message(object: &Map<String, Value>) -> Option<String> {
    TEXTS.iter().find_map(|key| object.get(*key)).and_then(text).or_else(|| {
        INSIDE.iter().find_map(|key| {
            let inner = object.get(*key)?.as_object()?;
            TEXTS.iter().find_map(|key| inner.get(*key)).and_then(text)
        })
    })
}

/// The time a shipper noted: ISO, or seconds or milliseconds since 1970; `dmesg -J` has seconds since
/// boot.
fn time(object: &Map<String, Value>) -> Stamp {
    let value = ["time", "@timestamp", "timestamp", "ts"].iter().find_map(|key| object.get(*key));
    let mut stamp = Stamp::default();
    match value {
        Some(Value::String(text)) => match clock::iso(text) {
            Some((wall, _)) => stamp.wall = Some(wall),
            // `dmesg -J -x` sets its seconds in a string.
            None => {
                stamp.uptime_us =
                    microseconds(text.trim()).filter(|(_, exact)| *exact).map(|(us, _)| us);
            }
        },
        Some(Value::Number(number)) => {
            let text = number.to_string();
            if let Some((us, decimals)) = microseconds(&text) {
                // Nothing runs for thirty years without a boot, and no log is from before 2001.
                match us {
                    0..1_000_000_000_000_000 => stamp.uptime_us = Some(us),
                    _ if decimals || us < 10_000_000_000_000_000 => {
                        stamp.wall = i64::try_from(us).ok().map(Wall::Unix);
                    }
                    _ => stamp.wall = i64::try_from(us / 1000).ok().map(Wall::Unix),
                }
            }
        }
        _ => {}
    }
    stamp
}

fn microseconds(text: &str) -> Option<(u64, bool)> {
    let (seconds, rest) = scan::number(text)?;
    let us = seconds.checked_mul(1_000_000)?;
    match rest.strip_prefix('.').and_then(scan::fraction_us) {
        Some((fraction, _)) => Some((us.checked_add(fraction)?, true)),
        None => Some((us, false)),
    }
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
        prefixed: true,
        text: Cow::Owned(message),
        ..Record::default()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(json: &str) -> Stamp {
        object(json).expect("a record").stamp
    }

    #[test]
    fn the_shippers_time_is_kept() {
        assert_eq!(
            stamp(r#"{"msg":"x","time":23.157011}"#),
            Stamp { uptime_us: Some(23_157_011), wall: None }
        );
        assert_eq!(stamp(r#"{"msg":"x","time":"   23.157011"}"#).uptime_us, Some(23_157_011));
        let unix = |us| Stamp { uptime_us: None, wall: Some(Wall::Unix(us)) };
        assert_eq!(stamp(r#"{"msg":"x","ts":1795472423.5}"#), unix(1_795_472_423_500_000));
        assert_eq!(stamp(r#"{"msg":"x","ts":1795472423}"#), unix(1_795_472_423_000_000));
        assert_eq!(stamp(r#"{"msg":"x","ts":1795472423043}"#), unix(1_795_472_423_043_000));
        assert!(stamp(r#"{"msg":"x","time":"2026-11-23T22:20:23Z"}"#).is_known());
    }

    #[test]
    fn another_programs_message_is_not_the_kernels() {
        let record = object(r#"{"ident":"kubelet","message":"Killed process 7 (a)"}"#).unwrap();
        assert_eq!(record.origin, Origin::Program("kubelet".into()));
    }

    #[test]
    fn what_is_no_object_is_no_record() {
        for text in ["", "{", "{}", "[1]", "{\"a\":1}", "text {\"msg\":\"x\"}"] {
            assert!(record(text).is_none(), "{text}");
        }
    }
}
