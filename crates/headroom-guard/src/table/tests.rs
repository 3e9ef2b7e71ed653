//! The table on this machine's own /proc, and on processes that are made up.

use super::*;
use headroom_core::policy::Layer;
use std::path::Path;
use std::process::Command;

#[test]
fn a_table_that_gets_full_makes_room_of_those_that_have_ended() {
    let mut proc = Proc::open(Path::new("/")).unwrap();
    let mut table = Table::new();
    let mut snapshot = Snapshot { processes: Vec::with_capacity(16), ..Snapshot::default() };
    let own = own::own_pid();
    let ended = i32::MAX - 20;
    let pids: Vec<_> = [own].into_iter().chain(ended..ended + 11).collect();
    let push = |table: &mut Table, snapshot: &mut Snapshot, pid| {
        let id = ProcessId { pid, start_ticks: 1 };
        snapshot.processes.push(Process { id, ..Process::default() });
        table.memos.push(Memo::default());
    };
    pids[..11].iter().for_each(|pid| push(&mut table, &mut snapshot, *pid));
    table.make_room(&mut proc, &mut snapshot);
    assert_eq!(snapshot.processes.len(), 11, "there is room enough");
    push(&mut table, &mut snapshot, pids[11]);
    for _ in 0..8 {
        table.make_room(&mut proc, &mut snapshot);
    }
    assert_eq!(snapshot.processes.len(), table.memos.len());
    assert!(snapshot.processes.len() < 12, "{}", snapshot.processes.len());
    assert!(at_pid(&snapshot.processes, own).is_some(), "whoever lives stays");
}

/// A process that may go, or may not, with what it gives back.
fn of_size(pid: i32, class: Class, mib: u64) -> Process {
    let id = ProcessId { pid, start_ticks: 1 };
    Process { id, class, gives_back: Kib::from_mib(mib), ..Process::default() }
}

#[test]
fn before_a_choice_those_who_may_go_and_the_new_are_looked_at_and_nobody_else() {
    let mark = 7_000_000 + std::process::id();
    let job = || Command::new("sleep").args(["60", &format!("{mark}")]).spawn().unwrap();
    let text = format!(
        "[[rule]]\nname = \"job\"\nclass = \"expendable\"\ncommand = [\"*{mark}\"]\n\
         [[rule]]\nname = \"others\"\nclass = \"system\"\ncomm = [\"*\"]\n"
    );
    let policy = Policy::from_layers(&[Layer::parse("test", &text).unwrap()]).unwrap();
    let mut jobs = vec![job()];
    let pid_of = |job: &std::process::Child| i32::try_from(job.id()).unwrap();
    let mut proc = Proc::open(Path::new("/")).unwrap();
    let mut table = Table::new();
    let mut snapshot = Snapshot { births_heard: true, ..Snapshot::default() };
    let at_last = |snapshot: &Snapshot, pid| at_pid(&snapshot.processes, pid).copied();
    let is_job = |snapshot: &Snapshot, pid| {
        at_last(snapshot, pid).is_some_and(|p| p.class == Class::Expendable)
    };
    let mut scan = |snapshot: &mut Snapshot, whom| {
        table.scan(&mut proc, snapshot, &policy, whom, own::now()).unwrap();
    };
    // Until it has run its program.
    for _ in 0..200 {
        scan(&mut snapshot, Whom::All);
        if is_job(&snapshot, pid_of(&jobs[0])) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let first = pid_of(&jobs[0]);
    let (own, all) = (own::own_pid(), snapshot.scanned_all);
    for process in &mut snapshot.processes {
        process.rss = Kib(7);
    }
    jobs.push(job());
    scan(&mut snapshot, Whom::WhoMayGo);
    assert_eq!(at_last(&snapshot, own).map(|p| p.rss), Some(Kib(7)), "it may not go");
    assert!(at_last(&snapshot, first).is_some_and(|p| p.rss > Kib(7)));
    assert!(at_last(&snapshot, pid_of(&jobs[1])).is_some(), "it is new");
    assert!(snapshot.scanned > all && snapshot.scanned_all == all);
    jobs[1].kill().unwrap();
    jobs[1].wait().unwrap();
    scan(&mut snapshot, Whom::WhoMayGo);
    assert!(at_last(&snapshot, pid_of(&jobs[1])).is_none(), "it has ended");
    // Where births are not heard nothing is known of the others.
    snapshot.births_heard = false;
    scan(&mut snapshot, Whom::WhoMayGo);
    assert!(at_last(&snapshot, own).is_some_and(|p| p.rss > Kib(7)));
    jobs[0].kill().unwrap();
    jobs[0].wait().unwrap();
}

#[test]
fn of_very_many_who_may_go_the_largest_are_looked_at_always_and_the_others_in_turn() {
    let mut turns = Turns::new();
    let mut snapshot = Snapshot::default();
    for pid in 0..2000_i32 {
        let mib = if pid < 500 { 100 } else { 5 + u64::from(pid.unsigned_abs()) % 7 };
        snapshot.processes.push(of_size(pid + 10, Class::Expendable, mib));
    }
    snapshot.processes.push(of_size(9000, Class::Essential, 500));
    let mut looked_at = vec![0; 2000];
    for _ in 0..13 {
        let passed = turns.next(&snapshot, Moment(1_000_000_000), false);
        for (process, count) in snapshot.processes.iter().zip(&mut looked_at) {
            *count += u32::from(!passed.passes(process));
        }
        assert!(passed.passes(&snapshot.processes[2000]), "the shop's is not chosen from");
        let all = snapshot.processes.iter().filter(|p| !passed.passes(p)).count();
        assert!(all <= 2 * (passed::LARGEST + passed::IN_TURN), "{all}");
    }
    assert!(looked_at[..500].iter().all(|count| *count == 13));
    assert!(looked_at.iter().all(|count| *count > 0), "each has its turn");
}

#[test]
fn some_of_those_who_stand_still_are_looked_at_each_time_and_all_after_a_stop() {
    let began = Moment(100_000_000_000);
    let mut processes = Vec::new();
    for pid in 10..30 {
        let mut process = of_size(pid, Class::Expendable, if pid % 2 == 0 { 50 } else { 1 });
        process.paused = pid % 2 == 0;
        processes.push(process);
    }
    let mut newborn = of_size(30, Class::Expendable, 1);
    newborn.id.start_ticks = began.0 / 10_000_000;
    processes.extend([newborn, of_size(31, Class::Expendable, 50)]);
    let snapshot = Snapshot { processes, ..Snapshot::default() };
    let mut turns = Turns::new();
    let mut looks = |ms: u64, hasty: bool| -> Vec<u32> {
        let passed = turns.next(&snapshot, began.after(Duration::from_millis(ms)), hasty);
        snapshot.processes.iter().map(|p| u32::from(!passed.passes(p))).collect()
    };
    assert_eq!(looks(0, false), [1; 22], "of whom nothing is known yet");
    let mut sum_of = |times: &mut dyn Iterator<Item = u64>, hasty: bool| {
        let mut counts = vec![0; 22];
        for ms in times {
            let looked_at = looks(ms, hasty);
            assert!(looked_at[..20].iter().sum::<u32>() <= if hasty { 4 } else { 1 });
            counts.iter_mut().zip(&looked_at).for_each(|(count, looked_at)| *count += looked_at);
        }
        counts
    };
    let second = sum_of(&mut (1..=20).map(|nth| nth * 50), false);
    assert_eq!(second, [[1; 20].as_slice(), &[20, 20]].concat());
    let hasty = sum_of(&mut (1..=20).map(|nth| 1000 + nth * 50), true);
    assert_eq!(hasty, [[4; 20].as_slice(), &[20, 20]].concat());
    turns.look_at_all();
    let passed = turns.next(&snapshot, began.after(Duration::from_millis(2010)), false);
    assert!(snapshot.processes.iter().all(|process| !passed.passes(process)));
    // Whoever comes after a long time finds all of them waiting for their turn.
    let passed = turns.next(&snapshot, began.after(Duration::from_millis(3010)), false);
    assert!(snapshot.processes.iter().all(|process| !passed.passes(process)));
}

#[test]
fn whoever_was_stopped_and_is_still_in_the_kernel_waits_and_who_was_let_go_on_does_not() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("proc/4711");
    std::fs::create_dir_all(&folder).unwrap();
    let process = of_size(4711, Class::Expendable, 50);
    let looked_at = |pending: &str, stopped: &[ProcessId]| {
        let text = format!("Uid:\t0\t0\t0\t0\nSigPnd:\t0000000000000000\nShdPnd:\t{pending}\n");
        std::fs::write(folder.join("status"), text).unwrap();
        let mut proc = Proc::open(root.path()).unwrap();
        let now = look_whether_waiting(&mut proc, process, b'D', (&[], stopped));
        (now.paused, now.asked_to_end)
    };
    let (stop, stop_and_term) = ("0000000000040000", "0000000000044000");
    assert_eq!(looked_at(stop, &[process.id]), (true, false));
    assert_eq!(looked_at(stop_and_term, &[process.id]), (true, true));
    assert_eq!(looked_at("0000000000000000", &[process.id]), (false, false));
    assert_eq!(looked_at(stop, &[]), (false, false), "somebody else's stop shows when it stops");
}

#[test]
fn whom_an_expendable_forks_is_what_it_is_itself() {
    let parent = Process {
        comm: headroom_core::snapshot::Comm::new(b"job.sh"),
        uid: 1000,
        zones: 3,
        family: 77,
        oom_score_adj: Some(500),
        ..of_size(10, Class::Expendable, 1)
    };
    let child = Process { comm: parent.comm, parent: 10, ..of_size(11, Class::Normal, 0) };
    let forks = |child: Process, parent: Process| forked(child, Some(&parent), 42);
    let known = forks(child, parent).unwrap();
    assert_eq!((known.id.pid, known.class, known.uid), (11, Class::Expendable, 1000));
    assert_eq!((known.zones, known.oom_score_adj, known.family), (3, Some(500), 42));
    let of_unit = Process { family: 1 << 63 | 9, ..parent };
    assert_eq!(forks(child, of_unit).map(|p| p.family), Some(1 << 63 | 9));
    // Whoever may be somebody else is asked.
    let comm = headroom_core::snapshot::Comm::new(b"php");
    assert_eq!(forks(Process { comm, ..child }, parent), None);
    for class in [Class::Normal, Class::Essential, Class::System] {
        assert_eq!(forks(child, Process { class, ..parent }), None, "{class:?}");
    }
    assert_eq!(forks(child, Process { is_worker: true, ..parent }), None);
    assert_eq!(forked(child, None, 42), None);
}
