//! What is told from the journal: samples, jobs, a storm replayed; and `top` where there is no screen.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use headroom_api::journal::jobs::Jobs;
use headroom_api::journal::samples::{BLOCK, Encoder, Place};
use headroom_api::journal::{Entry, Opened, Record, VerdictEntry};
use headroom_core::decide::{JobRun, State, decide, folded, kind_of};
use headroom_core::policy::{Class, Policy};
use headroom_core::sample::Sample;
use headroom_core::snapshot::{Comm, CommandLine, Memory, Moment, Process, ProcessId, Snapshot};
use headroom_core::units::Kib;

const BEGAN_MS: i64 = 1_795_000_000_000;

fn headroom(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(args)
        .env("HEADROOM_RUNTIME_DIR", dir)
        .env("HEADROOM_STATE_DIR", dir)
        .env("HEADROOM_ROOT", dir)
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A node on which a job takes 40 MiB a second and was slain at the floor, as a guard recorded it.
fn record(dir: &Path) {
    let (mut state, policy) = (State::new(0, 0), Policy::built_in());
    let mut samples = vec![0; 4 * BLOCK];
    let mut encoder = Encoder::after(0);
    let job = Process {
        id: ProcessId { pid: 4711, start_ticks: 100_000 },
        comm: Comm::new(b"php"),
        command: CommandLine::new(b"php import.php\0--batch\x0017"),
        uid: 1000,
        class: Class::Expendable,
        ..Process::default()
    };
    for n in 0..200_u64 {
        let takes = Kib::from_mib(if n < 130 { n * 4 } else { 0 });
        let memory = Memory {
            total: Kib::from_mib(1280),
            available: Kib::from_mib(600).saturating_sub(takes),
            ..Memory::default()
        };
        let at = Moment(1_000_000_000_000 + n * 100_000_000);
        let processes = (n < 130).then_some(Process { rss: takes, gives_back: takes, ..job });
        let snapshot = Snapshot {
            at,
            scanned: at,
            memory,
            own_pid: 2,
            processes: processes.into_iter().collect(),
            ..Snapshot::default()
        };
        decide(&mut state, &snapshot, &policy, &mut Vec::new());
        let mut sample = Sample::default();
        sample.take(BEGAN_MS + i64::try_from(n).unwrap() * 100, &state, &snapshot);
        let place = encoder.encode(&sample);
        let block = usize::try_from(encoder.block() - 1).unwrap() * BLOCK;
        let at = block + if let Place::Within(at) = place { at } else { 0 };
        samples[at..at + encoder.bytes().len()].copy_from_slice(encoder.bytes());
    }
    fs::write(dir.join("samples"), samples).unwrap();
    let opened = Opened { incident: 1, zone: "/".into(), ..Opened::default() };
    let slain = VerdictEntry {
        incident: 1,
        action: "slay".into(),
        signal: Some("SIGTERM".into()),
        pid: Some(4711),
        comm: Some("php".into()),
        cmdline: Some("php import.php --batch 17".into()),
        ..VerdictEntry::default()
    };
    let mut journal = Vec::new();
    for (n, entry) in (1..).zip([Entry::Opened(opened), Entry::Verdict(slain)]) {
        let record = Record { sequence: n, unix_ms: BEGAN_MS + 12_900, entry };
        journal.extend_from_slice(&record.encode().unwrap()[..]);
    }
    fs::write(dir.join("journal"), journal).unwrap();
    let mut jobs = Jobs::default();
    let run = JobRun {
        kind: kind_of(b"php import.php --batch 17"),
        command: folded(b"php import.php --batch 17"),
        peak: Kib::from_mib(160),
        ran: Duration::from_secs(95),
        waited: Duration::from_secs(12),
        slain: false,
    };
    jobs.learn(&run, BEGAN_MS);
    jobs.write(&dir.join("jobs.json")).unwrap();
}

#[test]
fn samples_are_shown_from_the_time_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path());
    let since = ["--since", "2026-11-18T00:00:00Z"];
    let text = out(&headroom(dir.path(), &[&["history", "--samples"], &since[..]].concat()));
    assert!(text.contains("php (4711) 512 MiB"), "{text}");
    assert!(text.contains("Samples reach back to 2026-11-18T11:06:40Z."), "{text}");
    assert_eq!(text.lines().filter(|l| l.contains("MiB")).count(), 200, "{text}");

    let args = [&["history", "--samples", "--format", "json"], &since[..]].concat();
    let history = json(&headroom(dir.path(), &args));
    assert_eq!(history["samples"].as_array().unwrap().len(), 200);
    let sample = &history["samples"][100];
    assert_eq!(sample["zones"][0]["available_kib"], 200 * 1024);
    assert_eq!(sample["zones"][0]["path"], "/");
    assert_eq!(sample["top"][0]["pid"], 4711);
    assert_eq!(sample["top"][0]["gives_back_kib"], 400 * 1024);
    assert_eq!(sample["classes"][3]["class"], "expendable");
    assert_eq!(sample["classes"][3]["processes"], 1);

    let later = headroom(dir.path(), &["history", "--samples", "--since", "2026-11-18T11:06:59Z"]);
    assert_eq!(out(&later).lines().filter(|l| l.contains("MiB")).count(), 10);
    let none = headroom(dir.path(), &["history", "--samples", "--since", "2027-01-01"]);
    assert_eq!(none.status.code(), Some(1), "nothing found");
    assert!(out(&none).starts_with("No sample was taken in that time"));
}

#[test]
fn jobs_are_shown_by_kind_with_what_the_next_is_reckoned_with() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path());
    let text = out(&headroom(dir.path(), &["history", "--jobs"]));
    assert!(text.contains("160 MiB") && text.contains("95 s") && text.contains("12 s"), "{text}");
    assert!(text.contains("php import.php --batch #"), "{text}");
    let history = json(&headroom(dir.path(), &["history", "--jobs", "--format", "json"]));
    let job = &history["jobs"][0];
    assert_eq!(job["command"], "php import.php --batch #");
    assert_eq!((&job["peak_kib"], &job["waits"]), (&(160 * 1024).into(), &1.into()));
    assert_eq!(job["seen"], "2026-11-18T11:06:40Z");

    fs::write(dir.path().join("jobs.json"), "{\"version\":").unwrap();
    let broken = headroom(dir.path(), &["history", "--jobs"]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("jobs.json: "));
}

#[test]
fn damaged_samples_are_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path());
    let path = dir.path().join("samples");
    let mut bytes = fs::read(&path).unwrap();
    bytes[600..700].fill(0xa5);
    bytes[2 * BLOCK..2 * BLOCK + 8].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let args = ["history", "--samples", "--since", "2026-11-18", "--format", "json"];
    let history = json(&headroom(dir.path(), &args));
    assert!(history["skipped_records"].as_u64().unwrap() >= 1, "{}", history["skipped_records"]);
    assert!(!history["samples"].as_array().unwrap().is_empty());
}

#[test]
fn a_recorded_storm_is_replayed_and_both_sides_are_told() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path());
    let same = json(&headroom(dir.path(), &["policy", "replay", "--strict", "--format", "json"]));
    assert_eq!((&same["version"], &same["policy"]), (&1.into(), &"strict".into()));
    assert_eq!((&same["recorded"]["slain"], &same["replayed"]["slain"]), (&1.into(), &1.into()));
    assert_eq!(same["samples"], 200);
    assert!(same["limits"].as_array().unwrap().len() >= 5);

    // Under a floor of next to nothing nobody would have been slain so early.
    let policy = dir.path().join("late.toml");
    let text =
        "[strict]\nfloor = \"0%\"\nfloor_min = \"0MiB\"\nhorizon = \"0s\"\npause_limit = \"0s\"";
    fs::write(&policy, text).unwrap();
    let journal = dir.path().join("journal");
    let args =
        ["policy", "replay", journal.to_str().unwrap(), "--policy", policy.to_str().unwrap()];
    let text = out(&headroom(dir.path(), &args));
    assert!(text.contains("php import.php --batch 17"), "{text}");
    assert!(text.contains("The first difference is at "), "{text}");
    assert!(text.contains("What the replay does not know:"), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
}

#[test]
fn a_replay_of_nothing_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = headroom(dir.path(), &["policy", "replay"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("there is no journal"));
    record(dir.path());
    let late = headroom(dir.path(), &["policy", "replay", "--since", "2027-01-01"]);
    assert_eq!(late.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&late.stderr).contains("no sample is recorded"));
    let both = headroom(dir.path(), &["policy", "replay", "--strict", "--permissive"]);
    assert_eq!(both.status.code(), Some(64));
}

/// A root with one process, so that `top` has something to show.
fn small_root(dir: &Path) {
    fs::create_dir_all(dir.join("proc/1")).unwrap();
    let meminfo = "MemTotal: 1000000 kB\nMemFree: 500000 kB\nMemAvailable: 600000 kB\n";
    fs::write(dir.join("proc/meminfo"), meminfo).unwrap();
    fs::write(dir.join("proc/vmstat"), "pgmajfault 12\n").unwrap();
    let stat = "1 (init) S 0 1 1 0 -1 4194560 0 0 0 0 1 2 0 0 20 0 1 0 5 1000000 250 1844\n";
    fs::write(dir.join("proc/1/stat"), stat).unwrap();
}

#[test]
fn top_without_a_terminal_is_one_status_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    small_root(dir.path());
    let output = headroom(dir.path(), &["top"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(out(&output), out(&headroom(dir.path(), &["status"])));
    assert!(!output.stdout.contains(&0x1b), "nothing for a terminal");
    assert_eq!(headroom(dir.path(), &["top", "--interval", "0"]).status.code(), Some(64));
}

/// `top` on a terminal of its own (script(1)), on which `keys` are typed.
fn on_terminal(dir: &Path, term: &str, keys: &[u8]) -> String {
    let typescript = dir.join(format!("typescript-{term}"));
    let command = format!("{} top --interval 0.1", env!("CARGO_BIN_EXE_headroom"));
    let mut script = Command::new("script")
        .args(["--quiet", "--flush", "--return", "--command", &command])
        .arg(&typescript)
        .env("TERM", term)
        .env("HEADROOM_RUNTIME_DIR", dir)
        .env("HEADROOM_ROOT", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let shown = || String::from_utf8_lossy(&fs::read(&typescript).unwrap_or_default()).into_owned();
    // Keys are typed when the first screen is there; a line that comes before it would be lost.
    while !shown().contains("q ends") {
        assert!(script.try_wait().unwrap().is_none(), "{}", shown());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::io::Write::write_all(script.stdin.as_mut().unwrap(), keys).unwrap();
    assert!(script.wait().unwrap().success(), "{}", shown());
    shown()
}

#[test]
fn top_draws_and_gives_the_terminal_back_when_q_is_pressed() {
    let dir = tempfile::tempdir().unwrap();
    small_root(dir.path());
    let shown = on_terminal(dir.path(), "xterm", b"q");
    assert!(shown.contains("\x1b[?1049h") && shown.contains("\x1b[?25l"), "{shown:?}");
    let given_back = shown.rfind("\x1b[?25h\x1b[?1049l").unwrap();
    assert!(given_back > shown.rfind("q ends").unwrap(), "{shown:?}");
    assert!(shown.contains("No guard runs here"), "{shown:?}");
}

#[test]
fn top_on_a_dumb_terminal_writes_screen_after_screen_and_no_codes() {
    let dir = tempfile::tempdir().unwrap();
    small_root(dir.path());
    let shown = on_terminal(dir.path(), "dumb", b" \x03");
    assert!(!shown.contains('\x1b'), "{shown:?}");
    assert!(shown.contains("No guard runs here"), "{shown:?}");
}
