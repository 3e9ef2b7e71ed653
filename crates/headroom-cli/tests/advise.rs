//! `headroom advise` on whole trees: the cases under `tests/advise/`, each a well-configured node with one thing
//! wrong, and what must hold whatever stands in a tree.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/advise")
}

fn put(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn copy(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else { return };
    fs::create_dir_all(to).unwrap();
    for entry in entries.map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Lays what a folder of a case describes over a tree (tests/advise/README.md).
fn lay(case: &Path, root: &Path) {
    copy(&case.join("root"), root);
    let lines = |name: &str| -> Vec<Vec<String>> {
        let text = fs::read_to_string(case.join(name)).unwrap_or_default();
        let words = |line: &str| line.split_whitespace().map(String::from).collect();
        text.lines().filter(|line| !line.starts_with('#')).map(words).collect()
    };
    for line in lines("processes") {
        let [pid, parent, comm, mib] = &line[..4] else { panic!("{line:?}") };
        let kib = mib.parse::<u64>().unwrap() * 1024;
        let status =
            format!("Name:\t{comm}\nPPid:\t{parent}\nUid:\t33\t33\t33\t33\nVmRSS:\t{kib} kB\n");
        put(root, &format!("proc/{pid}/status"), status);
        put(root, &format!("proc/{pid}/smaps_rollup"), format!("0-1 [rollup]\nPss: {kib} kB\n"));
        // A title is one argument with blanks in it, a command line is many.
        let joint = if line[4].ends_with(':') { " " } else { "\0" };
        put(root, &format!("proc/{pid}/cmdline"), line[4..].join(joint) + "\0");
    }
    for line in lines("files") {
        put(root, &line[0], "");
        let file = File::options().write(true).open(root.join(&line[0])).unwrap();
        file.set_len(line[1].parse::<u64>().unwrap() << 20).unwrap();
    }
    for line in lines("images") {
        let (width, height) = line[1].split_once('x').unwrap();
        put(root, &line[0], png(width.parse().unwrap(), height.parse().unwrap()));
    }
}

/// A PNG's header, and as many bytes as make its size one to believe.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 6, 0, 0, 0]);
    bytes.resize(100_000, 0);
    bytes
}

fn node(case: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    lay(&cases().join("well-configured"), root.path());
    if case != "well-configured" {
        lay(&cases().join(case), root.path());
    }
    root
}

fn advise(root: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headroom"))
        .arg("advise")
        .args(args)
        .env("HEADROOM_ROOT", root)
        .env_remove("HEADROOM_STATE_DIR")
        .output()
        .unwrap()
}

fn json(root: &Path) -> Value {
    let output = advise(root, &["--format", "json"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = !told["advices"].as_array().unwrap().is_empty();
    assert_eq!(output.status.code(), Some(i32::from(!found)));
    told
}

/// Each advice's id with what it gives, in MiB.
fn figures(told: &Value) -> Vec<(String, u64)> {
    let figure = |advice: &Value| {
        let gives = advice["saves_kib"].as_u64().max(advice["cuts_peak_kib"].as_u64());
        (advice["id"].as_str().unwrap().to_string(), gives.unwrap_or(0) / 1024)
    };
    told["advices"].as_array().unwrap().iter().map(figure).collect()
}

#[test]
fn each_misconfiguration_is_found_with_its_figure_and_nothing_else() {
    let mut count = 0;
    let mut names: Vec<PathBuf> = fs::read_dir(cases())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    names.sort();
    for path in names {
        let case = path.file_name().unwrap().to_str().unwrap();
        let root = node(case);
        let told = json(root.path());
        let found = figures(&told);
        let expected = fs::read_to_string(path.join("expected")).unwrap();
        let expected: Vec<(&str, u64)> = expected
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let (id, mib) = line.split_once(' ').unwrap();
                (id, mib.trim().parse().unwrap())
            })
            .collect();
        let ids = |all: &mut dyn Iterator<Item = String>| {
            let mut ids: Vec<String> = all.collect();
            ids.sort();
            ids
        };
        assert_eq!(
            ids(&mut found.iter().map(|(id, _)| id.clone())),
            ids(&mut expected.iter().map(|(id, _)| (*id).to_string())),
            "{case}: {told:#}"
        );
        for (id, truth) in expected {
            let (_, figure) = found.iter().find(|(found, _)| found == id).unwrap();
            let error = figure.abs_diff(truth) * 100 / truth.max(1);
            assert!(error <= 20, "{case}: {id} says {figure} MiB, the truth is {truth}: {told:#}");
        }
        assert_eq!(told["unread"], serde_json::json!([]), "{case}");
        // What an advice must have.
        for advice in told["advices"].as_array().unwrap() {
            for field in ["title", "command", "check", "risk", "confidence"] {
                assert!(!advice[field].as_str().unwrap().is_empty(), "{case}: {advice:#}");
            }
            let evidence = advice["evidence"].as_array().unwrap();
            let has_figure =
                |e: &Value| e["what"].as_str().unwrap().contains(|c: char| c.is_ascii_digit());
            assert!(evidence.iter().any(has_figure), "{case}: {advice:#}");
        }
        count += 1;
    }
    assert!(count > 16, "the cases were not found");
}

#[test]
fn a_well_configured_node_is_told_so_in_one_line() {
    let root = node("well-configured");
    let output = advise(root.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "Nothing to advise: what was looked at fits this node.\n");
}

#[test]
fn the_largest_comes_first_in_text_and_page() {
    let root = node("fpm-over-committed");
    lay(&cases().join("no-swap"), root.path());
    let page = root.path().join("advice.html");
    let output = advise(root.path(), &["--html", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("1. 90 PHP workers may take"), "{text}");
    let is_long = |line: &&str| line.chars().count() > 100 && !line.trim_start().starts_with('>');
    assert_eq!(text.lines().find(is_long), None);
    let page = fs::read_to_string(page).unwrap();
    let at = |id: &str| page.find(id).unwrap();
    assert!(at("fpm-over-committed") < at("no-swap"));
    assert!(!page.contains("://"), "the page needs something from outside");
}

#[test]
fn a_crontab_with_every_mistake_costs_only_its_mistakes() {
    let root = node("well-configured");
    let text = "0 25 * * * app php a.php\n61 * * * * app php b.php\n* * * app php c.php\n\
                * * * * * /usr/bin/php d.php\n* * * * * nobody-here php e.php\n*/0 * * * * app php f.php\n\
                5/15 * * * * app php g.php\n0 0 30 2 * app php h.php\n@dayly app php i.php\n\
                0 0 * * 8 app php j.php\n9-3 * * * * app php k.php\n* * * * * app\n\
                CRON_TZ=Middle/Earth\n7 7 * * * app php l.php\n\u{0}\u{1}\n* * * *";
    put(root.path(), "etc/cron.d/broken", text);
    lay(&cases().join("crons-same-minute"), root.path());
    let told = json(root.path());
    let unread: Vec<(String, String)> = told["unread"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| (u["source"].as_str().unwrap().into(), u["why"].as_str().unwrap().into()))
        .collect();
    let lines: Vec<String> =
        (1..=12).chain([14, 15, 16]).map(|n| format!("/etc/cron.d/broken:{n}")).collect();
    for line in &lines {
        assert!(unread.iter().any(|(source, _)| source == line), "{line} is missing: {unread:#?}");
    }
    assert!(unread.contains(&("/etc/cron.d/broken:1".into(), "no such hour: 25".into())));
    assert!(unread.iter().all(|(source, why)| lines.contains(source) && !why.is_empty()));
    // The rest of the advice still comes.
    assert!(figures(&told).iter().any(|(id, _)| id == "crons-same-minute"));
}

#[test]
fn includes_in_a_loop_are_said_and_what_they_hold_counts() {
    let root = node("mysql-over-committed");
    let file = root.path().join("etc/mysql/mariadb.conf.d/99-shop.cnf");
    let text = fs::read_to_string(&file).unwrap();
    let loops = "!includedir /etc/mysql/mariadb.conf.d/\n!include /nowhere.cnf\n";
    fs::write(&file, format!("{loops}{text}")).unwrap();
    let told = json(root.path());
    assert!(figures(&told).iter().any(|(id, _)| id == "mysql-over-committed"));
    let why: Vec<&str> =
        told["unread"].as_array().unwrap().iter().map(|u| u["why"].as_str().unwrap()).collect();
    assert!(why.iter().any(|why| why.contains("includes itself in a loop")), "{why:?}");
    assert!(why.iter().any(|why| why.starts_with("/nowhere.cnf: no such file")), "{why:?}");
}

#[test]
fn images_that_lie_and_folders_that_are_closed_are_one_line_each() {
    let root = node("image-too-large");
    let media = root.path().join("var/www/shop/media");
    let mut bomb = png(60_000, 60_000);
    bomb.truncate(60);
    fs::write(media.join("bomb.png"), bomb).unwrap();
    for name in ["one.jpg", "two.jpg"] {
        fs::write(media.join(name), "<html>").unwrap();
    }
    let closed = media.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let is_open_to_us = fs::read_dir(&closed).is_ok();
    let told = json(root.path());
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(figures(&told)[0].0, "image-too-large");
    let unread = told["unread"].as_array().unwrap();
    let why =
        |text: &str| unread.iter().filter(|u| u["why"].as_str().unwrap().contains(text)).count();
    assert_eq!(why("claims more pixels than its bytes can hold"), 1, "{unread:?}");
    assert_eq!(why("called an image and is none (and 1 more)"), 1, "{unread:?}");
    // Root reads everything.
    assert_eq!(why("not readable"), usize::from(!is_open_to_us), "{unread:?}");
}

#[test]
fn only_what_lies_under_the_root_is_read() {
    let outside = tempfile::tempdir().unwrap();
    put(outside.path(), "cron", "0 99 * * * root x\n");
    put(outside.path(), "my.cnf", "[mysqld]\nmax_connections=100000\n");
    let root = node("well-configured");
    symlink(outside.path().join("cron"), root.path().join("etc/cron.d/leak")).unwrap();
    let file = root.path().join("etc/mysql/mariadb.conf.d/99-leak.cnf");
    symlink(outside.path().join("my.cnf"), file).unwrap();
    let told = json(root.path());
    assert_eq!((figures(&told), &told["unread"]), (Vec::new(), &serde_json::json!([])));
}

#[test]
fn an_empty_or_nonsensical_tree_is_survived() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(advise(root.path(), &[]).status.code(), Some(1));
    for path in [
        "proc/meminfo",
        "proc/mounts",
        "proc/7/status",
        "proc/7/stat",
        "etc/my.cnf",
        "etc/php-fpm.conf",
        "etc/redis.conf",
        "etc/crontab",
        "etc/passwd",
        "etc/nginx/nginx.conf",
        "etc/headroom/plans.toml",
        "etc/systemd/system/x.service",
        "etc/elasticsearch/jvm.options",
        "var/log/syslog",
        "var/log/kern.log",
        "var/lib/headroom/journal",
        "var/lib/dpkg/status",
    ] {
        let noise: Vec<u8> =
            (0..4096_u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
        put(root.path(), path, noise);
    }
    // A pipe where a file should be must not hold it up.
    let fifo = root.path().join("etc/cron.d");
    fs::create_dir_all(&fifo).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fifo.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let output = advise(root.path(), &["--format", "json"]);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let unread = told["unread"].as_array().unwrap();
    assert!(unread.iter().any(|u| u["source"] == "/etc/cron.d/pipe"), "{unread:?}");
    assert!(unread.iter().any(|u| u["source"] == "/etc/headroom/plans.toml"), "{unread:?}");
    let missing = root.path().join("nowhere");
    assert_eq!(advise(&missing, &[]).status.code(), Some(2));
}

#[test]
fn a_plan_is_proposed_for_what_the_kernel_killed() {
    let root = node("well-configured");
    let two_days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 86_400);
    let seconds = two_days_ago.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut log = String::new();
    // Two imports of 1.5 GiB each, one after the other: the second would have come on top of the first.
    for (pid, second) in [(900, seconds), (901, seconds + 5)] {
        log.push_str(&format!(
            "{second}.000000 n kernel: php invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0\n\
             {second}.100000 n kernel: Out of memory: Killed process {pid} (php) total-vm:1700000kB, anon-rss:1572864kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:3200kB oom_score_adj:0\n"
        ));
    }
    put(root.path(), "var/log/kern.log", log);
    let told = json(root.path());
    let found = figures(&told);
    // 1536 MiB beyond the RAM, and the twentieth that stays free.
    let truth = 1536 + 197;
    assert_eq!(found[0].0, "plan-too-small", "{told:#}");
    assert!(found[0].1.abs_diff(truth) * 100 / truth <= 20, "{found:?}");
    assert!(
        told["advices"][0]["title"].as_str().unwrap().contains("plan 8 GiB would have carried it")
    );
    assert_eq!(told["advices"][0]["confidence"], "low");
    // A cgroup at its own small limit is no matter of the plan.
    let small = node("well-configured");
    let log = format!(
        "{seconds}.0 n kernel: x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
         {seconds}.1 n kernel: memory: usage 20480kB, limit 20480kB, failcnt 5\n\
         {seconds}.2 n kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/t,task_memcg=/t,task=x,pid=9,uid=0\n\
         {seconds}.3 n kernel: Memory cgroup out of memory: Killed process 9 (x) total-vm:30000kB, anon-rss:20000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:80kB oom_score_adj:0\n"
    );
    put(small.path(), "var/log/kern.log", log);
    assert_eq!(figures(&json(small.path())), []);
    // An own catalogue, and one that is none.
    put(
        root.path(),
        "plans.toml",
        "[[plan]]\nname = \"Falcon M\"\nmemory = \"6GiB\"\nprice = \"59 EUR a month\"\n",
    );
    let plans = root.path().join("plans.toml");
    let args = ["--plans", plans.to_str().unwrap()];
    let text = String::from_utf8(advise(root.path(), &args).stdout).unwrap();
    assert!(text.contains("Falcon M (59 EUR a month): avoids 1 of 1 incidents"), "{text}");
    let mut file = File::options().append(true).open(&plans).unwrap();
    file.write_all(b"[[plan]]\nname = 7\n").unwrap();
    assert_eq!(advise(root.path(), &args).status.code(), Some(78));
}

/// On the running system, with a client program of our own making before all others.
fn beside_a_client(script: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for name in ["mariadb", "mysql"] {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    Command::new(env!("CARGO_BIN_EXE_headroom"))
        .args(["advise", "--no-images", "--format", "json", "--mysql-socket", "/nowhere/socket"])
        .env("PATH", path)
        .env_remove("HEADROOM_ROOT")
        .output()
        .unwrap()
}

#[test]
fn a_database_that_does_not_answer_costs_one_line() {
    for (script, why) in [
        ("exec sleep 60", "it does not answer within 5 s"),
        ("echo \"ERROR 1045 (28000): Access denied for user\" >&2; exit 1", "Access denied"),
        ("kill -9 $$", "its client failed"),
    ] {
        let output = beside_a_client(script);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let unread = told["unread"].as_array().unwrap();
        let said: Vec<&str> = unread
            .iter()
            .filter(|u| u["source"] == "the database itself")
            .map(|u| u["why"].as_str().unwrap())
            .collect();
        assert_eq!(said.len(), 1, "{unread:?}");
        assert!(
            said[0].contains(why) && said[0].ends_with("its files are read instead"),
            "{said:?}"
        );
    }
}

#[test]
fn what_the_server_says_itself_counts() {
    let script = "printf 'max_connections\\t9000\\nversion\\t10.11.6-MariaDB\\n--headroom--\\n\
                  Max_used_connections\\t8000\\n--headroom--\\n'";
    let output = beside_a_client(script);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let advices = told["advices"].as_array().unwrap();
    let mysql = advices.iter().find(|advice| advice["id"] == "mysql-over-committed").unwrap();
    assert_eq!(mysql["confidence"], "high");
    assert!(mysql["evidence"][0]["what"].as_str().unwrap().starts_with("max_connections 9000 x"));
}
