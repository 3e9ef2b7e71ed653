//! The hands on real processes of the test's own.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use headroom_core::action::{Because, Measured, Trigger, Way};
use headroom_core::snapshot::{Process, ZoneIndex};
use headroom_core::units::Kib;

use super::*;

struct Own {
    child: Child,
    proc: Proc,
    hands: Hands,
    waiter: Waiter,
    snapshot: Snapshot,
    family: u64,
}

impl Own {
    fn of(command: &mut Command) -> Self {
        Self {
            child: command.spawn().unwrap(),
            proc: Proc::open(Path::new("/")).unwrap(),
            hands: Hands::new(false, Held::nowhere()),
            waiter: Waiter::new(4).unwrap(),
            snapshot: Snapshot::default(),
            family: 0,
        }
    }

    fn id(&mut self) -> ProcessId {
        let pid = i32::try_from(self.child.id()).unwrap();
        ProcessId { pid, start_ticks: self.proc.stat(pid).unwrap().start_ticks }
    }

    fn relieve(&mut self, relief: Relief) -> Option<Report> {
        let process = Some(Process { id: self.id(), family: self.family, ..Process::default() });
        let verdict = Verdict { process, ..verdict_of(relief) };
        self.hands.relieve(&mut self.proc, Some(&self.waiter), &verdict, &self.snapshot)
    }

    /// Signals take effect when the process is next scheduled, SIGSTOP in an uninterruptible wait later still.
    fn becomes(&mut self, stopped: bool) -> bool {
        (0..2000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            self.is_stopped() == stopped
        })
    }

    fn goes_on(&mut self) -> bool {
        self.becomes(false)
    }

    fn is_stopped(&mut self) -> bool {
        let pid = self.id().pid;
        self.proc.stat(pid).unwrap().is_stopped()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn verdict_of(relief: Relief) -> Verdict {
    Verdict {
        incident: 1,
        zone: ZoneIndex::ROOT,
        trigger: Trigger::Horizon,
        measured: Measured::default(),
        relief,
        process: None,
        age: std::time::Duration::ZERO,
        escalated: false,
    }
}

const PAUSE: Relief = Relief::Pause { need: Kib(1), room: Kib(0), way: Way::Stop };
const THAW: Relief = Relief::Thaw { waited: std::time::Duration::ZERO, because: Because::Room };

#[test]
fn a_job_is_stopped_and_goes_on() {
    let mut own = Own::of(Command::new("sleep").arg("1000"));
    assert_eq!(own.relieve(PAUSE), Some(Report::Signalled));
    assert!(own.becomes(true));
    assert_eq!(own.relieve(THAW), Some(Report::Signalled));
    assert!(own.goes_on());
    assert_eq!(own.hands.held.any(), None);
}

#[test]
fn a_job_with_a_connection_is_stopped_on_trial() {
    let (end, _other) = UnixStream::pair().unwrap();
    let mut connected = Command::new("sh");
    // The connection is at a descriptor of its own, as a database client's is.
    connected.args(["-c", "exec 5<&0; echo; exec sleep 1000"]);
    let mut own = Own::of(connected.stdin(std::os::fd::OwnedFd::from(end)).stdout(Stdio::piped()));
    let mut line = String::new();
    let mut said = std::io::BufReader::new(own.child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    let before = own::now();
    assert_eq!(own.relieve(PAUSE), Some(Report::OnTrial));
    assert!(own.becomes(true));
    let id = own.id();
    let on_trial: Vec<_> = own.hands.on_trial().copied().collect();
    assert_eq!(on_trial.iter().map(|held| held.id).collect::<Vec<_>>(), [id]);
    assert!(on_trial[0].since >= before, "since it stands still");
    assert_eq!(own.relieve(THAW), Some(Report::Signalled));
    assert!(own.goes_on());
    assert_eq!(own.hands.on_trial().count(), 0);
}

#[test]
fn what_its_family_is_connected_to_puts_a_job_on_trial_too() {
    let mut own = Own::of(Command::new("sleep").arg("1000"));
    let (_end, _other) = UnixStream::pair().unwrap();
    // This test's own process is the connected one.
    let pid = own::own_pid();
    let start_ticks = own.proc.stat(pid).unwrap().start_ticks;
    let id = ProcessId { pid, start_ticks };
    own.snapshot.processes = vec![Process { id, family: 7, ..Process::default() }];
    own.family = 7;
    assert_eq!(own.relieve(PAUSE), Some(Report::OnTrial));
    own.relieve(THAW);
    own.family = 8;
    assert_eq!(own.relieve(PAUSE), Some(Report::Signalled));
}

#[test]
fn a_paused_job_that_is_slain_ends_though_it_was_stopped() {
    let mut own = Own::of(Command::new("sleep").arg("1000"));
    assert_eq!(own.relieve(PAUSE), Some(Report::Signalled));
    assert_eq!(own.relieve(Relief::Terminate), Some(Report::Signalled));
    let status = own.child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    // The pid may be another's by now; the start time is not.
    assert_eq!(own.hands.held.any(), None);
}

#[test]
fn whoever_was_left_stopped_goes_on() {
    let mut own = Own::of(Command::new("sleep").arg("1000"));
    own.relieve(PAUSE);
    assert_eq!(own.hands.thaw_all(&mut own.proc), 1);
    assert!(own.goes_on());
    assert_eq!(own.hands.thaw_all(&mut own.proc), 0);
}

#[test]
fn a_pid_that_is_anothers_now_is_not_touched() {
    let mut own = Own::of(Command::new("sleep").arg("1000"));
    let id = ProcessId { start_ticks: own.id().start_ticks + 1, ..own.id() };
    own.hands.held.add(trial::Held::stopped(id, own::now()));
    assert_eq!(own.hands.thaw_all(&mut own.proc), 0);
    let target = Target::open(&mut own.proc, id);
    assert!(matches!(target, Err(ReadError::Gone)), "{target:?}");
}

#[test]
fn a_job_whose_unit_is_frozen_goes_on_and_leaves_nothing_behind() {
    use crate::freezer::tests::OwnUnit;
    let Some(mut unit) = OwnUnit::new("hands") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut hands = Hands::new(false, Held::open(dir.path()).unwrap());
    hands.freeze_by(unit.freezer(dir.path()));
    let (waiter, snapshot) = (Waiter::new(4).unwrap(), Snapshot::default());
    let id = unit.id();
    let cgroup = Cgroup::of(unit.path.as_bytes());
    let process = Process { id, cgroup, ..Process::default() };
    let mut proc = Proc::open(Path::new("/")).unwrap();
    let verdict = |relief| Verdict { process: Some(process), ..verdict_of(relief) };
    let freeze = verdict(Relief::Pause { need: Kib(1), room: Kib(0), way: Way::Freeze });
    let report = hands.relieve(&mut proc, Some(&waiter), &freeze, &snapshot);
    assert_eq!(report, Some(Report::Signalled));
    // Where it could not be done in time it is stopped.
    if hands.frozen().next() == Some(cgroup) {
        assert!(unit.becomes(true));
    }
    assert!(hands.held.get(id).is_some());
    let report = hands.relieve(&mut proc, Some(&waiter), &verdict(THAW), &snapshot);
    assert_eq!(report, Some(Report::Signalled));
    assert!(unit.becomes(false));
    assert_eq!((hands.held.any(), hands.frozen().count()), (None, 0));
    // One that is slain while it is frozen ends.
    hands.relieve(&mut proc, Some(&waiter), &freeze, &snapshot);
    hands.relieve(&mut proc, Some(&waiter), &verdict(Relief::Terminate), &snapshot);
    let status = unit.child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    assert_eq!((hands.held.any(), hands.frozen().count()), (None, 0));
    assert!(unit.becomes(false));
}

#[test]
fn whoever_was_stopped_with_a_job_goes_on_with_it() {
    let mut own = Own::of(Command::new("sleep").arg("1000"));
    let mut child = Own::of(Command::new("sleep").arg("1000"));
    let process = Process { id: child.id(), ..Process::default() };
    own.relieve(PAUSE);
    let with = own.id();
    own.hands.stop_too(&mut own.proc, process, with);
    assert!(own.becomes(true) && child.becomes(true));
    assert_eq!(own.relieve(THAW), Some(Report::Signalled));
    assert!(own.goes_on() && child.goes_on());
    assert_eq!(own.hands.held.any(), None);
    // Also when the job is not there any more.
    own.relieve(PAUSE);
    own.hands.stop_too(&mut own.proc, process, with);
    assert!(child.becomes(true));
    own.child.kill().unwrap();
    own.hands.let_go(&mut own.proc, with);
    assert!(child.goes_on());
}

#[test]
fn one_that_was_stopped_ahead_waits_like_any_other() {
    let mut own = Own::of(Command::new("sleep").arg("1000"));
    let job = Process { id: own.id(), ..Process::default() };
    own.hands.stop_ahead(&mut own.proc, &Process { in_foreground: true, ..job });
    assert_eq!(own.hands.held.any(), None, "the shells above it first");
    own.hands.stop_ahead(&mut own.proc, &job);
    assert!(own.becomes(true));
    assert_eq!(own.relieve(PAUSE), Some(Report::Signalled));
    assert_eq!(own.relieve(THAW), Some(Report::Signalled));
    assert!(own.goes_on());
    assert_eq!(own.hands.held.any(), None);
    // What follows may find that it must not wait.
    own.hands.stop_ahead(&mut own.proc, &job);
    assert!(own.becomes(true));
    own.hands.leave_alone(&mut own.proc, job.id);
    assert!(own.goes_on());
    assert_eq!(own.hands.held.any(), None);
}

#[test]
fn nobody_waits_with_a_job_that_could_not_be_paused() {
    let mut own = Own::of(Command::new("sleep").arg("1000"));
    let mut child = Own::of(Command::new("sleep").arg("1000"));
    let process = Process { id: child.id(), ..Process::default() };
    let with = own.id();
    // A shell is stopped before its job.
    own.hands.stop_too(&mut own.proc, process, with);
    assert!(child.becomes(true));
    own.hands.leave_alone(&mut own.proc, with);
    assert!(child.goes_on());
    assert_eq!(own.hands.stop_too(&mut own.proc, process, with), None);
    assert_eq!(own.hands.held.any(), None);
}
