//! The logbook: what was done by request, by whom, and what came of it.

use rusqlite::{Connection, OptionalExtension, Row, params};

/// Who asked for something, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// A user's name, or `token NAME`.
    pub(crate) who: String,
    /// `uid 1000, pid 33`, or an address.
    pub(crate) whence: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Success,
    /// With the reason.
    Failed(String),
}

impl State {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed(_) => "failed",
        }
    }
}

/// One page's row.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) asker: Asker,
    pub(crate) what: String,
}

/// A setting's value as a flow changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlowValue {
    pub(crate) setting: String,
    pub(crate) before: Option<String>,
    /// `None` leaves it to the policy again.
    pub(crate) after: Option<String>,
}

/// Begins a flow; `values` are those of an `update_node`.
pub(crate) fn begin(
    db: &mut Connection,
    name: &str,
    asker: &Asker,
    what: &str,
    values: &[FlowValue],
) -> rusqlite::Result<i64> {
    let transaction = db.transaction()?;
    let now = now_ms();
    transaction.execute(
        "INSERT INTO flow (uuid, name, state, created_ms, updated_ms, who, whence, what)
         VALUES (?1, ?2, 'running', ?3, ?3, ?4, ?5, ?6)",
        params![uuid(), name, now, asker.who, asker.whence, what],
    )?;
    let id = transaction.last_insert_rowid();
    for value in values {
        transaction.execute(
            "INSERT INTO flow_value VALUES (?, ?, ?, ?)",
            params![id, value.setting, value.before, value.after],
        )?;
    }
    transaction.commit()?;
    Ok(id)
}

/// Ends a flow that is still running; one that has ended stays as it is.
pub(crate) fn end(db: &Connection, id: i64, state: &State) -> rusqlite::Result<()> {
    let why = if let State::Failed(why) = state { Some(why) } else { None };
    db.execute(
        "UPDATE flow SET state = ?, why = ?, updated_ms = ? WHERE id = ? AND state = 'running'",
        params![state.name(), why, now_ms(), id],
    )?;
    Ok(())
}

/// A flow that was done before it is written down.
pub(crate) fn note(
    db: &mut Connection,
    name: &str,
    asker: &Asker,
    what: &str,
) -> rusqlite::Result<()> {
    let id = begin(db, name, asker, what, &[])?;
    end(db, id, &State::Success)
}

/// What became of a flow so far.
pub(crate) fn state_of(db: &Connection, id: i64) -> rusqlite::Result<State> {
    let found = db
        .query_row("SELECT state, why FROM flow WHERE id = ?", [id], |row| {
            state(&row.get::<_, String>(0)?, row.get(1)?)
        })
        .optional()?;
    // Retention never drops one that runs, and those that ended are old.
    Ok(found.unwrap_or(State::Success))
}

/// The changes of settings that have not reached the guard yet, in their order.
pub(crate) fn waiting(db: &Connection) -> rusqlite::Result<Vec<(i64, Vec<FlowValue>)>> {
    let mut statement = db.prepare_cached(
        "SELECT f.id, v.setting, v.before, v.after FROM flow f JOIN flow_value v ON v.flow = f.id
         WHERE f.state = 'running' ORDER BY f.id, v.setting",
    )?;
    let mut rows = statement.query([])?;
    let mut waiting: Vec<(i64, Vec<FlowValue>)> = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let value = FlowValue { setting: row.get(1)?, before: row.get(2)?, after: row.get(3)? };
        match waiting.last_mut() {
            Some((last, values)) if *last == id => values.push(value),
            _ => waiting.push((id, vec![value])),
        }
    }
    Ok(waiting)
}

/// How many there are, and a page of them, the newest first.
pub(crate) fn page(db: &Connection, limit: u32, offset: u32) -> rusqlite::Result<(u64, Vec<Flow>)> {
    let count = db.query_row("SELECT count(*) FROM flow", [], |row| row.get::<_, i64>(0))?;
    let mut statement = db.prepare_cached(
        "SELECT uuid, name, state, why, created_ms, updated_ms, who, whence, what FROM flow
         ORDER BY id DESC LIMIT ? OFFSET ?",
    )?;
    let flows = statement.query_map(params![limit, offset], flow)?;
    Ok((count.cast_unsigned(), flows.collect::<rusqlite::Result<_>>()?))
}

fn flow(row: &Row<'_>) -> rusqlite::Result<Flow> {
    Ok(Flow {
        uuid: row.get(0)?,
        name: row.get(1)?,
        state: state(&row.get::<_, String>(2)?, row.get(3)?)?,
        created_ms: row.get(4)?,
        updated_ms: row.get(5)?,
        asker: Asker { who: row.get(6)?, whence: row.get(7)? },
        what: row.get(8)?,
    })
}

fn state(name: &str, why: Option<String>) -> rusqlite::Result<State> {
    Ok(match name {
        "running" => State::Running,
        "failed" => State::Failed(why.unwrap_or_default()),
        _ => State::Success,
    })
}

/// The wall clock in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A random UUID (RFC 9562, version 4).
fn uuid() -> String {
    let mut bytes = crate::random::bytes::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::random::hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
