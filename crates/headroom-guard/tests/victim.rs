//! The real program against a real process: chosen, signalled, awaited, recorded.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headroom_api::guard::{Answer, Request, ask};
use headroom_api::history::{Incident, incidents};
use headroom_api::{journal, paths};
use headroom_sys::own::{Capability, has_capability};

/// A process that holds 48 MiB and waits: it has filled its buffer and nobody reads what it writes.
/// `mark` makes its command line unlike any other's.
fn holder(mark: u32) -> Child {
    Command::new("dd")
        .args(["if=/dev/zero", "bs=48M", &format!("count={mark}"), "status=none"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A policy under which memory is always short and nobody but the holder may go.
fn policy(dir: &Path, mark: u32) -> std::path::PathBuf {
    let path = dir.join("policy.toml");
    let text = format!(
        r#"
        [strict]
        floor = "100%"
        floor_max = "1048576GiB"
        hard_floor = "0%"
        [[rule]]
        name = "the-holder"
        class = "expendable"
        comm = ["dd"]
        command = ["*count={mark} *"]
        [[rule]]
        name = "everybody-else"
        class = "system"
        comm = ["*"]
        "#
    );
    fs::write(&path, text).unwrap();
    path
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < give_up, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn recorded(dir: &Path) -> Vec<Incident> {
    let journal = journal::read(&dir.join(paths::JOURNAL)).unwrap_or_default();
    incidents(&journal.records)
}

#[test]
fn the_holder_goes_and_the_journal_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mark = 900_000 + std::process::id();
    let mut victim = holder(mark);
    let pid = i32::try_from(victim.id()).unwrap();
    wait_until("the holder's 48 MiB", || {
        let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
        let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4 > 40 * 1024
    });
    let mut guard = Command::new(env!("CARGO_BIN_EXE_headroom-guard"))
        .arg("--policy")
        .arg(policy(dir.path(), mark))
        .arg("--state-dir")
        .arg(dir.path())
        .arg("--runtime-dir")
        .arg(dir.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let may_kill = has_capability(Capability::Kill);
    if may_kill {
        wait_until("the holder's end", || victim.try_wait().unwrap().is_some());
    }
    let of_victim = || {
        let incidents = recorded(dir.path());
        let verdicts = incidents.into_iter().flat_map(|i| i.verdicts);
        verdicts.filter(|v| v.pid == Some(pid)).collect::<Vec<_>>()
    };
    wait_until("a verdict with its outcome", || {
        of_victim().first().is_some_and(|v| v.outcome.is_some())
    });
    let verdict = of_victim().remove(0);
    assert_eq!((verdict.trigger.as_str(), verdict.action.as_str()), ("floor", "slay"));
    assert_eq!(verdict.comm.as_deref(), Some("dd"));
    assert!(verdict.reason.contains("by rule the-holder"), "{}", verdict.reason);
    assert_eq!(verdict.dry_run, !may_kill);
    if may_kill {
        assert_eq!(verdict.outcome.as_deref(), Some("gone"));
        assert!(verdict.freed_kib.is_some_and(|kib| kib > 40 * 1024), "{verdict:?}");
    }
    match ask(dir.path(), &Request::Status).unwrap() {
        Answer::Status(status) => {
            assert!(status.guard.running);
            assert_eq!(status.incidents[0].trigger, "floor");
        }
        other => panic!("{other:?}"),
    }
    guard.kill().unwrap();
    guard.wait().unwrap();
    // Killed without a word, it left a journal that reads whole.
    let journal = journal::read(&dir.path().join(paths::JOURNAL)).unwrap();
    assert_eq!(journal.skipped, 0);
    if !may_kill {
        victim.kill().unwrap();
    }
    let _ = victim.wait();
}

#[test]
fn a_killed_guards_jobs_go_on_when_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let guard = || {
        let mut guard = Command::new(env!("CARGO_BIN_EXE_headroom-guard"));
        guard.arg("--thaw").arg("--runtime-dir").arg(dir.path());
        guard.status().unwrap()
    };
    assert!(guard().success(), "nothing to do is done");
    let mut job = Command::new("sleep").arg("1000").spawn().unwrap();
    let state = |job: &Child| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", job.id())).unwrap();
        let rest = stat.rsplit(')').next().unwrap().to_string();
        let fields: Vec<_> = rest.split_whitespace().map(String::from).collect();
        (fields[0].clone(), fields[19].parse::<u64>().unwrap())
    };
    assert!(
        Command::new("kill").args(["-STOP", &job.id().to_string()]).status().unwrap().success()
    );
    wait_until("the stop", || state(&job).0 == "T");
    // What a guard writes down before it pauses: pid and start time.
    let mut held = vec![0; 2048];
    held[..8].copy_from_slice(&i64::from(job.id()).to_le_bytes());
    held[8..16].copy_from_slice(&state(&job).1.to_le_bytes());
    fs::write(dir.path().join("held"), held).unwrap();
    assert!(guard().success());
    wait_until("the job to go on", || state(&job).0 != "T");
    job.kill().unwrap();
    job.wait().unwrap();
}
