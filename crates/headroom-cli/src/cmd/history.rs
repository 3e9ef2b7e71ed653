//! `headroom history`: what the guard did and saw, from its journal.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::history::{History, JobKind, Reach, Sample, incidents};
use headroom_api::journal::jobs::Jobs;
use headroom_api::journal::{self, Entry, samples};
use headroom_api::paths;
use headroom_api::time::rfc3339;
use headroom_core::policy::Policy;
use headroom_guard::load_policy;
use jiff::{SignedDuration, Timestamp};

use super::Common;
use crate::print::{self, Format};

/// How far back samples are shown unless it is said.
const RECENT: SignedDuration = SignedDuration::from_mins(15);

/// What `history` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Verdicts and samples are kept in two rings of fixed size; [journal] in the policy says how large.

Examples:
  headroom history
  headroom history --since '2h ago'
  headroom history --samples --since 04:00       what was measured since then
  headroom history --jobs                        what jobs take, by kind of command line
  headroom history --format json | jq '.incidents[-1].verdicts'"
)]
pub(crate) struct HistoryArgs {
    /// Only what began at or after this time (2026-11-24, "2026-11-24 04:06", "2h ago")
    #[arg(long, value_name = "TIME", value_parser = crate::input::when::argument)]
    since: Option<Timestamp>,
    /// What was measured: without --since in the last 15 minutes
    #[arg(long)]
    samples: bool,
    /// What jobs take: peak, time and waits by kind of command line
    #[arg(long)]
    jobs: bool,
    /// Where the journal is kept
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Reads the journal, whether or not a guard runs.
pub(crate) fn run(args: &HistoryArgs) -> Exit {
    let dir = args.state_dir.clone().unwrap_or_else(paths::state_dir);
    match read(args, &dir) {
        Ok(history) => {
            let printed = match args.common.format {
                Format::Json => print::result_as_json(&history),
                Format::Text => print::result(&print::history::history(&history)),
            };
            let found = history.incidents.len()
                + history.samples.as_ref().map_or(0, Vec::len)
                + history.jobs.as_ref().map_or(0, Vec::len);
            if printed == Exit::Done && found == 0 { Exit::No } else { printed }
        }
        Err(exit) => exit,
    }
}

fn read(args: &HistoryArgs, dir: &Path) -> Result<History, Exit> {
    let path = dir.join(paths::JOURNAL);
    let journal = journal::read(&path).map_err(|e| unreadable(&path, &e))?;
    let mut history = History {
        version: 1,
        // Who asks for samples or jobs alone reads no verdicts.
        incidents: if args.samples || args.jobs { Vec::new() } else { incidents(&journal.records) },
        skipped_records: journal.skipped,
        reach: reach(&journal.records),
        ..History::default()
    };
    if let Some(since) = args.since {
        history.incidents.retain(|incident| {
            let first = incident.first.as_deref().and_then(|t| t.parse::<Timestamp>().ok());
            first.is_none_or(|first| first >= since)
        });
    }
    if args.samples {
        let since = args.since.unwrap_or_else(|| Timestamp::now() - RECENT);
        read_samples(dir, since.as_millisecond(), &mut history)?;
    }
    if args.jobs {
        let path = dir.join(paths::JOBS);
        let jobs = Jobs::read(&path).map_err(|e| unreadable(&path, &e))?;
        let since = args.since.map_or(i64::MIN, |since| since.as_millisecond());
        let seen = jobs.jobs.into_iter().filter(|job| job.seen_unix_ms >= since);
        history.jobs =
            Some(seen.map(|job| JobKind { seen: rfc3339(job.seen_unix_ms), job }).collect());
    }
    Ok(history)
}

fn read_samples(dir: &Path, since_ms: i64, history: &mut History) -> Result<(), Exit> {
    let path = dir.join(paths::SAMPLES);
    let policy =
        load_policy(&paths::root(), None).map_or_else(|_| Policy::built_in(), |l| l.policy);
    let zones: Vec<String> =
        policy.zones.iter().map(|z| format!("/{}", z.cgroup.trim_matches('/'))).collect();
    let mut found = Vec::new();
    let extent = samples::read(&path, since_ms, &mut |s| found.push(Sample::of(s, &zones)))
        .map_err(|e| unreadable(&path, &e))?;
    history.samples = Some(found);
    history.skipped_records += extent.skipped;
    history.reach.samples_from = extent.oldest_ms.and_then(rfc3339);
    Ok(())
}

fn reach(records: &[journal::Record]) -> Reach {
    let mut reach =
        Reach { events_from: records.first().and_then(|r| rfc3339(r.unix_ms)), ..Reach::default() };
    for record in records {
        if let Entry::Lost(lost) = &record.entry {
            reach.lost_records += lost.records;
            reach.lost_samples += lost.samples;
        }
    }
    reach
}

/// Says why a part of the journal cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Exit {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => print::failed(&format!(
            "{path}: there is no journal; has a guard run here? (--state-dir names another place)"
        )),
        io::ErrorKind::PermissionDenied => {
            print::problem(&format!("{path}: {error}; root and the group headroom may read it"));
            Exit::NotAllowed
        }
        _ => print::failed(&format!("{path}: {error}")),
    }
}
