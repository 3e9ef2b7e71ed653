//! The real command line on real reports: its text, its JSON, its exit codes.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

/// A moment after all fixtures were logged, so that stamps without a year get the same one always:
/// 2026-11-30.
const WRITTEN: Duration = Duration::from_secs(1_795_996_800);

/// The fixtures in a folder of their own, with a fixed time of writing.
fn fixtures() -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../headroom-core/tests/data");
    let folder = TempDir::new().expect("a folder");
    for entry in fs::read_dir(from).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ext| ext == "log") {
            let copy = folder.path().join(path.file_name().expect("a name"));
            fs::copy(&path, &copy).expect("a copy");
            let file = File::options().write(true).open(&copy).expect("the copy");
            file.set_modified(UNIX_EPOCH + WRITTEN).expect("its time");
        }
    }
    folder
}

fn headroom(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("headroom runs")
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headroom"));
    command
        .current_dir(folder)
        .env("TZ", "UTC")
        .env_remove("HEADROOM_ROOT")
        .arg("explain")
        .args(args);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn every_fixture_is_told_as_recorded() {
    let folder = fixtures();
    for name in names(folder.path()) {
        let output = headroom(folder.path(), &[&name]);
        assert_eq!(output.status.code(), Some(0), "{name}");
        let text = stdout(&output);
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{name} is wider than 100 columns"
        );
        insta::assert_snapshot!(format!("text of {name}"), text);
    }
}

#[test]
fn the_manuals_report_is_the_json_of_the_contract() {
    let folder = fixtures();
    let output = headroom(folder.path(), &["--format", "json", "manual-4.4-limited-slice.log"]);
    insta::assert_snapshot!("json of the manual's report", stdout(&output));
}

#[test]
fn one_event_in_five_forms_is_one_event() {
    let folder = fixtures();
    let read = |name: &str| -> serde_json::Value {
        let output = headroom(folder.path(), &["--format", "json", name]);
        serde_json::from_str(&stdout(&output)).expect("JSON")
    };
    let essence = |name: &str| {
        let json = read(name);
        let event = &json["incidents"][0]["events"][0];
        ["invoker", "cgroup", "usage_kib", "limit_kib", "tasks", "victims"]
            .map(|key| event[key].clone())
    };
    let dmesg = essence("6.1-memcg2-dmesg.log");
    for form in
        ["6.1-memcg2-dmesg-x.log", "6.1-memcg2-journal-json.log", "6.1-memcg2-kernlog-iso.log"]
    {
        assert_eq!(essence(form), dmesg, "{form}");
    }
    // The same kill in kern.log and in the journal is told once.
    let both = headroom(
        folder.path(),
        &["--format", "json", "6.1-memcg2-kernlog-iso.log", "6.1-memcg2-journal-json.log"],
    );
    let both: serde_json::Value = serde_json::from_str(&stdout(&both)).expect("JSON");
    let events: usize = both["incidents"]
        .as_array()
        .expect("incidents")
        .iter()
        .map(|i| i["events"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(events, 1);
}

#[test]
fn rotations_are_read_however_they_are_compressed() {
    let folder = fixtures();
    let name = "6.18-memcg1-dmesg.log";
    let plain = stdout(&headroom(folder.path(), &["--format", "json", name]));
    let log = fs::read(folder.path().join(name)).expect("the log");
    let gz = {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&log).expect("written");
        gz.finish().expect("compressed")
    };
    let zst =
        ruzstd::encoding::compress_to_vec(&log[..], ruzstd::encoding::CompressionLevel::Fastest);
    let xz = {
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default())
            .expect("a writer");
        xz.write_all(&log).expect("written");
        xz.finish().expect("compressed")
    };
    for (suffix, bytes) in [("gz", gz), ("zst", zst), ("xz", xz)] {
        let rotated = format!("{name}.1.{suffix}");
        fs::write(folder.path().join(&rotated), &bytes).expect("a file");
        let told = stdout(&headroom(folder.path(), &["--format", "json", &rotated]));
        assert_eq!(told.replace(&rotated, name), plain, "{suffix}");
        let cut = format!("cut.{suffix}");
        fs::write(folder.path().join(&cut), &bytes[..bytes.len() / 2]).expect("a file");
        let output = headroom(folder.path(), &[&cut]);
        assert_eq!(output.status.code(), Some(2), "{suffix}");
        assert!(
            String::from_utf8_lossy(&output.stderr)
                .starts_with(&format!("headroom: {cut}: its compressed data"))
        );
    }
}

#[test]
fn a_log_without_a_kill_is_a_no() {
    let folder = TempDir::new().expect("a folder");
    for (name, bytes) in
        [("empty", &b""[..]), ("binary", &[0, 159, 146, 150, 10, 255][..]), ("plain", b"hello\n")]
    {
        fs::write(folder.path().join(name), bytes).expect("a file");
        let output = headroom(folder.path(), &[name]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let json = headroom(folder.path(), &["--format", "json", name]);
        assert_eq!(json.status.code(), Some(1), "{name}");
        let json: serde_json::Value = serde_json::from_str(&stdout(&json)).expect("JSON");
        assert_eq!(json["incidents"], serde_json::json!([]), "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_said_and_fails() {
    let folder = TempDir::new().expect("a folder");
    for (name, says) in [("absent.log", "absent.log: no such file"), (".", ".: is a directory")] {
        let output = headroom(folder.path(), &[name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.starts_with(&format!("headroom: {says}")), "{stderr}");
    }
}

#[test]
fn without_a_file_the_logs_under_the_root_are_read() {
    let folder = fixtures();
    let logs = folder.path().join("root/var/log");
    fs::create_dir_all(&logs).expect("the folder");
    fs::copy(folder.path().join("manual-4.4-limited-slice.log"), logs.join("kern.log.1"))
        .expect("a copy");
    fs::copy(folder.path().join("6.1-memcg2-kernlog-iso.log"), logs.join("kern.log"))
        .expect("a copy");
    let output = command(folder.path(), &["--format", "json"])
        .env("HEADROOM_ROOT", "root")
        .output()
        .expect("it runs");
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let files: Vec<&str> = json["incidents"]
        .as_array()
        .expect("incidents")
        .iter()
        .filter_map(|incident| incident["events"][0]["source"]["file"].as_str())
        .collect();
    assert_eq!(files, ["root/var/log/kern.log.1", "root/var/log/kern.log"]);
    let empty =
        command(folder.path(), &[]).env("HEADROOM_ROOT", "nowhere").output().expect("it runs");
    assert_eq!(empty.status.code(), Some(2));
}

#[test]
fn a_journal_or_a_bzip2_is_told_how_to_be_read() {
    let folder = TempDir::new().expect("a folder");
    for (name, magic, says) in
        [("system.journal", "LPKSHHRH", "journalctl --file"), ("kern.log.bz2", "BZh91AY&", "bzcat")]
    {
        fs::write(folder.path().join(name), format!("{magic} and more")).expect("a file");
        let output = headroom(folder.path(), &[name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(says), "{name}");
    }
}

#[test]
fn a_report_is_found_wherever_blocks_begin_in_a_large_log() {
    let folder = fixtures();
    let report = fs::read_to_string(folder.path().join("6.1-memcg2-dmesg.log")).expect("the log");
    let noise =
        "[  1.0] [UFW BLOCK] IN=eth0 OUT= MAC=00 SRC=198.51.100.7 DST=192.0.2.10 LEN=40 no room\n";
    let expected = stdout(&headroom(folder.path(), &["--format", "json", "6.1-memcg2-dmesg.log"]));
    let expected: serde_json::Value = serde_json::from_str(&expected).expect("JSON");
    // Lines before the report push it over every boundary of the blocks a log is read in.
    for before in (1200..1700).step_by(37) {
        let log = noise.repeat(before) + &report + &noise.repeat(3000);
        fs::write(folder.path().join("large"), log).expect("a file");
        let json = stdout(&headroom(folder.path(), &["--format", "json", "large"]));
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let (found, wanted) =
            (&json["incidents"][0]["events"][0], &expected["incidents"][0]["events"][0]);
        assert_eq!(found["tasks"], wanted["tasks"], "{before} lines before");
        assert_eq!(found["complete"], true, "{before} lines before");
        assert_eq!(found["source"]["line"], before + 1);
        assert_eq!(json["incidents"].as_array().map(Vec::len), Some(1));
    }
}

/// Reads a log from standard input.
fn through_a_pipe(folder: &Path, log: &[u8]) -> serde_json::Value {
    let mut child = command(folder, &["--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("headroom runs");
    let mut stdin = child.stdin.take().expect("stdin");
    let log = log.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&log).expect("written"));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("all was written");
    serde_json::from_str(&stdout(&output).replace("\"standard input\"", "\"-\"")).expect("JSON")
}

#[test]
fn a_large_file_is_passed_over_and_read_as_a_pipe_is() {
    let folder = fixtures();
    let report = fs::read_to_string(folder.path().join("6.1-memcg2-dmesg.log")).expect("the log");
    let noise = "[  1.0] [UFW BLOCK] IN=eth0 OUT= MAC=00 SRC=198.51.100.7 DST=192.0.2.10 LEN=40\n";
    let mut log = String::new();
    // Far apart, near each other, at the very end, and one whose head is gone.
    for (number, lines) in [30_000, 700, 25_001, 3, 40_000].into_iter().enumerate() {
        log.push_str(&noise.repeat(lines));
        let report = report.replace("480", &format!("48{number}"));
        let report = report.replace("[   2", &format!("[ {number}00002"));
        let from = if number == 2 { report.find("Tasks state").expect("a table") } else { 0 };
        log.push_str(&report[from..]);
    }
    fs::write(folder.path().join("large"), &log).expect("a file");
    let file = stdout(&headroom(folder.path(), &["--format", "json", "large"]));
    let file: serde_json::Value =
        serde_json::from_str(&file.replace("\"large\"", "\"-\"")).expect("JSON");
    let pipe = through_a_pipe(folder.path(), log.as_bytes());
    let events = |json: &serde_json::Value| -> Vec<serde_json::Value> {
        let incidents = json["incidents"].as_array().expect("incidents").clone();
        incidents.iter().flat_map(|i| i["events"].as_array().expect("events").clone()).collect()
    };
    assert_eq!(events(&file).len(), 5);
    assert_eq!(events(&file), events(&pipe));
    let lines: Vec<usize> = log
        .lines()
        .collect::<Vec<_>>()
        .iter()
        .zip(1..)
        .filter(|(line, _)| line.contains("invoked oom-killer"))
        .map(|(_, number)| number)
        .collect();
    let found: Vec<usize> = events(&file)
        .iter()
        .filter(|event| !event["invoker"].is_null())
        .filter_map(|event| usize::try_from(event["source"]["line"].as_u64()?).ok())
        .collect();
    assert_eq!(found, lines);
}

#[test]
fn a_log_of_windows_is_a_log() {
    let folder = fixtures();
    let name = "6.1-memcg2-dmesg.log";
    let expected = stdout(&headroom(folder.path(), &["--format", "json", name]));
    let text = fs::read_to_string(folder.path().join(name)).expect("the log");
    let text = text.replace('\n', "\r\n");
    let utf16 = |swap: bool| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(|u| if swap { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    let mut marked = "\u{feff}".as_bytes().to_vec();
    marked.extend_from_slice(text.as_bytes());
    for (form, bytes) in [("le", utf16(false)), ("be", utf16(true)), ("utf8", marked)] {
        fs::write(folder.path().join(form), bytes).expect("a file");
        let told = stdout(&headroom(folder.path(), &["--format", "json", form]));
        assert_eq!(
            told.replace(&format!("\"{form}\""), &format!("\"{name}\""))
                .replace(&format!("{form}:"), &format!("{name}:")),
            expected,
            "{form}"
        );
    }
}

#[test]
fn the_year_is_deduced_from_the_order_of_the_lines() {
    let folder = TempDir::new().expect("a folder");
    let kill = |day: &str, pid: u32| {
        format!(
            "{day} 10:00:00 h kernel: Out of memory: Killed process {pid} (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n"
        )
    };
    let log = [kill("Jan 20", 1), kill("Apr  2", 2), kill("Aug  1", 3), kill("Dec 24", 4)].concat();
    let path = folder.path().join("kern.log");
    fs::write(&path, log).expect("a file");
    // Copied in February: the whole log is of the year before.
    let file = File::options().write(true).open(&path).expect("the file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_770_700_000)).expect("its time");
    let json = stdout(&headroom(folder.path(), &["--format", "json", "kern.log"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let times: Vec<&str> = json["incidents"]
        .as_array()
        .expect("incidents")
        .iter()
        .filter_map(|incident| incident["first"].as_str())
        .map(|time| &time[..10])
        .collect();
    assert_eq!(times, ["2025-01-20", "2025-04-02", "2025-08-01", "2025-12-24"]);
}

#[test]
fn a_raw_kernel_log_is_dated_where_it_says_when_it_booted() {
    let folder = TempDir::new().expect("a folder");
    let log = "[    1.500000] rtc_cmos 00:00: setting system clock to 2026-11-23T22:20:17 UTC (1795472417)\n\
        [  100.500000] Out of memory: Killed process 7 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0\n";
    fs::write(folder.path().join("dmesg"), log).expect("a file");
    let json = stdout(&headroom(folder.path(), &["--format", "json", "dmesg"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["incidents"][0]["first"], "2026-11-23T22:21:56+00:00");
}

/// A folder with a journal in it, and a journalctl that does what the script says.
fn with_journalctl(folder: &Path, script: &str) -> Command {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(folder.join("root/var/log/journal")).expect("the folder");
    let program = folder.join("journalctl");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it may be run");
    let mut path = folder.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = command(folder, &["--format", "json"]);
    command.env("HEADROOM_ROOT", "root").env("PATH", path);
    command
}

#[test]
fn the_journal_is_read_by_the_program_that_knows_it() {
    let folder = fixtures();
    let script = "echo \"$@\" >arguments\nsed 's/^\\[ *[0-9.]*\\]/1795472423.043143 lab kernel:/' 6.1-memcg2-dmesg.log";
    let output = with_journalctl(folder.path(), script).output().expect("it runs");
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let event = &json["incidents"][0]["events"][0];
    assert_eq!(event["source"]["file"], "journal");
    assert_eq!(event["complete"], true);
    assert_eq!(event["time"], "2026-11-23T22:20:23.043143+00:00");
    let arguments = fs::read_to_string(folder.path().join("arguments")).expect("it was called");
    assert!(arguments.contains("--directory root/var/log/journal"), "{arguments}");
}

#[test]
fn a_journal_that_is_closed_to_us_names_the_group_that_may() {
    let folder = TempDir::new().expect("a folder");
    let script = "echo 'No journal files were opened due to insufficient permissions.' >&2\nexit 1";
    let output = with_journalctl(folder.path(), script).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("systemd-journal"), "{stderr}");
}

#[test]
fn wrong_usage_is_64() {
    let folder = TempDir::new().expect("a folder");
    assert_eq!(headroom(folder.path(), &["--no-such-flag"]).status.code(), Some(64));
    assert_eq!(headroom(folder.path(), &["--since", "soon", "x"]).status.code(), Some(64));
    assert_eq!(headroom(folder.path(), &["--help"]).status.code(), Some(0));
}

#[test]
fn a_pipe_closed_by_its_reader_ends_quietly() {
    let folder = fixtures();
    let name = "03-6.1.1-arch1-global-bare.log";
    let mut child = command(folder.path(), &["--format", "json", name])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("headroom runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[test]
fn standard_input_is_a_log_too() {
    let folder = fixtures();
    let log: PathBuf = folder.path().join("6.18-memcg1-dmesg.log");
    let mut child = command(folder.path(), &["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("headroom runs");
    child
        .stdin
        .take()
        .expect("stdin")
        .write_all(&fs::read(log).expect("the log"))
        .expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("/hrtest was at its memory limit"));
}

#[test]
fn a_process_name_cannot_command_the_terminal() {
    let folder = TempDir::new().expect("a folder");
    let name = "\u{1b}]0;owned\u{7}";
    let log = format!(
        "kernel: [1.0] Out of memory: Killed process 7 ({name}) total-vm:8kB, anon-rss:4kB, file-rss:0kB\n"
    );
    fs::write(folder.path().join("log"), log).expect("a file");
    for format in ["text", "json"] {
        let output = headroom(folder.path(), &["--format", format, "log"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.iter().all(|b| *b == b'\n' || !b.is_ascii_control()), "{format}");
    }
}

#[test]
fn only_the_time_asked_for_is_told() {
    let folder = fixtures();
    let log = "manual-4.4-limited-slice.log";
    let code = |args: &[&str]| headroom(folder.path(), args).status.code();
    assert_eq!(code(&["--since", "2026-05-28", log]), Some(0));
    assert_eq!(code(&["--since", "2026-05-29", log]), Some(1));
    assert_eq!(code(&["--until", "2026-05-28 11:59:01", log]), Some(1));
    assert_eq!(code(&["--until", "2026-05-28 11:59:02", log]), Some(0));
}
