//! `headroom policy test`: which rule takes a process or a command, and why no earlier one does.

use std::path::{Path, PathBuf};

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::paths;
use headroom_api::policy::{Earlier, Process, Tested, VERSION};
use headroom_core::policy::{Condition, Identity, Policy, Score};
use headroom_sys::ReadError;
use headroom_sys::own::{own_pid, own_uid};
use headroom_sys::proc::Proc;

use super::{bad, load};
use crate::cmd::Common;
use crate::print::{self, Format};

/// What `policy test` takes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  headroom policy test 4711                              a running process
  headroom policy test --all 4711                        and why no earlier rule took it
  headroom policy test --command 'php import.php' --uid 1000 --cgroup /system.slice/cron.service
  headroom policy test 4711 --policy new.toml            by a file before it is put in place")]
pub(super) struct TestArgs {
    /// A running process
    #[arg(value_name = "PID", required_unless_present = "command", conflicts_with = "command")]
    pid: Option<i32>,
    /// A command as if it were started from this shell, except for what the options below say
    #[arg(long, value_name = "CMD")]
    command: Option<String>,
    /// The user the command runs as
    #[arg(long, value_name = "N", requires = "command")]
    uid: Option<u32>,
    /// The cgroup it runs in, /system.slice/cron.service
    #[arg(long, value_name = "PATH", requires = "command")]
    cgroup: Option<String>,
    /// Its executable, where the command's first word does not say it
    #[arg(long, value_name = "PATH", requires = "command")]
    exe: Option<String>,
    /// The command name of its parent
    #[arg(long, value_name = "COMM", requires = "command")]
    parent: Option<String>,
    /// Also each earlier rule with the first of its conditions that does not hold
    #[arg(long)]
    all: bool,
    /// This file instead of those under /etc/headroom
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Everything about a process that rules may go by, owned.
#[derive(Debug, Default)]
struct Known {
    pid: Option<i32>,
    uid: u32,
    comm: Vec<u8>,
    exe: Option<Vec<u8>>,
    cmdline: Option<Vec<u8>>,
    cgroup: Option<Vec<u8>>,
    oom_score_adj: Option<i16>,
    parent: Option<Vec<u8>>,
    parent_uid: Option<u32>,
    parent_exe: Option<Vec<u8>>,
}

/// Asks the policy about one process.
pub(super) fn run(args: &TestArgs) -> Exit {
    let policy = match load(args.policy.as_ref()) {
        Ok(loaded) => loaded.policy,
        Err(error) => return bad(&error),
    };
    let root = paths::root();
    let known = match args.pid {
        Some(pid) => match running(&root, pid) {
            Ok(known) => known,
            Err(ReadError::Gone) => return print::failed(&format!("there is no process {pid}")),
            Err(error) => return print::failed(&format!("process {pid}: {error}")),
        },
        None => imagined(&root, args),
    };
    let tested = ask(&policy, &known);
    match args.common.format {
        Format::Json => print::result_as_json(&tested),
        Format::Text => print::result(&print::policy::tested(&tested, args.all)),
    }
}

/// What the kernel says of a running process, read as the guard reads it.
fn running(root: &Path, pid: i32) -> Result<Known, ReadError> {
    let mut proc = Proc::open(root)?;
    let mut buffer = [0; 4096];
    let stat = proc.stat(pid)?;
    let parent = stat.parent;
    Ok(Known {
        pid: Some(pid),
        uid: proc.status(pid)?.uid_effective,
        comm: stat.comm.as_bytes().to_vec(),
        exe: proc.exe(pid, &mut buffer).ok().map(|(path, _)| path.to_vec()),
        cmdline: proc.cmdline(pid, &mut buffer).ok().map(<[u8]>::to_vec),
        cgroup: proc.cgroup(pid, &mut buffer).ok().map(<[u8]>::to_vec),
        oom_score_adj: proc.oom_score_adj(pid).ok(),
        parent: proc.stat(parent).ok().map(|s| s.comm.as_bytes().to_vec()),
        parent_uid: proc.status(parent).ok().map(|s| s.uid_effective),
        parent_exe: proc.exe(parent, &mut buffer).ok().map(|(path, _)| path.to_vec()),
    })
}

/// A command that does not run yet: what the options do not say is as in the calling shell.
fn imagined(root: &Path, args: &TestArgs) -> Known {
    /// The kernel's TASK_COMM_LEN without its NUL.
    const COMM: usize = 15;
    let command = args.command.as_deref().unwrap_or_default();
    let first = command.split_whitespace().next().unwrap_or_default();
    let name = first.rsplit('/').next().unwrap_or(first);
    let words: Vec<_> = command.split_whitespace().collect();
    let own_cgroup = || {
        let mut buffer = [0; 4096];
        let path =
            Proc::open(root).and_then(|mut p| Ok(p.cgroup(own_pid(), &mut buffer)?.to_vec()));
        path.ok()
    };
    Known {
        uid: args.uid.unwrap_or_else(own_uid),
        comm: name.as_bytes().iter().copied().take(COMM).collect(),
        exe: args.exe.clone().or_else(|| executable(root, first)).map(String::into_bytes),
        cmdline: Some(words.join("\0").into_bytes()),
        cgroup: args.cgroup.clone().map(String::into_bytes).or_else(own_cgroup),
        parent: args.parent.clone().map(String::into_bytes),
        ..Known::default()
    }
}

/// The file behind a command's first word, links followed as the kernel follows them.
fn executable(root: &Path, word: &str) -> Option<String> {
    const PATH: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
    let found = if word.starts_with('/') {
        word.to_string()
    } else {
        let places = PATH.iter().map(|dir| format!("{dir}/{word}"));
        places.into_iter().find(|path| paths::under(root, path).is_file())?
    };
    let real = std::fs::canonicalize(paths::under(root, &found)).ok();
    let base = std::fs::canonicalize(root).ok()?;
    let below = real.as_deref().and_then(|path| path.strip_prefix(&base).ok());
    Some(below.map_or(found, |path| format!("/{}", path.display())))
}

fn ask(policy: &Policy, known: &Known) -> Tested {
    let who = Identity {
        uid: known.uid,
        comm: &known.comm,
        exe: known.exe.as_deref(),
        cmdline: known.cmdline.as_deref(),
        cgroup: known.cgroup.as_deref(),
        parent_uid: known.parent_uid,
        parent_exe: known.parent_exe.as_deref(),
    };
    let parent = known.parent.as_deref();
    let (class, rule) = policy.classify_child_of(parent, &who);
    let process = process(known, &who);
    let asked = rule.map_or(policy.rules.len(), usize::from);
    let earlier = policy.rules.iter().take(asked).filter_map(|rule| {
        let failed = rule.refuses(&who, parent)?;
        Some(Earlier {
            rule: rule.name.clone(),
            class: rule.class.to_string(),
            failed: failed.name().into(),
            accepted: rule.accepted(failed),
            found: found(&process, failed),
        })
    });
    Tested {
        version: VERSION,
        class: class.to_string(),
        rule: policy.rule(rule).map(|rule| rule.name.clone()),
        oom_score_adj: match policy.score(class, rule) {
            Score::Keep => None,
            Score::Is(value) => Some(value),
        },
        would_set: policy.score_to_set(class, rule, known.oom_score_adj.unwrap_or(0)),
        earlier: earlier.collect(),
        process,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn process(known: &Known, who: &Identity<'_>) -> Process {
    let spaced = |line: &Vec<u8>| text(line).trim_end_matches('\0').replace('\0', " ");
    Process {
        pid: known.pid,
        uid: known.uid,
        comm: text(&known.comm),
        exe: known.exe.as_deref().map(text),
        command: known.cmdline.as_ref().map(spaced),
        cgroup: known.cgroup.as_deref().map(text),
        unit: who.unit().map(text),
        session: who.in_session(),
        role: who.role().map(|role| role.name().into()),
        oom_score_adj: known.oom_score_adj,
        parent: known.parent.as_deref().map(text),
        parent_uid: known.parent_uid,
        parent_exe: known.parent_exe.as_deref().map(text),
    }
}

/// What a condition looked at.
fn found(process: &Process, condition: Condition) -> Option<String> {
    match condition {
        Condition::Uid | Condition::User => Some(process.uid.to_string()),
        Condition::Unit => process.unit.clone(),
        Condition::Slice | Condition::Cgroup => process.cgroup.clone(),
        Condition::Session => process.session.map(|s| s.to_string()),
        Condition::Exe => process.exe.clone(),
        Condition::Comm => Some(process.comm.clone()),
        Condition::Command => process.command.clone(),
        Condition::Role => process.role.clone(),
        Condition::Parent => process.parent.clone(),
        Condition::ParentUid => process.parent_uid.map(|u| u.to_string()),
        Condition::ParentExe => process.parent_exe.clone(),
    }
}
