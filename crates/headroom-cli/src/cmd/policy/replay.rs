//! `headroom policy replay`: a recorded storm through another policy.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::journal::{self, Entry, Journal, VerdictEntry, samples};
use headroom_api::paths;
use headroom_api::replay::{Deed, Replay, Totals, VERSION};
use headroom_api::time::rfc3339;
use headroom_core::action::{Relief, Verdict};
use headroom_core::policy::Policy;
use headroom_core::replay::{Done, DoneWhat, Recording, World};
use headroom_core::words::replay as words;
use headroom_guard::Loaded;
use jiff::Timestamp;

use super::{bad, load};
use crate::cmd::Common;
use crate::cmd::history::unreadable;
use crate::print::{self, Format};

/// After the record's end the replay goes on until nobody waits any more, but no longer than this.
const AFTERWARDS: Duration = Duration::from_secs(3600);
/// The same deed to the same process, this close to the recorded one, is the same deed.
const TOGETHER_MS: i64 = 5000;

/// What `policy replay` takes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  headroom policy replay                                    the node's own record, by the policy in force
  headroom policy replay --permissive --since '1h ago'
  headroom policy replay /tmp/node7 --policy new.toml       a copied /var/lib/headroom
  headroom policy replay --strict --format json | jq .replayed")]
pub(crate) struct ReplayArgs {
    /// The journal, or the directory with it and its samples
    #[arg(value_name = "JOURNAL")]
    journal: Option<PathBuf>,
    /// This file instead of those under /etc/headroom
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// By the permissive thresholds, whatever the policy says
    #[arg(long, conflicts_with = "strict")]
    permissive: bool,
    /// By the strict thresholds, whatever the policy says
    #[arg(long)]
    strict: bool,
    /// From this time on
    #[arg(long, value_name = "TIME", value_parser = crate::input::when::argument)]
    since: Option<Timestamp>,
    /// Up to this time
    #[arg(long, value_name = "TIME", value_parser = crate::input::when::argument)]
    until: Option<Timestamp>,
    #[command(flatten)]
    common: Common,
}

/// Replays and prints both sides.
pub(super) fn run(args: &ReplayArgs) -> Exit {
    let Loaded { mut policy, files, .. } = match load(args.policy.as_ref()) {
        Ok(loaded) => loaded,
        Err(error) => return bad(&error),
    };
    if args.permissive || args.strict {
        policy.permissive_memory_management = args.permissive;
    }
    let mut replay = match replay(args, &policy) {
        Ok(replay) => replay,
        Err(exit) => return exit,
    };
    replay.files = files.iter().map(|f| f.display().to_string()).collect();
    if replay.samples == 0 {
        print::problem(
            "no sample is recorded in that time; headroom history --samples shows what there is",
        );
        return Exit::No;
    }
    match args.common.format {
        Format::Json => print::result_as_json(&replay),
        Format::Text => print::result(&print::replay::replay(&replay)),
    }
}

fn replay(args: &ReplayArgs, policy: &Policy) -> Result<Replay, Exit> {
    let (journal_path, samples_path) = paths_of(args.journal.as_deref());
    let since_ms = args.since.map_or(i64::MIN, |t| t.as_millisecond());
    let until_ms = args.until.map_or(i64::MAX, |t| t.as_millisecond());
    let journal = match journal::read(&journal_path) {
        Ok(journal) => journal,
        // Samples alone can be replayed; what was done is not known then.
        Err(e) if e.kind() == io::ErrorKind::NotFound && samples_path.exists() => {
            Journal::default()
        }
        Err(e) => return Err(unreadable(&journal_path, &e)),
    };
    let mut replay = Replay {
        version: VERSION,
        policy: policy.name().into(),
        limits: words::LIMITS.map(Into::into).into(),
        skipped_records: journal.skipped,
        ..Replay::default()
    };
    let mut recordings = vec![Recording::default()];
    let mut least: Option<u64> = None;
    let mut zones = 0;
    let (mut first_ms, mut last_ms) = (None, None);
    let extent = samples::read(&samples_path, since_ms, &mut |sample| {
        if sample.unix_ms > until_ms {
            return;
        }
        replay.samples += 1;
        first_ms.get_or_insert(sample.unix_ms);
        last_ms = Some(sample.unix_ms);
        zones = zones.max(sample.zones().len());
        least = Some(least.unwrap_or(u64::MAX).min(sample.memory.available.0));
        if recordings.last_mut().is_none_or(|r| !r.push(sample)) {
            let mut next = Recording::default();
            next.push(sample);
            recordings.push(next);
        }
    })
    .map_err(|e| unreadable(&samples_path, &e))?;
    replay.skipped_records += extent.skipped;
    replay.recorded.least_available_kib = least;
    let (Some(first_ms), Some(last_ms)) = (first_ms, last_ms) else { return Ok(replay) };
    (replay.first, replay.last) = (rfc3339(first_ms), rfc3339(last_ms));
    if zones > 0 && zones != policy.zones.len() + 1 {
        replay.limits.push(words::OTHER_ZONES.into());
    }

    let verdicts: Vec<(i64, &VerdictEntry)> = journal
        .records
        .iter()
        .filter(|r| (first_ms..=last_ms).contains(&r.unix_ms))
        .filter_map(|r| match &r.entry {
            Entry::Verdict(verdict) => Some((r.unix_ms, verdict)),
            _ => None,
        })
        .collect();
    let done: Vec<Done> = verdicts.iter().filter_map(|(at, v)| done(*at, v)).collect();
    let mut rows: Vec<(i64, Deed)> = verdicts.iter().map(|(at, v)| recorded(*at, v)).collect();
    verdicts.iter().for_each(|(_, v)| count(&mut replay.recorded, &v.action, v.escalated));
    let mut here = Vec::new();
    for recording in recordings {
        let mut world = World::new(policy, recording.finish(&done));
        world.run_to_its_end(AFTERWARDS);
        take_in(&world, &mut replay, &mut here);
    }
    put_together(&mut rows, here);
    let differs = rows.iter().find(|(_, row)| row.recorded.as_deref() != row.replayed.as_deref());
    replay.differs_from = differs.and_then(|(at, _)| rfc3339(*at));
    replay.deeds = rows.into_iter().map(|(_, row)| row).collect();
    Ok(replay)
}

/// The two rings: in the directory that was named, or beside the file that was.
fn paths_of(given: Option<&Path>) -> (PathBuf, PathBuf) {
    let given = given.map_or_else(paths::state_dir, Path::to_path_buf);
    if given.is_dir() {
        return (given.join(paths::JOURNAL), given.join(paths::SAMPLES));
    }
    let samples = given.with_file_name(paths::SAMPLES);
    (given, samples)
}

/// What the world's guard did, and what that says of the replay.
fn take_in(world: &World<'_>, replay: &mut Replay, here: &mut Vec<(i64, Deed)>) {
    let least = world.least_available().0.0;
    let known = replay.replayed.least_available_kib.unwrap_or(u64::MAX);
    replay.replayed.least_available_kib = Some(known.min(least));
    for (deed, verdict) in world.verdicts() {
        let (action, what) = told(verdict);
        count(&mut replay.replayed, action, verdict.escalated);
        let process = verdict.process;
        let unix_ms = world.unix_ms(deed.at);
        here.push((
            unix_ms,
            Deed {
                time: rfc3339(unix_ms),
                pid: process.map(|p| p.id.pid),
                comm: process.map(|p| p.comm.to_string()),
                cmdline: process.filter(|p| !p.command.is_empty()).map(|p| p.command.to_string()),
                recorded: None,
                replayed: Some(what),
            },
        ));
    }
    let mut say = |holds: bool, what: &str| {
        if holds && replay.limits.iter().all(|known| known != what) {
            replay.limits.push(what.into());
        }
    };
    say(world.actors().iter().any(|a| a.is_beyond_record()), words::BEYOND);
    say(world.ran_out().is_some(), words::RAN_OUT);
}

fn count(totals: &mut Totals, action: &str, escalated: bool) {
    match action {
        "pause" => totals.paused += 1,
        "thaw" => totals.thawed += 1,
        "slay" | "trim" if !escalated => totals.slain += 1,
        _ => {}
    }
}

/// A verdict as `history` names it, and with its signal.
fn told(verdict: &Verdict) -> (&'static str, String) {
    let (action, signal) = match verdict.relief {
        Relief::Terminate => ("slay", " SIGTERM"),
        Relief::Kill | Relief::KillFamily { .. } => ("slay", " SIGKILL"),
        Relief::Trim { .. } => ("trim", " SIGKILL"),
        Relief::Pause { .. } => ("pause", ""),
        Relief::Thaw { .. } => ("thaw", ""),
        Relief::Nothing | Relief::Useless { .. } => ("none", ""),
    };
    (action, format!("{action}{signal}"))
}

fn done(unix_ms: i64, verdict: &VerdictEntry) -> Option<Done> {
    let what = match verdict.action.as_str() {
        // What was only said changed nothing.
        _ if verdict.dry_run => return None,
        "pause" => DoneWhat::Paused,
        "slay" | "trim" => DoneWhat::Slain,
        _ => return None,
    };
    Some(Done { unix_ms, pid: verdict.pid?, what })
}

fn recorded(unix_ms: i64, verdict: &VerdictEntry) -> (i64, Deed) {
    let signal = verdict.signal.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
    let what = format!("{}{signal}", verdict.action);
    let deed = Deed {
        time: rfc3339(unix_ms),
        pid: verdict.pid,
        comm: verdict.comm.clone(),
        cmdline: verdict.cmdline.clone(),
        recorded: Some(what),
        replayed: None,
    };
    (unix_ms, deed)
}

/// Puts what was replayed beside what was recorded, and the rest between it.
fn put_together(rows: &mut Vec<(i64, Deed)>, here: Vec<(i64, Deed)>) {
    for (at, deed) in here {
        let same = rows.iter_mut().find(|(recorded_at, row)| {
            row.replayed.is_none()
                && row.pid == deed.pid
                && row.recorded == deed.replayed
                && (recorded_at - at).abs() <= TOGETHER_MS
        });
        match same {
            Some((_, row)) => row.replayed = deed.replayed,
            None => rows.push((at, deed)),
        }
    }
    rows.sort_by_key(|(at, _)| *at);
}
