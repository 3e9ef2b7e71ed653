//! What must not be disturbed: a backup, a change of a table, a long transaction, replication behind.

use std::path::Path;
use std::time::Duration;

use headroom_sys::proc::Proc;
use mysql_async::{Row, Value};

use super::connect::{DbError, Server};
use super::version::Flavour;

/// Programs that copy a database.
const BACKUPS: [&str; 9] = [
    "mariadb-backup",
    "mariabackup",
    "mysqldump",
    "mariadb-dump",
    "xtrabackup",
    "mydumper",
    "mysqlpump",
    "innobackupex",
    "mysqlbackup",
];
/// A replica that is further behind than this catches up.
const BEHIND_S: u64 = 5;

/// What stands against it, in words; and what could not be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Busy {
    pub(crate) reasons: Vec<String>,
    pub(crate) unknown: Vec<String>,
}

/// Looks for all of it. A transaction counts from `transaction` on.
pub(crate) async fn hindrances(
    server: &mut Server,
    root: &Path,
    transaction: Duration,
) -> Result<Busy, DbError> {
    let mut busy = Busy { reasons: backups(root), unknown: Vec::new() };
    let changes: Vec<(u64, u64, String)> = server
        .rows(
            "SELECT CAST(id AS UNSIGNED), CAST(COALESCE(time, 0) AS UNSIGNED), LEFT(COALESCE(info, ''), 60) \
             FROM information_schema.processlist WHERE command IN ('Query', 'Execute') AND \
             UPPER(LTRIM(info)) REGEXP '^(ALTER|OPTIMIZE|REPAIR|CREATE +(UNIQUE +)?INDEX|DROP +INDEX|LOAD +DATA|CHECK +TABLE|ANALYZE +TABLE|TRUNCATE)'",
        )
        .await?;
    for (id, seconds, text) in changes {
        let text: String = text.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        busy.reasons.push(format!("connection {id} changes a table since {seconds} s: {text} ..."));
    }
    let long: Vec<(u64, u64)> = server
        .rows(&format!(
            "SELECT CAST(trx_mysql_thread_id AS UNSIGNED), \
             CAST(TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS UNSIGNED) FROM information_schema.innodb_trx \
             WHERE trx_started < NOW() - INTERVAL {} SECOND",
            transaction.as_secs()
        ))
        .await?;
    for (id, seconds) in long {
        busy.reasons.push(format!("connection {id} has a transaction open for {seconds} s"));
    }
    if server.version.flavour == Flavour::MariaDb {
        backup_stage(server, &mut busy).await;
    }
    replication(server, &mut busy).await;
    Ok(busy)
}

/// Backup programs that run, by what they were started as.
fn backups(root: &Path) -> Vec<String> {
    let Ok(mut proc) = Proc::open(root) else { return Vec::new() };
    let mut pids = Vec::new();
    if proc.each_pid(&mut |pid| pids.push(pid)).is_err() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for pid in pids {
        let mut line = [0; 512];
        let Ok(line) = proc.cmdline(pid, &mut line) else { continue };
        // Scripts come second, behind their interpreter.
        let started = line.split(|b| *b == 0).take(2).filter_map(|argument| {
            let name = argument.rsplit(|b| *b == b'/').next()?;
            BACKUPS.iter().find(|backup| backup.as_bytes() == name)
        });
        found.extend(started.take(1).map(|name| format!("a backup runs: {name} ({pid})")));
    }
    found
}

/// Only one BACKUP STAGE can be open: whether one is, is found out by beginning one, which holds nobody up
/// in its first stage and is closed at once.
async fn backup_stage(server: &mut Server, busy: &mut Busy) {
    const SOON: Duration = Duration::from_secs(5);
    /// `ER_LOCK_WAIT_TIMEOUT`.
    const WAITED: u16 = 1205;
    if server.run("SET SESSION lock_wait_timeout = 0", SOON).await.is_err() {
        return;
    }
    match server.run("BACKUP STAGE START", SOON).await {
        Ok(()) => {
            if let Err(error) = server.run("BACKUP STAGE END", SOON).await {
                busy.unknown.push(format!("ending the look for a backup: {error}"));
            }
        }
        Err(DbError::Said(mysql_async::Error::Server(error))) if error.code == WAITED => {
            busy.reasons.push("a backup is under way (BACKUP STAGE)".into());
        }
        // Before 10.4 there is no such statement.
        Err(DbError::Said(mysql_async::Error::Server(error))) if error.code == 1064 => {}
        Err(error) => busy.unknown.push(format!("whether a backup is under way: {error}")),
    }
    let _ = server.run("SET SESSION lock_wait_timeout = DEFAULT", SOON).await;
}

async fn replication(server: &mut Server, busy: &mut Busy) {
    let question = match (server.version.flavour, server.version.number) {
        (Flavour::MariaDb, _) => "SHOW ALL SLAVES STATUS",
        (Flavour::MySql, n) if n >= (8, 0, 22) => "SHOW REPLICA STATUS",
        (Flavour::MySql, _) => "SHOW SLAVE STATUS",
    };
    let rows: Vec<Row> = match server.rows(question).await {
        Ok(rows) => rows,
        Err(error) => return busy.unknown.push(format!("whether replication is behind: {error}")),
    };
    for row in rows {
        let behind = row.columns_ref().iter().position(|column| {
            matches!(column.name_str().as_ref(), "Seconds_Behind_Master" | "Seconds_Behind_Source")
        });
        let behind = match behind.and_then(|at| row.as_ref(at)) {
            Some(Value::UInt(seconds)) => *seconds,
            Some(Value::Int(seconds)) => u64::try_from(*seconds).unwrap_or(0),
            Some(Value::Bytes(text)) => {
                std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).unwrap_or(0)
            }
            _ => 0,
        };
        if behind > BEHIND_S {
            busy.reasons.push(format!("replication is {behind} s behind and catches up"));
        }
    }
}
