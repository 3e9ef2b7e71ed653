//! The guard's records in the store: taken over exactly once, given out as incidents.

use headroom_api::history::{Incident, incidents};
use headroom_api::journal::{Entry, Record};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;

/// How far the journal was read: the last record taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Which journal, from 1.
    pub(crate) epoch: i64,
    /// Its sequence number there, 0 before the first.
    pub(crate) sequence: u64,
    /// Its time: a record of this number with another time belongs to another journal.
    pub(crate) unix_ms: i64,
}

/// How far the store is.
pub(crate) fn cursor(db: &Connection) -> rusqlite::Result<Cursor> {
    db.query_row("SELECT epoch, sequence, unix_ms FROM cursor", [], |row| {
        Ok(Cursor {
            epoch: row.get(0)?,
            sequence: row.get::<_, i64>(1)?.cast_unsigned(),
            unix_ms: row.get(2)?,
        })
    })
}

/// Where the store stands in a journal that was read whole: behind which of its records, and in which
/// epoch it goes on. Another journal in the place of the known one begins an epoch; so does one that lost
/// its last records in a power cut and has written others since.
pub(crate) fn place_in(db: &Connection, records: &[Record]) -> rusqlite::Result<Cursor> {
    let known = cursor(db)?;
    let Some(newest) = records.last() else { return Ok(known) };
    let at_cursor = records.iter().find(|r| r.sequence == known.sequence);
    let goes_on = match at_cursor {
        Some(record) => record.unix_ms == known.unix_ms,
        // Overwritten or torn: what is newer goes on from there.
        None => known.sequence == 0 || newest.sequence > known.sequence,
    };
    if goes_on {
        return Ok(known);
    }
    let mut statement =
        db.prepare("SELECT 1 FROM record WHERE epoch = ? AND sequence = ? AND unix_ms = ?")?;
    for record in records.iter().rev().filter(|r| r.sequence < known.sequence) {
        let place = params![known.epoch, record.sequence.cast_signed(), record.unix_ms];
        if statement.exists(place)? {
            let (sequence, unix_ms) = (record.sequence, record.unix_ms);
            return Ok(Cursor { epoch: known.epoch + 1, sequence, unix_ms });
        }
    }
    Ok(Cursor { epoch: known.epoch + 1, ..Cursor::default() })
}

/// Takes over the records behind `start`, in their order, and moves the cursor behind the last of them:
/// both or neither. What the store has already is passed by.
pub(crate) fn take_over(
    db: &mut Connection,
    start: Cursor,
    records: &[Record],
) -> rusqlite::Result<Cursor> {
    let transaction = db.transaction()?;
    let known = cursor(&transaction)?;
    let mut cursor = if known.epoch == start.epoch { known } else { start };
    for record in records {
        if record.sequence <= cursor.sequence {
            continue;
        }
        insert(&transaction, cursor.epoch, record)?;
        cursor.sequence = record.sequence;
        cursor.unix_ms = record.unix_ms;
    }
    transaction.execute(
        "UPDATE cursor SET epoch = ?, sequence = ?, unix_ms = ?",
        params![cursor.epoch, cursor.sequence.cast_signed(), cursor.unix_ms],
    )?;
    transaction.commit()?;
    Ok(cursor)
}

fn insert(db: &Transaction<'_>, epoch: i64, record: &Record) -> rusqlite::Result<()> {
    // An entry came from JSON and goes into JSON.
    let entry = serde_json::to_value(&record.entry).unwrap_or_default();
    let kind = entry.get("kind").and_then(Value::as_str).unwrap_or_default();
    let incident = entry.get("incident").and_then(Value::as_i64);
    db.prepare_cached("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
        epoch,
        record.sequence.cast_signed(),
        record.unix_ms,
        kind,
        incident,
        entry.to_string()
    ])?;
    match &record.entry {
        Entry::Opened(opened) => {
            db.execute(
                "INSERT OR REPLACE INTO incident VALUES (?, ?, ?, NULL)",
                params![epoch, opened.incident.cast_signed(), record.unix_ms],
            )?;
            add(db, "opened", 1)?;
        }
        Entry::Closed(closed) => {
            db.execute(
                "UPDATE incident SET closed_ms = ? WHERE epoch = ? AND number = ?",
                params![record.unix_ms, epoch, closed.incident.cast_signed()],
            )?;
            add(db, "kernel_oom_kills", closed.kernel_oom_kills)?;
        }
        Entry::Verdict(verdict) if !verdict.dry_run => {
            add(db, &format!("verdict {} {}", verdict.action, verdict.trigger), 1)?;
        }
        Entry::Outcome(outcome) => {
            add(db, &format!("outcome {}", outcome.outcome), 1)?;
            add(db, "freed_kib", outcome.freed_kib.unwrap_or(0))?;
        }
        Entry::Lost(lost) => add(db, "lost", lost.records)?,
        _ => {}
    }
    Ok(())
}

/// Adds to a sum that outlives the records.
fn add(db: &Transaction<'_>, name: &str, value: u64) -> rusqlite::Result<()> {
    let statement = "INSERT INTO total VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET value = value + excluded.value";
    db.prepare_cached(statement)?.execute(params![name, value.cast_signed()])?;
    Ok(())
}

/// All sums, by name.
pub(crate) fn totals(db: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut statement = db.prepare_cached("SELECT name, value FROM total ORDER BY name")?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?.cast_unsigned())))?;
    rows.collect()
}

/// Which incidents are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Begun at or after this, in milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// Begun before this.
    pub(crate) until_ms: i64,
    /// The last so many of them.
    pub(crate) limit: u32,
}

/// Incidents, the oldest first.
pub(crate) fn find(db: &Connection, wanted: Wanted) -> rusqlite::Result<Vec<Incident>> {
    let mut statement = db.prepare_cached(
        "SELECT epoch, number FROM incident WHERE opened_ms >= ? AND opened_ms < ?
         ORDER BY opened_ms DESC, number DESC LIMIT ?",
    )?;
    let rows = statement
        .query_map(params![wanted.since_ms, wanted.until_ms, wanted.limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
    let mut found = Vec::with_capacity(rows.len());
    for (epoch, number) in rows.into_iter().rev() {
        found.extend(incidents(&records_of(db, epoch, number)?));
    }
    Ok(found)
}

/// The incident of that id, `2026-11-24T03:09:20Z-7`.
pub(crate) fn find_one(db: &Connection, id: &str) -> rusqlite::Result<Option<Incident>> {
    let Some((time, number)) = id.rsplit_once('-') else { return Ok(None) };
    let (Ok(time), Ok(number)) = (time.parse::<jiff::Timestamp>(), number.parse::<i64>()) else {
        return Ok(None);
    };
    let epoch = db
        .query_row(
            "SELECT epoch FROM incident WHERE number = ? AND opened_ms = ?",
            params![number, time.as_millisecond()],
            |row| row.get(0),
        )
        .optional()?;
    match epoch {
        Some(epoch) => Ok(incidents(&records_of(db, epoch, number)?).pop()),
        None => Ok(None),
    }
}

/// Open incidents now.
pub(crate) fn open_incidents(db: &Connection) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM incident WHERE closed_ms IS NULL";
    db.query_row(count, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

fn records_of(db: &Connection, epoch: i64, incident: i64) -> rusqlite::Result<Vec<Record>> {
    let mut statement = db.prepare_cached(
        "SELECT sequence, unix_ms, entry FROM record WHERE epoch = ? AND incident = ?
         ORDER BY sequence",
    )?;
    let rows = statement.query_map(params![epoch, incident], record)?;
    // Of a kind that an older release does not know.
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn record(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    let (sequence, unix_ms, entry): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let entry = serde_json::from_str(&entry).ok();
    Ok(entry.map(|entry| Record { sequence: sequence.cast_unsigned(), unix_ms, entry }))
}
