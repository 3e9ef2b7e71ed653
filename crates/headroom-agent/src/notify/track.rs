//! What is remembered of an incident while it lasts, and what becomes of it as news comes in. Pure.

use headroom_api::journal::{Entry, Measured, Opened, OutcomeEntry, VerdictEntry};
use headroom_api::notice::NoticeVictim;
use headroom_api::time::rfc3339;
use headroom_core::action::{self, Trigger};
use headroom_core::diagnose::{self, Dated, Facts, IncidentKind};
use headroom_core::oomlog::{Event, Killer};
use headroom_core::redact;
use headroom_core::text::harmless;
use headroom_core::units::Kib;
use headroom_core::words;
use serde::{Deserialize, Serialize};

/// Victims that are remembered by name.
const VICTIMS: usize = 8;

/// Waiting jobs that are remembered by their number.
const WAITING: usize = 256;

/// The longest name that is told.
pub(super) const NAME: usize = 64;

/// The longest command line that is told.
const COMMAND_LINE: usize = 160;

/// The longest sentence.
pub(super) const SENTENCE: usize = 300;

/// How far before a storm the kernel's kills may lie that belong to it: they are what opened it.
const BEFORE_MS: i64 = 60_000;

/// Kernel kills farther apart than this are two incidents (the contract's figure for `explain`).
pub(super) const APART_MS: i64 = 60_000;

/// An incident that lasts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tracked {
    pub(super) id: String,
    /// The guard's journal and its number in it; `None` for kernel kills alone.
    pub(super) guard: Option<(i64, u64)>,
    pub(super) zone: String,
    pub(super) policy: String,
    pub(super) trigger: String,
    pub(super) dry_run: bool,
    pub(super) first_ms: i64,
    /// When it was last heard of.
    pub(super) heard_ms: i64,
    pub(super) closed_ms: Option<i64>,
    /// The guard was started anew in its middle.
    pub(super) end_unseen: bool,
    pub(super) slain: u64,
    pub(super) paused: u64,
    pub(super) longest_wait_ms: u64,
    /// Pids that wait.
    pub(super) waiting: Vec<i32>,
    pub(super) nobody_left: bool,
    /// By the guard's count, at the end.
    pub(super) kernel_kills: Option<u64>,
    /// By the kernel's reports.
    pub(super) reported_kills: u64,
    pub(super) victims: Vec<NoticeVictim>,
    /// Why, by the guard.
    pub(super) cause: String,
    /// Why, by the kernel's reports: what ran out, who died, who held the memory.
    pub(super) kernel: Vec<String>,
    /// What to do about it.
    pub(super) to_do: Option<String>,
    /// Its title, fixed when it is first told.
    pub(super) title: String,
    /// It was told that it began.
    pub(super) told_opened: bool,
    /// It was told that it is over, or there is nobody to tell.
    pub(super) told_closed: bool,
    /// How often it was told that it lasts.
    pub(super) told_ongoing: u32,
    /// When it was last told.
    pub(super) told_ms: i64,
}

/// A core type for the journal's form of it.
fn measured(entry: &Measured) -> action::Measured {
    action::Measured {
        available: Kib(entry.available_kib),
        floor: Kib(entry.floor_kib),
        falling_kib_s: entry.falling_kib_s,
        kills: entry.kernel_kills,
        stall_percent: entry.stall_percent,
        refaults: entry.refaults,
        ..action::Measured::default()
    }
}

fn cause(trigger: &str, entry: &Measured) -> String {
    match Trigger::ALL.into_iter().find(|known| known.name() == trigger) {
        Some(trigger) => {
            let said = words::relief::Cause(trigger, &measured(entry)).to_string();
            let mut said = said.chars();
            let first = said.next().map(|c| c.to_uppercase().collect::<String>());
            first.unwrap_or_default() + said.as_str()
        }
        // A trigger of a newer guard.
        None => harmless(trigger, NAME),
    }
}

impl Tracked {
    /// A storm that begins.
    pub(super) fn storm(epoch: i64, opened: &Opened, unix_ms: i64) -> Self {
        let time = rfc3339(unix_ms);
        Self {
            id: format!("{}-{}", time.as_deref().unwrap_or("?"), opened.incident),
            guard: Some((epoch, opened.incident)),
            zone: harmless(&opened.zone, NAME * 2),
            policy: harmless(&opened.policy, NAME),
            trigger: harmless(&opened.trigger, NAME),
            first_ms: unix_ms,
            heard_ms: unix_ms,
            cause: cause(&opened.trigger, &opened.measured),
            ..Self::default()
        }
    }

    /// A storm whose beginning is lost, by its first verdict that is not.
    pub(super) fn headless(epoch: i64, verdict: &VerdictEntry, unix_ms: i64) -> Self {
        let opened = Opened {
            incident: verdict.incident,
            zone: verdict.zone.clone(),
            trigger: verdict.trigger.clone(),
            measured: verdict.measured.clone(),
            ..Opened::default()
        };
        Self::storm(epoch, &opened, unix_ms)
    }

    /// Kernel kills that no storm is known for.
    pub(super) fn kernel_kills(event: &Event, unix_ms: i64) -> Self {
        let time = rfc3339(unix_ms - unix_ms.rem_euclid(1000));
        let pid = event.victims.first().and_then(|victim| victim.pid).unwrap_or(0);
        Self {
            id: format!("{}-{pid}", time.as_deref().unwrap_or("?")),
            zone: harmless(event.cgroup.as_deref().unwrap_or("/"), NAME * 2),
            first_ms: unix_ms,
            heard_ms: unix_ms,
            ..Self::default()
        }
    }

    /// Takes a record of this incident.
    pub(super) fn take(&mut self, entry: &Entry, unix_ms: i64) {
        self.heard_ms = self.heard_ms.max(unix_ms);
        match entry {
            Entry::Verdict(verdict) => self.verdict(verdict),
            Entry::Outcome(outcome) => self.outcome(outcome),
            Entry::Closed(closed) => {
                self.closed_ms = Some(unix_ms);
                self.kernel_kills = Some(closed.kernel_oom_kills);
                self.slain = self.slain.max(closed.slain);
                self.waiting.clear();
            }
            _ => {}
        }
    }

    fn verdict(&mut self, verdict: &VerdictEntry) {
        self.dry_run |= verdict.dry_run;
        match verdict.action.as_str() {
            "slay" if !verdict.escalated => {
                self.slain += 1;
                let name = verdict.comm.as_deref().unwrap_or("?");
                self.victim(NoticeVictim {
                    pid: verdict.pid.map(i64::from),
                    comm: harmless(name, NAME),
                    cmdline: verdict.cmdline.as_deref().filter(|line| !line.is_empty()).map(shown),
                    by: "headroom".to_owned(),
                    kib: verdict.gives_back_kib,
                    outcome: None,
                });
            }
            "pause" => {
                self.paused += 1;
                if let Some(pid) = verdict.pid.filter(|_| self.waiting.len() < WAITING) {
                    self.waiting.push(pid);
                }
            }
            "thaw" => {
                self.longest_wait_ms = self.longest_wait_ms.max(verdict.waited_ms.unwrap_or(0));
                self.waiting.retain(|pid| Some(*pid) != verdict.pid);
            }
            "none" => self.nobody_left = true,
            _ => {}
        }
    }

    fn outcome(&mut self, outcome: &OutcomeEntry) {
        if outcome.outcome == "refused" && self.waiting.contains(&outcome.pid) {
            // It runs on: it may hold what others wait for.
            self.paused = self.paused.saturating_sub(1);
        }
        self.waiting.retain(|pid| *pid != outcome.pid);
        let pid = Some(i64::from(outcome.pid));
        let open = self.victims.iter_mut().find(|v| v.pid == pid && v.outcome.is_none());
        if let Some(victim) = open {
            victim.outcome = Some(harmless(&outcome.outcome, NAME));
            victim.kib = outcome.freed_kib.or(victim.kib);
        }
    }

    /// Keeps the victims that held most.
    fn victim(&mut self, victim: NoticeVictim) {
        self.victims.push(victim);
        self.victims.sort_by_key(|v| std::cmp::Reverse(v.kib));
        self.victims.truncate(VICTIMS);
    }

    /// Whether the kernel's kills at that time belong to this incident.
    pub(super) fn covers(&self, unix_ms: i64) -> bool {
        match (self.guard, self.closed_ms) {
            (Some(_), Some(closed)) => (self.first_ms - BEFORE_MS..=closed).contains(&unix_ms),
            (Some(_), None) => unix_ms >= self.first_ms - BEFORE_MS,
            (None, _) => (self.heard_ms - unix_ms).abs() < APART_MS,
        }
    }

    /// Takes what the kernel reported.
    pub(super) fn take_report(&mut self, event: &Event, unix_ms: i64) {
        self.heard_ms = self.heard_ms.max(unix_ms);
        self.reported_kills += u64::try_from(event.victims.len()).unwrap_or(0);
        for victim in &event.victims {
            self.victim(NoticeVictim {
                pid: victim.pid.map(i64::from),
                comm: harmless(&victim.comm, NAME),
                cmdline: None,
                by: killer(event.killer).to_owned(),
                kib: words::explain::held(victim).map(|held| held.0),
                outcome: Some("gone".to_owned()),
            });
        }
        // The first report tells it: at the first kills of a storm it is at its height.
        if self.kernel.is_empty() {
            (self.kernel, self.to_do) = explained(event, unix_ms);
        }
    }

    /// Takes over what was held to be an incident of its own.
    pub(super) fn absorb(&mut self, other: Self) {
        self.reported_kills += other.reported_kills;
        self.heard_ms = self.heard_ms.max(other.heard_ms);
        for victim in other.victims {
            self.victim(victim);
        }
        if self.kernel.is_empty() {
            (self.kernel, self.to_do) = (other.kernel, other.to_do);
        }
    }

    /// How many the kernel killed, as far as it is known.
    pub(super) fn killed_by_kernel(&self) -> Option<u64> {
        match (self.kernel_kills, self.reported_kills) {
            (Some(counted), reported) => Some(counted.max(reported)),
            (None, 0) if self.guard.is_some() => None,
            (None, reported) => Some(reported),
        }
    }
}

fn killer(killer: Killer) -> &'static str {
    match killer {
        Killer::Kernel => "kernel",
        Killer::Headroom => "headroom",
        Killer::Earlyoom => "earlyoom",
        Killer::SystemdOomd => "systemd-oomd",
        Killer::Nohang => "nohang",
        Killer::Oomd => "oomd",
    }
}

/// The lines with which `headroom explain` begins.
fn explained(event: &Event, unix_ms: i64) -> (Vec<String>, Option<String>) {
    let events = [event];
    let Some(facts) = Facts::of(&events) else { return (Vec::new(), None) };
    let expected =
        event.victims.first().and_then(|victim| diagnose::expected_victim(event, victim));
    let lines = [
        words::explain::what_ran_out(event),
        words::explain::who_died(&events, expected),
        words::explain::who_held(&facts.holders, 3),
    ];
    let dated = Dated { event: event.clone(), at_us: Some(unix_ms.saturating_mul(1000)) };
    let kind = diagnose::incidents(&[dated]).first().map_or(IncidentKind::Incidental, |i| i.kind);
    let context = diagnose::Context::default();
    let findings = diagnose::findings(&diagnose::Case {
        events: &events,
        kind,
        history: &events,
        context: &context,
        repeats: None,
    });
    let advice = findings.iter().find_map(|finding| finding.advice.first());
    let to_do = advice.map(|advice| harmless(&words::explain::to_do(advice), SENTENCE));
    (lines.iter().map(|line| harmless(line, SENTENCE)).collect(), to_do)
}

/// A command line as it may leave the node.
fn shown(command_line: &str) -> String {
    harmless(redact::command_line(command_line.trim_end()).as_str(), COMMAND_LINE)
}
