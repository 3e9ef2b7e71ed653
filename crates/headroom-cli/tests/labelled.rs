//! Incidents whose culprit is known: explain must name the right finding and the right group first.
//!
//! `labelled/LABELS.tsv` has a row an incident: a file, or a folder whose files are given together; the
//! finding's id; the group it is about, `-` for none; where it comes from. Of a log with several incidents the last one counts.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

struct Label {
    name: String,
    finding: String,
    group: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labelled")
}

fn labels() -> Vec<Label> {
    let table = fs::read_to_string(folder().join("LABELS.tsv")).expect("the labels");
    let row = |line: &str| {
        let mut cells = line.split('\t').map(str::to_owned);
        let mut next = || cells.next().expect("three cells a row at least");
        Label { name: next(), finding: next(), group: next() }
    };
    table.lines().skip(1).map(row).collect()
}

fn files(name: &str) -> Vec<PathBuf> {
    let path = folder().join(name);
    if path.is_file() {
        return vec![path];
    }
    let entries = fs::read_dir(&path).expect("a file or a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// The last incident of a label's logs.
fn incident(name: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .env("TZ", "UTC")
        .env_remove("HEADROOM_ROOT")
        .args(["explain", "--format", "json"])
        .args(files(name))
        .output()
        .expect("headroom runs");
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    json["incidents"].as_array().and_then(|list| list.last()).cloned().expect("an incident")
}

#[test]
fn the_right_finding_and_group_come_first() {
    let mut wrong = Vec::new();
    let labels = labels();
    for label in &labels {
        let incident = incident(&label.name);
        let first = &incident["findings"][0];
        let (id, group) = (first["id"].as_str(), first["group"].as_str().unwrap_or("-"));
        if id != Some(label.finding.as_str()) || group != label.group {
            wrong.push(format!("{}: {id:?} of {group}", label.name));
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "of {}", labels.len());
    assert!(labels.len() >= 12, "that few incidents prove nothing");
}

#[test]
fn the_database_is_never_blamed_for_a_storm_it_did_not_start() {
    for label in labels().iter().filter(|label| label.group != "mysql") {
        for finding in incident(&label.name)["findings"].as_array().expect("findings") {
            let id = finding["id"].as_str().expect("an id");
            let blames = finding["group"] == "mysql"
                && matches!(id, "database-too-large" | "database-grew" | "leak");
            assert!(!blames || finding["confidence"] == "low", "{}: {id}", label.name);
        }
    }
}

#[test]
fn each_labelled_file_has_its_row() {
    let labels = labels();
    for entry in fs::read_dir(folder()).expect("the folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let known = labels.iter().any(|label| label.name == name);
        assert!(known || ["LABELS.tsv", "README.md", "lab"].contains(&name.as_str()), "{name}");
    }
    for entry in fs::read_dir(folder().join("lab")).expect("the lab's") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        assert!(labels.iter().any(|label| label.name == format!("lab/{name}")), "{name}");
    }
}

#[test]
fn what_other_logs_say_stands_beside_the_report() {
    let incident = incident("crons-with-other-logs");
    let context = incident["context"].as_array().expect("the context");
    let said = |part: &str| {
        context.iter().find(|entry| entry["what"].as_str().is_some_and(|what| what.contains(part)))
    };
    for part in [
        "php /data/web/feeds.php, still running with 82 MiB",
        "query of 31 s, 2.4 M rows examined",
        "mariadb.service failed with result oom-kill",
        "deploy logged in from 198.51.100.7",
        "MySQL server has gone away",
        "upgrade php8.2-cli",
    ] {
        assert!(said(part).is_some(), "{part}");
    }
    let query = said("query of").expect("the query");
    assert!(query["source"].as_str().is_some_and(|at| at.ends_with("mysql-slow.log:4")), "{query}");
    assert!(query["distance_s"].as_f64().is_some_and(|s| (-10.0..0.0).contains(&s)), "{query}");
    // The debian-sa1 job had ended: it is near, and not said to be running.
    assert!(said("debian-sa1").is_some_and(|e| !e["what"].to_string().contains("still running")));
    // That lines are near makes none of them a cause: what rests on them alone is at most likely.
    for finding in incident["findings"].as_array().expect("findings") {
        let evidence = finding["evidence"].as_array().expect("evidence");
        let report =
            evidence.iter().any(|at| at.as_str().is_some_and(|at| at.contains("kern.log")));
        let own_word = finding["id"] == "unit-stopped";
        assert!(report || own_word || finding["confidence"] != "high", "{finding}");
    }
}

#[test]
fn the_logs_of_a_node_are_found_under_its_root() {
    let root = tempfile::TempDir::new().expect("a folder");
    for (name, place) in [
        ("kern.log", "var/log/kern.log"),
        ("syslog", "var/log/syslog"),
        ("mysql-slow.log", "var/log/mysql/mysql-slow.log"),
        ("exception.log", "data/web/public/var/log/exception.log"),
        ("dpkg.log", "var/log/dpkg.log"),
    ] {
        let to = root.path().join(place);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::copy(folder().join("crons-with-other-logs").join(name), to).expect("a copy");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .env("TZ", "UTC")
        .env("HEADROOM_ROOT", root.path())
        .args(["explain", "--last"])
        .output()
        .expect("headroom runs");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for part in ["still running with 82 MiB", "query of 31 s", "gone away", "upgrade php8.2-cli"] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn what_comes_through_a_pipe_has_its_surroundings_too() {
    let folder = folder().join("crons-with-other-logs");
    let mut log = fs::read_to_string(folder.join("syslog")).expect("cron's lines");
    log += &fs::read_to_string(folder.join("kern.log")).expect("the report");
    let mut child = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .env("TZ", "UTC")
        .env_remove("HEADROOM_ROOT")
        .args(["explain", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("headroom runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(log.as_bytes()).expect("taken");
    drop(pipe);
    let output = child.wait_with_output().expect("its output");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("cron of"), "{text}");
}

#[test]
fn only_what_lies_near_the_incidents_asked_for_is_told() {
    let logs = files("crons-with-other-logs");
    let told = |args: &[&str]| -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
            .env("TZ", "UTC")
            .env_remove("HEADROOM_ROOT")
            .arg("explain")
            .args(args)
            .args(&logs)
            .output()
            .expect("headroom runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert!(told(&["--since", "2026-11-24 03:12"]).contains("query of 31 s"));
    assert!(told(&["--until", "2026-11-24 03:12"]).starts_with("No OOM kill"));
    assert!(told(&[]).lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_crawlers_rush_is_seen_in_the_access_log() {
    let incident = incident("crawler-rush");
    let findings = incident["findings"].as_array().expect("findings");
    let peak = findings.iter().find(|finding| finding["id"] == "traffic-peak").expect("the peak");
    assert!(peak["title"].as_str().is_some_and(|title| title.contains("GPTBot")), "{peak}");
    let workers = &findings[0];
    assert!(workers["advice"].to_string().contains("pm.max_children of 40"), "{workers}");
}
