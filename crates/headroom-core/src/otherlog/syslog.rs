//! What syslog or the journal says beside the kernel: cron, units, logins, sudo, php-fpm.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::entry::{Entry, What, owned};
use super::php;
use crate::oomlog::prefix::{self, Origin};
use crate::oomlog::{Position, scan};

/// Whether the line has the form of syslog and is not the kernel's.
pub(super) fn knows(line: &str) -> bool {
    let record = prefix::strip(line);
    record.stamp.wall.is_some() && matches!(record.origin, Origin::Program(_))
}

/// Whether the line is of a program we ask about, told by its tag before anything else is parsed: most
/// lines of a large log are not.
pub(super) fn is_ours(line: &[u8]) -> bool {
    const TAGS: [&[u8]; 11] = [
        b"CRON",
        b"crond",
        b"CROND",
        b"cron",
        b"/USR/SBIN/CRON",
        b"anacron",
        b"systemd",
        b"systemd-logind",
        b"sshd",
        b"sshd-session",
        b"sudo",
    ];
    if line.starts_with(b"{") {
        // The journal's JSON names the program in a field of its own.
        return memchr::memmem::find(line, b"SYSLOG_IDENTIFIER").is_some();
    }
    let Some(end) = memchr::memmem::find(line, b": ") else { return false };
    let Some(word) = line.get(..end).and_then(|front| front.rsplit(|b| *b == b' ').next()) else {
        return false;
    };
    let name = word.split(|b| *b == b'[').next().unwrap_or(word);
    TAGS.contains(&name) || name.starts_with(b"php")
}

/// Reads one line.
pub(super) fn line(line: &str, at: Position, out: &mut Vec<Entry>) {
    let pid = pid_of_tag(line);
    let record = prefix::strip(line);
    let Origin::Program(program) = &record.origin else { return };
    if let Some(what) = what(program, pid, &record.text) {
        out.push(Entry::new(at, record.stamp, what, &record.text));
    }
}

fn what(program: &str, pid: Option<u32>, text: &str) -> Option<What> {
    match program {
        "CRON" | "crond" | "CROND" | "cron" | "/USR/SBIN/CRON" => {
            // "(app) CMD (php import.php)"; cronie pads the command with blanks.
            let (user, rest) = text.strip_prefix('(')?.split_once(") CMD (")?;
            let command = rest.strip_suffix(')').unwrap_or(rest).trim();
            Some(What::CronStarted { user: owned(user), pid, command: owned(command) })
        }
        "anacron" => {
            let job = scan::between(text, "Job `", "'").filter(|_| text.ends_with("started"))?;
            let command = alloc::format!("anacron {job}");
            Some(What::CronStarted { user: "root".to_string(), pid: None, command })
        }
        "systemd" => unit(text),
        "sshd" | "sshd-session" => {
            let rest = text.strip_prefix("Accepted ")?;
            let user = scan::between(rest, " for ", " ")?;
            let from = scan::between(rest, " from ", " ").map(owned);
            Some(What::Login { user: owned(user), from })
        }
        "systemd-logind" => {
            let (_, user) = text.strip_prefix("New session ")?.split_once(" of user ")?;
            let user = user.split([' ', '.']).next().unwrap_or(user);
            Some(What::Login { user: owned(user), from: None })
        }
        "sudo" => {
            let (user, rest) = text.trim_start().split_once(" : ")?;
            let (_, command) = rest.split_once("COMMAND=")?;
            Some(What::Command { user: owned(user.trim()), command: owned(command) })
        }
        program if program.starts_with("php") => php::complaint(text),
        _ => None,
    }
}

/// `shop.service: Failed with result 'oom-kill'.` and the line that comes before it.
fn unit(text: &str) -> Option<What> {
    let (unit, rest) = text.split_once(": ")?;
    let named = !unit.contains(' ');
    let ended = rest.starts_with("Failed with result 'oom-kill'");
    let killed = rest.starts_with("A process of this unit has been killed by the OOM killer");
    (named && (ended || killed)).then(|| What::UnitKilled { unit: owned(unit), ended })
}

/// The number of `CRON[4711]: `, or of the journal's field.
fn pid_of_tag(line: &str) -> Option<u32> {
    if line.starts_with('{') {
        return scan::between(line, "\"_PID\":\"", "\"")?.parse().ok();
    }
    let end = line.find("]: ")?;
    let (_, digits) = line.get(..end)?.rsplit_once('[')?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::format::tests::entries;
    use super::*;

    #[test]
    fn crons_units_and_logins_are_found_among_everything_else() {
        let log = "2026-11-24T02:58:01.123456+00:00 node CRON[4711]: (app) CMD (php /data/web/import.php)\n\
            Nov 24 02:58:01 node CROND[4712]: (root) CMD (   /usr/bin/flock -n /tmp/l sh a)\n\
            Nov 24 02:58:01 node CRON[4713]: pam_unix(cron:session): session opened for user app\n\
            Nov 24 02:58:02 node kernel: [1.0] CRON is no kernel word\n\
            Nov 24 02:58:03 node systemd[1]: php8.2-fpm.service: A process of this unit has been killed by the OOM killer.\n\
            Nov 24 02:58:03 node systemd[1]: php8.2-fpm.service: Failed with result 'oom-kill'.\n\
            Nov 24 02:58:03 node systemd[1]: Started Session 12 of User app.\n\
            Nov 24 02:58:04 node sshd[99]: Accepted publickey for app from 198.51.100.7 port 5 ssh2\n\
            Nov 24 02:58:04 node systemd-logind[9]: New session 12 of user app.\n\
            Nov 24 02:58:05 node sudo[9]:      app : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/systemctl restart php8.2-fpm\n\
            Nov 24 02:58:06 node php-fpm8.2[7]: [pool www] server reached pm.max_children setting (5), consider raising it\n";
        let json = "{\"__REALTIME_TIMESTAMP\":\"1795489081000000\",\"_PID\":\"4711\",\
            \"SYSLOG_IDENTIFIER\":\"CRON\",\"MESSAGE\":\"(app) CMD (php /data/web/import.php)\"}\n";
        let found: Vec<What> = entries(Format::Syslog, log).into_iter().map(|e| e.what).collect();
        assert_eq!(entries(Format::Syslog, json).first().map(|e| &e.what), found.first());
        let cron = |user: &str, pid, command: &str| What::CronStarted {
            user: user.into(),
            pid: Some(pid),
            command: command.into(),
        };
        let unit = |ended| What::UnitKilled { unit: "php8.2-fpm.service".into(), ended };
        let login =
            |from: Option<&str>| What::Login { user: "app".into(), from: from.map(Into::into) };
        assert_eq!(
            found,
            [
                cron("app", 4711, "php /data/web/import.php"),
                cron("root", 4712, "/usr/bin/flock -n /tmp/l sh a"),
                unit(false),
                unit(true),
                login(Some("198.51.100.7")),
                login(None),
                What::Command {
                    user: "app".into(),
                    command: "/usr/bin/systemctl restart php8.2-fpm".into()
                },
                What::WorkersExhausted {
                    pool: "www".into(),
                    setting: "pm.max_children".into(),
                    limit: Some(5)
                },
            ]
        );
    }
}
