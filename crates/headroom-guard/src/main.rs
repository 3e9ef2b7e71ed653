//! `headroom-guard`, the program the unit runs.

use std::io::Write;

use headroom_api::exit::Exit;
use headroom_guard::{Options, RELEASE, run, thaw};
use lexopt::prelude::*;

const HELP: &str = "\
Keeps a node serving when memory runs out: ends expendable work before the shop suffers.

Usage: headroom-guard [--dry-run|--thaw] [--policy FILE] [--state-dir DIR] [--runtime-dir DIR]

  --dry-run          say what would be done, do nothing
  --thaw             let all jobs go on that a guard which was killed left paused, and end
  --policy FILE      this policy instead of /etc/headroom/policy.toml and policy.d/*.toml
  --state-dir DIR    where the journal is kept (/var/lib/headroom)
  --runtime-dir DIR  where the socket is (/run/headroom)
  --version          the version
  --help             this text

No file is needed: the built-in policy stands in. SIGHUP loads the policy anew.
Examples:
  headroom-guard --dry-run
  headroom-guard --policy ./policy.toml --state-dir /tmp/h --runtime-dir /tmp/h
";

enum Told {
    Guard(Options),
    Thaw(Options),
    Print(String),
}

fn main() -> Exit {
    match read_arguments() {
        Ok(Told::Guard(options)) => run(&options),
        Ok(Told::Thaw(_)) if comes_again() => Exit::Done,
        Ok(Told::Thaw(options)) => thaw(&options),
        Ok(Told::Print(text)) => {
            // A closed pipe ends quietly.
            let _closed = std::io::stdout().write_all(text.as_bytes());
            Exit::Done
        }
        Err(error) => {
            headroom_guard::say(&format!("{error}; see headroom-guard --help"));
            Exit::Usage
        }
    }
}

/// Whether systemd, which asks after each end of the guard (ExecStopPost=, systemd.service(5)), starts the next at
/// once: that one takes over who waits. All woken at once in a storm would fill what is left before it stands.
/// Where no next one comes, headroom-thaw.service asks again.
fn comes_again() -> bool {
    let result = std::env::var("SERVICE_RESULT").unwrap_or_default();
    ["signal", "core-dump", "watchdog", "oom-kill"].contains(&result.as_str())
}

fn read_arguments() -> Result<Told, lexopt::Error> {
    let mut options = Options::default();
    let mut thaw = false;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("dry-run") => options.dry_run = true,
            Long("thaw") => thaw = true,
            Long("policy") => options.policy = Some(parser.value()?.into()),
            Long("state-dir") => options.state_dir = parser.value()?.into(),
            Long("runtime-dir") => options.runtime_dir = parser.value()?.into(),
            Long("version") | Short('V') => {
                return Ok(Told::Print(format!("headroom-guard {RELEASE}\n")));
            }
            Long("help") | Short('h') => return Ok(Told::Print(HELP.into())),
            other => return Err(other.unexpected()),
        }
    }
    Ok(if thaw { Told::Thaw(options) } else { Told::Guard(options) })
}
