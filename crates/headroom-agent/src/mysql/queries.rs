//! The query that holds the most: when the database itself is the storm, that one ends and not the server.

use std::time::Duration;

use headroom_core::units::Kib;

use super::connect::{DbError, Server};
use super::version::Flavour;

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

/// The statements that are being carried out, those first that hold the most, the server's own and
/// replication's left out.
pub(crate) async fn running(server: &mut Server) -> Result<Vec<Running>, DbError> {
    let own = server.own_id();
    let question = match server.version.flavour {
        Flavour::MariaDb => format!(
            "SELECT CAST(id AS UNSIGNED), COALESCE(user, ''), CAST(GREATEST(memory_used, 0) AS UNSIGNED), \
             CAST(COALESCE(time_ms, 0) AS UNSIGNED), COALESCE(LEFT(info, 200), '') \
             FROM information_schema.processlist \
             WHERE command IN ('Query', 'Execute') AND id <> {own} AND user <> 'system user' \
             ORDER BY memory_used DESC LIMIT 200"
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
             AND t.processlist_id <> {own} ORDER BY 3 DESC LIMIT 200"
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

/// The running statement that holds the most.
pub(crate) async fn heaviest(server: &mut Server) -> Result<Option<Running>, DbError> {
    Ok(running(server).await?.into_iter().next())
}

/// Ends a statement; its connection stays.
pub(crate) async fn end_query(server: &mut Server, id: u64) -> Result<(), DbError> {
    server.run(&format!("KILL QUERY {id}"), Duration::from_secs(10)).await
}
