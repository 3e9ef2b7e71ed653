//! The real program and real jobs that it has wait, through what can go wrong meanwhile: none stays stopped for
//! ever, and none is slain for it.
#![expect(
    clippy::print_stderr,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use headroom_api::guard::{Answer, Request, ask};
use headroom_api::history::{Verdict, incidents};
use headroom_api::trial::{HELD, Held};
use headroom_api::{journal, paths};
use headroom_sys::own::{Capability, has_capability};
use headroom_sys::proc::Proc;
use headroom_sys::process::Target;

/// How the marked jobs are to be kept: `short` has all but the oldest wait and nobody worth slaying, `calm` has
/// room for all.
#[derive(Clone, Copy)]
enum Memory {
    Short,
    Calm,
    NoPausing,
}

/// Guards run before all others: on a small machine one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A guard and its jobs, which are told from all other processes by their programs' folder.
struct Node {
    _alone: MutexGuard<'static, ()>,
    dir: tempfile::TempDir,
    jobs: Vec<Child>,
    guard: Option<Child>,
    proc: Proc,
}

impl Node {
    /// `None`, said loudly, where the guard may not stop anybody.
    fn new() -> Option<Self> {
        if !has_capability(Capability::Kill) {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "pausing needs CAP_KILL");
            eprintln!("SKIPPED: without CAP_KILL nobody is paused");
            return None;
        }
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let proc = Proc::open(Path::new("/")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        for program in ["dd", "sleep"] {
            fs::copy(Path::new("/bin").join(program), dir.path().join(program)).unwrap();
        }
        Some(Self { _alone: alone, dir, jobs: Vec::new(), guard: None, proc })
    }

    fn policy(&self, memory: Memory) -> PathBuf {
        let path = self.dir.path().join("policy.toml");
        let (floor, limit) = match memory {
            Memory::Short => ("100%", "10min"),
            Memory::Calm => ("0%", "10min"),
            Memory::NoPausing => ("100%", "0s"),
        };
        let text = format!(
            r#"
            [strict]
            floor = "{floor}"
            floor_min = "0MiB"
            floor_max = "1048576GiB"
            minimum_gain = "1048576GiB"
            horizon = "0s"
            kernel_kills = 0
            stall = "100%"
            pause_limit = "{limit}"
            [[rule]]
            name = "the-jobs"
            class = "expendable"
            exe = ["{}/*"]
            [[rule]]
            name = "everybody-else"
            class = "system"
            comm = ["*"]
            "#,
            self.dir.path().display()
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// A command that holds 48 MiB and waits: it has filled its buffer and nobody reads what it writes.
    fn holder(&self) -> String {
        format!("{}/dd if=/dev/zero bs=48M status=none", self.dir.path().display())
    }

    /// A command that holds next to nothing and waits.
    fn sleeper(&self) -> String {
        format!("{}/sleep 1000", self.dir.path().display())
    }

    /// Starts one, and waits until it has its memory, so that they differ in age as they stand.
    fn start_job(&mut self, command: &str) -> usize {
        let mut job = Command::new("sh");
        job.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped());
        self.jobs.push(job.spawn().unwrap());
        self.jobs.len() - 1
    }

    fn start_holders(&mut self, count: usize) {
        for _ in 0..count {
            let command = format!("exec {}", self.holder());
            let job = self.start_job(&command);
            let pid = self.pid(job);
            self.wait_for("its 48 MiB", |node| {
                node.proc.stat(pid).unwrap().rss >= headroom_core::units::Kib::from_mib(40)
            });
        }
    }

    fn start_guard(&mut self, memory: Memory) {
        let policy = self.policy(memory);
        let guard = self.command().arg("--policy").arg(policy).spawn().unwrap();
        self.guard = Some(guard);
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headroom-guard"));
        let dir = self.dir.path();
        let said = fs::File::options().append(true).create(true).open(self.log()).unwrap();
        command.arg("--state-dir").arg(dir).arg("--runtime-dir").arg(dir).stderr(said);
        command
    }

    /// What the guards of this node said.
    fn log(&self) -> PathBuf {
        self.dir.path().join("guard.log")
    }

    fn reload(&mut self, memory: Memory) {
        self.policy(memory);
        let pid = self.guard.as_ref().unwrap().id();
        let sent = Command::new("kill").args(["-HUP", &pid.to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn kill_guard(&mut self) {
        let mut guard = self.guard.take().unwrap();
        guard.kill().unwrap();
        guard.wait().unwrap();
    }

    fn pid(&self, job: usize) -> i32 {
        i32::try_from(self.jobs[job].id()).unwrap()
    }

    fn is_stopped(&mut self, pid: i32) -> bool {
        self.proc.stat(pid).is_ok_and(|stat| stat.is_stopped())
    }

    /// How many of the jobs are stopped.
    fn stopped(&mut self) -> usize {
        (0..self.jobs.len()).filter(|job| self.is_stopped(self.pid(*job))).count()
    }

    fn wait_for(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let give_up = Instant::now() + Duration::from_secs(60);
        while !done(self) {
            if Instant::now() >= give_up {
                let said = fs::read_to_string(self.log()).unwrap_or_default();
                let guard = self.guard.as_mut().map(Child::try_wait);
                panic!("{what} did not happen; the guard: {guard:?}, and it said:\n{said}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_until_stopped(&mut self, count: usize) {
        self.wait_for(&format!("{count} stopped"), |node| node.stopped() == count);
    }

    fn guard_answers(&mut self) -> bool {
        ask(self.dir.path(), &Request::Status).is_ok()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let journal = journal::read(&self.dir.path().join(paths::JOURNAL)).unwrap_or_default();
        incidents(&journal.records).into_iter().flat_map(|i| i.verdicts).collect()
    }

    fn held(&self) -> Vec<Held> {
        Held::all(&fs::read(self.dir.path().join(HELD)).unwrap()).collect()
    }

    fn all_live(&mut self) -> bool {
        self.jobs.iter_mut().all(|job| job.try_wait().unwrap().is_none())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in self.guard.iter_mut().chain(&mut self.jobs) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[test]
fn a_guard_that_is_killed_leaves_nobody_stopped_for_ever() {
    let Some(mut node) = Node::new() else { return };
    node.start_holders(3);
    node.start_guard(Memory::Short);
    node.wait_until_stopped(2);
    node.kill_guard();
    assert_eq!(node.stopped(), 2, "nobody is there who would wake them");
    let thawed = node.command().arg("--thaw").status().unwrap();
    assert!(thawed.success());
    node.wait_until_stopped(0);
    assert_eq!(node.held(), []);

    // Where nobody thaws, the next guard does, once there is room.
    node.start_guard(Memory::Short);
    node.wait_until_stopped(2);
    node.kill_guard();
    node.start_guard(Memory::Calm);
    node.wait_until_stopped(0);
    assert!(node.all_live());
}

#[test]
fn the_next_guard_takes_over_who_waits_and_wakes_nobody_without_need() {
    let Some(mut node) = Node::new() else { return };
    node.start_holders(3);
    node.start_guard(Memory::Short);
    node.wait_until_stopped(2);
    let held = node.held();
    node.kill_guard();
    // systemd asks after each end, and starts the next guard after this one.
    let after =
        |node: &Node, result| node.command().arg("--thaw").env("SERVICE_RESULT", result).status();
    assert!(after(&node, "signal").unwrap().success());
    assert_eq!((node.stopped(), node.held()), (2, held.clone()));

    node.start_guard(Memory::Short);
    node.wait_for("the next guard", Node::guard_answers);
    assert_eq!((node.stopped(), node.held()), (2, held));
    let is_thaw = |v: &Verdict| v.action == "thaw";
    assert!(!node.verdicts().iter().any(is_thaw), "{:?}", node.verdicts());
    node.reload(Memory::Calm);
    node.wait_until_stopped(0);
    assert!(node.all_live());
    node.wait_for("a word of it", |node| {
        node.verdicts().iter().filter(|v| is_thaw(v)).count() == 2
    });
    assert_eq!(node.held(), []);

    node.reload(Memory::Short);
    node.wait_until_stopped(2);
    node.kill_guard();
    assert!(after(&node, "success").unwrap().success());
    node.wait_until_stopped(0);
}

#[test]
fn a_policy_that_has_room_for_all_lets_all_go_on_when_it_is_loaded() {
    for memory in [Memory::Calm, Memory::NoPausing] {
        let Some(mut node) = Node::new() else { return };
        node.start_holders(3);
        node.start_guard(Memory::Short);
        node.wait_until_stopped(2);
        node.reload(memory);
        node.wait_until_stopped(0);
        assert!(node.all_live(), "nobody is slain for having waited");
    }
}

#[test]
fn a_paused_job_that_its_owner_ends_is_gone_and_the_others_wait() {
    let Some(mut node) = Node::new() else { return };
    node.start_holders(4);
    node.start_guard(Memory::Short);
    node.wait_until_stopped(3);
    let (asked, killed) = (node.pid(3), node.pid(2));
    // It can only end when it goes on.
    let pid = asked.to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    node.wait_for("its end", |node| node.jobs[3].try_wait().unwrap().is_some());
    node.jobs[2].kill().unwrap();
    node.jobs[2].wait().unwrap();
    node.wait_for("one that waits alone", |node| node.held().len() == 1);
    assert!(node.is_stopped(node.pid(1)));
    let ends = |pid, what: fn(&Verdict) -> bool| {
        move |node: &mut Node| node.verdicts().iter().any(|v| v.pid == Some(pid) && what(v))
    };
    node.wait_for("a thaw for its end", ends(asked, |v| v.reason.contains("asked it to end")));
    node.wait_for("a word of it", ends(killed, |v| v.outcome.as_deref() == Some("vanished")));
}

#[test]
fn a_pipeline_and_the_children_of_a_job_wait_and_go_on_with_it() {
    let Some(mut node) = Node::new() else { return };
    node.start_holders(1);
    // The shell is none of the jobs: it merely waits, and is not told that they are stopped.
    let command = format!("{} | {}; echo ended", node.holder(), node.sleeper());
    let shell = node.start_job(&command);
    let shell_pid = node.pid(shell);
    let children = |node: &mut Node| {
        let list = fs::read_to_string(format!("/proc/{shell_pid}/task/{shell_pid}/children"));
        let pids = list.unwrap_or_default();
        let pids: Vec<i32> = pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        let mut comm = |pid| node.proc.stat(pid).map(|stat| stat.comm.to_string());
        let is_there =
            |pid: &i32| ["dd", "sleep"].contains(&comm(*pid).unwrap_or_default().as_str());
        pids.into_iter().filter(is_there).collect::<Vec<_>>()
    };
    node.wait_for("both ends of the pipe", |node| children(node).len() == 2);
    node.start_guard(Memory::Short);
    let ends = children(&mut node);
    node.wait_for("both stopped", |node| ends.iter().all(|pid| node.is_stopped(*pid)));
    assert!(!node.is_stopped(shell_pid));
    assert!(node.all_live(), "neither looks finished");
    node.reload(Memory::Calm);
    node.wait_for("both going on", |node| ends.iter().all(|pid| !node.is_stopped(*pid)));
    for pid in ends {
        let stat = node.proc.stat(pid).unwrap();
        let id = headroom_core::snapshot::ProcessId { pid, start_ticks: stat.start_ticks };
        Target::open(&mut node.proc, id).unwrap().kill().unwrap();
    }
}

#[test]
fn whoever_waited_with_a_job_that_is_dead_goes_on_with_the_next_guard() {
    let Some(mut node) = Node::new() else { return };
    node.start_holders(1);
    let holder = node.holder();
    let sleeper = node.sleeper();
    // The shell becomes the end that holds nothing, so that its child is the job.
    let shell = node.start_job(&format!("{holder} | exec {sleeper}"));
    node.start_guard(Memory::Short);
    node.wait_for("the guard", Node::guard_answers);
    node.wait_for("one that waits with the job", |node| node.held().iter().any(|h| h.with != 0));
    let held = node.held();
    let follower = held.iter().find(|h| h.with != 0).copied().unwrap();
    node.wait_for("stopped", |node| node.is_stopped(follower.id.pid));
    node.kill_guard();
    let job = held.iter().find(|h| h.id.pid == follower.with).copied().unwrap();
    Target::open(&mut node.proc, job.id).unwrap().kill().unwrap();
    node.start_guard(Memory::Short);
    node.wait_for("going on", |node| !node.is_stopped(follower.id.pid) && node.held().is_empty());
    let all = [follower.id.pid, node.pid(shell)];
    for pid in all {
        drop(Command::new("kill").args(["-9", &pid.to_string()]).status());
    }
}

#[test]
fn a_unit_is_frozen_as_a_whole_and_thawed_after_a_guard_that_was_killed() {
    let Some(mut node) = Node::new() else { return };
    let name = format!("headroom-waiting-{}.scope", std::process::id());
    let bases = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let is_v2 = |base: &&&Path| base.join("cgroup.procs").exists();
    let unit = bases.iter().filter(is_v2).map(|base| base.join(&name));
    let Some(unit) = unit.into_iter().find(|unit| fs::create_dir(unit).is_ok()) else {
        return eprintln!("SKIPPED: no cgroup v2 here that a test may write");
    };
    let says = |line: &'static str| {
        let events = unit.join("cgroup.events");
        move |_: &mut Node| fs::read_to_string(&events).unwrap().contains(line)
    };
    node.start_holders(2);
    fs::write(unit.join("cgroup.procs"), node.pid(1).to_string()).unwrap();
    let child = node.start_job(&format!("exec {}", node.sleeper()));
    fs::write(unit.join("cgroup.procs"), node.pid(child).to_string()).unwrap();
    // A machine so busy that the kernel takes its time has the job stopped instead: then once more.
    let mut guards = 0;
    let mut until_frozen = |node: &mut Node| {
        for _ in 0..20 {
            guards += 1;
            node.start_guard(Memory::Short);
            let pid = node.pid(1);
            node.wait_for("waiting", |node| says("frozen 1")(node) || node.is_stopped(pid));
            if !node.is_stopped(pid) {
                return;
            }
            node.kill_guard();
            assert!(node.command().arg("--thaw").status().unwrap().success());
            node.wait_until_stopped(0);
        }
        panic!("it was never frozen");
    };
    until_frozen(&mut node);
    let frozen = |node: &mut Node| {
        node.verdicts().iter().any(|v| v.way.as_deref() == Some("freeze"))
            && node.held().iter().any(|held| held.frozen)
    };
    node.wait_for("a word of it", frozen);
    node.kill_guard();
    assert!(says("frozen 1")(&mut node));
    assert!(node.command().arg("--thaw").status().unwrap().success());
    node.wait_for("going on", says("frozen 0"));
    // And once more: the next guard takes it over, and thaws it when there is room.
    until_frozen(&mut node);
    node.wait_for("a word of it", frozen);
    node.kill_guard();
    node.start_guard(Memory::Short);
    node.wait_for("the next guard", Node::guard_answers);
    assert!(says("frozen 1")(&mut node) && frozen(&mut node));
    node.reload(Memory::Calm);
    node.wait_for("going on", says("frozen 0"));
    assert!(node.all_live());
    let pid = node.pid(1);
    let pauses =
        node.verdicts().iter().filter(|v| v.pid == Some(pid) && v.action == "pause").count();
    assert!((1..=guards).contains(&pauses), "a frozen one counts as paused: {pauses} by {guards}");
    drop(node);
    let removed = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        fs::remove_dir(&unit).is_ok()
    });
    assert!(removed);
}

#[test]
fn a_thousand_jobs_born_in_a_second_are_all_classed_and_the_guard_goes_on() {
    let Some(mut node) = Node::new() else { return };
    node.start_holders(2);
    node.start_guard(Memory::Short);
    node.wait_until_stopped(1);
    let spawn = format!("for n in $(seq 1000); do {} & done; wait", node.sleeper());
    let shell = node.start_job(&spawn);
    let expendable = |node: &mut Node| match ask(node.dir.path(), &Request::Status) {
        Ok(Answer::Status(status)) => {
            let class = status.classes.iter().find(|c| c.class == "expendable");
            class.map_or(0, |class| class.processes)
        }
        _ => 0,
    };
    node.wait_for("all classed", |node| expendable(node) >= 1002);
    assert!(node.guard.as_mut().unwrap().try_wait().unwrap().is_none());
    assert!(node.is_stopped(node.pid(1)) && !node.is_stopped(node.pid(0)), "as before");
    let shell_pid = node.pid(shell);
    let list = fs::read_to_string(format!("/proc/{shell_pid}/task/{shell_pid}/children")).unwrap();
    let mut kill = Command::new("kill");
    assert!(kill.arg("-9").args(list.split_whitespace()).status().unwrap().success());
}
