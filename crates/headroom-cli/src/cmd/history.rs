//! `headroom history`: what the guard did, from its journal.

use std::io;
use std::path::PathBuf;

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::history::{History, incidents};
use headroom_api::{journal, paths};
use jiff::Timestamp;

use super::Common;
use crate::print::{self, Format};

/// What `history` takes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  headroom history
  headroom history --since '2h ago'
  headroom history --format json | jq '.incidents[-1].verdicts'")]
pub(crate) struct HistoryArgs {
    /// Only incidents that began at or after this time (2026-11-24, "2026-11-24 04:06", "2h ago")
    #[arg(long, value_name = "TIME", value_parser = crate::input::when::argument)]
    since: Option<Timestamp>,
    /// Where the journal is kept
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Reads the journal, whether or not a guard runs.
pub(crate) fn run(args: &HistoryArgs) -> Exit {
    let dir = args.state_dir.clone().unwrap_or_else(paths::state_dir);
    let path = dir.join(paths::JOURNAL);
    let journal = match journal::read(&path) {
        Ok(journal) => journal,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return print::failed(&format!(
                "{}: there is no journal; has a guard run here? (--state-dir names another place)",
                path.display()
            ));
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            print::problem(&format!(
                "{}: {e}; root and the group headroom may read it",
                path.display()
            ));
            return Exit::NotAllowed;
        }
        Err(e) => return print::failed(&format!("{}: {e}", path.display())),
    };
    let mut found = incidents(&journal.records);
    if let Some(since) = args.since {
        found.retain(|incident| {
            let first = incident.first.as_deref().and_then(|t| t.parse::<Timestamp>().ok());
            first.is_none_or(|first| first >= since)
        });
    }
    let history = History { version: 1, incidents: found, skipped_records: journal.skipped };
    let printed = match args.common.format {
        Format::Json => print::result_as_json(&history),
        Format::Text => print::result(&print::status::history(&history)),
    };
    if printed == Exit::Done && history.incidents.is_empty() { Exit::No } else { printed }
}
