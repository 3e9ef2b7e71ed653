//! A program of the administrator's own, with the notice as JSON on its standard input.
//!
//! Nothing of a notice is ever part of a command line, and no shell comes between.

use std::path::Path;
use std::process;
use std::time::Duration;

use super::channel::{Channel, Sending, Trouble};
use super::config;
use super::program::{self, Ended};

/// How long it may take unless it is said.
const LIMIT: Duration = Duration::from_secs(30);

/// `EX_DATAERR` of sysexits(3): the program will not have this one.
const DATA_ERROR: i32 = 65;

/// The channel.
pub(super) struct Command {
    config: config::Command,
}

impl Command {
    pub(super) fn new(config: config::Command) -> Self {
        Self { config }
    }
}

impl Channel for Command {
    fn deliver(&mut self, sending: Sending<'_>) -> Result<String, Trouble> {
        let notice = sending.notice;
        let limit = self.config.timeout.map_or(LIMIT, |limit| limit.0);
        let (name, arguments) = self
            .config
            .command
            .split_first()
            .ok_or_else(|| Trouble::later("no program is named"))?;
        is_there(Path::new(name))?;
        let mut body = serde_json::to_vec(notice).map_err(|e| Trouble::Refused(e.to_string()))?;
        body.push(b'\n');
        let input = program::input(&body).map_err(|e| Trouble::later(format!("{name}: {e}")))?;
        let incident = notice.incident.as_ref().map_or("", |incident| incident.id.as_str());
        let mut command = process::Command::new(name);
        command
            .args(arguments)
            .env_clear()
            .env("HEADROOM_NOTICE", &notice.id)
            .env("HEADROOM_KIND", notice.kind.name())
            .env("HEADROOM_INCIDENT", incident)
            .env("HEADROOM_NODE", &notice.node);
        (sending.hand)()?;
        match program::run(&mut command, input, limit) {
            Err(error) => Err(Trouble::later(format!("{name}: {error}"))),
            Ok(Ended { code: Some(0), said, .. }) => Ok(said),
            Ok(ended) if ended.code == Some(DATA_ERROR) => Err(Trouble::Refused(ended.why(limit))),
            Ok(ended) if ended.too_long => {
                Err(Trouble::unsure(format!("{name} {}", ended.why(limit))))
            }
            Ok(ended) => Err(Trouble::later(format!("{name} {}", ended.why(limit)))),
        }
    }
}

/// Says at once, before anything is on its way, that there is no such program.
pub(super) fn is_there(program: &Path) -> Result<(), Trouble> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(program) {
        Err(error) => Err(Trouble::later(format!("{}: {error}", program.display()))),
        Ok(meta) if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 => {
            Err(Trouble::later(format!("{}: is not a program that can be run", program.display())))
        }
        Ok(_) => Ok(()),
    }
}
