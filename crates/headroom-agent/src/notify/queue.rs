//! The queue of messages in the store: each state a message has is on the disk before what it stands
//! for is done.
//!
//! A message is `waiting`, then `claimed` by the thread that will send it, then `handed` just before
//! the receiver may have it, then `sent`. An agent that dies while a message is `claimed` sends it
//! after its next start, and nobody gets it twice. One that dies while it is `handed`, before the
//! receiver's answer has come (`receipt`), cannot know whether it took it, and sends it again under the
//! same id: a mail's Message-ID, a webhook's
//! Idempotency-Key. So nothing is lost, and what comes twice can be told by its id.

use headroom_api::notice::{Notice, NoticeKind};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};

use super::config::Common;
use super::receipt::Taken;

/// Where messages go: one address of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outlet {
    /// The channel's name.
    pub(super) channel: String,
    /// The address.
    pub(super) address: String,
}

/// A message that may be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) seq: i64,
    pub(super) kind: NoticeKind,
    pub(super) notice: Notice,
    pub(super) follows: bool,
    /// How often its receiver refused it.
    pub(super) refusals: u32,
    /// Whether its receiver may have it already.
    pub(super) handed: bool,
}

const COLUMNS: &str = "seq, notice, follows, refusals, handed_ms IS NOT NULL";

fn message(row: &Row<'_>) -> Result<Message> {
    let text: String = row.get(1)?;
    let notice: Notice = serde_json::from_str(&text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(e)))?;
    Ok(Message {
        seq: row.get(0)?,
        kind: notice.kind,
        notice,
        follows: row.get(2)?,
        refusals: row.get(3)?,
        handed: row.get(4)?,
    })
}

pub(super) fn json(notice: &Notice) -> Result<String> {
    serde_json::to_string(notice).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// Puts a notice about an incident into the queue of every address that wants it. What it makes
/// superfluous and is not yet on its way is merged into it: an older "still going on", and the
/// beginning of an incident that was over while it was held back or could not be sent.
///
/// Doing it twice is doing it once.
pub(super) fn enqueue(
    db: &Transaction<'_>,
    outlets: &[(Outlet, Common)],
    notice: &Notice,
    now_ms: i64,
) -> Result<()> {
    let incident = notice.incident.as_ref().map(|incident| incident.id.as_str());
    for (outlet, common) in outlets {
        if !common.events.iter().any(|moment| moment.kind() == notice.kind) {
            continue;
        }
        let superseded: &[&str] = match notice.kind {
            NoticeKind::Closed => &["opened", "ongoing"],
            NoticeKind::Ongoing => &["ongoing"],
            _ => &[],
        };
        for kind in superseded {
            db.execute(
                "UPDATE notify_message SET state = 'merged', done_ms = ?5
                 WHERE incident = ?1 AND channel = ?2 AND address = ?3 AND kind = ?4
                   AND state = 'waiting' AND handed_ms IS NULL",
                params![incident, outlet.channel, outlet.address, kind, now_ms],
            )?;
        }
        let hold = match notice.kind {
            NoticeKind::Opened => i64::try_from(common.hold.as_millis()).unwrap_or(i64::MAX),
            _ => 0,
        };
        db.execute(
            "INSERT INTO notify_message
                 (channel, address, notice_id, incident, kind, notice, follows, state, created_ms, due_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6,
                 EXISTS (SELECT 1 FROM notify_message WHERE incident = ?4 AND channel = ?1
                         AND address = ?2 AND state IN ('waiting', 'claimed', 'handed', 'sent')),
                 'waiting', ?7, ?8)
             ON CONFLICT DO NOTHING",
            params![
                outlet.channel,
                outlet.address,
                notice.id,
                incident,
                notice.kind.name(),
                json(notice)?,
                now_ms,
                now_ms.saturating_add(hold)
            ],
        )?;
    }
    Ok(())
}

/// What an earlier run of the agent left half done goes back into the queue, but for what was `taken`:
/// see the module's text. Gives back how many of them their receivers may have already.
pub(super) fn recover(db: &mut Connection, taken: &[Taken]) -> Result<usize> {
    let db = db.transaction()?;
    for taken in taken {
        db.execute(
            "UPDATE notify_message SET state = 'sent', done_ms = handed_ms, error = NULL
             WHERE seq = ?1 AND notice_id = ?2 AND state = 'handed'",
            params![taken.seq, taken.notice_id],
        )?;
    }
    db.execute("UPDATE notify_message SET state = 'waiting' WHERE state = 'claimed'", [])?;
    let unsure =
        db.execute("UPDATE notify_message SET state = 'waiting' WHERE state = 'handed'", [])?;
    db.commit()?;
    Ok(unsure)
}

/// A message from so far in the future was written before the clock was set back.
const AHEAD_MS: i64 = 3_600_000;

/// The messages that are due, in their order.
pub(super) fn due(db: &Connection, outlet: &Outlet, now_ms: i64) -> Result<Vec<Message>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM notify_message
         WHERE channel = ?1 AND address = ?2 AND state = 'waiting'
           AND (due_ms <= ?3 OR created_ms > ?3 + {AHEAD_MS}) ORDER BY seq"
    );
    db.prepare_cached(&sql)?
        .query_map(params![outlet.channel, outlet.address, now_ms], message)?
        .collect()
}

/// When the next message that is not due yet will be.
pub(super) fn next_due(db: &Connection, outlet: &Outlet, now_ms: i64) -> Result<Option<i64>> {
    db.query_row(
        "SELECT MIN(due_ms) FROM notify_message
         WHERE channel = ?1 AND address = ?2 AND state = 'waiting' AND due_ms > ?3",
        params![outlet.channel, outlet.address, now_ms],
        |row| row.get(0),
    )
}

/// When the messages of the last hour went out, the oldest first. One of which nobody knows whether it
/// arrived counts.
pub(super) fn sent_since(db: &Connection, outlet: &Outlet, since_ms: i64) -> Result<Vec<i64>> {
    db.prepare_cached(
        "SELECT handed_ms FROM notify_message
         WHERE channel = ?1 AND address = ?2 AND handed_ms > ?3 ORDER BY handed_ms",
    )?
    .query_map(params![outlet.channel, outlet.address, since_ms], |row| row.get(0))?
    .collect()
}

/// The address's rest, and how often it failed in a row.
pub(super) fn rest(db: &Connection, outlet: &Outlet) -> Result<(u32, Option<i64>)> {
    let found = db
        .query_row(
            "SELECT failures, retry_ms FROM notify_outlet WHERE channel = ?1 AND address = ?2",
            params![outlet.channel, outlet.address],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(found.unwrap_or((0, None)))
}

/// Takes a message for sending; false when it is no longer there to be taken. `notice` is its text
/// from now on: a repetition says the same.
pub(super) fn claim(db: &Connection, seq: i64, notice: &Notice) -> Result<bool> {
    let changed = db.execute(
        "UPDATE notify_message SET state = 'claimed', notice = ?2 WHERE seq = ?1 AND state = 'waiting'",
        params![seq, json(notice)?],
    )?;
    Ok(changed == 1)
}

/// From here on the receiver may have it.
pub(super) fn hand(db: &Connection, seq: i64, now_ms: i64) -> Result<()> {
    db.execute(
        "UPDATE notify_message SET state = 'handed', handed_ms = ?2 WHERE seq = ?1",
        params![seq, now_ms],
    )?;
    Ok(())
}

/// The receiver took it.
pub(super) fn sent(db: &mut Connection, outlet: &Outlet, seq: i64, now_ms: i64) -> Result<()> {
    let db = db.transaction()?;
    db.execute(
        "UPDATE notify_message SET state = 'sent', done_ms = ?2, error = NULL WHERE seq = ?1",
        params![seq, now_ms],
    )?;
    db.execute(
        "INSERT INTO notify_outlet (channel, address, sent_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET failures = 0, retry_ms = NULL, error = NULL, sent_ms = ?3",
        params![outlet.channel, outlet.address, now_ms],
    )?;
    db.commit()
}

/// It could not be delivered, nor could others: the address rests until `retry_ms`. With the message
/// goes whether the receiver may have it all the same.
pub(super) fn failed(
    db: &mut Connection,
    outlet: &Outlet,
    (seq, may_have): (i64, bool),
    why: &str,
    retry_ms: i64,
) -> Result<()> {
    let db = db.transaction()?;
    db.execute(
        "UPDATE notify_message SET state = 'waiting', error = ?2,
             handed_ms = CASE WHEN ?3 THEN handed_ms END
         WHERE seq = ?1",
        params![seq, why, may_have],
    )?;
    db.execute(
        "INSERT INTO notify_outlet (channel, address, failures, retry_ms, error) VALUES (?1, ?2, 1, ?3, ?4)
         ON CONFLICT DO UPDATE SET failures = failures + 1, retry_ms = ?3, error = ?4",
        params![outlet.channel, outlet.address, retry_ms, why],
    )?;
    db.commit()
}

/// The receiver refused this one: it is tried again at `retry_ms`, or given up when there is none.
pub(super) fn refused(
    db: &mut Connection,
    outlet: &Outlet,
    (seq, may_have): (i64, bool),
    why: &str,
    retry_ms: Option<i64>,
    now_ms: i64,
) -> Result<()> {
    let db = db.transaction()?;
    db.execute(
        "UPDATE notify_message SET refusals = refusals + 1, error = ?2,
             state = CASE WHEN ?3 IS NULL THEN 'refused' ELSE 'waiting' END,
             due_ms = coalesce(?3, due_ms), done_ms = CASE WHEN ?3 IS NULL THEN ?4 END,
             handed_ms = CASE WHEN ?5 THEN handed_ms END
         WHERE seq = ?1",
        params![seq, why, retry_ms, now_ms, may_have],
    )?;
    db.execute(
        "INSERT INTO notify_outlet (channel, address, error) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET error = ?3",
        params![outlet.channel, outlet.address, why],
    )?;
    db.commit()
}

/// Forgets what was done with so long ago that nobody asks.
pub(super) fn prune(db: &Connection, before_ms: i64) -> Result<usize> {
    db.execute(
        "DELETE FROM notify_message WHERE done_ms < ?1 AND state NOT IN ('waiting', 'claimed', 'handed')
           AND NOT EXISTS (SELECT 1 FROM notify_message AS child WHERE child.gathered_in = notify_message.seq)",
        params![before_ms],
    )
}
