//! `headroom setup`: the limited zone, shown first, written when agreed to, taken back when asked.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::paths;
use headroom_api::setup as wire;
use headroom_core::setup::{Choices, Refusal, UNIT_DIR, ZONE, plan};
use headroom_guard::load_policy;
use headroom_sys::own::own_uid;

use super::Common;
use crate::print::{self, Format};
use crate::setup::change::{Change, to_before, to_plan};
use crate::setup::database::grants_for;
use crate::setup::facts::{Where, gather, has_systemd, running};
use crate::setup::record::{self, Record, Store};
use crate::setup::{Failure, apply::apply, undo::undo};

/// What `setup` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
It finds the shop's services, writes limited.slice with a MemoryMax below the RAM, moves services and cron
into it by drop-ins, protects the shop's memory and holds jobs and logins back. A diff is shown first. What
it replaces is kept under /var/lib/headroom/setup. Options hold for later runs until --undo; the numbers stand
in [setup] of the policy.

Logins cannot move into limited.slice (a slice's place follows from its name); they get its limits instead.

--mglru writes a tmpfiles.d line for the kernel's own thrashing prevention (Linux 6.1). Its price: it kills
while memory is still to be had (reports of kills with 70 % of the RAM free), it cannot let jobs wait, and the
zone's own limit does not trigger it. It is the net for when no guard runs.

Examples:
  headroom setup --dry-run            what would be written
  sudo headroom setup                 show, ask, write
  sudo headroom setup --yes --restart from a script, services moved at once
  sudo headroom setup --undo          everything as it was
  headroom setup --grants | sudo mariadb
                                      the agent's database user, for headroom release mysql")]
pub(crate) struct SetupArgs {
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Take back all that earlier runs did, byte for byte
    #[arg(long, conflicts_with_all = ["reserve", "users", "mglru", "measure"])]
    undo: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Memory that stays outside the zone: 256MiB, or 10% of the RAM
    #[arg(long, value_name = "SIZE")]
    reserve: Option<String>,
    /// Limit this user's logins instead of all but root's; may be repeated
    #[arg(long = "user", value_name = "NAME")]
    users: Vec<String>,
    /// Also set MGLRU's min_ttl_ms at boot
    #[arg(long)]
    mglru: bool,
    /// Choose the protected sizes anew, by what the services hold now
    #[arg(long)]
    measure: bool,
    /// Restart the services that have to move
    #[arg(long)]
    restart: bool,
    /// Only print the statements that make the agent's database user here, for root's client to run
    #[arg(long, exclusive = true)]
    grants: bool,
    /// Overwrite files that others wrote or edited; --undo brings back what was there before setup
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    common: Common,
}

/// How a run that stops early ends: said already.
type Stopped = Exit;

/// Shows, asks, does.
pub(crate) fn run(args: &SetupArgs) -> Exit {
    let root = paths::root();
    if args.grants {
        return print_grants(&root);
    }
    match ready(args, &root).and_then(|lock| go(args, &root).map(|exit| (exit, lock))) {
        Ok((exit, _lock)) => exit,
        Err(exit) => exit,
    }
}

/// The statements alone: what a client of the database reads.
fn print_grants(root: &Path) -> Exit {
    match gather(root, None, false).map(|facts| grants_for(&facts)) {
        Ok(Some(grants)) => print::result(grants.statements),
        Ok(None) => {
            print::problem(
                "no MariaDB or MySQL is installed here; `headroom release mysql --grants` prints them for \
                 another place",
            );
            Exit::No
        }
        Err(failure) => failed(&failure),
    }
}

/// Rights, systemd, and nobody else at it.
fn ready(args: &SetupArgs, root: &Path) -> Result<Option<File>, Stopped> {
    if !has_systemd(root) {
        let why =
            "systemd is not at work here, and setup writes systemd's units; the guard needs none";
        return Err(print::failed(why));
    }
    if args.dry_run {
        return Ok(None);
    }
    if is_live(root) && own_uid() != 0 {
        print::problem(
            "setup writes under /etc/systemd: run it as root, or with --dry-run to look",
        );
        return Err(Exit::NotAllowed);
    }
    let lock = File::open(root).map_err(|e| failed(&Failure::new(root, e)))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| print::failed("another headroom setup is at work"))?;
    Ok(Some(lock))
}

fn go(args: &SetupArgs, root: &Path) -> Result<Exit, Stopped> {
    let store = Store::new(root);
    let record = store.load().map_err(|e| failed(&e))?;
    let mut told = wire::Setup { version: wire::VERSION, ..wire::Setup::default() };
    let (changes, units) = if args.undo {
        let changes = match &record {
            Some(record) => to_before(&store, record).map_err(|e| failed(&e))?,
            None => Vec::new(),
        };
        (changes, record.as_ref().map(units_of).unwrap_or_default())
    } else {
        let typed = choices(args, record.as_ref());
        let meant = meaning(&typed, root, args.mglru)?;
        let values = load_policy(root, None).map_err(|error| {
            print::problem(&error.to_string());
            Exit::BadConfiguration
        })?;
        let facts = gather(root, record.as_ref(), args.measure).map_err(|e| failed(&e))?;
        let plan = plan(&facts, &meant, &values.policy.setup).map_err(refused)?;
        told.limit_kib = Some(plan.limit.0);
        if let Some(grants) = grants_for(&facts) {
            told.grants = Some(grants.statements.into());
            told.grants_client = Some(grants.client.into());
        }
        (to_plan(&store, record.as_ref(), &plan).map_err(|e| failed(&e))?, plan.moves)
    };
    told.changes = changes.iter().map(told_of).collect();
    let elsewhere = if args.undo { Where::InZone } else { Where::Outside };
    told.restart = running(root, &units, elsewhere);

    // An undo that was cut short has files to forget though none is left to change.
    let has_work = !changes.is_empty() || (args.undo && record.is_some());
    if has_work {
        agree(args, &told, &changes)?;
    }
    if has_work && !args.dry_run {
        let done = match (&record, args.undo) {
            (Some(record), true) => undo(&store, record, &changes),
            _ => {
                let typed = choices(args, record.as_ref());
                apply(&store, record.clone(), typed, &changes)
            }
        };
        if let Err(failure) = done {
            print::problem(&failure.to_string());
            return Err(print::failed(
                "stopped halfway; `headroom setup` goes on, `headroom setup --undo` takes all back",
            ));
        }
        told.applied = true;
        systemctl(root, &["daemon-reload"])?;
    }
    if args.restart && !args.dry_run {
        for unit in std::mem::take(&mut told.restart) {
            systemctl(root, &["restart", &unit])?;
            told.restarted.push(unit);
        }
    }
    if told.applied {
        // A running guard looks for its zones at a reload; without one there is nothing to tell.
        tell_guard(root);
    }
    Ok(match args.common.format {
        Format::Json => print::result_as_json(&told),
        Format::Text => print::result(&print::setup::outcome(&told, args.undo, args.dry_run)),
    })
}

/// Shows the changes, and stops unless they may be made.
fn agree(args: &SetupArgs, told: &wire::Setup, changes: &[Change]) -> Result<(), Stopped> {
    if args.common.format == Format::Text {
        match print::result(&print::setup::diff(changes)) {
            Exit::Done => {}
            exit => return Err(exit),
        }
    }
    if args.dry_run {
        return Ok(());
    }
    let obstacles: Vec<_> = told.changes.iter().filter(|c| c.obstacle.is_some()).collect();
    if !obstacles.is_empty() && !args.force {
        for change in obstacles {
            print::problem(&print::setup::obstacle(change));
        }
        print::problem("nothing was written; --force overwrites, and --undo brings them back");
        return Err(Exit::No);
    }
    if args.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || args.common.format == Format::Json {
        print::problem(
            "nobody can be asked here; --yes makes these changes, --dry-run only shows them",
        );
        return Err(Exit::Usage);
    }
    if print::ask("Make these changes? [y/N] ") { Ok(()) } else { Err(Exit::No) }
}

/// What was typed, and where nothing was, what the last run was told.
fn choices(args: &SetupArgs, record: Option<&Record>) -> record::Choices {
    let before = record.map(|record| record.choices.clone()).unwrap_or_default();
    record::Choices {
        reserve: args.reserve.clone().or(before.reserve),
        users: if args.users.is_empty() { before.users } else { args.users.clone() },
        mglru: args.mglru || before.mglru,
    }
}

fn meaning(typed: &record::Choices, root: &Path, asks_mglru: bool) -> Result<Choices, Stopped> {
    let usage = |text: &str| {
        print::problem(text);
        Exit::Usage
    };
    let reserve = typed.reserve.as_deref().map(str::parse).transpose();
    let reserve = reserve.map_err(|why: String| usage(&format!("--reserve: {why}")))?;
    let users = fs::read_to_string(paths::under(root, "/etc/passwd")).unwrap_or_default();
    let mut uids = Vec::new();
    for name in &typed.users {
        match headroom_guard::uid_of(&users, name) {
            Some(0) => return Err(usage("--user: root is never limited")),
            Some(uid) => uids.push(uid),
            None => {
                return Err(usage(&format!("--user: there is no user \"{name}\" in /etc/passwd")));
            }
        }
    }
    let lru = "/sys/kernel/mm/lru_gen/min_ttl_ms";
    if asks_mglru && !paths::under(root, lru).exists() {
        return Err(print::failed(&format!("{lru}: not there; this kernel has no MGLRU")));
    }
    Ok(Choices { reserve, uids, mglru: typed.mglru })
}

fn told_of(change: &Change) -> wire::Change {
    wire::Change {
        path: change.path.clone(),
        change: print::setup::verb(change).into(),
        obstacle: change.obstacle.map(|obstacle| obstacle.name().into()),
        contents: change.after.exists().then(|| change.after.shown()),
    }
}

/// The units an earlier run gave drop-ins.
fn units_of(record: &Record) -> Vec<String> {
    let unit = |path: &str| {
        let folder = path.strip_prefix(UNIT_DIR)?.strip_prefix('/')?.split_once(".d/")?.0;
        folder.ends_with(".service").then(|| folder.to_string())
    };
    record.entries.iter().filter_map(|entry| unit(&entry.path)).collect()
}

/// Tells systemd. A root that is not the running system has nobody to tell.
fn systemctl(root: &Path, args: &[&str]) -> Result<(), Stopped> {
    if !is_live(root) {
        return Ok(());
    }
    match Command::new("systemctl").args(args).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(print::failed(&format!("systemctl {}: {status}", args.join(" ")))),
        Err(e) => Err(print::failed(&format!("systemctl: {e}"))),
    }
}

/// Has a running guard look for its zones. Where none is installed there is nobody to tell.
fn tell_guard(root: &Path) {
    if is_live(root) {
        let mut command = Command::new("systemctl");
        command.args(["try-reload-or-restart", "headroom-guard.service"]);
        let _none_installed = command.stderr(Stdio::null()).status();
    }
}

fn is_live(root: &Path) -> bool {
    root == Path::new("/")
}

fn failed(failure: &Failure) -> Stopped {
    print::failed(&failure.to_string())
}

fn refused(refusal: Refusal) -> Stopped {
    let Refusal::ReserveTooLarge { reserve, ram } = refusal;
    print::problem(&format!(
        "a reserve of {reserve} leaves less than half of the {ram} to {ZONE}; give less by --reserve"
    ));
    Exit::No
}
