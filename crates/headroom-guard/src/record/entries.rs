//! What happened, in the journal's own form.

use std::time::Duration;

use headroom_api::journal::{Closed, Entry, Measured, Opened, OutcomeEntry, VerdictEntry};
use headroom_core::action::{self, Action, Ending, Outcome, Relief, Verdict};
use headroom_core::policy::Policy;
use headroom_core::words::relief::Reason;

use crate::view::zone_path;

/// The entry for an action, and nothing for those that are not recorded.
pub(super) fn entry(
    action: &Action,
    policy: &Policy,
    dry_run: bool,
    reflex: Option<Duration>,
) -> Option<Entry> {
    Some(match action {
        Action::Open { incident, zone, trigger, measured } => Entry::Opened(Opened {
            incident: *incident,
            zone: zone_path(policy, *zone),
            trigger: trigger.name().into(),
            policy: policy.name().into(),
            measured: measured_entry(measured),
        }),
        Action::Relieve(verdict) => Entry::Verdict(verdict_entry(verdict, policy, dry_run, reflex)),
        Action::Tell(outcome) => Entry::Outcome(outcome_entry(outcome)),
        Action::Close { incident, lasted, slain, kernel_kills } => Entry::Closed(Closed {
            incident: *incident,
            lasted_ms: millis(*lasted),
            slain: u64::from(*slain),
            kernel_oom_kills: u64::from(*kernel_kills),
        }),
        _is_done_alone => return None,
    })
}

fn verdict_entry(
    verdict: &Verdict,
    policy: &Policy,
    dry_run: bool,
    reflex: Option<Duration>,
) -> VerdictEntry {
    let (action, signal) = match verdict.relief {
        Relief::Terminate => ("slay", Some("SIGTERM")),
        Relief::Kill | Relief::KillFamily { .. } => ("slay", Some("SIGKILL")),
        Relief::Trim { .. } => ("trim", Some("SIGKILL")),
        Relief::Pause { .. } => ("pause", None),
        Relief::Thaw { .. } => ("thaw", None),
        Relief::Nothing | Relief::Useless { .. } => ("none", None),
    };
    VerdictEntry {
        incident: verdict.incident,
        zone: zone_path(policy, verdict.zone),
        trigger: verdict.trigger.name().into(),
        action: action.into(),
        signal: signal.map(Into::into),
        way: match verdict.relief {
            Relief::Pause { way, .. } => Some(way.name().into()),
            _ => None,
        },
        escalated: verdict.escalated,
        dry_run,
        pid: verdict.process.map(|p| p.id.pid),
        comm: verdict.process.map(|p| p.comm.to_string()),
        uid: verdict.process.map(|p| p.uid),
        cmdline: verdict.process.map(|p| p.command.to_string()),
        gives_back_kib: match verdict.relief {
            Relief::KillFamily { gives_back, .. } => Some(gives_back.0),
            _ => verdict.process.map(|p| p.gives_back.0),
        },
        reason: reason(verdict, policy),
        waited_ms: match verdict.relief {
            Relief::Thaw { waited, .. } => Some(millis(waited)),
            _ => None,
        },
        measured: measured_entry(&verdict.measured),
        reflex_us: reflex.map(|r| u64::try_from(r.as_micros()).unwrap_or(u64::MAX)),
    }
}

/// Why now and why this one, the rule by its name.
pub(super) fn reason(verdict: &Verdict, policy: &Policy) -> String {
    let rule = verdict.process.and_then(|p| policy.rule(p.rule)).map(|r| r.name.as_str());
    Reason { verdict, rule }.to_string()
}

fn outcome_entry(outcome: &Outcome) -> OutcomeEntry {
    OutcomeEntry {
        incident: outcome.incident,
        pid: outcome.process.id.pid,
        comm: outcome.process.comm.to_string(),
        outcome: outcome.ending.name().into(),
        freed_kib: (outcome.ending == Ending::Gone).then_some(outcome.gives_back.0),
        took_ms: millis(outcome.took),
        available_before_kib: outcome.available_before.0,
        available_after_kib: outcome.available_after.0,
    }
}

fn measured_entry(measured: &action::Measured) -> Measured {
    Measured {
        available_kib: measured.available.0,
        floor_kib: measured.floor.0,
        falling_kib_s: measured.falling_kib_s,
        kernel_kills: measured.kills,
        stall_percent: measured.stall_percent,
        refaults: measured.refaults,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
