//! Several messages told as one: what the limit per hour held back, and what came too late.

use headroom_api::notice::{Gathered, GatheredIncident, LookFurther, Notice, NoticeKind};
use headroom_core::words::notice as words;
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};

use super::frame::{Frame, unwire, wire};
use super::queue::{Outlet, json};

/// Incidents that are listed one by one; the newest are.
const LISTED: usize = 20;

/// Puts messages together in one that waits in their place.
fn gather(
    db: &Transaction<'_>,
    outlet: &Outlet,
    seqs: &[i64],
    kind: NoticeKind,
    now_ms: i64,
) -> Result<()> {
    let Some(first) = seqs.first() else { return Ok(()) };
    let state = if kind == NoticeKind::Summary { "expired" } else { "gathered" };
    // One that a receiver may have by now stays as it is.
    let open: Option<i64> = db
        .query_row(
            "SELECT seq FROM notify_message WHERE channel = ?1 AND address = ?2 AND kind = ?3
               AND state = 'waiting' AND handed_ms IS NULL",
            params![outlet.channel, outlet.address, kind.name()],
            |row| row.get(0),
        )
        .optional()?;
    let into = match open {
        Some(seq) => seq,
        None => {
            // With the time in it, since numbers begin anew with a new store.
            let id = format!("{}/{now_ms}-{first}", kind.name());
            let notice = Notice { version: 1, id, kind, ..Notice::default() };
            db.execute(
                "INSERT INTO notify_message
                     (channel, address, notice_id, kind, notice, state, created_ms, due_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?6, ?6)",
                params![
                    outlet.channel,
                    outlet.address,
                    notice.id,
                    kind.name(),
                    json(&notice)?,
                    now_ms
                ],
            )?;
            db.last_insert_rowid()
        }
    };
    for seq in seqs {
        db.execute(
            "UPDATE notify_message SET gathered_in = ?2 WHERE gathered_in = ?1",
            params![seq, into],
        )?;
        db.execute(
            "UPDATE notify_message SET state = ?2, gathered_in = ?3, done_ms = ?4 WHERE seq = ?1",
            params![seq, state, into, now_ms],
        )?;
    }
    Ok(())
}

/// Gathers these messages into a digest.
pub(super) fn digest(
    db: &mut Connection,
    outlet: &Outlet,
    seqs: &[i64],
    now_ms: i64,
) -> Result<()> {
    let db = db.transaction()?;
    gather(&db, outlet, seqs, NoticeKind::Digest, now_ms)?;
    db.commit()
}

/// Gathers what was written before `before_ms` and still waits into a summary. Gives back how many.
pub(super) fn expire(
    db: &mut Connection,
    outlet: &Outlet,
    before_ms: i64,
    now_ms: i64,
) -> Result<usize> {
    let db = db.transaction()?;
    let old: Vec<i64> = db
        .prepare_cached(
            "SELECT seq FROM notify_message WHERE channel = ?1 AND address = ?2
               AND state = 'waiting' AND kind <> 'summary' AND created_ms < ?3 ORDER BY seq",
        )?
        .query_map(params![outlet.channel, outlet.address, before_ms], |row| row.get(0))?
        .collect::<Result<_>>()?;
    gather(&db, outlet, &old, NoticeKind::Summary, now_ms)?;
    db.commit()?;
    Ok(old.len())
}

/// Lets go what waits for addresses that are no longer in `agent.toml`, once it is old.
pub(super) fn expire_orphans(
    db: &Connection,
    outlets: &[Outlet],
    before_ms: i64,
    now_ms: i64,
) -> Result<usize> {
    let old: Vec<(i64, Outlet)> = db
        .prepare(
            "SELECT seq, channel, address FROM notify_message
             WHERE state = 'waiting' AND created_ms < ?1",
        )?
        .query_map([before_ms], |row| {
            Ok((row.get(0)?, Outlet { channel: row.get(1)?, address: row.get(2)? }))
        })?
        .collect::<Result<_>>()?;
    let orphans = old.iter().filter(|(_, outlet)| !outlets.contains(outlet));
    let mut count = 0;
    for (seq, _) in orphans {
        count += db.execute(
            "UPDATE notify_message SET state = 'expired', done_ms = ?2 WHERE seq = ?1",
            params![seq, now_ms],
        )?;
    }
    Ok(count)
}

/// What the message that others were gathered in says now.
pub(super) fn content(
    db: &Connection,
    frame: &Frame,
    seq: i64,
    empty: &Notice,
    now_ms: i64,
) -> Result<Notice> {
    let children: Vec<String> = db
        .prepare_cached("SELECT notice FROM notify_message WHERE gathered_in = ?1 AND kind NOT IN ('digest', 'summary') ORDER BY seq")?
        .query_map([seq], |row| row.get(0))?
        .collect::<Result<_>>()?;
    // What cannot be read was written by another release, and is counted all the same.
    let notices: Vec<Notice> =
        children.iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect();
    Ok(write(frame, empty, &notices, now_ms))
}

fn write(frame: &Frame, empty: &Notice, notices: &[Notice], now_ms: i64) -> Notice {
    let mut incidents: Vec<&Notice> = Vec::new();
    for notice in notices {
        let id = |n: &Notice| n.incident.as_ref().map(|i| i.id.clone());
        match incidents.iter_mut().find(|known| id(known) == id(notice)) {
            Some(known) => *known = notice,
            None => incidents.push(notice),
        }
    }
    let of = |count: fn(&headroom_api::notice::NoticeIncident) -> u64| {
        incidents.iter().filter_map(|n| n.incident.as_ref()).map(count).sum::<u64>()
    };
    let (slain, kernel) = (of(|i| i.slain), of(|i| i.kernel_oom_kills.unwrap_or(0)));
    let times = || notices.iter().filter_map(|n| unwire(n.time.as_deref()));
    let from = times().min().unwrap_or(now_ms);
    let until = times().max().unwrap_or(now_ms);
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let omitted = incidents.len().saturating_sub(LISTED);
    let listed = incidents.iter().skip(omitted).map(|notice| {
        let incident = notice.incident.clone().unwrap_or_default();
        GatheredIncident {
            id: incident.id,
            title: notice.title.clone(),
            state: notice.state.clone(),
            first: incident.first,
            last: incident.last,
        }
    });
    let gathered = Gathered {
        notices: count(notices.len()),
        incidents: count(incidents.len()),
        from: wire(from),
        until: wire(until),
        slain,
        kernel_oom_kills: kernel,
        listed: listed.collect(),
        omitted: count(omitted),
    };
    let (from_said, until_said) = (frame.readable(from), frame.readable(until));
    let (title, state) = match empty.kind {
        NoticeKind::Summary => (
            words::summary_title(&frame.node, gathered.incidents),
            words::summary_state(gathered.incidents, gathered.notices, &from_said, &until_said),
        ),
        _ => (
            words::digest_title(&frame.node, gathered.incidents),
            words::digest_state(gathered.incidents, gathered.notices, &from_said, &until_said),
        ),
    };
    let mut look_further = frame.commands(from, kernel > 0);
    look_further.push(LookFurther {
        command: "headroom notify list".to_owned(),
        shows: words::SHOWS_NOTIFY.to_owned(),
    });
    Notice {
        version: 1,
        id: empty.id.clone(),
        kind: empty.kind,
        node: frame.node.clone(),
        time: wire(now_ms),
        title,
        state,
        explanation: vec![words::totals(slain, kernel)],
        look_further,
        incident: None,
        gathered: Some(gathered),
        note: None,
    }
}
