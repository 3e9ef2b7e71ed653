//! `headroom explain`: OOM reports in, an answer out.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use headroom_api::exit::Exit;

use crate::explained::{self, Explained};
use crate::input::{self, Gathered, Range};
use crate::print::{self, Format};
use crate::surroundings::{self, Where};

/// Explain why memory ran out: who died, who held it, what to do
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Logs to read, compressed ones and rotations included; `-` is standard input. Kernel logs give the
    /// reports; slow logs, PHP's, cron's, access logs and others what happened near them. Without any, the
    /// node's own
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
    /// Write one self-contained page with charts to this file as well
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
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
  headroom explain kern.log mysql-slow.log syslog access.log
                                          with what else happened then
  headroom explain --last --html oom.html one page with charts, to send on
  headroom explain --format json FILE     for scripts

Exit status: 0 something was found, 1 nothing was, 2 a log could not be read, 64 wrong usage.";

pub(crate) fn run(args: &Args) -> io::Result<Exit> {
    let range = Range { since: args.since, until: args.until };
    let mut gathered =
        if args.files.is_empty() { input::live(&range) } else { input::files(&args.files) };
    let incidents = gathered.incidents(&range, args.last);
    let place = if args.files.is_empty() { Where::Node } else { Where::Files(&args.files) };
    let noted = surroundings::collect(&mut gathered, &incidents, place);
    for problem in gathered.notes.iter().chain(&gathered.problems) {
        print::problem(problem);
    }
    let explained = explained::all(&gathered, &incidents, &noted);
    if let Some(path) = &args.html
        && let Err(error) = write_page(path, &gathered, &explained)
    {
        return Ok(print::failed(&format!("writing {}: {error}", path.display())));
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => print::json::explanation(&mut out, &gathered, &explained)?,
        Format::Text => print::text::explanation(&mut out, &gathered, &explained)?,
    }
    out.flush()?;
    Ok(exit(&gathered, incidents.is_empty()))
}

/// Writes the page in one go, so that a reader never sees half of it.
fn write_page(path: &Path, gathered: &Gathered, explained: &[Explained<'_>]) -> io::Result<()> {
    fs::write(path, print::html::page(gathered, explained))
}

fn exit(gathered: &Gathered, nothing: bool) -> Exit {
    match (gathered.problems.is_empty(), nothing) {
        (false, _) => Exit::Failed,
        (true, true) => Exit::No,
        (true, false) => Exit::Done,
    }
}
