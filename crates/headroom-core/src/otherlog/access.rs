//! Access logs of nginx, Apache and others: the common and combined forms, and JSON.

use alloc::borrow::Cow;

use serde::Deserialize;

use super::time;
use crate::oomlog::Wall;
use crate::oomlog::prefix::clock;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// When it was answered.
    pub wall: Wall,
    /// What was asked for, without its query.
    pub path: Cow<'a, str>,
    /// The HTTP status.
    pub status: u16,
    /// Who says it asked.
    pub agent: Cow<'a, str>,
}

/// The fields a JSON log may have, by the names that are common.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(
        borrow,
        alias = "time_iso8601",
        alias = "@timestamp",
        alias = "timestamp",
        alias = "time_local"
    )]
    time: Cow<'a, str>,
    #[serde(borrow, alias = "request_uri", alias = "uri", alias = "url")]
    request: Cow<'a, str>,
    #[serde(default)]
    status: serde_json::Value,
    #[serde(borrow, default, alias = "http_user_agent", alias = "agent")]
    user_agent: Cow<'a, str>,
}

/// Reads one line; `None` for one that is no request.
#[must_use]
pub fn request(line: &str) -> Option<Request<'_>> {
    if line.starts_with('{') { json(line) } else { combined(line) }
}

/// `192.0.2.1 - - [24/Nov/2026:02:58:03 +0000] "GET /a?b HTTP/1.1" 200 12 "referer" "agent"`, with
/// anything before the time and after the agent.
fn combined(line: &str) -> Option<Request<'_>> {
    let open = line.find('[')?;
    let (wall, rest) = time::common(line.get(open + 1..)?)?;
    let mut quoted = rest.strip_prefix(']')?.split('"');
    let (_, asked) = (quoted.next()?, quoted.next()?);
    let status = quoted.next()?.trim_start().split(' ').next()?.parse().ok()?;
    // The referer, a blank, the agent.
    let agent = quoted.nth(2).unwrap_or("");
    Some(Request { wall, path: Cow::Borrowed(path(asked)), status, agent: Cow::Borrowed(agent) })
}

fn json(line: &str) -> Option<Request<'_>> {
    let json: Json<'_> = serde_json::from_str(line).ok()?;
    let wall = clock::iso(&json.time).or_else(|| time::common(&json.time))?.0;
    let status = match &json.status {
        serde_json::Value::Number(number) => u16::try_from(number.as_u64()?).ok()?,
        serde_json::Value::String(text) => text.parse().ok()?,
        _ => 0,
    };
    let path = match json.request {
        Cow::Borrowed(asked) => Cow::Borrowed(path(asked)),
        Cow::Owned(asked) => Cow::Owned(path(&asked).into()),
    };
    Some(Request { wall, path, status, agent: json.user_agent })
}

/// `/a` of `GET /a?b=c HTTP/1.1`, or of the target alone.
fn path(asked: &str) -> &str {
    let target = asked.split(' ').find(|word| word.starts_with('/') || word.contains("://"));
    let target = target.unwrap_or(asked);
    target.split_once('?').map_or(target, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_combined_and_json_lines_are_requests() {
        let common = r#"192.0.2.1 - - [24/Nov/2026:02:58:03 +0000] "GET /a?b=1 HTTP/1.1" 200 12"#;
        let found = request(common).unwrap();
        assert_eq!((found.path.as_ref(), found.status, found.agent.as_ref()), ("/a", 200, ""));
        let combined = r#"shop.example:443 192.0.2.1 - - [24/Nov/2026:02:58:03 +0000] "POST / HTTP/2.0" 502 0 "https://x/" "GPTBot/1.1" "rt=0.1""#;
        let found = request(combined).unwrap();
        assert_eq!((found.status, found.agent.as_ref()), (502, "GPTBot/1.1"));
        let json = r#"{"time":"2026-11-24T02:58:03+00:00","remote_addr":"192.0.2.1","request":"GET /b?c HTTP/1.1","status":"200","user_agent":"Mozilla\/5.0"}"#;
        let found = request(json).unwrap();
        assert_eq!(
            (found.path.as_ref(), found.status, found.agent.as_ref()),
            ("/b", 200, "Mozilla/5.0")
        );
        for other in ["", "hello [world]", "{\"a\":1}", "[24/Nov/2026:02:58:03 +0000]", "\"\"\"\"["]
        {
            assert_eq!(request(other), None, "{other}");
        }
    }
}
