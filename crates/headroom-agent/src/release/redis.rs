//! Redis and Valkey: MEMORY PURGE, in their own protocol (RESP), which is lines of text.

use std::path::Path;
use std::time::Duration;

use headroom_api::release::Rung;
use headroom_core::units::Kib;
use headroom_sys::proc::Proc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};

use super::ladder::gain;
use crate::services::held_by;

/// Where distributions have them listen.
pub(super) const PLACES: [&str; 4] = [
    "/run/redis/redis-server.sock",
    "/run/redis/redis.sock",
    "/run/valkey/valkey-server.sock",
    "127.0.0.1:6379",
];
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer that is read: INFO's.
const LONGEST: usize = 1 << 20;

/// Has the server at that place give back what its allocator holds for nothing. `None` when nobody is there.
pub(super) async fn purge(
    place: &str,
    password: Option<&str>,
    root: &Path,
    dry_run: bool,
) -> Option<Rung> {
    if place.starts_with('/') {
        let stream = UnixStream::connect(place).await.ok()?;
        Some(purged(stream, place, password, root, dry_run).await)
    } else {
        let stream = TcpStream::connect(place).await.ok()?;
        Some(purged(stream, place, password, root, dry_run).await)
    }
}

async fn purged<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    place: &str,
    password: Option<&str>,
    root: &Path,
    dry_run: bool,
) -> Rung {
    let what = format!("MEMORY PURGE at {place}");
    let mut rung = Rung { rung: "purge".into(), what, ..Rung::default() };
    let begin = Instant::now();
    let work = async {
        let mut stream = BufReader::new(stream);
        if let Some(password) = password {
            ask(&mut stream, &["AUTH", password]).await?;
        }
        let info = ask(&mut stream, &["INFO", "server"]).await?;
        let pid =
            info.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok());
        let held = || held_by(&mut Proc::open(root).ok()?, pid?);
        if dry_run {
            return Ok(None);
        }
        let before: Option<Kib> = held();
        ask(&mut stream, &["MEMORY", "PURGE"]).await?;
        Ok::<_, String>(before.zip(held()).map(|(before, after)| gain(before, after)))
    };
    match timeout(PATIENCE, work).await {
        Ok(Ok(gained)) => {
            rung.outcome = if dry_run { "would" } else { "done" }.into();
            rung.gained_kib = gained;
        }
        Ok(Err(why)) => {
            rung.outcome = "failed".into();
            rung.why = Some(why);
        }
        Err(_) => {
            rung.outcome = "failed".into();
            rung.why = Some("it did not answer".into());
        }
    }
    rung.took_ms = u64::try_from(begin.elapsed().as_millis()).ok();
    rung
}

/// Sends a command and reads its answer: a line, or a text of a length.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    words: &[&str],
) -> Result<String, String> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command += &format!("${}\r\n{word}\r\n", word.len());
    }
    let io = |e: std::io::Error| e.to_string();
    stream.write_all(command.as_bytes()).await.map_err(io)?;
    let mut line = String::new();
    (&mut *stream).take(4096).read_line(&mut line).await.map_err(io)?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("-", error)) => Err(format!("it said: {error}")),
        Some(("+" | ":", text)) => Ok(text.to_owned()),
        Some(("$" | "=", length)) => {
            let length = length.parse::<usize>().ok().filter(|length| *length <= LONGEST);
            let mut text = vec![0; length.ok_or("its answer has no length")? + 2];
            stream.read_exact(&mut text).await.map_err(io)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        _ => Err("it does not speak Redis' protocol".into()),
    }
}
