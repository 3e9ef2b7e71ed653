//! `headroom history` as JSON (`contract`), put together from the journal.

use serde::{Deserialize, Serialize};

use crate::journal::{Entry, Record};
use crate::time::rfc3339;

/// Incidents, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct History {
    /// Version of this form.
    pub version: u32,
    /// The incidents.
    pub incidents: Vec<Incident>,
    /// Records of the journal that were torn or corrupt and left out.
    pub skipped_records: u64,
}

/// One storm with what was done in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Incident {
    /// Its time and number, `2026-11-24T03:09:20Z-7`.
    pub id: String,
    /// When it began.
    pub first: Option<String>,
    /// When it was over; `null` while it lasts.
    pub last: Option<String>,
    /// The set of thresholds in force.
    pub policy: String,
    /// The zone that was short first.
    pub zone: String,
    /// Why relief began.
    pub trigger: String,
    /// How many processes were slain.
    pub slain: u64,
    /// How many the kernel killed meanwhile; `null` while it lasts.
    pub kernel_oom_kills: Option<u64>,
    /// What was decided.
    pub verdicts: Vec<Verdict>,
}

/// One verdict and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verdict {
    /// When.
    pub time: Option<String>,
    /// `kills`, `floor`, `horizon`, `thrashing` or `request`.
    pub trigger: String,
    /// `pause`, `thaw`, `release`, `slay`, `trim` or `none`.
    pub action: String,
    /// To whom.
    pub pid: Option<i32>,
    /// Its name.
    pub comm: Option<String>,
    /// The beginning of its command line.
    pub cmdline: Option<String>,
    /// The signal that was sent.
    pub signal: Option<String>,
    /// Why now and why this one.
    pub reason: String,
    /// `gone`, `thawed`, `refused`, `vanished` or `failed`; `null` while it is awaited.
    pub outcome: Option<String>,
    /// The memory it gave back.
    pub freed_kib: Option<u64>,
    /// From the first signal to its end.
    pub took_ms: Option<u64>,
    /// It was not carried out: the guard ran dry.
    pub dry_run: bool,
}

/// Puts the journal's records together to incidents. Records that belong to an incident whose
/// beginning was overwritten are left out.
#[must_use]
pub fn incidents(records: &[Record]) -> Vec<Incident> {
    let mut incidents: Vec<(u64, Incident)> = Vec::new();
    for record in records {
        let time = rfc3339(record.unix_ms);
        match &record.entry {
            Entry::Opened(opened) => incidents.push((
                opened.incident,
                Incident {
                    id: format!("{}-{}", time.as_deref().unwrap_or("?"), opened.incident),
                    first: time,
                    policy: opened.policy.clone(),
                    zone: opened.zone.clone(),
                    trigger: opened.trigger.clone(),
                    ..Incident::default()
                },
            )),
            Entry::Verdict(verdict) => {
                let Some(incident) = of_number(&mut incidents, verdict.incident) else { continue };
                incident.slain += u64::from(verdict.action == "slay" && !verdict.escalated);
                if verdict.action == "thaw" {
                    let pauses = incident.verdicts.iter_mut().rev().filter(|v| v.action == "pause");
                    for pause in pauses.filter(|v| v.pid == verdict.pid && v.outcome.is_none()) {
                        pause.outcome = Some("thawed".into());
                        pause.took_ms = verdict.waited_ms;
                    }
                }
                incident.verdicts.push(Verdict {
                    time,
                    trigger: verdict.trigger.clone(),
                    action: verdict.action.clone(),
                    pid: verdict.pid,
                    comm: verdict.comm.clone(),
                    cmdline: verdict.cmdline.clone(),
                    signal: verdict.signal.clone(),
                    reason: verdict.reason.clone(),
                    dry_run: verdict.dry_run,
                    ..Verdict::default()
                });
            }
            Entry::Outcome(outcome) => {
                let Some(incident) = of_number(&mut incidents, outcome.incident) else { continue };
                let pending = incident.verdicts.iter_mut().filter(|v| v.outcome.is_none());
                for verdict in pending.filter(|v| v.pid == Some(outcome.pid)) {
                    verdict.outcome = Some(outcome.outcome.clone());
                    verdict.freed_kib = outcome.freed_kib;
                    verdict.took_ms = Some(outcome.took_ms);
                }
            }
            Entry::Closed(closed) => {
                let Some(incident) = of_number(&mut incidents, closed.incident) else { continue };
                incident.last = time;
                incident.kernel_oom_kills = Some(closed.kernel_oom_kills);
            }
            Entry::Started(_) | Entry::Stopped(_) | Entry::Lost(_) => {}
        }
    }
    incidents.into_iter().map(|(_, incident)| incident).collect()
}

fn of_number(incidents: &mut [(u64, Incident)], number: u64) -> Option<&mut Incident> {
    incidents.iter_mut().rev().find(|(n, _)| *n == number).map(|(_, incident)| incident)
}
