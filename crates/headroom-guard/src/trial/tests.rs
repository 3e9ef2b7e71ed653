//! Who waits, told by answers, file locks and workers of the test's own.

use std::path::Path;
use std::process::{Child, Command};

use headroom_api::trial::Told;
use headroom_sys::own;

use super::*;

struct Node {
    dir: tempfile::TempDir,
    proc: Proc,
    trials: Trials,
    snapshot: Snapshot,
    held: Vec<Held>,
    children: Vec<Child>,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            trials: Trials::new(dir.path().into(), None, Path::new("/")),
            dir,
            proc: Proc::open(Path::new("/")).unwrap(),
            snapshot: Snapshot { trials: Trials::room(), ..Snapshot::default() },
            held: Vec::new(),
            children: Vec::new(),
        }
    }

    fn starts(&mut self, program: &str, arguments: &[&str], class: Class) -> ProcessId {
        let child = Command::new(program).args(arguments).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        self.children.push(child);
        let id = ProcessId { pid, start_ticks: self.proc.stat(pid).unwrap().start_ticks };
        let is_worker = class == Class::Essential;
        self.snapshot.processes.push(Process { id, class, is_worker, ..Process::default() });
        self.snapshot.processes.sort_by_key(|p| p.id.pid);
        id
    }

    fn is_held(&mut self, id: ProcessId) -> Held {
        let held = Held { connected: true, ..Held::stopped(id, own::now()) };
        self.held.push(held);
        held
    }

    fn look(&mut self) -> &Snapshot {
        self.snapshot.at = own::now();
        self.trials.look(&mut self.proc, self.held.iter(), &mut self.snapshot);
        &self.snapshot
    }

    /// Looks until `of` gives something, for as long as a busy machine may need.
    fn look_until<T>(&mut self, of: impl Fn(&Snapshot) -> Option<T>) -> T {
        for _ in 0..3000 {
            if let Some(found) = of(self.look()) {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("it never came");
    }

    fn answer(&self, asked: Moment, told: &[Told]) {
        let mut holders = Holders::at(asked);
        assert!(told.iter().all(|told| holders.told.push(*told)));
        std::fs::write(self.dir.path().join(HOLDERS), holders.encode()).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const ID: ProcessId = ProcessId { pid: 4711, start_ticks: 7 };

fn told(held: &Held, holding: Holding) -> Told {
    Told { id: held.id, since: held.since, holding }
}

#[test]
fn an_answer_about_this_stop_is_taken_and_one_from_before_it_is_not() {
    let mut node = Node::new();
    assert_eq!(node.look().trials, []);
    let held = node.is_held(ID);
    assert_eq!(node.look().trials, [], "no file, no answer");
    let earlier = Held { since: Moment(held.since.0 - 1), ..held };
    node.answer(own::now(), &[told(&earlier, Holding::Lock)]);
    assert_eq!(node.look().trials, [], "of another stop");
    node.answer(Moment(held.since.0 - 1), &[told(&held, Holding::Nothing)]);
    assert_eq!(node.look().trials, [], "asked before it stood still");
    let asked = own::now();
    node.answer(asked, &[told(&held, Holding::Lock)]);
    let trial = Trial { id: ID, holding: Holding::Lock, asked };
    assert_eq!(node.look().trials, [trial]);
    node.held.clear();
    assert_eq!(node.look().trials, [], "nobody is on trial any more");
}

#[test]
fn an_answer_that_anybody_could_have_written_is_none() {
    use std::os::unix::fs::PermissionsExt;
    let mut node = Node::new();
    let held = node.is_held(ID);
    node.answer(own::now(), &[told(&held, Holding::Nothing)]);
    assert_eq!(node.look().trials.len(), 1);
    let path = node.dir.path().join(HOLDERS);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    assert_eq!(node.look().trials, []);
    std::fs::write(&path, [0; 9]).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(node.look().trials, [], "torn");
    if own::own_uid() == 0 {
        node.answer(own::now(), &[told(&held, Holding::Nothing)]);
        std::os::unix::fs::chown(&path, Some(1234), None).unwrap();
        assert_eq!(node.look().trials, [], "another user's");
        node.trials.agent = Some(1234);
        assert_eq!(node.look().trials.len(), 1, "the agent's");
    }
}

#[test]
fn whoever_waits_for_a_stopped_jobs_file_lock_is_found() {
    let mut node = Node::new();
    let file = node.dir.path().join("lock");
    let file = file.to_str().unwrap();
    let job = node.starts("flock", &["--no-fork", file, "sleep", "1000"], Class::Expendable);
    node.is_held(job);
    let locks = |snapshot: &Snapshot| snapshot.trials.first().copied();
    let has_lock = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.split_whitespace().nth(4) == Some(&job.pid.to_string()))
    };
    while !has_lock() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(locks(node.look()), None, "nobody waits");
    // A younger job has to wait, the shop has not.
    let younger = node.starts("flock", &["--no-fork", file, "true"], Class::Expendable);
    let waits = || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("->") && line.contains(&younger.pid.to_string()))
    };
    while !waits() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(locks(node.look()), None, "only a younger job waits");
    node.starts("flock", &["--no-fork", file, "true"], Class::Essential);
    let trial = node.look_until(locks);
    assert_eq!((trial.id, trial.holding), (job, Holding::Waited));
}

#[test]
fn a_worker_that_gets_on_by_nothing_is_seen_to_wait_since_then() {
    let mut node = Node::new();
    node.is_held(ID);
    node.starts("sh", &["-c", "while :; do :; done"], Class::Essential);
    let waits = |snapshot: &Snapshot| snapshot.worker_waits;
    while node.proc.doing(node.snapshot.processes[0].id.pid) != Ok(Doing::Runs) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(waits(node.look()), None, "it computes");
    let asleep = node.starts("sleep", &["1000"], Class::Essential);
    // It waits for its own program at first.
    let since = loop {
        let since = node.look_until(waits);
        std::thread::sleep(std::time::Duration::from_millis(100));
        if waits(node.look()) == Some(since) {
            break since;
        }
    };
    assert_eq!(waits(node.look()), Some(since));
    node.snapshot.processes.retain(|p| p.id != asleep);
    assert_eq!(waits(node.look()), None);
}
