//! A thousand faults, the same each time by their seeds: storms on a node that is made up, whose files are
//! missing, cut, garbled or somebody else's by the next moment, under a guard whose signals are refused
//! and whose clock jumps. No wrong kill, no end of the loop, no storm without relief.
//!
//! The senses, the decision, the hands and the policy's files are the real ones. Whom the made-up /proc shows
//! are real processes, a `sleep` each: that is where the signals go, and by them it is seen that none went wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use headroom_core::action::{Action, Relief, Report};
use headroom_core::decide::{State, decide};
use headroom_core::policy::{Class, Policy};
use headroom_core::snapshot::{Moment, Process, ProcessId};
use headroom_sys::own;
use headroom_sys::proc::Proc;
use headroom_sys::wait::Waiter;

use crate::act::Hands;
use crate::birth::Births;
use crate::held::Held;
use crate::policy_files::load_policy;
use crate::record::Recorder;
use crate::sense::Senses;
use crate::table::Whom;
use crate::view::Shared;

/// Storms, each with a seed of its own.
const STORMS: u64 = 100;
/// Looks in a storm; relief must come before they are over.
const LOOKS: u32 = 40;
/// Memory of the node in KiB, and what is left of it in a storm.
const TOTAL: u64 = 4 << 20;
const SHORT: u64 = 20 << 10;

/// Numbers that follow from a seed alone (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A process ends between two looks at it, or its folder is there and its files are not.
    Vanished,
    /// A pid is another's when the signal is to be sent: an essential's.
    Reused,
    /// What the kernel told was lost: that a job became one of the shop's.
    Lost,
    /// A file of a process is cut.
    ShortRead,
    /// A file answers with an error that nobody expects, as ENOMEM would be.
    OddError,
    /// `/proc/meminfo` says next to nothing.
    NoMemory,
    /// `/proc/vmstat` and the pressure are gone.
    NoCounters,
    /// The kernel refuses the signal (EPERM, ENOMEM).
    Refused,
    /// The clock jumps ahead, as after a suspend, or stands still.
    ClockJump,
    /// A policy that is loaded anew is bad.
    BadReload,
}

const FAULTS: [Fault; 10] = [
    Fault::Vanished,
    Fault::Reused,
    Fault::Lost,
    Fault::ShortRead,
    Fault::OddError,
    Fault::NoMemory,
    Fault::NoCounters,
    Fault::Refused,
    Fault::ClockJump,
    Fault::BadReload,
];

/// A process of the node.
#[derive(Clone, Copy, Debug)]
struct Being {
    id: ProcessId,
    uid: u32,
    rss_kib: u64,
    stopped: bool,
    /// The files show another that had its pid before.
    late: bool,
}

const ESSENTIAL: u32 = 100;
const EXPENDABLE: u32 = 1000;

/// The node and its truth.
struct Node {
    root: PathBuf,
    beings: Vec<Being>,
    available: u64,
    /// The real processes that they are.
    children: Vec<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Those that were relieved have ended.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Node {
    fn new(root: &Path) -> Self {
        let mut live = Proc::open(Path::new("/")).unwrap();
        let sleeper = || Command::new("sleep").arg("1000").spawn().unwrap();
        let children: Vec<_> = (0..8).map(|_| sleeper()).collect();
        let beings = children.iter().zip(0_u64..).map(|(child, nth)| {
            let pid = i32::try_from(child.id()).unwrap();
            Being {
                id: ProcessId { pid, start_ticks: live.stat(pid).unwrap().start_ticks },
                uid: if nth % 2 == 0 { ESSENTIAL } else { EXPENDABLE },
                rss_kib: (64 + 32 * nth) << 10,
                stopped: false,
                late: false,
            }
        });
        let beings = beings.collect();
        let node = Self { root: root.into(), beings, available: TOTAL / 2, children };
        let policy = root.join("etc/headroom");
        fs::create_dir_all(&policy).unwrap();
        fs::create_dir_all(root.join("proc/pressure")).unwrap();
        fs::write(policy.join("policy.toml"), POLICY).unwrap();
        node.write();
        node
    }

    fn at(&self, pid: i32, file: &str) -> PathBuf {
        self.root.join(format!("proc/{pid}/{file}"))
    }

    /// All files as they ought to be.
    fn write(&self) {
        let proc = self.root.join("proc");
        for entry in fs::read_dir(&proc).unwrap().map(Result::unwrap) {
            if entry.file_name().to_string_lossy().parse::<i32>().is_ok() {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        fs::write(
            proc.join("meminfo"),
            format!("MemTotal: {TOTAL} kB\nMemFree: 9 kB\nMemAvailable: {} kB\n", self.available),
        )
        .unwrap();
        fs::write(proc.join("vmstat"), "oom_kill 0\nworkingset_refault_file 0\npswpin 0\n")
            .unwrap();
        let line = "avg10=0.00 avg60=0.00 avg300=0.00 total=0";
        fs::write(proc.join("pressure/memory"), format!("some {line}\nfull {line}\n")).unwrap();
        for being in &self.beings {
            let Being { id: ProcessId { pid, start_ticks }, uid, rss_kib, stopped, late } = *being;
            let (uid, start_ticks) =
                if late { (EXPENDABLE, start_ticks - 1) } else { (uid, start_ticks) };
            let (state, pages) = (if stopped { 'T' } else { 'S' }, rss_kib / 4);
            fs::create_dir(proc.join(pid.to_string())).unwrap();
            let zeros = "0 ".repeat(20);
            let stat = format!(
                "{pid} (job) {state} 1 {pid} {pid} 0 -1 4194304 0 0 0 0 1 1 0 0 20 0 1 0 {start_ticks} \
                 0 {pages} {zeros}\n"
            );
            fs::write(self.at(pid, "stat"), stat).unwrap();
            fs::write(self.at(pid, "statm"), format!("{pages} {pages} 0 0 0 0 0\n")).unwrap();
            let users = format!("{uid}\t{uid}\t{uid}\t{uid}");
            let status = format!("Name:\tjob\nUid:\t{users}\nGid:\t{users}\nVmSwap:\t0 kB\n");
            fs::write(self.at(pid, "status"), status).unwrap();
            fs::write(self.at(pid, "cmdline"), format!("job\0{pid}\0")).unwrap();
            fs::write(self.at(pid, "cgroup"), "0::/system.slice/job.service\n").unwrap();
            fs::write(self.at(pid, "oom_score_adj"), "0\n").unwrap();
        }
    }

    /// Ends one and waits for its end.
    fn end(&mut self, pid: i32) {
        self.beings.retain(|being| being.id.pid != pid);
        let child = self.children.iter_mut().find(|child| i32::try_from(child.id()) == Ok(pid));
        let child = child.expect("whoever is signalled is one of the node's");
        drop(child.kill());
        child.wait().unwrap();
    }

    /// One that may go, and runs: a stopped one becomes nothing else.
    fn job(&mut self, dice: &mut Dice) -> Option<&mut Being> {
        let mut jobs: Vec<_> =
            self.beings.iter_mut().filter(|b| b.uid == EXPENDABLE && !b.stopped).collect();
        let nth = usize::try_from(dice.roll(jobs.len().max(1) as u64)).unwrap();
        (nth < jobs.len()).then(|| jobs.swap_remove(nth))
    }

    /// Whether every one of the shop's runs, as it did from the start.
    fn shop_is_well(&mut self, live: &mut Proc) -> bool {
        let shop: Vec<_> =
            self.beings.iter().filter(|b| b.uid == ESSENTIAL).map(|b| b.id).collect();
        shop.into_iter().all(|id| {
            live.stat(id.pid)
                .is_ok_and(|s| s.start_ticks == id.start_ticks && !s.is_stopped() && !s.is_zombie())
        })
    }
}

const POLICY: &str = r#"
    [[rule]]
    name = "shop"
    class = "essential"
    uid = ["100"]
    [[rule]]
    name = "job"
    class = "expendable"
    uid = ["1000"]
"#;

/// One storm. Gives its faults, and whether relief came where somebody could go.
fn storm(seed: u64) -> (Vec<Fault>, bool) {
    // In memory where that can be had: a hundred nodes on a busy disk take minutes.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut node = Node::new(folder.path());
    let mut policy = load_policy(&node.root, None).unwrap().policy;
    let mut senses = Senses::open(&node.root, &policy).unwrap();
    let mut state = State::new(policy.zones.len(), 0);
    // Under half of the storms the journal cannot be had, as on a full disk.
    let state_dir = folder.path().join("state");
    if seed.is_multiple_of(2) {
        fs::create_dir_all(state_dir.join(headroom_api::paths::JOURNAL)).unwrap();
    }
    let shared = Arc::<Shared>::default();
    let (mut recorder, _, no_journal) =
        Recorder::start(&state_dir, Arc::new(policy.clone()), shared, false);
    assert_eq!(!no_journal.is_empty(), seed.is_multiple_of(2));

    // The senses were opened by the real clock, which never runs backwards.
    let mut now = own::now().after(Duration::from_secs(10));
    let mut actions = Vec::with_capacity(256);
    let mut faults = Vec::new();
    let mut relieved = false;
    let mut live = Proc::open(Path::new("/")).unwrap();
    let waiter = Waiter::new(16).unwrap();
    let mut births = Births::deaf(&mut senses, &waiter);
    let mut guard = [Hands::new(false, Held::nowhere()), Hands::new(true, Held::nowhere())];
    for look in 0..LOOKS {
        node.available = if relieved { TOTAL / 2 } else { SHORT };
        node.beings.iter_mut().for_each(|being| being.late = false);
        node.write();
        // Faults stop before the end: a guard that can see nothing for ever can do nothing.
        let fault = (look < LOOKS / 2 && dice.roll(3) > 0)
            .then(|| FAULTS[usize::try_from(dice.roll(10)).unwrap()]);
        if let Some(fault) = fault {
            inject(fault, &mut node, &mut dice, &mut now, &mut policy);
            faults.push(fault);
        }
        now = now.after(Duration::from_millis(20));
        // The guard hears of a loss before it decides, or only after.
        let heard_at_once = dice.roll(2) == 0;
        if fault == Some(Fault::Lost) && heard_at_once {
            births.lose(&waiter, &mut senses, &policy, &mut guard[0], now);
        }
        if senses.look(&policy).is_err() {
            assert_eq!(fault, Some(Fault::NoMemory), "{seed}");
            continue;
        }
        senses.snapshot.at = now;
        for _ in 0..3 {
            decide(&mut state, &senses.snapshot, &policy, &mut actions);
            for &action in &actions {
                recorder.happened(action, None);
                // The kernel that refuses is one under which the hands may do nothing.
                let hands = &mut guard[usize::from(fault == Some(Fault::Refused))];
                let mut scene =
                    Scene { senses: &mut senses, live: &mut live, hands, node: &mut node };
                relieved |= scene.carry_out(action, &policy, &waiter, &mut state, now);
            }
            assert!(
                node.shop_is_well(&mut live),
                "storm {seed}, {fault:?}: a wrong kill by {actions:?}"
            );
            let Some(scan) = actions.iter().find(|action| action.is_scan()) else { break };
            let whom = if *scan == Action::Scan { Whom::All } else { Whom::WhoMayGo };
            let Senses { proc, snapshot, table, .. } = &mut senses;
            table.scan(proc, snapshot, &policy, whom, now).unwrap();
        }
        if fault == Some(Fault::Lost) && !heard_at_once {
            births.lose(&waiter, &mut senses, &policy, &mut guard[0], now);
        }
    }
    recorder.stop();
    guard[0].thaw_all(&mut live);
    // Where every job's pid went to the shop there is nobody left who may go.
    let somebody_could_go = node.beings.iter().any(|being| being.uid == EXPENDABLE);
    (faults, relieved || !somebody_could_go)
}

fn inject(fault: Fault, node: &mut Node, dice: &mut Dice, now: &mut Moment, policy: &mut Policy) {
    let pid = node.beings[usize::try_from(dice.roll(node.beings.len() as u64)).unwrap()].id.pid;
    let files = ["stat", "statm", "status", "cmdline", "cgroup", "oom_score_adj"];
    let file = node.at(pid, files[usize::try_from(dice.roll(6)).unwrap()]);
    let proc = node.root.join("proc");
    match fault {
        Fault::Vanished => {
            let is_job = node.beings.iter().any(|b| b.id.pid == pid && b.uid == EXPENDABLE);
            if is_job {
                // Its files are still there, as they are for whoever has read them.
                node.end(pid);
            } else {
                files.iter().for_each(|file| fs::remove_file(node.at(pid, file)).unwrap());
            }
        }
        Fault::Reused => {
            if let Some(job) = node.job(dice) {
                (job.uid, job.late) = (ESSENTIAL, true);
                node.write();
            }
        }
        Fault::Lost => {
            if let Some(job) = node.job(dice) {
                job.uid = ESSENTIAL;
                node.write();
            }
        }
        Fault::ShortRead => {
            let whole = fs::read(&file).unwrap();
            let cut = usize::try_from(dice.roll(whole.len() as u64)).unwrap();
            fs::write(&file, &whole[..cut]).unwrap();
        }
        Fault::OddError => {
            // Reading a folder is EISDIR.
            fs::remove_file(&file).unwrap();
            fs::create_dir(&file).unwrap();
        }
        Fault::NoMemory => fs::write(proc.join("meminfo"), "MemTot").unwrap(),
        Fault::NoCounters => {
            fs::remove_file(proc.join("vmstat")).unwrap();
            fs::remove_file(proc.join("pressure/memory")).unwrap();
        }
        Fault::ClockJump => *now = now.after(Duration::from_secs(dice.roll(2) * 7200)),
        Fault::BadReload => {
            let path = node.root.join("etc/headroom/policy.toml");
            let texts =
                ["[strict]\nflor = \"5%\"", "not even TOML", "[[rule]]\nname = 5", "\0\u{1}"];
            fs::write(&path, texts[usize::try_from(dice.roll(4)).unwrap()]).unwrap();
            // The loop's reload takes a policy only when it is good.
            match load_policy(&node.root, None) {
                Ok(loaded) => *policy = loaded.policy,
                Err(error) => assert!(!error.to_string().is_empty()),
            }
            fs::write(&path, POLICY).unwrap();
        }
        Fault::Refused => {}
    }
}

/// Where an action is carried out, as the loop does it.
struct Scene<'a> {
    senses: &'a mut Senses,
    live: &'a mut Proc,
    hands: &'a mut Hands,
    node: &'a mut Node,
}

impl Scene<'_> {
    /// True when somebody was ended.
    fn carry_out(
        &mut self,
        action: Action,
        policy: &Policy,
        waiter: &Waiter,
        state: &mut State,
        now: Moment,
    ) -> bool {
        let Self { senses, live, hands, node } = self;
        match action {
            Action::EndToo { id } => {
                let _sent = hands.end_too(live, id);
                node.end(id.pid);
                true
            }
            Action::Relieve(verdict) => {
                let Some(Process { id, class, .. }) = verdict.process else { return false };
                assert_eq!(class, Class::Expendable, "{verdict:?}");
                let report = senses.look_again(policy, &verdict);
                let relieve = || hands.relieve(live, Some(waiter), &verdict, &senses.snapshot);
                let Some(report) = report.or_else(relieve) else { return false };
                state.report(id, report, now);
                let pauses = matches!(verdict.relief, Relief::Pause { .. });
                if pauses || matches!(verdict.relief, Relief::Thaw { .. }) {
                    if matches!(report, Report::Signalled | Report::OnTrial) {
                        node.beings.iter_mut().filter(|b| b.id == id).for_each(|being| {
                            being.stopped = pauses;
                        });
                    }
                    return false;
                }
                if report != Report::Signalled {
                    return false;
                }
                node.end(id.pid);
                assert_eq!(hands.ended(), Some(id), "its pidfd says so");
                state.report(id, Report::Ended, now);
                true
            }
            _ => false,
        }
    }
}

#[test]
fn a_thousand_faults_make_no_wrong_kill_no_end_and_no_storm_without_relief() {
    let mut all = Vec::new();
    let mut unrelieved = Vec::new();
    for seed in 1..=STORMS {
        let (faults, relieved) = storm(seed);
        all.extend(faults);
        if !relieved {
            unrelieved.push(seed);
        }
    }
    assert!(all.len() >= 1000, "{} faults alone", all.len());
    for fault in FAULTS {
        let count = all.iter().filter(|other| **other == fault).count();
        assert!(count >= 50, "{fault:?} {count} times alone");
    }
    assert_eq!(unrelieved, Vec::<u64>::new(), "storms without relief");
}

#[test]
fn the_same_seed_makes_the_same_storm() {
    assert_eq!(storm(7), storm(7));
}
