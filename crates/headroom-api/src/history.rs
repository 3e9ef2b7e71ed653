//! `headroom history` as JSON (`contract`), put together from the journal.

use serde::{Deserialize, Serialize};

use headroom_core::policy::Class;
use headroom_core::sample;
use headroom_core::snapshot::Process;

use crate::journal::jobs::Job;
use crate::journal::{Entry, Record};
use crate::status::ClassTotal;
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
    /// What was measured, the oldest first, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Vec<Sample>>,
    /// What jobs took, by kind of command line, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<JobKind>>,
    /// How far back it reaches.
    #[serde(default)]
    pub reach: Reach,
}

/// How far back the journal reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reach {
    /// The oldest event that is kept.
    pub events_from: Option<String>,
    /// The oldest sample that is kept.
    pub samples_from: Option<String>,
    /// Events that the disk was too slow for.
    pub lost_records: u64,
    /// Samples that the disk was too slow for.
    pub lost_samples: u64,
}

/// The node at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sample {
    /// When.
    pub time: Option<String>,
    /// The number of the incident that was open.
    pub incident: Option<u64>,
    /// The machine and the zones below it.
    pub zones: Vec<ZoneSample>,
    /// Totals by class, from the most to the least needed.
    pub classes: Vec<ClassTotal>,
    /// How many processes there were.
    pub processes: u32,
    /// Those of them that mattered most.
    pub top: Vec<TopProcess>,
}

/// A zone at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ZoneSample {
    /// `/` for the machine, else the cgroup's path.
    pub path: String,
    /// Its limit.
    pub limit_kib: u64,
    /// What could be taken.
    pub available_kib: u64,
    /// What is never handed out to expendables.
    pub floor_kib: u64,
    /// How fast the former fell, a second.
    pub falling_kib_s: u64,
    /// Kernel kills in the last second.
    pub kernel_kills: u32,
    /// Per cent of the last second with a stalled task.
    pub stall_percent: Option<u8>,
    /// Evicted pages read again, a second.
    pub refaults: Option<u64>,
}

/// A process at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TopProcess {
    /// Which.
    pub pid: i32,
    /// With the pid, which one for ever.
    pub start_ticks: u64,
    /// Its name.
    pub comm: String,
    /// The beginning of its command line.
    pub cmdline: Option<String>,
    /// Its effective user.
    pub uid: u32,
    /// Its class.
    pub class: String,
    /// Resident memory.
    pub rss_kib: u64,
    /// What its end would return; `null` for one that is never slain.
    pub gives_back_kib: Option<u64>,
    /// It is stopped.
    pub paused: bool,
}

/// Jobs of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobKind {
    /// What is known of them.
    #[serde(flatten)]
    pub job: Job,
    /// When the last one ended.
    pub seen: Option<String>,
}

impl Sample {
    /// A recorded sample; `paths` are those of the zones below the machine.
    #[must_use]
    pub fn of(sample: &sample::Sample, paths: &[String]) -> Self {
        let path = |n: usize| match n.checked_sub(1) {
            None => "/".into(),
            Some(n) => paths.get(n).cloned().unwrap_or_else(|| format!("zone {}", n + 1)),
        };
        let zone = |(n, zone): (usize, &sample::ZoneSample)| {
            let m = zone.measured?;
            Some(ZoneSample {
                path: path(n),
                limit_kib: m.limit.0,
                available_kib: m.available.0,
                floor_kib: m.floor.0,
                falling_kib_s: m.falling_kib_s,
                kernel_kills: m.kills,
                stall_percent: m.stall_percent,
                refaults: m.refaults,
            })
        };
        let class = |(class, total): (&Class, &sample::ClassSample)| ClassTotal {
            class: class.name().into(),
            processes: u64::from(total.processes),
            rss_kib: total.rss.0,
        };
        let process = |p: &Process| TopProcess {
            pid: p.id.pid,
            start_ticks: p.id.start_ticks,
            comm: p.comm.to_string(),
            cmdline: (!p.command.is_empty()).then(|| p.command.to_string()),
            uid: p.uid,
            class: p.class.name().into(),
            rss_kib: p.rss.0,
            gives_back_kib: (p.class.may_be_slain() || p.is_worker).then_some(p.gives_back.0),
            paused: p.paused,
        };
        Self {
            time: rfc3339(sample.unix_ms),
            incident: sample.incident,
            zones: sample.zones().iter().enumerate().filter_map(zone).collect(),
            classes: Class::ALL.iter().zip(&sample.classes).rev().map(class).collect(),
            processes: sample.processes,
            top: sample.top().iter().map(process).collect(),
        }
    }
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
    /// `kills`, `floor`, `horizon`, `thrashing`, `taken-over` or `request`.
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
    /// How a job was made to wait: `stop` (SIGSTOP) or `freeze` (with its unit); `null` for all else.
    #[serde(default)]
    pub way: Option<String>,
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
                    way: verdict.way.clone(),
                    reason: verdict.reason.clone(),
                    dry_run: verdict.dry_run,
                    ..Verdict::default()
                });
            }
            Entry::Outcome(outcome) => {
                let Some(incident) = of_number(&mut incidents, outcome.incident) else { continue };
                let is_meant = |v: &Verdict| v.outcome.is_none() && v.pid == Some(outcome.pid);
                let ended = |v: &Verdict| is_meant(v) && v.action != "pause";
                let was_ended = incident.verdicts.iter().any(ended);
                for verdict in incident.verdicts.iter_mut().filter(|v| is_meant(v)) {
                    verdict.outcome = Some(outcome.outcome.clone());
                    // What was paused first and then ended: the end is what freed something.
                    if verdict.action != "pause" || !was_ended {
                        verdict.freed_kib = outcome.freed_kib;
                        verdict.took_ms = Some(outcome.took_ms);
                    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Opened, OutcomeEntry, VerdictEntry};

    #[test]
    fn what_a_slain_job_gave_back_stands_with_its_end_and_not_with_the_pause_before() {
        let verdict = |action: &str| VerdictEntry {
            incident: 1,
            action: action.into(),
            pid: Some(7),
            ..VerdictEntry::default()
        };
        let outcome = OutcomeEntry {
            incident: 1,
            pid: 7,
            outcome: "gone".into(),
            freed_kib: Some(2048),
            took_ms: 60,
            ..OutcomeEntry::default()
        };
        let entries = [
            Entry::Opened(Opened { incident: 1, ..Opened::default() }),
            Entry::Verdict(verdict("pause")),
            Entry::Verdict(verdict("slay")),
            Entry::Outcome(outcome),
        ];
        let record = |(sequence, entry)| Record { sequence, unix_ms: 0, entry };
        let records: Vec<Record> = (1..).zip(entries).map(record).collect();
        let verdicts = &incidents(&records)[0].verdicts;
        let shown = |v: &Verdict| (v.outcome.clone(), v.freed_kib);
        assert_eq!(shown(&verdicts[0]), (Some("gone".into()), None));
        assert_eq!(shown(&verdicts[1]), (Some("gone".into()), Some(2048)));
    }
}
