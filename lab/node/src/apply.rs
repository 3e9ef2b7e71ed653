//! Follows an advice to the letter: puts the lines of its command where it says they belong, and runs what it
//! gives as a command. What it says in words (`then: reload it`) is for whoever reads it, and not done here.

use std::fs;

use crate::{Outcome, shell};

/// One thing an advice's command says to do.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A line `key = value` or `key value` of a file, in a section where it has some.
    Set { file: String, section: Option<String>, line: String },
    /// A line of a file by its number, counted from 1.
    Replace { file: String, number: usize, line: String },
    /// A command for the shell.
    Run(String),
}

/// Does all that the command says.
pub(crate) fn apply(command: &str) -> Outcome {
    let steps = steps(command);
    if steps.is_empty() {
        return Err(format!("nothing to do in: {command}").into());
    }
    for step in &steps {
        match step {
            Step::Run(command) => shell::run("sh", &["-c", command])?,
            Step::Set { file, section, line } => {
                let text = fs::read_to_string(file).unwrap_or_default();
                fs::write(file, set(&text, section.as_deref(), line))?;
            }
            Step::Replace { file, number, line } => {
                let text = fs::read_to_string(file)?;
                fs::write(file, replaced(&text, *number, line))?;
            }
        }
    }
    Ok(())
}

/// Where the lines that follow belong.
enum Place {
    Nowhere,
    File(String, Option<String>),
    Line(String, usize),
}

fn steps(command: &str) -> Vec<Step> {
    let mut place = Place::Nowhere;
    let mut steps = Vec::new();
    for line in command.lines().map(str::trim) {
        let remark = ["then:", "and ", "or ", "("].iter().any(|word| line.starts_with(word));
        if line.is_empty() || remark || line == "put instead of these lines:" {
            continue;
        }
        if let Some(command) = line.strip_prefix("now: ") {
            steps.push(Step::Run(command.to_owned()));
        } else if let Some(named) = line.strip_prefix("in ").and_then(|rest| rest.strip_suffix(':'))
        {
            place = file(named);
        } else if let Some((file, number)) = numbered(line) {
            place = Place::Line(file, number);
        } else {
            let line = line.to_owned();
            steps.push(match &place {
                Place::Nowhere => Step::Run(line),
                Place::File(file, section) => {
                    Step::Set { file: file.clone(), section: section.clone(), line }
                }
                Place::Line(file, number) => {
                    Step::Replace { file: file.clone(), number: *number, line }
                }
            });
        }
    }
    steps
}

/// `[section] of FILE` or `FILE`.
fn file(named: &str) -> Place {
    let section = named.strip_prefix('[').and_then(|rest| rest.split_once("] of "));
    match section {
        Some((section, file)) => Place::File(file.to_owned(), Some(section.to_owned())),
        None => Place::File(named.to_owned(), None),
    }
}

/// `FILE:LINE`, or the same at the end of a sentence: `put instead of FILE:LINE:`.
fn numbered(line: &str) -> Option<(String, usize)> {
    let line = line.strip_prefix("put instead of ").unwrap_or(line).trim_end_matches(':');
    let (file, number) = line.rsplit_once(':')?;
    let is_path = file.starts_with('/') && !file.contains(' ');
    Some((file.to_owned(), number.parse().ok()?)).filter(|_| is_path)
}

/// The key of a setting, up to a blank or an equals sign.
fn key(line: &str) -> &str {
    line.trim().split(['=', ' ', '\t']).next().unwrap_or_default()
}

/// A text with a setting in its section: instead of the one it has, else at the section's end.
fn set(text: &str, section: Option<&str>, line: &str) -> String {
    let head = section.map(|section| format!("[{section}]"));
    let mut lines: Vec<&str> = text.lines().collect();
    let begin = match &head {
        None => 0,
        Some(head) => match lines.iter().position(|line| line.trim() == head) {
            Some(at) => at + 1,
            None => {
                lines.push(head);
                lines.len()
            }
        },
    };
    let length =
        lines[begin..].iter().position(|line| head.is_some() && line.trim().starts_with('['));
    let end = length.map_or(lines.len(), |length| begin + length);
    match lines[begin..end].iter().position(|known| key(known) == key(line)) {
        Some(at) => lines[begin + at] = line,
        None => lines.insert(end, line),
    }
    lines.join("\n") + "\n"
}

fn replaced(text: &str, number: usize, line: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some(known) = number.checked_sub(1).and_then(|at| lines.get_mut(at)) {
        *known = line;
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_go_into_their_section_and_commands_to_the_shell() {
        let command = "in [www] of /p/www.conf:\npm.max_children = 5\n\
                       now: redis-cli CONFIG SET maxmemory 96mb\nthen: php-fpm -t, and reload it";
        let line = "pm.max_children = 5".to_owned();
        let (file, section) = ("/p/www.conf".to_owned(), Some("www".to_owned()));
        let run = Step::Run("redis-cli CONFIG SET maxmemory 96mb".to_owned());
        assert_eq!(steps(command), [Step::Set { file, section, line }, run]);
        let sysctl = "sysctl -w vm.swappiness=60\nand in /etc/sysctl.d/60-memory.conf: x";
        assert_eq!(steps(sysctl), [Step::Run("sysctl -w vm.swappiness=60".to_owned())]);
    }

    #[test]
    fn lines_of_crontabs_are_replaced_by_their_number() {
        let of = |number, line: &str| Step::Replace {
            file: "/etc/cron.d/a".to_owned(),
            number,
            line: line.to_owned(),
        };
        let many = "put instead of these lines:\n/etc/cron.d/a:2\n1 3 * * * app b\n\
                    /etc/cron.d/a:3\n2 3 * * * app c";
        assert_eq!(steps(many), [of(2, "1 3 * * * app b"), of(3, "2 3 * * * app c")]);
        let one = "put instead of /etc/cron.d/a:1:\n* * * * * app flock -n /run/lock/x y:9";
        assert_eq!(steps(one), [of(1, "* * * * * app flock -n /run/lock/x y:9")]);
        assert_eq!(replaced("a\nb\nc\n", 2, "x"), "a\nx\nc\n");
    }

    #[test]
    fn a_setting_replaces_its_elder_or_ends_its_section() {
        let text = "[a]\npm.max = 9\n[b]\npm.max = 9\n";
        assert_eq!(set(text, Some("b"), "pm.max = 2"), "[a]\npm.max = 9\n[b]\npm.max = 2\n");
        assert_eq!(set(text, Some("a"), "x = 2"), "[a]\npm.max = 9\nx = 2\n[b]\npm.max = 9\n");
        assert_eq!(set("", Some("c"), "x = 2"), "[c]\nx = 2\n");
        assert_eq!(set("maxmemory 0\n", None, "maxmemory 96mb"), "maxmemory 96mb\n");
    }
}
