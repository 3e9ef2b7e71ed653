//! `headroom explain --html`: one page that needs nothing else and lets no process name be markup.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

fn labelled(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labelled").join(name)
}

/// The page of these logs.
fn page(logs: &[PathBuf]) -> String {
    let folder = TempDir::new().expect("a folder");
    let out = folder.path().join("page.html");
    let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .env("TZ", "UTC")
        .env_remove("HEADROOM_ROOT")
        .arg("explain")
        .args(logs)
        .arg("--html")
        .arg(&out)
        .output()
        .expect("headroom runs");
    assert_eq!(output.status.code(), Some(0));
    assert!(!output.stdout.is_empty(), "the text is printed all the same");
    fs::read_to_string(out).expect("the page")
}

#[test]
fn a_page_has_charts_findings_and_what_else_happened() {
    let folder = labelled("crons-with-other-logs");
    let names = ["kern.log", "syslog", "mysql-slow.log", "exception.log"];
    let page = page(&names.map(|name| folder.join(name)));
    for part in [
        "<h2>Who held the memory</h2>",
        "aria-label=\"Timeline\"",
        "✕ mariadbd",
        "stacked-jobs",
        "query of 31 s, 2.4 M rows examined",
        "<code>flock -n</code>",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let page = page(&[labelled("runaway-php.log"), labelled("slow-leak.log")]).to_lowercase();
    for part in
        ["<script", "http://", "https://", "src=", "url(", "@import", "<link", "javascript:"]
    {
        assert!(!page.contains(part), "{part}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("@media print"));
    // Each opened element of the charts is closed.
    for element in ["svg", "g", "text", "article", "table"] {
        let count = |what: String| page.matches(&what).count();
        let opened = count(format!("<{element}>")) + count(format!("<{element} "));
        assert_eq!(opened, count(format!("</{element}>")), "{element}");
    }
}

#[test]
fn a_hostile_process_name_is_only_text() {
    let folder = TempDir::new().expect("a folder");
    let log = fs::read_to_string(labelled("runaway-php.log")).expect("the log");
    // 15 bytes are all a name has; a cgroup's path and a cron line have more.
    let log =
        log.replace(" php\n", " <b onload=x>\"&'\n").replace("(php)", "(<img src=x>\u{1b}[1m)");
    let hostile = folder.path().join("<i>.log");
    fs::write(&hostile, log).expect("a file");
    let cron = folder.path().join("syslog");
    let line = "2026-11-24T03:11:01.1+00:00 shop CRON[482]: (a<u>) CMD (php \"><script>alert(1)</script>)\n";
    fs::write(&cron, line).expect("a file");
    let page = page(&[hostile, cron]);
    for markup in ["<b onload", "<img", "<i>.log", "<u>", "<script", "\u{1b}"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"), "it is shown as what it is");
}

#[test]
fn a_page_that_cannot_be_written_is_said_and_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .env_remove("HEADROOM_ROOT")
        .arg("explain")
        .arg(labelled("runaway-php.log"))
        .args(["--html", "/nonexistent/folder/page.html"])
        .output()
        .expect("headroom runs");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.starts_with("headroom: writing /nonexistent/folder/page.html: "), "{stderr}");
}
