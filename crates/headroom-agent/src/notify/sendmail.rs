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

/// What is said where SMTP stands for it; the channel's name comes before it.
pub(super) const INSTEAD: &str = "goes by SMTP to localhost:25: the agent's unit may gain no rights (NoNewPrivileges), and without \
     any the sendmail of Postfix and Exim cannot queue; for one that needs none give program = \"...\"";

/// Whether programs that this process starts may have more rights than it (`PR_SET_NO_NEW_PRIVS` of
/// prctl(2)), as the sendmail of most mail systems needs. Where that cannot be read it is tried.
pub(super) fn may_gain_rights() -> bool {
    std::fs::read_to_string("/proc/self/status").map_or(true, |status| may_gain(&status))
}

fn may_gain(status: &str) -> bool {
    let value = status.lines().find_map(|line| line.strip_prefix("NoNewPrivs:"));
    value.is_none_or(|value| value.trim() != "1")
}

/// The way that stands for a sendmail that cannot queue. A program that somebody named is believed to need
/// no rights.
pub(super) fn over_smtp(config: &config::Sendmail, may_gain: bool) -> Option<config::Smtp> {
    (!may_gain && config.program.is_none()).then(|| config.over_smtp())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_walls_the_nodes_own_sendmail_goes_by_smtp_and_a_named_one_is_run() {
        let config = |text: &str| toml::from_str::<config::Sendmail>(text).unwrap();
        let own = config("name = \"post\"\nto = [\"ops@example.org\"]\nper_hour = 3");
        let named = config("to = [\"ops@example.org\"]\nprogram = \"/usr/bin/msmtp\"");
        assert!(over_smtp(&own, true).is_none());
        assert!(over_smtp(&named, false).is_none());
        let instead = over_smtp(&own, false).unwrap();
        assert_eq!(
            (instead.server(), instead.port(), instead.protection()),
            ("localhost", 25, config::Tls::None)
        );
        assert_eq!(instead.common(), own.common());
        assert_eq!(instead.to, ["ops@example.org"]);
    }

    #[test]
    fn the_kernel_says_whether_rights_may_be_gained() {
        assert!(!may_gain("Seccomp:\t2\nNoNewPrivs:\t1\n"));
        assert!(may_gain("NoNewPrivs:\t0\n"));
        // Before Linux 4.10 it does not say.
        assert!(may_gain("Seccomp:\t0\n"));
    }
}
