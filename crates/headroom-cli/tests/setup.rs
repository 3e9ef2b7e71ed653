//! `headroom setup` on whole trees: the cases under `tests/setup/`, and what must hold on any tree.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;

/// A tree as a value: what each path is, folders included.
type Tree = BTreeMap<PathBuf, String>;

fn tree(root: &Path) -> Tree {
    fn walk(root: &Path, dir: &Path, into: &mut Tree) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_path_buf();
            let stat = fs::symlink_metadata(&path).unwrap();
            let mode = stat.permissions().mode() & 0o7777;
            if stat.is_symlink() {
                into.insert(name, format!("link {}", fs::read_link(&path).unwrap().display()));
            } else if stat.is_dir() {
                into.insert(name, format!("folder {mode:o}"));
                walk(root, &path, into);
            } else {
                into.insert(name, format!("file {mode:o} {:?}", fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Tree::new();
    walk(root, root, &mut found);
    found
}

/// A tree without the modes: those of a checkout follow the umask.
fn contents(tree: &Tree) -> Tree {
    let bare = |(path, what): (&PathBuf, &String)| {
        let (kind, rest) = what.split_once(' ').unwrap();
        let is_link = kind == "link";
        let rest = if is_link { rest } else { rest.split_once(' ').map_or("", |(_, bytes)| bytes) };
        (path.clone(), format!("{kind} {rest}"))
    };
    tree.iter().map(bare).collect()
}

/// Copies a case's folder. `NAME.link` holds what the link NAME points to: not every way that a tree
/// travels by keeps links that point out of it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if target.extension().is_some_and(|extension| extension == "link") {
            let points_to = fs::read_to_string(entry.path()).unwrap();
            symlink(points_to.trim_end(), target.with_extension("")).unwrap();
        } else {
            fs::copy(entry.path(), &target).unwrap();
            // Whatever the umask was of whoever checked this out.
            fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

/// The other way round: links become `NAME.link`.
fn bless(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            bless(&entry.path(), &target);
        } else if kind.is_symlink() {
            let points_to = fs::read_link(entry.path()).unwrap();
            let name = format!("{}.link", entry.file_name().to_str().unwrap());
            fs::write(to.join(name), points_to.to_str().unwrap()).unwrap();
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn setup(root: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headroom"))
        .arg("setup")
        .args(args)
        .env("HEADROOM_ROOT", root)
        .env_remove("HEADROOM_STATE_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn done(root: &Path, args: &[&str]) -> String {
    let output = setup(root, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    said(&output)
}

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/setup");
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn node(case: &Path) -> (tempfile::TempDir, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    copy(&case.join("root"), root.path());
    let args = fs::read_to_string(case.join("args")).unwrap_or_default();
    let args = std::iter::once("--yes").chain(args.lines()).map(String::from).collect();
    (root, args)
}

fn debian() -> tempfile::TempDir {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/setup/debian-shop");
    node(&case).0
}

#[test]
fn every_case_gives_what_is_expected_once_and_can_be_taken_back() {
    for case in cases() {
        let (root, args) = node(&case);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let name = case.file_name().unwrap().to_str().unwrap();
        let before = tree(root.path());
        done(root.path(), &args);
        let expected = case.join("expected");
        if std::env::var_os("HEADROOM_BLESS").is_some() {
            let _ = fs::remove_dir_all(&expected);
            bless(&root.path().join("etc"), &expected.join("etc"));
        }
        let after = tree(root.path());
        let etc = |root: &Path| contents(&tree(&root.join("etc")));
        let wanted = tempfile::tempdir().unwrap();
        copy(&expected, wanted.path());
        assert_eq!(etc(root.path()), etc(wanted.path()), "{name}");

        assert!(done(root.path(), &args).contains("nothing to do"), "{name}");
        assert!(done(root.path(), &["--yes"]).contains("nothing to do"), "{name}: options stay");
        assert_eq!(tree(root.path()), after, "{name}: a second run writes nothing");

        done(root.path(), &["--undo", "--yes"]);
        assert_eq!(tree(root.path()), before, "{name}");
        assert!(done(root.path(), &["--undo", "--yes"]).contains("nothing to do"), "{name}");
    }
}

#[test]
fn a_dry_run_shows_a_unified_diff_and_writes_nothing() {
    let root = debian();
    let before = tree(root.path());
    let shown = done(root.path(), &["--dry-run"]);
    assert!(shown.contains("--- /dev/null\n+++ /etc/systemd/system/limited.slice\n"), "{shown}");
    assert!(shown.contains("+MemoryMax="), "{shown}");
    assert!(shown.ends_with("systemctl restart mariadb.service php8.2-fpm.service\n"), "{shown}");
    assert_eq!(tree(root.path()), before);
}

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_is_written() {
    let root = debian();
    let before = tree(root.path());
    for args in [&[][..], &["--format", "json"]] {
        let output = setup(root.path(), args);
        assert_eq!(output.status.code(), Some(64));
        assert!(said(&output).contains("--yes makes these changes"), "{}", said(&output));
    }
    assert_eq!(tree(root.path()), before);
}

#[test]
fn json_says_what_was_changed_and_who_has_to_restart() {
    let root = debian();
    let output = setup(root.path(), &["--yes", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["version"], 1);
    assert_eq!(told["applied"], true);
    assert_eq!(told["changes"][0]["path"], "/etc/systemd/system/limited.slice");
    assert_eq!(told["changes"][0]["change"], "create");
    assert_eq!(told["restart"][0], "mariadb.service");
}

#[test]
fn what_the_agents_database_user_needs_is_said_and_printed_alone_for_the_client() {
    let root = debian();
    let shown = done(root.path(), &["--dry-run"]);
    assert!(shown.contains("headroom setup --grants | mariadb\n"), "{shown}");
    let before = tree(root.path());
    let output = setup(root.path(), &["--grants"]);
    let statements = String::from_utf8(output.stdout).unwrap();
    assert!(statements.contains("IDENTIFIED VIA unix_socket;\n"), "{statements}");
    for line in statements.lines() {
        assert!(shown.contains(line), "{line}");
        let is_sql = ["-- ", "CREATE USER ", "GRANT ", "INSTALL PLUGIN "]
            .iter()
            .any(|word| line.starts_with(word));
        assert!(is_sql, "{line}");
    }
    assert_eq!(tree(root.path()), before);

    fs::remove_file(root.path().join("usr/lib/systemd/system/mariadb.service")).unwrap();
    let output = setup(root.path(), &["--grants"]);
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
    let output = setup(root.path(), &["--grants", "--yes"]);
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
}

#[test]
fn a_file_of_others_is_overwritten_by_force_only_and_comes_back() {
    let root = debian();
    let slice = root.path().join("etc/systemd/system/limited.slice");
    fs::write(&slice, b"[Slice]\nMemoryMax=1G\xff\x1b[2J\n").unwrap();
    fs::set_permissions(&slice, fs::Permissions::from_mode(0o600)).unwrap();
    let before = tree(root.path());
    let output = setup(root.path(), &["--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("limited.slice is in the way"), "{}", said(&output));
    assert!(!said(&output).contains('\x1b'), "what a terminal obeys is made visible");
    assert_eq!(tree(root.path()), before);

    done(root.path(), &["--yes", "--force"]);
    assert_ne!(tree(root.path()), before);
    done(root.path(), &["--undo", "--yes"]);
    assert_eq!(tree(root.path()), before);
}

#[test]
fn what_somebody_edited_since_is_left_alone_by_setup_and_undo() {
    let root = debian();
    let before = tree(root.path());
    done(root.path(), &["--yes"]);
    let cron = root.path().join("etc/systemd/system/cron.service.d/10-headroom.conf");
    fs::write(&cron, "[Service]\nMemoryHigh=1M\n").unwrap();
    let edited = tree(root.path());
    for args in [&["--yes"][..], &["--undo", "--yes"]] {
        let output = setup(root.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(said(&output).contains("was edited since"), "{}", said(&output));
        assert_eq!(tree(root.path()), edited);
    }
    done(root.path(), &["--undo", "--yes", "--force"]);
    assert_eq!(tree(root.path()), before);
}

#[test]
fn a_service_that_went_loses_its_drop_in_and_one_that_came_gets_one() {
    let root = debian();
    done(root.path(), &["--yes"]);
    let units = root.path().join("usr/lib/systemd/system");
    fs::rename(units.join("nginx.service"), units.join("apache2.service")).unwrap();
    done(root.path(), &["--yes"]);
    let system = root.path().join("etc/systemd/system");
    assert!(!system.join("nginx.service.d").exists());
    assert!(system.join("apache2.service.d/10-headroom.conf").exists());
}

#[test]
fn a_run_that_fails_halfway_can_be_taken_back_and_gone_on_with() {
    let root = debian();
    // A file where a folder has to be: everything before it is written by then.
    let obstacle = root.path().join("etc/systemd/system/user-.slice.d");
    symlink("nowhere/at-all", &obstacle).unwrap();
    let before = tree(root.path());
    let output = setup(root.path(), &["--yes"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("stopped halfway"), "{}", said(&output));
    assert!(root.path().join("etc/systemd/system/limited.slice").exists());
    done(root.path(), &["--undo", "--yes"]);
    assert_eq!(tree(root.path()), before);

    setup(root.path(), &["--yes"]);
    fs::remove_file(&obstacle).unwrap();
    done(root.path(), &["--yes"]);
    assert!(done(root.path(), &["--yes"]).contains("nothing to do"));
}

#[test]
fn a_node_without_systemd_or_with_too_little_memory_is_refused_with_the_reason() {
    let root = tempfile::tempdir().unwrap();
    let output = setup(root.path(), &["--yes"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("systemd is not at work here"), "{}", said(&output));

    let root = debian();
    for (args, code, words) in [
        (&["--yes", "--reserve", "900MiB"][..], 1, "less than half"),
        (&["--yes", "--reserve", "lots"], 64, "--reserve: \"lots\" is not a size"),
        (&["--yes", "--user", "nobody-here"], 64, "there is no user"),
        (&["--yes", "--mglru"], 2, "no MGLRU"),
    ] {
        let output = setup(root.path(), args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    fs::create_dir_all(root.path().join("etc/headroom")).unwrap();
    fs::write(root.path().join("etc/headroom/policy.toml"), "[setup]\nreserv = 1\n").unwrap();
    assert_eq!(setup(root.path(), &["--dry-run"]).status.code(), Some(78));
}

/// Something at a path where setup may want to write, or beside it.
#[derive(Clone, Debug)]
enum Thing {
    File(Vec<u8>, u32),
    Link(&'static str),
    Folder,
}

const UNITS: [&str; 6] = [
    "mariadb.service",
    "nginx.service",
    "cron.service",
    "php8.2-fpm.service",
    "postgresql@.service",
    "supervisor.service",
];

fn things() -> impl Strategy<Value = BTreeMap<String, Thing>> {
    let dirs = UNITS.map(|unit| format!("{unit}.d"));
    let dirs = dirs.into_iter().chain(["user-.slice.d", "user-0.slice.d"].map(String::from));
    let dirs: Vec<_> = dirs.collect();
    let path = prop_oneof![
        Just("limited.slice".to_string()),
        proptest::sample::select(dirs.clone()).prop_map(|dir| format!("{dir}/10-headroom.conf")),
        proptest::sample::select(dirs.clone()).prop_map(|dir| format!("{dir}/20-own.conf")),
        proptest::sample::select(dirs).prop_map(|dir| format!("{dir}/")),
    ];
    let modes = proptest::sample::select(vec![0o600, 0o644, 0o640, 0o444]);
    let thing = prop_oneof![
        3 => (proptest::collection::vec(any::<u8>(), 0..40), modes).prop_map(|(b, m)| Thing::File(b, m)),
        1 => Just(Thing::Link("/dev/null")),
        1 => Just(Thing::Link("elsewhere")),
    ];
    proptest::collection::btree_map(path, thing, 0..8)
}

fn put(system: &Path, things: &BTreeMap<String, Thing>) {
    for (name, thing) in things {
        let thing = if name.ends_with('/') { &Thing::Folder } else { thing };
        let path = system.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match thing {
            Thing::Folder => fs::create_dir_all(path).unwrap(),
            Thing::Link(target) => symlink(target, path).unwrap(),
            Thing::File(bytes, mode) => {
                fs::write(&path, bytes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Undo is the inverse of setup, on any tree, after any number of files of a run that was cut
    /// short, with a draft left behind.
    #[test]
    fn undo_gives_back_the_tree_byte_for_byte(
        things in things(),
        units in proptest::sample::subsequence(UNITS.to_vec(), 0..=UNITS.len()),
        later in proptest::sample::subsequence(UNITS.to_vec(), 0..=UNITS.len()),
        written in 0usize..12,
        has_state in any::<bool>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let shipped = root.path().join("usr/lib/systemd/system");
        let system = root.path().join("etc/systemd/system");
        fs::create_dir_all(&shipped).unwrap();
        fs::create_dir_all(root.path().join("proc")).unwrap();
        fs::write(root.path().join("proc/meminfo"), "MemTotal: 2000000 kB\nMemFree: 1 kB\nMemAvailable: 1 kB\n").unwrap();
        if has_state {
            fs::create_dir_all(root.path().join("var/lib/headroom")).unwrap();
        }
        put(&system, &things);
        for unit in &units {
            fs::write(shipped.join(unit), "[Service]\n").unwrap();
        }
        let before = tree(root.path());
        done(root.path(), &["--yes", "--force"]);
        done(root.path(), &["--undo", "--yes"]);
        prop_assert_eq!(&tree(root.path()), &before);

        // Cut short: the record stands, only the first few files were written.
        done(root.path(), &["--yes", "--force"]);
        let record = root.path().join("var/lib/headroom/setup/record.json");
        let record: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        let entries = record["entries"].as_array().unwrap();
        for entry in entries.iter().skip(written) {
            let name = entry["path"].as_str().unwrap();
            let path = root.path().join(name.trim_start_matches('/'));
            fs::remove_file(&path).unwrap();
            let below = path.strip_prefix(&system).unwrap().to_str().unwrap().to_string();
            if let Some(thing) = things.get(&below) {
                put(&system, &BTreeMap::from([(below.clone(), thing.clone())]));
            }
            let file = path.file_name().unwrap().to_str().unwrap();
            fs::write(path.with_file_name(format!(".{file}.headroom-new")), "half a li").unwrap();
        }
        done(root.path(), &["--undo", "--yes"]);
        prop_assert_eq!(&tree(root.path()), &before);

        // With services coming and going between two runs.
        done(root.path(), &["--yes", "--force"]);
        for unit in UNITS {
            let _ = fs::remove_file(shipped.join(unit));
        }
        for unit in &later {
            fs::write(shipped.join(unit), "[Service]\n").unwrap();
        }
        done(root.path(), &["--yes", "--force"]);
        done(root.path(), &["--undo", "--yes"]);
        for unit in UNITS {
            let _ = fs::remove_file(shipped.join(unit));
        }
        for unit in &units {
            fs::write(shipped.join(unit), "[Service]\n").unwrap();
        }
        prop_assert_eq!(&tree(root.path()), &before);
    }
}
