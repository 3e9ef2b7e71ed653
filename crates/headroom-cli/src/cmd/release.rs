//! `headroom release`: a service gives memory back when the node is low, without a kill.

use std::time::Duration;

use clap::{Args, ValueEnum};
use headroom_api::agent::ask;
use headroom_api::exit::Exit;
use headroom_api::paths;
use headroom_api::release::{Ask, GRANTS_MARIADB, GRANTS_MYSQL, Release};
use headroom_core::words::release::sentences;

use super::Common;
use super::agent::body_of;
use crate::print::{self, Format};

/// A shrink may wait for transactions, and the last rung is a restart.
const PATIENCE: Duration = Duration::from_secs(1200);

/// What `release` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Only when less than -m MB are available (the 7th column of free -m), and not when it was
done in the last -c minutes. MySQL: the buffer pool shrinks online and grows back as room returns, then
FLUSH TABLES, and only then a graceful restart; not in the middle of a backup, an ALTER, a long
transaction or replication catching up, unless --force. Exit codes: 0 released, 1 the answer is no (not
low, cooling down, busy, not enough), 2 failed, 77 not allowed.

Examples:
  headroom release mysql -m 1024 -c 30
  headroom release mysql -m 1024 -c 30 --dry-run
  headroom release mysql --grants | mysql      the least privileged user it needs
  * * * * * /usr/local/bin/release_mysql_cached_memory -m 1024 -c 30"
)]
pub(crate) struct ReleaseArgs {
    /// Which service
    #[arg(value_enum)]
    service: Service,
    /// Only when less than this is available, in MB
    #[arg(short, long, value_name = "MB", required_unless_present = "grants")]
    memory: Option<u64>,
    /// Not when it was done in the last so many minutes
    #[arg(short, long, value_name = "MINUTES", required_unless_present = "grants")]
    cooldown: Option<u64>,
    /// Say what would be done, do nothing
    #[arg(long)]
    dry_run: bool,
    /// Also in the middle of a backup, an ALTER, a long transaction, replication catching up
    #[arg(long)]
    force: bool,
    /// Never go as far as a restart
    #[arg(long)]
    online_only: bool,
    /// Print the statements that make the database user the agent connects as; of MySQL 8 with --mysql8
    #[arg(long)]
    grants: bool,
    /// With --grants: for MySQL 8 instead of MariaDB
    #[arg(long, requires = "grants")]
    mysql8: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Service {
    /// MySQL or MariaDB, whichever is here
    Mysql,
    /// All php-fpms that run: reloaded
    PhpFpm,
    /// Redis or Valkey: MEMORY PURGE
    Redis,
}

impl Service {
    const fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::PhpFpm => "php-fpm",
            Self::Redis => "redis",
        }
    }
}

/// Asks the agent.
pub(crate) fn run(args: &ReleaseArgs) -> Exit {
    if args.grants {
        return match args.service {
            Service::Mysql => {
                print::result(if args.mysql8 { GRANTS_MYSQL } else { GRANTS_MARIADB })
            }
            _ => {
                print::problem("only mysql needs a user of its own");
                Exit::Usage
            }
        };
    }
    let asked = Ask {
        below_mib: args.memory.unwrap_or_default(),
        cooldown_min: args.cooldown.unwrap_or_default(),
        dry_run: args.dry_run,
        force: args.force,
        online_only: args.online_only,
    };
    let release = match asked_of_agent(args.service, &asked) {
        Ok(release) => release,
        Err(exit) => return exit,
    };
    let printed = match args.common.format {
        Format::Json => print::result_as_json(&release),
        Format::Text => print::result(&print::release::release(&release, &asked)),
    };
    if printed == Exit::Done { exit_of(&release) } else { printed }
}

fn exit_of(release: &Release) -> Exit {
    match release.verdict.as_str() {
        "released" | "would_release" => Exit::Done,
        "failed" => Exit::Failed,
        _ => Exit::No,
    }
}

fn asked_of_agent(service: Service, asked: &Ask) -> Result<Release, Exit> {
    let path = format!("/v1/release/{}", service.name());
    let body = serde_json::to_value(asked).map_err(|e| print::failed(&e.to_string()))?;
    let response = ask(&paths::runtime_dir(), "POST", &path, Some(&body), PATIENCE)
        .map_err(|error| print::failed(&error.to_string()))?;
    if response.is_success() {
        return body_of(&response);
    }
    print::problem(&response.detail());
    Err(match response.status {
        401 | 403 => Exit::NotAllowed,
        400 => Exit::Usage,
        _ => Exit::Failed,
    })
}

const USAGE: &str = "Usage: release_mysql_cached_memory -m MB -c MINUTES\n\
  -m MB       restart MySQL when less than this much memory is available\n\
  -c MINUTES  at least this long between two restarts";

/// `release_mysql_cached_memory -m MB -c MINUTES`: the manual's words, and 1 for wrong usage.
pub(crate) fn as_release_mysql_cached_memory() -> Exit {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if matches!(arguments.as_slice(), [one] if one == "-h" || one == "--help") {
        return print::result(&format!("{USAGE}\n"));
    }
    let Some((below_mib, cooldown_min)) = read(&arguments) else {
        print::bare_problem(&format!("Invalid action. {USAGE}"));
        return Exit::No;
    };
    let asked = Ask { below_mib, cooldown_min, ..Ask::default() };
    let release = match asked_of_agent(Service::Mysql, &asked) {
        Ok(release) => release,
        Err(exit) => return exit,
    };
    let restarted = release.rungs.iter().any(|r| r.rung == "restart" && r.outcome == "done");
    let mut text = sentences(&release.verdict, restarted, below_mib, cooldown_min);
    if !matches!(release.verdict.as_str(), "not_low" | "cooling_down") {
        text += &print::release::rungs(&release);
    }
    let printed = print::result(&text);
    // The script ends with 0 whatever it found.
    if release.verdict == "failed" { Exit::Failed } else { printed }
}

fn read(arguments: &[String]) -> Option<(u64, u64)> {
    let (mut below, mut cooldown) = (None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let flag = argument.get(..2)?;
        let value = if argument.len() > 2 { argument.get(2..)? } else { rest.next()?.as_str() };
        match flag {
            "-m" => below = Some(value.parse().ok()?),
            "-c" => cooldown = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    Some((below?, cooldown?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_arguments_are_read_in_any_order_and_nothing_else_is() {
        let read =
            |text: &str| read(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("-m 1024 -c 30"), Some((1024, 30)));
        assert_eq!(read("-c30 -m1024"), Some((1024, 30)));
        for wrong in
            ["", "-m 1024", "-m x -c 30", "-m 1024 -c", "-x 1 -m 1 -c 1", "-m -1 -c 3", "é"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
