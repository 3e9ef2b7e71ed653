//! The loop on this machine's own /proc, with one process of the test's as the only one that may go.

use std::process::{Command, Stdio};
use std::time::Duration;

use headroom_core::policy::Layer;
use headroom_core::snapshot::{Process, ProcessId};
use headroom_core::units::Kib;

use super::*;

/// Nobody but the process with this mark in its command line may go; `floor` says when.
fn policy(mark: u32, floor: &str) -> Policy {
    let text = format!(
        r#"
        [strict]
        floor = "{floor}"
        floor_min = "0MiB"
        floor_max = "1048576GiB"
        horizon = "0s"
        kernel_kills = 0
        stall = "100%"
        calm_time = "200ms"
        [[rule]]
        name = "the-holder"
        class = "expendable"
        command = ["*count={mark} *"]
        [[rule]]
        name = "everybody-else"
        class = "system"
        comm = ["*"]
        "#
    );
    Policy::from_layers(&[Layer::parse("test", &text).unwrap()]).unwrap()
}

/// A guard of this machine that keeps what it writes in `dir`.
fn watch(dir: &std::path::Path, policy: Policy) -> Watch {
    let options = Options {
        dry_run: false,
        policy: None,
        state_dir: dir.into(),
        runtime_dir: dir.into(),
        root: "/".into(),
    };
    let senses = Senses::open(&options.root, &policy).unwrap();
    Watch::start(&options, policy, senses, None).unwrap()
}

#[test]
fn nothing_is_allocated_between_the_trigger_and_the_signal() {
    the_victim_goes_without_an_allocation(700_000, false);
}

#[test]
fn where_no_memory_is_left_whoever_is_held_ready_goes_and_nobody_else_is_looked_at() {
    the_victim_goes_without_an_allocation(750_000, true);
}

fn the_victim_goes_without_an_allocation(mark: u32, is_out: bool) {
    let dir = tempfile::tempdir().unwrap();
    let mark = mark + std::process::id();
    let mut victim = Command::new("dd")
        .args(["if=/dev/zero", "bs=48M", &format!("count={mark}"), "status=none"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = i32::try_from(victim.id()).unwrap();
    let mut watch = watch(dir.path(), policy(mark, "0%"));
    let holds = |watch: &Watch| {
        let processes = &watch.senses.snapshot.processes;
        processes
            .iter()
            .any(|p| p.id.pid == id && p.gives_back > headroom_core::units::Kib::from_mib(40))
    };
    while !holds(&watch) {
        std::thread::sleep(Duration::from_millis(50));
        watch.senses.scan(&watch.policy, Whom::All).unwrap();
    }
    for _ in 0..5 {
        let wait = watch.turn();
        watch.wait(wait.min(Duration::from_millis(50)));
    }
    assert_eq!(watch.state.open_incident(), None, "calm so far");

    let is_it = |ready: ProcessId| ready.pid == id;
    assert!(watch.senses.proc.ready().any(is_it), "it is held ready");
    watch.policy = Arc::new(policy(mark, "100%"));
    watch.woken = own::now();
    watch.senses.snapshot.births_heard |= is_out;
    let is_own = |p: &Process| p.id.pid == own::own_pid();
    let own = watch.senses.snapshot.processes.iter().position(is_own).unwrap();
    watch.senses.snapshot.processes[own].rss = Kib(7);
    if is_out {
        watch.senses.readiness.note_own_zone(None, true, own::now());
    }
    let allocated = allocation_counter::measure(|| {
        watch.turn();
    });
    assert!(watch.state.open_incident().is_some(), "the trigger was seen");
    if is_out {
        assert_eq!(watch.senses.snapshot.processes[own].rss, Kib(7), "it alone was looked at");
        assert_eq!(watch.senses.proc.ready().count(), 0, "it was sent its signal as it was held");
    }
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
    if !watch.hands.is_dry() {
        let signal = std::os::unix::process::ExitStatusExt::signal(&victim.wait().unwrap());
        assert!(signal.is_some(), "the victim was ended by a signal");
    }
    let _ = victim.kill();
    let _ = victim.wait();
}

#[test]
fn nothing_is_allocated_in_a_whole_storm_from_the_trigger_to_the_calm_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mark = 800_000 + std::process::id();
    let mut victim = Command::new("dd")
        .args(["if=/dev/zero", "bs=48M", &format!("count={mark}"), "status=none"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let calm = Arc::new(policy(mark, "0%"));
    let short = Arc::new(policy(mark, "100%"));
    let mut watch = watch(dir.path(), (*calm).clone());
    // Memory is settled in calm moments, and what that allocates is not the reflex's.
    watch.settling = crate::settle::Settling::new(false);
    for _ in 0..20 {
        let wait = watch.turn();
        watch.wait(wait.min(Duration::from_millis(50)));
        watch.woken = own::now();
    }
    if watch.hands.is_dry() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "a storm needs CAP_KILL");
        println!("SKIPPED: without CAP_KILL there is no storm to go through");
        victim.kill().unwrap();
        victim.wait().unwrap();
        return;
    }
    watch.policy = short;
    let (mut ended, mut closed) = (false, false);
    let allocated = allocation_counter::measure(|| {
        for _ in 0..5000 {
            let wait = watch.turn();
            closed = ended && watch.state.open_incident().is_none();
            if closed {
                break;
            }
            let event = watch.wait(wait.min(Duration::from_millis(50)));
            watch.woken = own::now();
            if event == Event::Ended {
                watch.collect();
                ended = true;
                watch.policy = Arc::clone(&calm);
            }
        }
    });
    let signal = std::os::unix::process::ExitStatusExt::signal(&victim.wait().unwrap());
    assert!(signal.is_some(), "the victim was ended by a signal");
    assert!(ended && closed, "ended: {ended}, closed: {closed}");
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

#[test]
fn a_process_is_classed_when_it_begins_and_not_at_the_next_scan() {
    let dir = tempfile::tempdir().unwrap();
    let mark = 500_000 + std::process::id();
    // The child inherits this process's value, which must not be the one it is to get.
    drop(std::fs::write("/proc/self/oom_score_adj", "0"));
    let mut watch = watch(dir.path(), policy(mark, "0%"));
    let scanned = watch.senses.snapshot.scanned;
    let lacks = watch.about.missing.iter().any(|m| m.what == "proc connector");
    let mut child = Command::new("sh")
        .args(["-c", &format!(": count={mark} x; read end")])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let score = || std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
    for _ in 0..200 {
        if lacks || score().trim() == "1000" {
            break;
        }
        watch.woken = own::now();
        watch.wait(Duration::from_millis(20));
    }
    child.kill().unwrap();
    // Where the connector cannot be had it is said, and the scans do it.
    assert_eq!(lacks, score_was_not_set(&watch, pid), "{:?}", watch.about.missing);
    assert_eq!(watch.senses.snapshot.scanned, scanned, "nobody scanned");
    child.wait().unwrap();
}

fn score_was_not_set(watch: &Watch, pid: i32) -> bool {
    let processes = &watch.senses.snapshot.processes;
    processes.iter().find(|p| p.id.pid == pid).is_none_or(|p| p.oom_score_adj != Some(1000))
}

#[test]
fn a_scan_that_takes_long_is_followed_by_a_longer_rest() {
    let at = |ms: u64| Moment(ms * 1_000_000);
    assert_eq!(rests_until((at(100), at(103)), Pressing::Not), at(115));
    assert_eq!(rests_until((at(100), at(150)), Pressing::Not), at(350));
    assert_eq!(rests_until((at(100), at(150)), Pressing::Soon), at(250));
    assert_eq!(rests_until((at(100), at(150)), Pressing::Now), at(200));
    assert_eq!(rests_until((at(100), at(100)), Pressing::Not), at(100));
}
