//! Mail through the node's own mail system: sendmail(8), which Postfix, Exim, OpenSMTPD and msmtp all
//! bring along.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::channel::{Channel, Sending, Trouble};
use super::command::is_there;
use super::program::{self, Ended};
use super::{config, mail};

const PROGRAM: &str = "/usr/sbin/sendmail";

/// It only queues.
const LIMIT: Duration = Duration::from_secs(60);

/// `EX_USAGE`, `EX_DATAERR`, `EX_NOUSER` and `EX_NOHOST` of sysexits(3): trying again changes nothing.
const REFUSED: [i32; 4] = [64, 65, 67, 68];

/// The channel.
pub(super) struct Sendmail {
    config: config::Sendmail,
    sender: mail::Sender,
}

impl Sendmail {
    pub(super) fn new(config: config::Sendmail, node: &str) -> Self {
        let sender = mail::Sender::new(config.from.as_deref(), node, config.html.unwrap_or(true));
        Self { config, sender }
    }
}

impl Channel for Sendmail {
    fn deliver(&mut self, sending: Sending<'_>) -> Result<String, Trouble> {
        let name = self.config.program.as_deref().unwrap_or(Path::new(PROGRAM));
        is_there(name)?;
        let mail = self.sender.write(&sending).map_err(Trouble::Refused)?;
        let failed = |e: std::io::Error| Trouble::later(format!("{}: {e}", name.display()));
        // The program expects the line ends of its system and makes those of the wire itself.
        let text: Vec<u8> = mail.bytes.into_iter().filter(|byte| *byte != b'\r').collect();
        let input = program::input(&text).map_err(failed)?;
        let mut command = Command::new(name);
        command
            .env_clear()
            .args(["-i", "-f"])
            .arg(&mail.from)
            // What follows are addresses, whatever they begin with.
            .arg("--")
            .arg(&mail.to);
        (sending.hand)()?;
        match program::run(&mut command, input, LIMIT).map_err(failed)? {
            Ended { code: Some(0), said, .. } if said.is_empty() => Ok("queued".to_owned()),
            Ended { code: Some(0), said, .. } => Ok(said),
            ended if ended.code.is_some_and(|code| REFUSED.contains(&code)) => {
                Err(Trouble::Refused(format!("{} {}", name.display(), ended.why(LIMIT))))
            }
            // One that was ended may have queued it.
            ended if ended.too_long => {
                Err(Trouble::unsure(format!("{} {}", name.display(), ended.why(LIMIT))))
            }
            ended => Err(Trouble::later(format!("{} {}", name.display(), ended.why(LIMIT)))),
        }
    }
}
