//! The InnoDB buffer pool: its size, and another size while the server runs.

use std::time::Duration;

use headroom_core::units::Kib;
use tokio::time::{Instant, sleep};

use super::connect::{DbError, Server};
use super::version::Resizing;

/// A step where there are no chunks.
const MIB: u64 = 1 << 20;
/// How often a resize in the background is asked about.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// The pool as the server has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// `innodb_buffer_pool_size`.
    pub(crate) bytes: u64,
    /// Sizes are multiples of this; others are rounded up by the server.
    pub(crate) step: u64,
    /// What is used of it: pages with data.
    pub(crate) used: u64,
    /// Huge pages, which go back to their own pool and not to the node.
    pub(crate) large_pages: bool,
    /// Seconds since the server started.
    pub(crate) uptime: u64,
}

impl Pool {
    /// Asks the server.
    pub(crate) async fn of(server: &mut Server) -> Result<Self, DbError> {
        let bytes = number(server, "SELECT @@GLOBAL.innodb_buffer_pool_size").await?;
        let step = match server.version.resizing() {
            Resizing::InStatement => MIB,
            Resizing::InBackground | Resizing::Never(_) => {
                let chunk = number(server, "SELECT @@GLOBAL.innodb_buffer_pool_chunk_size")
                    .await
                    .unwrap_or(MIB);
                // MariaDB has had one instance since 10.5 and no variable since 10.6.
                let instances = number(server, "SELECT @@GLOBAL.innodb_buffer_pool_instances")
                    .await
                    .unwrap_or(1);
                chunk.saturating_mul(instances.max(1)).max(MIB)
            }
        };
        let used = status(server, "Innodb_buffer_pool_bytes_data").await?;
        let uptime = status(server, "Uptime").await?;
        // Nothing but an answer of 1 or ON says that there are any.
        let large = server.first::<String>("SELECT CONCAT(@@GLOBAL.large_pages)").await;
        let large_pages = matches!(large.ok().flatten().as_deref(), Some("1" | "ON"));
        Ok(Self { bytes, step, used, large_pages, uptime })
    }

    /// The size to shrink to for that much memory to come back: what is not used comes back for nothing.
    /// `None` when the pool is as small as it may be.
    pub(crate) fn shrunk_by(&self, wanted: Kib, least: u64) -> Option<u64> {
        let wanted = wanted.0.saturating_mul(1024);
        let from = self.used.min(self.bytes);
        let target = from.saturating_sub(wanted).max(least);
        let target = target.div_ceil(self.step) * self.step;
        (target < self.bytes).then_some(target)
    }
}

async fn number(server: &mut Server, question: &str) -> Result<u64, DbError> {
    let value: Option<u64> = server.first(question).await?;
    value.ok_or_else(|| DbError::Strange(question.into()))
}

async fn status(server: &mut Server, name: &str) -> Result<u64, DbError> {
    let row: Option<(String, String)> =
        server.first(&format!("SHOW GLOBAL STATUS LIKE '{name}'")).await?;
    row.and_then(|(_, value)| value.parse().ok()).ok_or_else(|| DbError::Strange(name.into()))
}

/// Gives the pool another size and waits until it has it. When it takes too long it is taken back.
pub(crate) async fn resize(
    server: &mut Server,
    bytes: u64,
    patience: Duration,
) -> Result<u64, DbError> {
    let statement = format!("SET GLOBAL innodb_buffer_pool_size = {bytes}");
    match server.version.resizing() {
        Resizing::Never(why) => return Err(DbError::Strange(why.into())),
        // The server ends the statement by itself, and the resize with it.
        Resizing::InStatement => {
            server
                .run(&format!("SET SESSION max_statement_time = {}", patience.as_secs()), patience)
                .await?;
            let done = server.run(&statement, patience + Duration::from_secs(10)).await;
            server.run("SET SESSION max_statement_time = 0", patience).await?;
            done?;
        }
        Resizing::InBackground => {
            server.run(&statement, patience).await?;
            let begin = Instant::now();
            while !is_settled(server).await? {
                if begin.elapsed() > patience {
                    return Err(DbError::Silent("resizing its buffer pool, which goes on"));
                }
                sleep(ASK_EVERY).await;
            }
        }
    }
    number(server, "SELECT @@GLOBAL.innodb_buffer_pool_size").await
}

/// Whether no resize goes on. MySQL 8.0.31 and later tell it by a number, 0 when done and 7 when it failed;
/// the others by a sentence that begins with "Completed".
async fn is_settled(server: &mut Server) -> Result<bool, DbError> {
    if let Ok(code) = status(server, "Innodb_buffer_pool_resize_status_code").await {
        return Ok(matches!(code, 0 | 7));
    }
    let row: Option<(String, String)> =
        server.first("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_resize_status'").await?;
    let text = row.map(|(_, text)| text).unwrap_or_default();
    Ok(text.is_empty() || text.starts_with("Completed") || text.contains("did not change"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(mib: u64, used: u64, step: u64) -> Pool {
        Pool { bytes: mib * MIB, step: step * MIB, used: used * MIB, large_pages: false, uptime: 1 }
    }

    #[test]
    fn a_pool_shrinks_by_what_is_wanted_and_not_under_its_least() {
        let wanted = Kib::from_mib(200);
        assert_eq!(pool(1024, 1024, 1).shrunk_by(wanted, 64 * MIB), Some(824 * MIB));
        assert_eq!(pool(1024, 300, 1).shrunk_by(wanted, 64 * MIB), Some(100 * MIB));
        assert_eq!(pool(1024, 1024, 1).shrunk_by(Kib::from_mib(2000), 256 * MIB), Some(256 * MIB));
        assert_eq!(pool(256, 256, 1).shrunk_by(wanted, 256 * MIB), None);
    }

    #[test]
    fn sizes_are_multiples_of_the_servers_step() {
        assert_eq!(pool(1024, 1024, 128).shrunk_by(Kib::from_mib(200), 0), Some(896 * MIB));
        assert_eq!(pool(2048, 2048, 1024).shrunk_by(Kib::from_mib(200), 0), None);
    }
}
