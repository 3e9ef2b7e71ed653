//! Bearer tokens: only their hashes are kept, and all of them are compared in constant time.

use ring::digest::{SHA256, digest};
use rusqlite::{Connection, ErrorCode, params};
use subtle::ConstantTimeEq;

use super::flows::now_ms;

/// What a token begins with, so that one that leaked is recognised.
const PREFIX: &str = "headroom_";

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) name: String,
    /// The names of its rights, separated by blanks.
    pub(crate) rights: String,
    pub(crate) created_ms: i64,
    pub(crate) created_by: String,
}

/// Makes a token; `None` when there is one of that name. The text is not kept.
pub(crate) fn add(
    db: &Connection,
    name: &str,
    rights: &str,
    created_by: &str,
) -> rusqlite::Result<Option<String>> {
    let secret = format!("{PREFIX}{}", crate::random::hex(&crate::random::bytes::<32>()));
    let added = db.execute(
        "INSERT INTO token VALUES (?, ?, ?, ?, ?)",
        params![name, hash(&secret), rights, now_ms(), created_by],
    );
    match added {
        Ok(_) => Ok(Some(secret)),
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Removes a token; whether there was one.
pub(crate) fn remove(db: &Connection, name: &str) -> rusqlite::Result<bool> {
    Ok(db.execute("DELETE FROM token WHERE name = ?", [name])? > 0)
}

/// All tokens, by name.
pub(crate) fn list(db: &Connection) -> rusqlite::Result<Vec<Token>> {
    let mut statement =
        db.prepare_cached("SELECT name, rights, created_ms, created_by FROM token ORDER BY name")?;
    let rows = statement.query_map([], |row| {
        Ok(Token {
            name: row.get(0)?,
            rights: row.get(1)?,
            created_ms: row.get(2)?,
            created_by: row.get(3)?,
        })
    })?;
    rows.collect()
}

/// The name and the rights of the token whose secret this is.
pub(crate) fn find(db: &Connection, secret: &str) -> rusqlite::Result<Option<(String, String)>> {
    let wanted = hash(secret);
    let mut statement = db.prepare_cached("SELECT name, rights, hash FROM token")?;
    let mut rows = statement.query([])?;
    let mut found = None;
    while let Some(row) = rows.next()? {
        let kept: Vec<u8> = row.get(2)?;
        // No early end: how long it takes tells nothing.
        if bool::from(kept.ct_eq(&wanted)) {
            found = Some((row.get(0)?, row.get(1)?));
        }
    }
    Ok(found)
}

fn hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}
