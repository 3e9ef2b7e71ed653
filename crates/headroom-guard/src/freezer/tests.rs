//! The freezing thread and real units of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::*;

/// A unit of v2 with a sleeper in it.
pub(crate) struct OwnUnit {
    dir: PathBuf,
    pub(crate) path: String,
    pub(crate) child: Child,
    pub(crate) proc: Proc,
}

impl OwnUnit {
    /// `None`, said loudly, where this machine has no v2 tree that may be written.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let path = format!("/headroom-guard-test-{}-{name}.scope", std::process::id());
        for base in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            let dir = PathBuf::from(format!("{base}{path}"));
            let is_v2 = Path::new(base).join("cgroup.procs").exists();
            if is_v2 && fs::create_dir(&dir).is_ok() {
                let child = Command::new("sleep").arg("1000").spawn().unwrap();
                fs::write(dir.join("cgroup.procs"), child.id().to_string()).unwrap();
                return Some(Self { dir, path, child, proc: Proc::open(Path::new("/")).unwrap() });
            }
        }
        eprintln!("SKIPPED: no cgroup v2 here that a test may write");
        None
    }

    pub(crate) fn id(&mut self) -> ProcessId {
        let pid = i32::try_from(self.child.id()).unwrap();
        ProcessId { pid, start_ticks: self.proc.stat(pid).unwrap().start_ticks }
    }

    /// Whether it gets there; both take a moment.
    pub(crate) fn becomes(&self, frozen: bool) -> bool {
        let line = format!("frozen {}", u8::from(frozen));
        (0..1000).any(|_| {
            thread::sleep(Duration::from_millis(5));
            fs::read_to_string(self.dir.join("cgroup.events")).unwrap().contains(&line)
        })
    }

    pub(crate) fn freezer(&self, runtime_dir: &Path) -> Freezer {
        Freezer::start(Path::new("/"), Self::units(runtime_dir, None)).unwrap()
    }

    /// The units of a guard that takes over whom it finds.
    fn units(runtime_dir: &Path, job: Option<ProcessId>) -> Units {
        Units::open(Path::new("/"), runtime_dir, job.into_iter()).unwrap()
    }

    /// Asks until a busy machine has done it in time.
    fn freeze(&mut self, freezer: &Freezer) {
        let id = self.id();
        assert!((0..1000).any(|_| {
            thread::sleep(Duration::from_millis(5));
            freezer.freeze(id)
        }));
    }
}

impl Drop for OwnUnit {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::write(self.dir.join("cgroup.freeze"), "0"));
        let _ = (0..200).find(|_| {
            thread::sleep(Duration::from_millis(10));
            fs::remove_dir(&self.dir).is_ok()
        });
    }
}

#[test]
fn a_unit_is_frozen_and_thawed_for_its_job() {
    let Some(mut own) = OwnUnit::new("thread") else { return };
    let dir = tempfile::tempdir().unwrap();
    let freezer = own.freezer(dir.path());
    own.freeze(&freezer);
    assert!(own.becomes(true));
    let another = ProcessId { start_ticks: 1, ..own.id() };
    assert!(!freezer.freeze(another), "its pid is another's");
    assert!(freezer.thaw(another) && freezer.settle(Duration::from_secs(20)));
    assert!(own.becomes(true), "it was not frozen for that one");
    assert!(freezer.thaw(own.id()) && freezer.settle(Duration::from_secs(20)));
    assert!(own.becomes(false));
}

#[test]
fn a_process_that_does_not_look_frozen_is_let_go_on_and_only_four_in_a_row_show_a_blind_kernel() {
    let Some(mut own) = OwnUnit::new("blind") else { return };
    let (id, dir, root) = (own.id(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shown = root.path().join(format!("proc/{}", id.pid));
    fs::create_dir_all(&shown).unwrap();
    for name in ["stat", "cgroup"] {
        fs::copy(format!("/proc/{}/{name}", id.pid), shown.join(name)).unwrap();
    }
    let mut proc = Proc::open_for_files(root.path()).unwrap();
    let mut units = OwnUnit::units(dir.path(), None);
    let mut freeze = |place: &str| {
        fs::write(shown.join("wchan"), place).unwrap();
        let is_frozen = units.freeze(&mut proc, id);
        units.thaw(id);
        assert!(own.becomes(false));
        is_frozen
    };
    let unseen = |freeze: &mut dyn FnMut(&str) -> bool, times| (0..times).all(|_| !freeze("0"));
    assert!(unseen(&mut freeze, 3));
    assert!(freeze("get_signal"), "three may have lost the processor");
    assert!(unseen(&mut freeze, 4));
    assert!(!freeze("get_signal"), "this kernel does not show it");
}

#[test]
fn what_a_guard_that_was_killed_left_frozen_is_thawed_by_the_next_though_its_job_is_dead() {
    let Some(mut own) = OwnUnit::new("left") else { return };
    let dir = tempfile::tempdir().unwrap();
    let freezer = own.freezer(dir.path());
    own.freeze(&freezer);
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    fs::write(own.dir.join("cgroup.procs"), other.id().to_string()).unwrap();
    own.child.kill().unwrap();
    own.child.wait().unwrap();
    assert!(own.becomes(true), "another is in it");
    assert_eq!(thaw_left(Path::new("/"), dir.path()).unwrap(), 1);
    assert!(own.becomes(false));
    assert_eq!(thaw_left(Path::new("/"), dir.path()).unwrap(), 0);
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn what_a_guard_that_was_killed_left_frozen_is_taken_over_by_the_next_where_its_job_lives() {
    let Some(mut own) = OwnUnit::new("over") else { return };
    let dir = tempfile::tempdir().unwrap();
    own.freeze(&own.freezer(dir.path()));
    assert!(own.becomes(true));
    let next = OwnUnit::units(dir.path(), Some(own.id()));
    assert_eq!(next.jobs().collect::<Vec<_>>(), [own.id()]);
    assert!(own.becomes(true));
    let freezer = Freezer::start(Path::new("/"), next).unwrap();
    assert!(freezer.thaw(own.id()) && freezer.settle(Duration::from_secs(20)));
    assert!(own.becomes(false));
    own.freeze(&freezer);
    assert!(own.becomes(true));
    // Nobody whom the next knows is frozen in it.
    let none = OwnUnit::units(dir.path(), None);
    assert_eq!(none.jobs().collect::<Vec<_>>(), []);
    assert!(own.becomes(false));
}

#[test]
fn what_somebody_else_froze_is_left_to_them() {
    let Some(mut own) = OwnUnit::new("theirs") else { return };
    fs::write(own.dir.join("cgroup.freeze"), "1").unwrap();
    assert!(own.becomes(true));
    let dir = tempfile::tempdir().unwrap();
    let freezer = own.freezer(dir.path());
    assert!(!freezer.freeze(own.id()));
    assert!(freezer.thaw(own.id()) && freezer.settle(Duration::from_secs(20)));
    assert!(own.becomes(true));
}

#[test]
fn whoever_asks_for_what_hangs_goes_on_and_what_comes_too_late_is_undone() {
    let shared = Arc::new(Shared {
        desk: Mutex::new(Desk { state: State::Free, thaws: Vec::new(), thawing: false }),
        asked: Condvar::new(),
        answered: Condvar::new(),
    });
    let freezer = Freezer(Arc::clone(&shared));
    let (go_on, waits) = std::sync::mpsc::channel::<()>();
    let hangs = thread::spawn(move || {
        let mut done = Vec::new();
        do_one(&shared, &mut Vec::new(), &mut |order| {
            if matches!(order, Order::Freeze(_)) {
                waits.recv().unwrap();
            }
            done.push(order);
            true
        });
        done
    });
    let id = ProcessId { pid: 4711, start_ticks: 9 };
    assert!(!freezer.freeze(id));
    // A slow machine may not even have begun.
    while freezer.0.desk().state == State::Free {
        assert!(!freezer.freeze(id));
    }
    assert!(!freezer.freeze(ProcessId { pid: 815, start_ticks: 9 }), "it hangs");
    go_on.send(()).unwrap();
    assert_eq!(hangs.join().unwrap(), [Order::Freeze(id), Order::Thaw(id)]);
}
