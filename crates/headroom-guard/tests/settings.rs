//! Settings in a running guard, over its socket.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use headroom_api::guard::{Answer, Request, ask};
use headroom_api::settings::{Change, Settings};
use serde_json::{Value, json};

struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(dir: &Path) -> Guard {
    fs::write(dir.join("policy.toml"), "[strict]\nfloor = \"7%\"\n").unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_headroom-guard"))
        .arg("--dry-run")
        .args(["--policy".as_ref(), dir.join("policy.toml").as_os_str()])
        .args(["--state-dir".as_ref(), dir.as_os_str()])
        .args(["--runtime-dir".as_ref(), dir.as_os_str()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let guard = Guard(child);
    let give_up = Instant::now() + Duration::from_secs(30);
    while ask(dir, &Request::Status).is_err() {
        assert!(Instant::now() < give_up, "the guard does not answer");
        sleep(Duration::from_millis(20));
    }
    guard
}

/// Asks until the guard has time to answer: machines that test are busy.
fn ask_patiently(dir: &Path, request: &Request) -> Answer {
    let give_up = Instant::now() + Duration::from_secs(30);
    loop {
        match ask(dir, request) {
            Ok(Answer::Refused { why }) if why.contains("busy") && Instant::now() < give_up => {}
            answer => return answer.unwrap(),
        }
    }
}

fn change(dir: &Path, name: &str, value: Option<&str>) -> Answer {
    let change = Change::from([(name.to_owned(), value.map(ToOwned::to_owned))]);
    ask_patiently(dir, &Request::Change { change })
}

fn settings(answer: Answer) -> BTreeMap<String, (Value, String)> {
    let Answer::Settings(Settings { settings, .. }) = answer else { panic!("{answer:?}") };
    settings.into_iter().map(|s| (s.name, (s.value, s.source))).collect()
}

fn policy_in_force(dir: &Path) -> String {
    match ask_patiently(dir, &Request::Status) {
        Answer::Status(status) => status.guard.policy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_setting_is_in_force_when_the_answer_comes_and_outlives_the_guard() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let guard = start(dir);
    let before = settings(ask_patiently(dir, &Request::Settings));
    assert_eq!(before["permissive_memory_management"], (json!(false), "default".into()));
    assert_eq!(before["strict.floor"], (json!("7%"), "policy".into()));
    for (value, name) in [("True", "permissive"), ("0", "strict"), ("yes", "permissive")] {
        settings(change(dir, "permissive_memory_management", Some(value)));
        assert_eq!(policy_in_force(dir), name);
    }
    let after = settings(change(dir, "strict.floor", Some("12")));
    assert_eq!(after["strict.floor"], (json!("12%"), "setting".into()));
    drop(guard);
    let _guard = start(dir);
    assert_eq!(policy_in_force(dir), "permissive");
    let after = settings(change(dir, "strict.floor", None));
    assert_eq!(after["strict.floor"], (json!("7%"), "policy".into()));
}

#[test]
fn what_is_not_allowed_changes_nothing_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let _guard = start(dir);
    let refused = |name: &str, value: &str| match change(dir, name, Some(value)) {
        Answer::Wrong { name, .. } => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("permissive_memory_management", "perhaps"), "permissive_memory_management");
    assert_eq!(refused("strict.floor", "99%"), "strict.floor");
    assert_eq!(refused("strict.floor_max", "10MiB"), "strict.floor_min");
    assert_eq!(refused("[[rule]]", "x"), "[[rule]]");
    assert!(!dir.join("settings.toml").exists());
}

#[test]
fn a_file_that_cannot_be_believed_costs_the_settings_and_not_the_guard() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("settings.toml"), "[class]\nessential = 1000\n").unwrap();
    let _guard = start(dir);
    let Answer::Status(status) = ask_patiently(dir, &Request::Status) else { panic!("no status") };
    let missing = status.guard.missing.iter().find(|m| m.what == "the settings").unwrap();
    assert!(missing.why.contains("holds more than settings"), "{}", missing.why);
    let read = settings(ask_patiently(dir, &Request::Settings));
    assert_eq!(read["strict.floor"].0, json!("7%"));
}
