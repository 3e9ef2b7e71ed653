//! The real program's journal: killed without a word, on a full disk, after damage.
#![expect(
    clippy::tests_outside_test_module,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headroom_api::guard::{Answer, Request, ask};
use headroom_api::journal::samples::{self, Extent};
use headroom_api::journal::{self, Entry};
use headroom_api::paths;

/// A policy under which memory is always short and nobody may go, so that each look is kept.
fn policy(dir: &Path, more: &str) -> std::path::PathBuf {
    let path = dir.join("policy.toml");
    let text = format!(
        r#"
        [strict]
        floor = "100%"
        floor_max = "1048576GiB"
        [[rule]]
        name = "everybody"
        class = "system"
        comm = ["*"]
        {more}
        "#
    );
    fs::write(&path, text).unwrap();
    path
}

/// A dry guard that keeps its journal in `state_dir`.
fn guard(dir: &Path, state_dir: &Path, more: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_headroom-guard"))
        .arg("--dry-run")
        .arg("--policy")
        .arg(policy(dir, more))
        .arg("--state-dir")
        .arg(state_dir)
        .arg("--runtime-dir")
        .arg(dir)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < give_up, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn extent(dir: &Path) -> Extent {
    samples::read(&dir.join(paths::SAMPLES), 0, &mut |_| {}).unwrap_or_default()
}

fn kill(mut guard: Child) {
    guard.kill().unwrap();
    guard.wait().unwrap();
}

#[test]
fn a_guard_killed_again_and_again_leaves_a_journal_that_reads_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for round in 1..=4 {
        let guard = guard(dir.path(), dir.path(), "");
        wait_until("ten more samples", || extent(dir.path()).samples >= before + 10);
        kill(guard);
        let now = extent(dir.path());
        // A record may have been cut in the middle; nothing that was there before is lost.
        assert!(now.skipped <= round, "{now:?}");
        assert!(now.samples >= before + 10, "{now:?}");
        before = now.samples;
    }
    let journal = journal::read(&dir.path().join(paths::JOURNAL)).unwrap();
    let numbers: Vec<u64> = journal
        .records
        .iter()
        .filter_map(|r| match &r.entry {
            Entry::Opened(opened) => Some(opened.incident),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4], "each run counts on");
    assert!(journal.skipped <= 4, "{}", journal.skipped);
}

#[test]
fn samples_say_what_a_replay_needs() {
    let dir = tempfile::tempdir().unwrap();
    let guard = guard(dir.path(), dir.path(), "");
    wait_until("some samples", || extent(dir.path()).samples >= 3);
    kill(guard);
    let mut all = Vec::new();
    samples::read(&dir.path().join(paths::SAMPLES), 0, &mut |s| all.push(*s)).unwrap();
    let own = std::process::id();
    for sample in &all {
        assert!(sample.memory.total.0 > 0 && sample.memory.available.0 > 0, "{sample:?}");
        assert_eq!(sample.zones()[0].measured.map(|m| m.limit), Some(sample.memory.total));
        assert!(sample.unix_ms > 1_600_000_000_000 && sample.scanned <= sample.at);
        assert!(!sample.top().is_empty() && sample.top().is_sorted_by_key(|p| p.id.pid));
        assert!(sample.incident.is_some(), "memory is short all the time here");
        assert!(u64::from(sample.processes) >= sample.top().len() as u64);
        assert_ne!(sample.own_pid, i32::try_from(own).unwrap());
    }
    assert!(all.is_sorted_by_key(|s| s.at));
}

#[test]
fn sizes_of_the_policy_are_kept_to() {
    let dir = tempfile::tempdir().unwrap();
    let length = |name| fs::metadata(dir.path().join(name)).map_or(0, |meta| meta.len());
    for (samples, mib) in [("2MiB", 2), ("1MiB", 1)] {
        let sizes = format!("[journal]\nevents = \"1MiB\"\nsamples = \"{samples}\"");
        let before = extent(dir.path()).samples;
        let guard = guard(dir.path(), dir.path(), &sizes);
        wait_until("a sample", || extent(dir.path()).samples > before);
        kill(guard);
        assert_eq!((length(paths::JOURNAL), length(paths::SAMPLES)), (1 << 20, mib << 20));
    }
    let starts = journal::read(&dir.path().join(paths::JOURNAL)).unwrap();
    let started = starts.records.iter().filter(|r| matches!(r.entry, Entry::Started(_)));
    assert_eq!(started.count(), 2);
}

/// A small file system of its own; `None` where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn of(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "headroom-test"]).arg(dir.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if mounted {
            return Some(Self(dir));
        }
        assert!(std::env::var_os("CI").is_none(), "a small tmpfs cannot be mounted here");
        eprintln!("SKIPPED: a small tmpfs cannot be mounted here; run as root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_disk_without_room_the_guard_guards_and_says_what_it_cannot_keep() {
    let Some(disk) = SmallDisk::of("2m") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut guard = guard(dir.path(), disk.0.path(), "");
    let mut missing = Vec::new();
    wait_until("an answer", || match ask(dir.path(), &Request::Status) {
        Ok(Answer::Status(status)) => {
            missing = status.guard.missing;
            !status.incidents.is_empty()
        }
        _ => false,
    });
    let why = |what| missing.iter().find(|m| m.what == what).map(|m| m.why.clone());
    for what in ["the journal", "the ring of samples"] {
        let why = why(what).unwrap();
        assert!(why.contains("No space left"), "{what}: {why}");
    }
    assert!(guard.try_wait().unwrap().is_none(), "it guards on");
    kill(guard);
}

#[test]
fn a_disk_that_fills_up_later_takes_nothing_from_the_journal() {
    let Some(disk) = SmallDisk::of("6m") else { return };
    let dir = tempfile::tempdir().unwrap();
    let sizes = "[journal]\nevents = \"1MiB\"\nsamples = \"2MiB\"";
    let mut guard = guard(dir.path(), disk.0.path(), sizes);
    wait_until("a sample", || extent(disk.0.path()).samples > 0);
    let filler = disk.0.path().join("filler");
    let full = fs::write(&filler, vec![1; 8 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let before = extent(disk.0.path()).samples;
    wait_until("samples on a full disk", || extent(disk.0.path()).samples > before + 10);
    // Stopped in order it writes what it must and ends, though the memory of jobs has no room.
    let pid = guard.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    wait_until("the guard's end", || guard.try_wait().unwrap().is_some());
    let journal = journal::read(&disk.0.path().join(paths::JOURNAL)).unwrap();
    assert!(matches!(journal.records.last().map(|r| &r.entry), Some(Entry::Stopped(_))));
    assert_eq!((journal.skipped, extent(disk.0.path()).skipped), (0, 0));
}
