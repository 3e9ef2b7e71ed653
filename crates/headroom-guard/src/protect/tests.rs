//! Who counts as protected, on a tree of the test's own: the values are those a node would show.

use std::fs;
use std::path::Path;

use headroom_core::policy::{Class, Policy};
use headroom_core::snapshot::{Moment, Snapshot};

use super::*;
use crate::table::Table;
use crate::table::Whom;

/// A /proc with one process a call.
struct Node {
    root: tempfile::TempDir,
    proc: Proc,
    table: Table,
    snapshot: Snapshot,
    now: u64,
}

impl Node {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc")).unwrap();
        let proc = Proc::open(root.path()).unwrap();
        Self { root, proc, table: Table::new(), snapshot: Snapshot::default(), now: 0 }
    }

    fn process(&self, pid: i32, parent: i32, uid: u32, unit: &str, exe: &str, score: i16) {
        let dir = self.root.path().join(format!("proc/{pid}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let comm = Path::new(exe).file_name().unwrap().to_str().unwrap();
        let stat = format!(
            "{pid} ({comm}) S {parent} 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 {pid} 1000000 5000\n"
        );
        let status = format!("Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n");
        for (name, text) in [
            ("stat", stat.as_str()),
            ("status", &status),
            ("statm", "20000 5000 100 0 0 0 0\n"),
            ("cmdline", exe),
            ("cgroup", &format!("0::{unit}\n")),
            ("oom_score_adj", &format!("{score}\n")),
        ] {
            fs::write(dir.join(name), text).unwrap();
        }
        std::os::unix::fs::symlink(exe, dir.join("exe")).unwrap();
    }

    fn scan(&mut self) {
        self.now += 60_000_000_000;
        self.table
            .scan(
                &mut self.proc,
                &mut self.snapshot,
                &Policy::built_in(),
                Whom::All,
                Moment(self.now),
            )
            .unwrap();
    }

    fn of(&self, pid: i32) -> Process {
        *self.snapshot.processes.iter().find(|p| p.id.pid == pid).unwrap()
    }
}

const CRON: &str = "/system.slice/cron.service";
const FPM: &str = "/system.slice/php8.2-fpm.service";

#[test]
fn a_job_that_was_given_the_value_is_protected_with_all_that_it_starts() {
    let mut node = Node::new();
    node.process(1, 0, 0, "/init.scope", "/usr/lib/systemd/systemd", 0);
    node.process(50, 1, 1000, CRON, "/usr/bin/dash", 1000);
    node.process(60, 50, 1000, CRON, "/usr/bin/php8.2", NEVER_KILL);
    node.process(61, 60, 1000, CRON, "/usr/bin/convert", NEVER_KILL);
    node.process(62, 61, 1000, CRON, "/usr/bin/gs", NEVER_KILL);
    node.scan();
    assert_eq!([50, 60, 61, 62].map(|pid| node.of(pid).protected), [false, true, true, true]);
    let policy = Policy::built_in();
    assert_eq!(node.of(60).class, Class::Expendable);
    assert!(!node.of(61).may_be_slain() && node.of(50).may_be_slain());
    assert_eq!(node.of(62).oom_score_adj, Some(NEVER_KILL));
    assert_eq!(policy.score_for(&node.of(62)), None);
    // Its parent ends and init takes it: it is protected as before.
    fs::remove_dir_all(node.root.path().join("proc/61")).unwrap();
    node.process(62, 1, 1000, CRON, "/usr/bin/gs", NEVER_KILL);
    node.scan();
    assert!(node.of(62).protected);
}

#[test]
fn what_a_service_started_has_its_value_and_is_not_protected() {
    let mut node = Node::new();
    node.process(1, 0, 0, "/init.scope", "/usr/lib/systemd/systemd", 0);
    node.process(70, 1, 0, FPM, "/usr/sbin/php-fpm8.2", NEVER_KILL);
    node.process(71, 70, 1000, FPM, "/usr/sbin/php-fpm8.2", NEVER_KILL);
    node.process(72, 71, 1000, FPM, "/usr/bin/convert", NEVER_KILL);
    node.scan();
    assert_eq!(node.of(71).class, Class::Essential);
    assert_eq!(node.of(72).class, Class::Expendable);
    assert!(!node.of(72).protected);
    assert_eq!(Policy::built_in().score_for(&node.of(72)), Some(1000));
}

#[test]
fn a_shell_of_roots_that_was_protected_by_request_hands_it_on_to_another_user() {
    let mut node = Node::new();
    node.process(1, 0, 0, "/init.scope", "/usr/lib/systemd/systemd", 0);
    node.process(80, 1, 0, "/user.slice/user-0.slice/session-1.scope", "/usr/bin/su", NEVER_KILL);
    node.process(81, 80, 1000, "/user.slice/user-0.slice/session-1.scope", "/usr/bin/php", -1000);
    node.scan();
    assert!(!node.of(81).protected, "root's own services may have that value from their units");
    node.table.granted.push(ProcessId { pid: 80, start_ticks: 80 });
    node.scan();
    assert!(node.of(80).protected && node.of(81).protected);
}

#[test]
fn a_protection_given_or_withdrawn_between_two_looks_is_seen_before_the_choice() {
    let mut node = Node::new();
    node.process(1, 0, 0, "/init.scope", "/usr/lib/systemd/systemd", 0);
    node.process(60, 1, 1000, CRON, "/usr/bin/php8.2", 1000);
    node.scan();
    let before = node.of(60);
    assert!(before.may_be_slain());
    node.process(60, 1, 1000, CRON, "/usr/bin/php8.2", NEVER_KILL);
    let protected = at_weighing(&mut node.proc, before);
    assert!(!protected.may_be_slain());
    node.process(60, 1, 1000, CRON, "/usr/bin/php8.2", 0);
    assert!(at_weighing(&mut node.proc, protected).may_be_slain());
}

#[test]
fn status_names_whom_a_protection_was_given_to_and_who_inherited_it() {
    let mut node = Node::new();
    node.process(1, 0, 0, "/init.scope", "/usr/lib/systemd/systemd", 0);
    node.process(60, 1, 1000, CRON, "/usr/bin/php8.2", NEVER_KILL);
    node.process(61, 60, 1000, CRON, "/usr/bin/convert", NEVER_KILL);
    node.scan();
    let grants = Grants::default();
    let id = node.of(60).id;
    grants.all().push(Grant { id, since_ms: 1_527_508_741_000, budget_kib: Some(300_000) });
    let shown = grants.shown(&node.snapshot, "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n");
    let rows: Vec<_> = shown.iter().map(|p| (p.pid, p.user.as_str(), p.budget_kib, p.by)).collect();
    assert_eq!(rows, [(60, "app", Some(300_000), None), (61, "app", None, Some(60))]);
    assert_eq!(shown[0].since, "2018-05-28T11:59:01Z");
    assert_eq!((shown[0].comm.as_str(), shown[0].rss_kib), ("php8.2", 20_000));
}
