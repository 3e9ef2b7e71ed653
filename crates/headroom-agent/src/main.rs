//! `headroom-agent`, the program the unit runs.

use std::io::Write;

use headroom_agent::{Options, RELEASE, run, say};
use headroom_api::exit::Exit;
use lexopt::prelude::*;

const HELP: &str = "\
The memory and the mouth of a node that Headroom guards: history, settings, services, notifications, and
the HTTP API that all of them are asked through.

Usage: headroom-agent [--config FILE] [--state-dir DIR] [--runtime-dir DIR]

  --config FILE      this configuration instead of /etc/headroom/agent.toml
  --state-dir DIR    where the store and the guard's journal are (/var/lib/headroom)
  --runtime-dir DIR  where the sockets are (/run/headroom)
  --openapi          print the API's OpenAPI document
  --version          the version
  --help             this text

No file is needed: without one everybody may read, and root and the group headroom may do the rest.
Examples:
  headroom-agent
  headroom-agent --config ./agent.toml --state-dir /tmp/h --runtime-dir /tmp/h
  curl --unix-socket /run/headroom/agent.sock http://localhost/v1/status
";

enum Told {
    Run(Options),
    Print(String),
}

fn main() -> Exit {
    match read_arguments() {
        Ok(Told::Run(options)) => run(options),
        Ok(Told::Print(text)) => {
            // A closed pipe ends quietly.
            let _closed = std::io::stdout().write_all(text.as_bytes());
            Exit::Done
        }
        Err(error) => {
            say(&format!("{error}; see headroom-agent --help"));
            Exit::Usage
        }
    }
}

fn read_arguments() -> Result<Told, lexopt::Error> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("config") => options.config = Some(parser.value()?.into()),
            Long("state-dir") => options.state_dir = parser.value()?.into(),
            Long("runtime-dir") => options.runtime_dir = parser.value()?.into(),
            Long("openapi") => return Ok(Told::Print(headroom_agent::openapi())),
            Long("version") | Short('V') => {
                return Ok(Told::Print(format!("headroom-agent {RELEASE}\n")));
            }
            Long("help") | Short('h') => return Ok(Told::Print(HELP.into())),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Told::Run(options))
}
