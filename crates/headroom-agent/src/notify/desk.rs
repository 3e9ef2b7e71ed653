//! The desk at which news become notices: what the guard recorded and what the kernel reported goes in,
//! messages go into the queue, and how far that has come is noted, all of it in one transaction. However
//! the agent dies, nothing is told twice and nothing is left out.

use std::collections::BTreeMap;

use headroom_api::journal::Entry;
use headroom_api::notice::NoticeKind;
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};

use super::config::Common;
use super::frame::Frame;
use super::kernel::Report;
use super::queue::{self, Outlet};
use super::track::{APART_MS, Tracked};
use super::write;

/// Kernel kills are told apart from a storm only when no storm was recorded for so long.
const SETTLE_MS: i64 = 10_000;

/// A storm of which nothing was heard for so long is over: its end was lost.
const SILENT_MS: i64 = 24 * 3_600_000;

/// An incident is remembered for so long after its end: the kernel's reports may come late.
const AFTERWARDS_MS: i64 = 2 * 60_000;

/// So long after the first turn an incident from before it is not yet taken for one that lasts.
const TAKING_OVER_MS: i64 = 15_000;

/// Records that are taken at a time.
const AT_ONCE: usize = 2_000;

/// What was done is forgotten after this.
const KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// The desk.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) frame: Frame,
    pub(super) outlets: Vec<(Outlet, Common)>,
}

/// What a turn left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// Notices that were written.
    pub(super) notices: usize,
    /// Whether an incident lasts, so that time alone may bring news.
    pub(super) watching: bool,
    /// Whether there are more records than were taken.
    pub(super) more: bool,
}

impl Desk {
    /// One turn.
    pub(super) fn turn(
        &self,
        db: &mut Connection,
        boot: &str,
        reports: &[Report],
        now_ms: i64,
    ) -> Result<Turn> {
        let db = db.transaction()?;
        let since = since(&db, now_ms)?;
        let mut tracked = load(&db)?;
        let before = tracked.clone();
        let taken = take_records(&db, &mut tracked)?;
        take_reports(&db, &mut tracked, boot, reports, since)?;
        settle(&mut tracked, now_ms);
        let mut turn = Turn { more: taken == AT_ONCE, ..Turn::default() };
        // While there is more, an incident may look open that is long over.
        if !turn.more {
            for incident in tracked.values_mut() {
                turn.notices += self.tell(&db, incident, since, now_ms)?;
            }
            tracked.retain(|_, t| {
                t.closed_ms.is_none() || now_ms - t.heard_ms < AFTERWARDS_MS || !t.told_closed
            });
        }
        turn.watching = !tracked.is_empty();
        if tracked != before {
            save(&db, &tracked)?;
        }
        if taken == 0 && turn.notices > 0 {
            queue::prune(&db, now_ms - KEPT_MS)?;
        }
        db.commit()?;
        Ok(turn)
    }

    /// Writes what there is to tell of an incident.
    fn tell(
        &self,
        db: &Transaction<'_>,
        incident: &mut Tracked,
        since_ms: i64,
        now_ms: i64,
    ) -> Result<usize> {
        if incident.told_closed {
            return Ok(0);
        }
        if incident.closed_ms.is_some_and(|closed| closed < since_ms) {
            // It was over before anybody was to be told anything.
            incident.told_closed = true;
            return Ok(0);
        }
        let kernel_only = incident.guard.is_none();
        if incident.first_ms < since_ms && now_ms - since_ms < TAKING_OVER_MS {
            // Its end may be among the records of an old journal that are still being taken over.
            return Ok(0);
        }
        if kernel_only && incident.closed_ms.is_none() && now_ms - incident.first_ms < SETTLE_MS {
            return Ok(0);
        }
        let mut told = 0;
        if !incident.told_opened {
            incident.title = write::title(&self.frame, incident);
            self.write(db, incident, NoticeKind::Opened, now_ms)?;
            incident.told_opened = true;
            told += 1;
        }
        let every = self.frame.still_every_ms;
        if incident.closed_ms.is_some() {
            self.write(db, incident, NoticeKind::Closed, now_ms)?;
            incident.told_closed = true;
            told += 1;
        } else if every > 0 && now_ms - incident.told_ms >= every {
            self.write(db, incident, NoticeKind::Ongoing, now_ms)?;
            incident.told_ongoing += 1;
            told += 1;
        }
        Ok(told)
    }

    fn write(
        &self,
        db: &Transaction<'_>,
        incident: &mut Tracked,
        kind: NoticeKind,
        now_ms: i64,
    ) -> Result<()> {
        let notice = write::notice(&self.frame, incident, kind, now_ms);
        // One that comes out of a long absence is as old as what it tells, for the queue's expiry.
        let written_ms = incident.closed_ms.unwrap_or(now_ms).min(now_ms);
        incident.told_ms = now_ms;
        queue::enqueue(db, &self.outlets, &notice, written_ms)
    }
}

/// Since when anything is told: since the first turn there ever was.
fn since(db: &Transaction<'_>, now_ms: i64) -> Result<i64> {
    db.execute(
        "INSERT INTO notify_cursor VALUES ('since', '', ?1) ON CONFLICT DO NOTHING",
        [now_ms],
    )?;
    cursor(db, "since").map(|found| found.map_or(now_ms, |(_, since)| since))
}

fn cursor(db: &Transaction<'_>, source: &str) -> Result<Option<(String, i64)>> {
    db.query_row("SELECT place, sequence FROM notify_cursor WHERE source = ?1", [source], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
    .optional()
}

fn set_cursor(db: &Transaction<'_>, source: &str, place: &str, sequence: i64) -> Result<()> {
    db.execute(
        "INSERT INTO notify_cursor VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET place = ?2, sequence = ?3",
        params![source, place, sequence],
    )?;
    Ok(())
}

fn load(db: &Transaction<'_>) -> Result<BTreeMap<String, Tracked>> {
    let rows: Vec<(String, String)> = db
        .prepare_cached("SELECT id, tracked FROM notify_incident")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    let read = |(id, text): (String, String)| Some((id, serde_json::from_str(&text).ok()?));
    Ok(rows.into_iter().filter_map(read).collect())
}

fn save(db: &Transaction<'_>, tracked: &BTreeMap<String, Tracked>) -> Result<()> {
    db.execute("DELETE FROM notify_incident", [])?;
    let mut insert = db.prepare_cached("INSERT INTO notify_incident VALUES (?1, ?2)")?;
    for (id, incident) in tracked {
        let text = serde_json::to_string(incident)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        insert.execute(params![id, text])?;
    }
    Ok(())
}

/// Takes the guard's records behind the cursor; gives back how many.
fn take_records(db: &Transaction<'_>, tracked: &mut BTreeMap<String, Tracked>) -> Result<usize> {
    let start = cursor(db, "records")?.unwrap_or(("0".to_owned(), 0));
    let epoch: i64 = start.0.parse().unwrap_or(0);
    let rows: Vec<(i64, i64, i64, String)> = db
        .prepare_cached(
            "SELECT epoch, sequence, unix_ms, entry FROM record
             WHERE epoch > ?1 OR (epoch = ?1 AND sequence > ?2)
             ORDER BY epoch, sequence LIMIT ?3",
        )?
        .query_map(params![epoch, start.1, i64::try_from(AT_ONCE).unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_>>()?;
    for (epoch, _, unix_ms, entry) in &rows {
        // Of a kind that this release does not know.
        if let Ok(entry) = serde_json::from_str(entry) {
            take_record(tracked, *epoch, *unix_ms, &entry);
        }
    }
    if let Some((epoch, sequence, ..)) = rows.last() {
        set_cursor(db, "records", &epoch.to_string(), *sequence)?;
    }
    Ok(rows.len())
}

fn take_record(tracked: &mut BTreeMap<String, Tracked>, epoch: i64, unix_ms: i64, entry: &Entry) {
    let number = match entry {
        Entry::Opened(opened) => {
            let mut storm = Tracked::storm(epoch, opened, unix_ms);
            // Kernel kills that were not told yet are what the storm began with.
            let own: Vec<String> = tracked
                .iter()
                .filter(|(_, t)| t.guard.is_none() && !t.told_opened && storm.covers(t.first_ms))
                .map(|(id, _)| id.clone())
                .collect();
            for kernel in own.iter().filter_map(|id| tracked.remove(id)) {
                storm.absorb(kernel);
            }
            tracked.entry(storm.id.clone()).or_insert(storm);
            return;
        }
        Entry::Started(_) => {
            // Whatever was open then, this guard knows nothing of it.
            for storm in tracked.values_mut().filter(|t| t.guard.is_some() && t.closed_ms.is_none())
            {
                storm.closed_ms = Some(unix_ms);
                storm.heard_ms = storm.heard_ms.max(unix_ms);
                storm.end_unseen = true;
                storm.waiting.clear();
            }
            return;
        }
        Entry::Verdict(verdict) => verdict.incident,
        Entry::Outcome(outcome) => outcome.incident,
        Entry::Closed(closed) => closed.incident,
        Entry::Stopped(_) | Entry::Lost(_) => return,
    };
    let open = tracked
        .values_mut()
        .filter(|t| t.guard.is_some_and(|(_, known)| known == number) && !t.told_closed)
        .max_by_key(|t| t.first_ms);
    match (open, entry) {
        (Some(storm), _) => storm.take(entry, unix_ms),
        // Its beginning was overwritten or lost: what was done all the same is worth telling.
        (None, Entry::Verdict(verdict)) if verdict.action == "slay" => {
            let mut storm = Tracked::headless(epoch, verdict, unix_ms);
            storm.take(entry, unix_ms);
            tracked.insert(storm.id.clone(), storm);
        }
        (None, _) => {}
    }
}

fn take_reports(
    db: &Transaction<'_>,
    tracked: &mut BTreeMap<String, Tracked>,
    boot: &str,
    reports: &[Report],
    since_ms: i64,
) -> Result<()> {
    let known = cursor(db, "kernel")?.filter(|(known, _)| known == boot).map_or(-1, |(_, at)| at);
    for report in reports.iter().filter(|report| report.sequence > known) {
        if report.unix_ms < since_ms {
            continue;
        }
        let storms = tracked.values_mut().filter(|t| t.covers(report.unix_ms));
        // A storm goes before kills that stand alone, and the newest before older ones.
        match storms.max_by_key(|t| (t.guard.is_some(), t.first_ms)) {
            Some(incident) => incident.take_report(&report.event, report.unix_ms),
            None => {
                let mut kills = Tracked::kernel_kills(&report.event, report.unix_ms);
                kills.take_report(&report.event, report.unix_ms);
                tracked.insert(kills.id.clone(), kills);
            }
        }
    }
    if let Some(last) = reports.iter().map(|report| report.sequence).max() {
        set_cursor(db, "kernel", boot, last.max(known))?;
    }
    Ok(())
}

/// Ends what time alone ends.
fn settle(tracked: &mut BTreeMap<String, Tracked>, now_ms: i64) {
    for incident in tracked.values_mut().filter(|t| t.closed_ms.is_none()) {
        let silent = now_ms - incident.heard_ms;
        match incident.guard {
            None if silent >= APART_MS => incident.closed_ms = Some(incident.heard_ms),
            Some(_) if silent >= SILENT_MS => {
                incident.closed_ms = Some(incident.heard_ms);
                incident.end_unseen = true;
            }
            _ => {}
        }
    }
}
