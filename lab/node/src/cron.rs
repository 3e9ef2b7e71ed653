//! Lets cron itself start the storm, so that its jobs are in every way what cron's jobs are.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::Duration;

use crate::{Outcome, clock, shell};

/// The application user's crontab, where crontab(1) would put it.
const CRONTAB: &str = "/var/spool/cron/crontabs/app";
/// Between setting the clock and the probe's start: cron's restart, with time to spare.
const MARGIN: Duration = Duration::from_secs(4);

/// Arranges that cron starts `commands` at the next full minute, `base` or a little more from now.
/// Returns that minute on the wall's clock.
pub(crate) fn arrange(commands: &[String], base: Duration) -> Outcome<Duration> {
    clock::bring_minute(base + MARGIN)?;
    let minute = clock::wall().as_secs() / 60 + 1;
    fs::write(CRONTAB, crontab(commands, minute))?;
    fs::set_permissions(CRONTAB, fs::Permissions::from_mode(0o600))?;
    chown(CRONTAB, Some(1000), None)?;
    // Cron sleeps until the minute it knew of, and looks at the clock only then: it must start anew.
    shell::run("systemctl", &["restart", "cron.service"])?;
    Ok(Duration::from_secs(minute * 60))
}

/// `minute` counts from 1970; the node's time zone is UTC.
fn crontab(commands: &[String], minute: u64) -> String {
    let (hour, minute) = (minute / 60 % 24, minute % 60);
    let mut text = String::from("MAILTO=\"\"\n");
    for command in commands {
        text.push_str(&format!("{minute} {hour} * * * {command}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_runs_at_the_given_minute_of_the_day() {
        let commands = ["php a".to_owned(), "php b".to_owned()];
        let text = crontab(&commands, 24 * 60 * 20_000 + 13 * 60 + 7);
        assert_eq!(text, "MAILTO=\"\"\n7 13 * * * php a\n7 13 * * * php b\n");
    }
}
