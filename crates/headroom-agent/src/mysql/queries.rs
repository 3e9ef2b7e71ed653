//! The query that holds the most: when the database itself is the storm, that one ends and not the server.

use std::time::Duration;

use headroom_core::units::Kib;

use super::connect::{DbError, Server};
use super::version::Flavour;

/// A query and what its connection holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heavy {
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) held: Kib,
    pub(crate) seconds: u64,
}

/// The running query that holds the most, the server's own threads and replication left out.
pub(crate) async fn heaviest(server: &mut Server) -> Result<Option<Heavy>, DbError> {
    let own = server.own_id();
    let question = match server.version.flavour {
        Flavour::MariaDb => format!(
            "SELECT CAST(id AS UNSIGNED), COALESCE(user, ''), CAST(GREATEST(memory_used, 0) AS UNSIGNED), \
             CAST(COALESCE(time, 0) AS UNSIGNED) FROM information_schema.processlist \
             WHERE command IN ('Query', 'Execute') AND id <> {own} AND user <> 'system user' \
             ORDER BY memory_used DESC LIMIT 1"
        ),
        Flavour::MySql => format!(
            "SELECT CAST(t.processlist_id AS UNSIGNED), COALESCE(t.processlist_user, ''), \
             CAST(GREATEST(SUM(m.current_number_of_bytes_used), 0) AS UNSIGNED), \
             CAST(COALESCE(MAX(t.processlist_time), 0) AS UNSIGNED) \
             FROM performance_schema.threads t \
             JOIN performance_schema.memory_summary_by_thread_by_event_name m USING (thread_id) \
             WHERE t.type = 'FOREGROUND' AND t.processlist_command IN ('Query', 'Execute') \
             AND t.processlist_id <> {own} GROUP BY t.processlist_id, t.processlist_user \
             ORDER BY 3 DESC LIMIT 1"
        ),
    };
    let row: Option<(u64, String, u64, u64)> = server.first(&question).await?;
    Ok(row.map(|(id, user, bytes, seconds)| Heavy {
        id,
        user,
        held: Kib::from_bytes(bytes),
        seconds,
    }))
}

/// Ends that query; its connection stays.
pub(crate) async fn end_heaviest(server: &mut Server, heavy: &Heavy) -> Result<(), DbError> {
    server.run(&format!("KILL QUERY {}", heavy.id), Duration::from_secs(10)).await
}
