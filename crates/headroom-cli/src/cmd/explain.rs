//! `headroom explain`: OOM reports in, an answer out.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use headroom_api::exit::Exit;

use crate::input::{self, Gathered, Range};
use crate::print::{self, Format};

/// Explain why memory ran out: who died, who held it, what to do
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Logs to read, compressed ones and rotations included; `-` is standard input. Without any, the
    /// node's own: the journal, kern.log with its rotations, /dev/kmsg
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only what happened at or after this time (2026-03-18, "2026-03-18 04:06", 04:06, "2h ago")
    #[arg(long, value_name = "TIME", value_parser = input::when::argument)]
    since: Option<jiff::Timestamp>,
    /// Only what happened before this time
    #[arg(long, value_name = "TIME", value_parser = input::when::argument)]
    until: Option<jiff::Timestamp>,
    /// Only the last incident
    #[arg(long)]
    last: bool,
    /// How to print the answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  headroom explain                        why did this node run out of memory?
  headroom explain --last                 only the last time
  headroom explain /var/log/kern.log*     with all rotations, merged by time
  dmesg | headroom explain -              from a pipe
  headroom explain --format json FILE     for scripts

Exit status: 0 something was found, 1 nothing was, 2 a log could not be read, 64 wrong usage.";

pub(crate) fn run(args: &Args) -> io::Result<Exit> {
    let range = Range { since: args.since, until: args.until };
    let gathered =
        if args.files.is_empty() { input::live(&range) } else { input::files(&args.files) };
    for problem in gathered.notes.iter().chain(&gathered.problems) {
        print::problem(problem);
    }
    let incidents = gathered.incidents(&range, args.last);
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => print::json::explanation(&mut out, &gathered, &incidents)?,
        Format::Text => print::text::explanation(&mut out, &gathered, &incidents)?,
    }
    out.flush()?;
    Ok(exit(&gathered, incidents.is_empty()))
}

fn exit(gathered: &Gathered, nothing: bool) -> Exit {
    match (gathered.problems.is_empty(), nothing) {
        (false, _) => Exit::Failed,
        (true, true) => Exit::No,
        (true, false) => Exit::Done,
    }
}
