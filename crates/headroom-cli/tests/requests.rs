//! `protect`, `service`, `release` and the platform's names, against an agent of the test's own or none.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};

const HEADROOM: &str = env!("CARGO_BIN_EXE_headroom");

fn run(program: &Path, dir: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).env("HEADROOM_RUNTIME_DIR", dir).output().unwrap()
}

fn headroom(dir: &Path, args: &[&str]) -> Output {
    run(Path::new(HEADROOM), dir, args)
}

fn called(name: &str, dir: &Path, args: &[&str]) -> Output {
    let link = dir.join(name);
    if !link.exists() {
        symlink(HEADROOM, &link).unwrap();
    }
    run(&link, dir, args)
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// An agent that gives everybody the same answer, and keeps what it was asked last.
fn agent(dir: &Path, status: &str, body: &str) -> std::sync::mpsc::Receiver<String> {
    let listener = UnixListener::bind(dir.join("agent.sock")).unwrap();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (tell, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let _ = tell.send(String::from_utf8_lossy(&request[..read]).into_owned());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    asked
}

const GRANTED: &str =
    r#"{"version":1,"pid":1,"budget_kib":1024,"until":null,"warnings":["mind the rest"]}"#;

#[test]
fn a_protected_command_is_the_same_process_with_its_own_ends() {
    let dir = tempfile::tempdir().unwrap();
    let asked = agent(dir.path(), "200 OK", GRANTED);
    let status = |args: &[&str]| headroom(dir.path(), args).status.code();
    assert_eq!(status(&["protect", "--", "sh", "-c", "exit 7"]), Some(7));
    assert!(asked.recv().unwrap().starts_with("POST /v1/protect HTTP/1.1"));
    assert_eq!(status(&["protect", "sh", "-c", "exit 0"]), Some(0));
    assert_eq!(status(&["protect", "/nonexistent/program"]), Some(127));
    assert_eq!(status(&["protect", "/etc/passwd"]), Some(126));
    assert_eq!(status(&["protect"]), Some(64));
    let output = called("hypernode-oom-protect", dir.path(), &["sh", "-c", "kill -TERM $$"]);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(15));
    assert!(err(&output).contains("mind the rest"));
    // Flags after the command are the command's.
    let output = called("hypernode-oom-protect", dir.path(), &["echo", "--help", "-n"]);
    assert_eq!(out(&output), "--help -n\n");
}

#[test]
fn a_refused_protection_runs_nothing_unless_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = r#"{"detail":"app has 2 jobs protected already, of 2 allowed at once"}"#;
    let _asked = agent(dir.path(), "409 Conflict", refusal);
    let refused = headroom(dir.path(), &["protect", "--", "echo", "ran"]);
    assert_eq!((refused.status.code(), out(&refused).as_str()), (Some(1), ""));
    assert!(err(&refused).contains("of 2 allowed"), "{}", err(&refused));
    let told = headroom(dir.path(), &["protect", "--or-unprotected", "--", "echo", "ran"]);
    assert_eq!((told.status.code(), out(&told).as_str()), (Some(0), "ran\n"));
    let platform = called("hypernode-oom-protect", dir.path(), &["echo", "ran"]);
    assert_eq!(out(&platform), "ran\n");
    assert!(err(&platform).contains("running unprotected"), "{}", err(&platform));
}

#[test]
fn a_service_that_is_not_on_the_list_is_77_with_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let refusal =
        r#"{"detail":"\"ssh\" is not among the services that may be restarted: mysql, nginx"}"#;
    let _asked = agent(dir.path(), "403 Forbidden", refusal);
    for output in [
        headroom(dir.path(), &["service", "restart", "ssh"]),
        called("hypernode-servicectl", dir.path(), &["restart", "ssh"]),
    ] {
        assert_eq!(output.status.code(), Some(77));
        assert!(err(&output).contains("mysql, nginx"));
    }
}

#[test]
fn a_restart_says_how_long_it_was_away_and_what_it_gave_back() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = r#"{"version":1,"outcomes":[{"service":"mysql","unit":"mariadb.service","action":"restart",
        "result":"done","answers":true,"away_ms":2340,"took_ms":4100,"before_kib":831488,"after_kib":245760,
        "shared":false,"detail":null}]}"#;
    let asked = agent(dir.path(), "200 OK", outcome);
    let output = called("hypernode-servicectl", dir.path(), &["restart", "mysql"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(
        out(&output),
        "mariadb.service: restarted, away for 2.3 s, took 4.1 s; memory 812 MiB before, 240 MiB after\n"
    );
    assert!(asked.recv().unwrap().starts_with("POST /v1/services/mysql/restart "));
    let json = headroom(dir.path(), &["service", "reload", "my sql", "--format", "json"]);
    assert!(asked.recv().unwrap().starts_with("POST /v1/services/my%20sql/reload "));
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["outcomes"][0]["away_ms"], 2340);
}

#[test]
fn the_release_script_has_the_manuals_words_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let name = "release_mysql_cached_memory";
    let wrong = called(name, dir.path(), &["-m", "1024"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).starts_with("Invalid action. ") && out(&wrong).is_empty());
    let release = r#"{"version":1,"service":"mysql","verdict":"released","available_mib":300,
        "available_after_mib":1400,"before_kib":1,"after_kib":1,"reasons":[],"rungs":[
        {"rung":"shrink_pool","what":"shrink the buffer pool from 2.0 GiB to 1.5 GiB","outcome":"done",
         "gained_kib":524288,"took_ms":40,"why":null},
        {"rung":"restart","what":"restart it gracefully","outcome":"done","gained_kib":1024,"took_ms":9,"why":null}]}"#;
    let asked = agent(dir.path(), "200 OK", release);
    let output = called(name, dir.path(), &["-m", "1024", "-c", "30"]);
    assert_eq!(output.status.code(), Some(0));
    let text = out(&output);
    assert!(
        text.starts_with(
            "Checking if we're in a low memory situation\n\
             Low memory condition detected and we haven't restarted MySQL in the last 30 minutes\n\
             Restarting MySQL...\n"
        ),
        "{text}"
    );
    assert!(text.contains("gave back 512 MiB in 40 ms"), "{text}");
    let request = asked.recv().unwrap();
    assert!(request.contains("\"below_mib\":1024") && request.contains("\"cooldown_min\":30"));
}

#[test]
fn without_an_agent_it_is_said_how_to_start_one() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["service", "list"][..],
        &["service", "restart", "mysql"],
        &["release", "mysql", "-m", "1", "-c", "1"],
    ] {
        let output = headroom(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(err(&output).contains("systemctl start headroom-agent"), "{}", err(&output));
    }
    let grants = headroom(dir.path(), &["release", "mysql", "--grants"]);
    assert!(out(&grants).contains("IDENTIFIED VIA unix_socket"));
    let mysql8 = headroom(dir.path(), &["release", "mysql", "--grants", "--mysql8"]);
    assert!(out(&mysql8).contains("auth_socket"));
}
