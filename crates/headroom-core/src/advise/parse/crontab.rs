//! Crontabs (`crontab(5)`): a user's own, and those with a user in each line.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::schedule::Schedule;
use super::{Unread, timer, unquoted};

/// Which of the two forms a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// A user's own crontab: no user in its lines.
    User(&'a str),
    /// `/etc/crontab` and `/etc/cron.d`: the sixth field is the user.
    System,
}

/// A line that starts something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The file with its line.
    pub at: String,
    /// Who it runs as.
    pub user: String,
    /// When; `None` at boot only.
    pub schedule: Option<Schedule>,
    /// The schedule as written.
    pub when: String,
    /// The command as written.
    pub command: String,
    /// `CRON_TZ`, the zone its times are in.
    pub zone: Option<String>,
    /// Whether the line has a user in it, for writing it anew.
    pub names_user: bool,
    /// The timer of systemd that it is, where it is no line of a crontab.
    pub timer: Option<String>,
}

impl Job {
    /// What cron gives to the shell: up to the first `%` that is not escaped, the rest being its input.
    #[must_use]
    pub fn shell(&self) -> String {
        if self.timer.is_some() {
            return self.command.clone();
        }
        let mut text = String::new();
        let mut characters = self.command.chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\\' if characters.peek() == Some(&'%') => text.extend(characters.next()),
                '%' => break,
                c => text.push(c),
            }
        }
        text.trim().to_string()
    }

    /// Whether something keeps a second run of it from starting beside the first.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        const LOCKS: [&str; 7] =
            ["flock", "lckdo", "setlock", "solo", "run-one", "with-lock-ex", "cronlock"];
        let name = |word: &str| word.rsplit('/').next().unwrap_or(word).to_string();
        let shell = self.shell();
        let mut words = shell.split_whitespace().map(name);
        // systemd starts no service that still runs.
        self.timer.is_some()
            || words.any(|word| LOCKS.contains(&word.as_str()))
            || (shell.contains("systemd-run") && shell.contains("--unit"))
    }

    /// The line anew, with another minute; of a timer, how it is given one.
    #[must_use]
    pub fn rewritten(&self, schedule: &Schedule) -> String {
        if let Some(timer) = &self.timer {
            let when = timer::with_minute(&self.when, schedule);
            return format!(
                "by systemctl edit {timer}, since it is a timer:\n[Timer]\nOnCalendar=\nOnCalendar={when}"
            );
        }
        let rest = self.when.split_once(char::is_whitespace).map_or("* * * *", |(_, rest)| rest);
        let rest: Vec<&str> = match self.when.strip_prefix('@') {
            Some(word) => match word {
                "hourly" => "* * * *",
                "weekly" => "0 * * 0",
                "monthly" => "0 1 * *",
                "yearly" | "annually" => "0 1 1 *",
                _ => "0 * * *",
            },
            None => rest,
        }
        .split_whitespace()
        .collect();
        let user = if self.names_user { format!("{} ", self.user) } else { String::new() };
        format!("{} {} {user}{}", schedule.minute_field(), rest.join(" "), self.command)
    }

    /// The line anew, with another command.
    #[must_use]
    pub fn with_command(&self, command: &str) -> String {
        let user = if self.names_user { format!("{} ", self.user) } else { String::new() };
        format!("{} {user}{command}", self.when)
    }
}

/// Reads a crontab. `is_user` says whether there is a user of that name, where that is known.
pub fn read(
    file: &str,
    text: &str,
    form: Form<'_>,
    is_user: &dyn Fn(&str) -> Option<bool>,
) -> (Vec<Job>, Vec<Unread>) {
    let (mut jobs, mut unread) = (Vec::new(), Vec::new());
    let mut zone = None;
    let lines: Vec<&str> = text.split('\n').collect();
    let last = lines.len();
    for (index, line) in lines.into_iter().enumerate() {
        let number = index + 1;
        let mut complain = |why: &str| unread.push(Unread::line(file, number, why));
        if line.contains('\0') {
            complain("not text");
            continue;
        }
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if line.ends_with('\r') {
            complain("ends in a carriage return, which cron hands on to the command");
        }
        if number == last {
            complain("the file ends without a newline: cron takes its last line for broken");
        }
        if let Some((name, value)) = variable(trimmed) {
            if name == "CRON_TZ" {
                zone = Some(value).filter(|value| !value.is_empty());
            }
            continue;
        }
        match job(trimmed, form, is_user) {
            Ok(found) => {
                jobs.push(Job { at: format!("{file}:{number}"), zone: zone.clone(), ..found })
            }
            Err(why) => complain(&why),
        }
    }
    (jobs, unread)
}

/// `NAME=value`, either of them in quotes or not.
fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let bare = unquoted(name);
    let is_quoted = bare.len() != name.trim().len();
    let first = bare.chars().next()?;
    let is_name = (first.is_ascii_alphabetic() || first == '_')
        && bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_quoted || is_name).then(|| (bare.to_string(), unquoted(value).to_string()))
}

fn job(line: &str, form: Form<'_>, is_user: &dyn Fn(&str) -> Option<bool>) -> Result<Job, String> {
    let (when, schedule, rest) = if line.starts_with('@') {
        let (word, rest) = word(line);
        (word.to_string(), Schedule::keyword(word)?, rest)
    } else {
        let mut fields = [""; 5];
        let mut rest = line;
        for (index, field) in fields.iter_mut().enumerate() {
            (*field, rest) = word(rest);
            if field.is_empty() {
                return Err(format!("a schedule has five fields, here are {index}"));
            }
        }
        (fields.join(" "), Some(Schedule::parse(fields)?), rest)
    };
    let (user, command, names_user) = match form {
        Form::User(user) => (user, rest, false),
        Form::System => {
            let (user, command) = word(rest);
            if user.is_empty() {
                return Err("neither a user nor a command follows the schedule".into());
            }
            if user.contains(['/', '$', '.', '=', '"', '\'', ';', '>']) {
                return Err(format!("no user before the command, but {user}"));
            }
            if is_user(user) == Some(false) {
                return Err(format!("no such user: {user}"));
            }
            (user, command, true)
        }
    };
    if command.is_empty() {
        return Err("no command follows the schedule".into());
    }
    if let (Form::User(_), (first, rest)) = (form, word(command))
        && is_user(first) == Some(true)
        && rest.starts_with('/')
    {
        return Err(format!("a user's own crontab names no user: cron would run \"{first}\""));
    }
    Ok(Job {
        at: String::new(),
        user: user.to_string(),
        schedule,
        when,
        command: command.to_string(),
        zone: None,
        names_user,
        timer: None,
    })
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(name: &str) -> Option<bool> {
        Some(matches!(name, "root" | "app"))
    }

    fn of(text: &str, form: Form<'_>) -> (Vec<Job>, Vec<(String, String)>) {
        let (jobs, unread) = read("/c", text, form, &users);
        (jobs, unread.into_iter().map(|unread| (unread.source, unread.why)).collect())
    }

    #[test]
    fn both_forms_are_read_with_their_places() {
        let text = "# comment\nSHELL=/bin/sh\nMAILTO = \"\"\nCRON_TZ=Europe/Amsterdam\n\
                    */5 * * * * root  test -x /x && /x -a\n@daily app php /srv/x.php\n";
        let (jobs, unread) = of(text, Form::System);
        assert_eq!(unread, []);
        assert_eq!((jobs[0].at.as_str(), jobs[0].user.as_str()), ("/c:5", "root"));
        assert_eq!(jobs[0].command, "test -x /x && /x -a");
        assert_eq!(jobs[0].zone.as_deref(), Some("Europe/Amsterdam"));
        assert_eq!((jobs[1].when.as_str(), jobs[1].user.as_str()), ("@daily", "app"));
        let (jobs, _) = of("0 3 * * *\tphp x.php\n@reboot x\n", Form::User("app"));
        assert_eq!((jobs[0].user.as_str(), jobs[0].command.as_str()), ("app", "php x.php"));
        assert_eq!(jobs[1].schedule, None);
    }

    #[test]
    fn every_mistake_is_said_with_its_line() {
        let text = "0 25 * * * root x\n* * * root x\n* * * * * /usr/bin/php x\n* * * * * bob x\n\
                    * * * * * root\n* * *\n@dayly root x\n0 3 * * * root ok\r\n* * * * *\n\0\u{1}\n\
                    0 4 * * * root last";
        let (jobs, unread) = of(text, Form::System);
        let said: Vec<_> = unread.iter().map(|(at, why)| (at.as_str(), why.as_str())).collect();
        assert_eq!(
            said,
            [
                ("/c:1", "no such hour: 25"),
                ("/c:2", "month: no number: root"),
                ("/c:3", "no user before the command, but /usr/bin/php"),
                ("/c:4", "no such user: bob"),
                ("/c:5", "no command follows the schedule"),
                ("/c:6", "a schedule has five fields, here are 3"),
                ("/c:7", "no such word: @dayly"),
                ("/c:8", "ends in a carriage return, which cron hands on to the command"),
                ("/c:9", "neither a user nor a command follows the schedule"),
                ("/c:10", "not text"),
                ("/c:11", "the file ends without a newline: cron takes its last line for broken"),
            ]
        );
        assert_eq!(jobs.len(), 2);
        let (_, unread) = of("* * * * * root /x\n", Form::User("app"));
        assert!(unread[0].1.contains("names no user"), "{unread:?}");
    }

    #[test]
    fn a_lock_is_seen_and_the_input_is_not_the_command() {
        let one =
            |command: &str| of(&format!("* * * * * {command}\n"), Form::User("app")).0.remove(0);
        assert!(one("/usr/bin/flock -n /tmp/x php y.php").is_locked());
        assert!(!one("php flocking.php").is_locked());
        assert_eq!(one("date +\\%F%in%put").shell(), "date +%F");
    }

    #[test]
    fn a_line_is_written_anew_with_another_minute() {
        let one = |text: &str| of(text, Form::System).0.remove(0);
        let job = one("0 3 * * mon app  php x.php\n");
        let schedule = job.schedule.unwrap().shifted(12).unwrap();
        assert_eq!(job.rewritten(&schedule), "12 3 * * mon app php x.php");
        let job = one("@hourly app x\n");
        let schedule = job.schedule.unwrap().shifted(5).unwrap();
        assert_eq!(job.rewritten(&schedule), "5 * * * * app x");
    }
}
