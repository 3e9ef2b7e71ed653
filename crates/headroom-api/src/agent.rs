//! Questions to the running agent: HTTP/1.1 over its socket, blocking, one request a connection.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::paths;

/// The longest answer that is read.
const ANSWER_CAP: u64 = 16 * 1024 * 1024;

/// What the agent answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP's status.
    pub status: u16,
    /// The body, JSON nearly always.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum AgentError {
    /// No agent runs here.
    NotRunning,
    /// The socket said so.
    Socket(io::Error),
    /// What came is no HTTP, or not the JSON that was expected.
    Malformed,
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => {
                f.write_str("the agent does not run; systemctl start headroom-agent")
            }
            Self::Socket(error) => write!(f, "the agent's socket: {error}"),
            Self::Malformed => {
                f.write_str("the agent's answer cannot be read; do the versions match?")
            }
        }
    }
}

impl std::error::Error for AgentError {}

impl Response {
    /// Whether the agent did what it was asked.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The body as what was expected.
    ///
    /// # Errors
    ///
    /// [`AgentError::Malformed`] for anything else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, AgentError> {
        serde_json::from_slice(&self.body).map_err(|_| AgentError::Malformed)
    }

    /// The sentence of a refusal.
    #[must_use]
    pub fn detail(&self) -> String {
        let body: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let detail = body.as_ref().and_then(|b| b.get("detail")).and_then(|d| d.as_str());
        detail.map_or_else(|| format!("the agent answered {}", self.status), ToOwned::to_owned)
    }
}

/// Asks the agent that listens in `runtime_dir`. `path` is percent-encoded already; `body` is JSON.
/// The answer is waited for as long as `patience`.
///
/// # Errors
///
/// When no agent runs or its answer does not come.
pub fn ask(
    runtime_dir: &Path,
    method: &str,
    path: &str,
    body: Option<&serde_json::Value>,
    patience: Duration,
) -> Result<Response, AgentError> {
    let mut stream =
        UnixStream::connect(runtime_dir.join(paths::AGENT_SOCKET)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AgentError::NotRunning,
            _ => AgentError::Socket(e),
        })?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: headroom\r\nconnection: close\r\n");
    let body = body.map(ToString::to_string).unwrap_or_default();
    if !body.is_empty() {
        request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    request += "\r\n";
    request += &body;
    let mut answer = Vec::new();
    stream
        .set_read_timeout(Some(patience))
        .and_then(|()| stream.set_write_timeout(Some(patience)))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .and_then(|()| stream.take(ANSWER_CAP).read_to_end(&mut answer))
        .map_err(AgentError::Socket)?;
    parse(&answer).ok_or(AgentError::Malformed)
}

/// A whole answer, of a server that closes the connection behind it and sends no chunks.
fn parse(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let header = |name: &str| {
        head.split("\r\n").filter_map(|l| l.split_once(':')).find_map(|(key, value)| {
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    if header("transfer-encoding").is_some() {
        return None;
    }
    let body = &answer[end + 4..];
    let whole = header("content-length").is_none_or(|n| n.parse() == Ok(body.len()));
    whole.then(|| Response { status, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let whole = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 16\r\n\r\n{\"detail\":\"no!\"}";
        let response = parse(whole).unwrap();
        assert_eq!((response.status, response.detail().as_str()), (403, "no!"));
        assert_eq!(parse(&whole[..whole.len() - 1]), None);
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), None);
        assert_eq!(parse(b"SSH-2.0-x\r\n\r\n"), None);
    }
}
