//! The real command line: text, JSON and exit codes, on this machine and on a captured root.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn headroom(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(args)
        .env("HEADROOM_RUNTIME_DIR", dir)
        .env("HEADROOM_STATE_DIR", dir)
        .env_remove("HEADROOM_ROOT")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn status_without_a_guard_says_so_and_shows_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let plain = headroom(dir.path(), &[]);
    assert_eq!(plain.status.code(), Some(0), "{}", err(&plain));
    assert!(out(&plain).starts_with("No guard runs here"), "{}", out(&plain));
    assert!(out(&plain).lines().all(|l| l.chars().count() <= 100));

    let json = headroom(dir.path(), &["status", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(status["version"], 1);
    assert_eq!(status["guard"]["running"], false);
    assert_eq!(status["zones"][0]["path"], "/");
    let total = fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = total.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(status["zones"][0]["limit_kib"], total);
    let processes: u64 = status["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["processes"].as_u64().unwrap())
        .sum();
    assert!(processes >= 2, "at least this test and the command: {status}");
}

#[test]
fn usage_errors_end_with_64_and_help_with_0() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["nonsense"][..], &["rank", "--zone"], &["status", "--format", "yaml"]] {
        let output = headroom(dir.path(), args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(!err(&output).is_empty());
    }
    for args in
        [&["--help"][..], &["--version"], &["rank", "--help"], &["policy", "check", "--help"]]
    {
        assert_eq!(headroom(dir.path(), args).status.code(), Some(0), "{args:?}");
    }
    assert!(out(&headroom(dir.path(), &["status", "--help"])).contains("Examples:"));
}

#[test]
fn an_unknown_policy_key_is_named_with_its_line_and_the_nearest_known_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    fs::write(&path, "[strict]\nhorizn = \"1s\"\n").unwrap();
    let path = path.to_str().unwrap();
    for args in
        [&["policy", "check", "--policy", path][..], &["guard", "--dry-run", "--policy", path]]
    {
        let output = headroom(dir.path(), args);
        assert_eq!(output.status.code(), Some(78), "{args:?}");
        let said = err(&output);
        assert!(
            said.contains("p.toml:2:1: unknown key \"horizn\"; did you mean \"horizon\"?"),
            "{said}"
        );
    }
}

#[test]
fn a_policy_that_others_may_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    fs::write(&path, "permissive_memory_management = true\n").unwrap();
    let args = ["policy", "check", "--policy", path.to_str().unwrap()];
    assert_eq!(headroom(dir.path(), &args).status.code(), Some(0));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let output = headroom(dir.path(), &args);
    assert_ne!(output.status.code(), Some(0));
    assert!(err(&output).contains("write"), "{}", err(&output));
    for (name, bytes) in [("empty.toml", &b""[..]), ("binary.toml", &[0xff, 0xfe, 0, 1])] {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let output = headroom(dir.path(), &["policy", "check", "--policy", path.to_str().unwrap()]);
        assert_eq!(output.status.code() == Some(0), bytes.is_empty(), "{name}: {}", err(&output));
    }
}

#[test]
fn what_policy_show_prints_is_a_policy_again() {
    let dir = tempfile::tempdir().unwrap();
    let shown = headroom(dir.path(), &["policy", "show"]);
    assert_eq!(shown.status.code(), Some(0));
    let path = dir.path().join("shown.toml");
    fs::write(&path, &shown.stdout).unwrap();
    let again = headroom(dir.path(), &["policy", "show", "--policy", path.to_str().unwrap()]);
    let body = |text: String| {
        text.lines().filter(|l| !l.starts_with('#')).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    assert_eq!(body(out(&again)), body(out(&shown)));
}

#[test]
fn history_without_a_journal_says_where_it_looked() {
    let dir = tempfile::tempdir().unwrap();
    let output = headroom(dir.path(), &["history"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("there is no journal"), "{}", err(&output));
}

#[test]
fn a_journal_of_rubbish_is_counted_and_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("journal"), vec![0xa5; 5000]).unwrap();
    let output = headroom(dir.path(), &["history"]);
    assert_eq!(output.status.code(), Some(1), "nothing found");
    assert!(out(&output).contains("5 records were torn or corrupt"), "{}", out(&output));
}

/// A root with hardly anything in it: no PSI, no cgroups, no counters, an old kernel.
fn old_root(dir: &Path) {
    let proc = dir.join("proc");
    fs::create_dir_all(proc.join("1")).unwrap();
    fs::write(
        proc.join("meminfo"),
        "MemTotal: 1000000 kB\nMemFree: 500000 kB\nMemAvailable: 600000 kB\n",
    )
    .unwrap();
    fs::write(proc.join("vmstat"), "pgmajfault 12\n").unwrap();
    let stat = "1 (init) S 0 1 1 0 -1 4194560 0 0 0 0 1 2 0 0 20 0 1 0 5 1000000 250 18446744073709551615\n";
    fs::write(proc.join("1/stat"), stat).unwrap();
    // A process that is listed and has no stat: it ended while it was looked at.
    fs::create_dir_all(proc.join("77")).unwrap();
}

#[test]
fn a_node_without_psi_and_cgroups_is_told_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    old_root(dir.path());
    let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(["status", "--format", "json"])
        .env("HEADROOM_RUNTIME_DIR", dir.path())
        .env("HEADROOM_ROOT", dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["zones"][0]["available_kib"], 600_000);
    assert_eq!(status["zones"][0]["some_avg10"], serde_json::Value::Null);
    assert_eq!(status["zones"][0]["kernel_oom_kills"], serde_json::Value::Null);
    let missing: Vec<_> = status["guard"]["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["what"].as_str().unwrap())
        .collect();
    for what in ["pressure stall information (PSI)", "cgroups"] {
        assert!(missing.contains(&what), "{missing:?}");
    }
}

#[test]
fn a_zone_is_ranked_without_a_guard_and_one_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    old_root(dir.path());
    let rank = |zone| {
        Command::new(env!("CARGO_BIN_EXE_headroom"))
            .args(["rank", "--zone", zone])
            .env("HEADROOM_RUNTIME_DIR", dir.path())
            .env("HEADROOM_ROOT", dir.path())
            .output()
            .unwrap()
    };
    let known = rank("limited.slice");
    assert_eq!(known.status.code(), Some(1), "{}", err(&known));
    assert!(out(&known).starts_with("Nobody could be slain now"), "{}", out(&known));
    let unknown = rank("nowhere.slice");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(err(&unknown).contains("no zone \"nowhere.slice\""), "{}", err(&unknown));
}

#[test]
fn an_unreadable_root_is_said_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_headroom"))
        .env("HEADROOM_RUNTIME_DIR", dir.path())
        .env("HEADROOM_ROOT", dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("is /proc mounted?"), "{}", err(&output));
}

#[test]
fn policy_test_says_which_rule_takes_a_command_and_why_no_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let base = ["policy", "test", "--command", "/usr/bin/php8.2 import.php", "--uid", "1000"];
    let job = [&base[..], &["--cgroup", "/system.slice/cron.service", "--all"]].concat();
    let text = out(&headroom(dir.path(), &job));
    assert!(text.starts_with("class  expendable\nrule   job\nscore  1000\n"), "{text}");
    assert!(text.contains("\n  cron                     uid is 1000, not 0\n"), "{text}");
    assert!(
        text.contains("\n  nginx                    unit is cron.service, not nginx"),
        "{text}"
    );

    let unit = "/system.slice/php8.2-fpm.service";
    let fpm = [&base[..4], &["--exe", "/usr/sbin/php-fpm8.2", "--cgroup", unit]].concat();
    let json = [&fpm[..], &["--format", "json"]].concat();
    let tested: serde_json::Value =
        serde_json::from_slice(&headroom(dir.path(), &json).stdout).unwrap();
    assert_eq!(tested["version"], 1);
    assert_eq!(tested["class"], "essential");
    assert_eq!(tested["rule"], "php-fpm");
    assert_eq!(tested["oom_score_adj"], -999);
    assert_eq!(tested["process"]["unit"], "php8.2-fpm.service");
    assert!(tested["earlier"].as_array().unwrap().iter().all(|e| e["failed"].is_string()));
}

#[test]
fn policy_test_reads_a_running_process_and_says_when_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let own = std::process::id().to_string();
    let output = headroom(dir.path(), &["policy", "test", &own, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let tested: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(tested["process"]["pid"].to_string(), own);
    let exe = std::env::current_exe().unwrap();
    assert_eq!(tested["process"]["exe"], exe.to_str().unwrap());

    let gone = headroom(dir.path(), &["policy", "test", "4194999"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(err(&gone).contains("there is no process 4194999"), "{}", err(&gone));
    assert_eq!(headroom(dir.path(), &["policy", "test"]).status.code(), Some(64));
}
