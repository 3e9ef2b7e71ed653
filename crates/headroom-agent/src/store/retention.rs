//! What goes when the store gets old or large: the oldest records, incidents and flows.

use rusqlite::{Connection, params};

use crate::config::Retention;

const DAY_MS: i64 = 24 * 3600 * 1000;
/// How many records go at once when the store is too large: others wait for the store meanwhile.
const BATCH: u32 = 2_000;

/// Drops what is too old, then the oldest until the rest fits; gives back how many records went.
pub(crate) fn apply(
    db: &mut Connection,
    retention: Retention,
    now_ms: i64,
) -> rusqlite::Result<usize> {
    let before = now_ms.saturating_sub(i64::from(retention.days).saturating_mul(DAY_MS));
    let mut dropped = drop_before(db, before)?;
    let most = u64::from(retention.max_mib) << 20;
    while used(db)? > most {
        let oldest: Option<i64> = db.query_row(
            "SELECT max(unix_ms) FROM (SELECT unix_ms FROM record ORDER BY unix_ms LIMIT ?)",
            [BATCH],
            |row| row.get(0),
        )?;
        let Some(oldest) = oldest else { break };
        dropped += drop_before(db, oldest.saturating_add(1))?;
    }
    if dropped > 0 {
        // Gives free pages back to the disk; it has as many rows as there are pages.
        let mut statement = db.prepare("PRAGMA incremental_vacuum")?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(dropped)
}

fn drop_before(db: &mut Connection, before_ms: i64) -> rusqlite::Result<usize> {
    let transaction = db.transaction()?;
    let records = transaction.execute("DELETE FROM record WHERE unix_ms < ?", [before_ms])?;
    // An incident whose beginning is gone cannot be told any more.
    transaction.execute("DELETE FROM incident WHERE opened_ms < ?", [before_ms])?;
    transaction.execute(
        "DELETE FROM flow WHERE updated_ms < ? AND state <> 'running'",
        params![before_ms],
    )?;
    transaction.commit()?;
    Ok(records)
}

/// Bytes that hold something.
fn used(db: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| {
        db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
    };
    Ok((number("page_count")?.saturating_sub(number("freelist_count")?)) * number("page_size")?)
}
