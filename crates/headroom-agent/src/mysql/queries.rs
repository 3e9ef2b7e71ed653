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
    end_query(server, heavy.id).await
}

/// A statement that is being carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) id: u64,
    pub(crate) user: String,
    /// What the server counts against its connection.
    pub(crate) held: Kib,
    pub(crate) ran: Duration,
    pub(crate) text: String,
}

impl Running {
    /// A backup, or a change of a table, is never ended: what it did so far would be lost or undone.
    pub(crate) fn is_spared(&self) -> bool {
        let text = self.text.trim_start().to_ascii_uppercase();
        let changes = ["ALTER", "OPTIMIZE", "REPAIR", "BACKUP", "CREATE INDEX", "DROP", "ROLLBACK"];
        text.contains("SQL_NO_CACHE */") || changes.iter().any(|verb| text.starts_with(verb))
    }

    /// Its first words, on one line.
    pub(crate) fn beginning(&self) -> String {
        let words = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        words.chars().filter(|c| !c.is_control()).take(80).collect()
    }
}

/// All statements that are being carried out, the server's own and replication's left out.
pub(crate) async fn running(server: &mut Server) -> Result<Vec<Running>, DbError> {
    let own = server.own_id();
    let question = match server.version.flavour {
        Flavour::MariaDb => format!(
            "SELECT CAST(id AS UNSIGNED), COALESCE(user, ''), CAST(GREATEST(memory_used, 0) AS UNSIGNED), \
             CAST(COALESCE(time_ms, 0) AS UNSIGNED), COALESCE(LEFT(info, 200), '') \
             FROM information_schema.processlist \
             WHERE command IN ('Query', 'Execute') AND id <> {own} AND user <> 'system user' LIMIT 200"
        ),
        Flavour::MySql => format!(
            "SELECT CAST(t.processlist_id AS UNSIGNED), COALESCE(t.processlist_user, ''), \
             CAST(COALESCE((SELECT GREATEST(SUM(m.current_number_of_bytes_used), 0) \
             FROM performance_schema.memory_summary_by_thread_by_event_name m \
             WHERE m.thread_id = t.thread_id), 0) AS UNSIGNED), \
             CAST(COALESCE(t.processlist_time, 0) * 1000 AS UNSIGNED), \
             COALESCE(LEFT(t.processlist_info, 200), '') \
             FROM performance_schema.threads t \
             WHERE t.type = 'FOREGROUND' AND t.processlist_command IN ('Query', 'Execute') \
             AND t.processlist_id <> {own} LIMIT 200"
        ),
    };
    let rows: Vec<(u64, String, u64, u64, String)> = server.rows(&question).await?;
    let running = rows.into_iter().map(|(id, user, bytes, millis, text)| Running {
        id,
        user,
        held: Kib::from_bytes(bytes),
        ran: Duration::from_millis(millis),
        text,
    });
    Ok(running.collect())
}

/// Ends a statement; its connection stays.
pub(crate) async fn end_query(server: &mut Server, id: u64) -> Result<(), DbError> {
    server.run(&format!("KILL QUERY {id}"), Duration::from_secs(10)).await
}
