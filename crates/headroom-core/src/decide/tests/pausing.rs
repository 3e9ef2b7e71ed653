//! Pausing: jobs stacked on each other finish one after another.

use super::*;
use crate::policy::Zone;
use crate::snapshot::CgroupMemory;

/// A job of 160 MiB that grows at `mib_s`, works for twelve seconds and ends.
fn job(pid: i32, mib_s: u64) -> Grower {
    let mut job = Grower { works: Some(Duration::from_secs(12)), ..growing(pid, mib_s, 160) };
    job.process.id.start_ticks += u64::try_from(pid).unwrap();
    job
}

fn stack(jobs: i32, permissive: bool) -> Node {
    let mut node = Node::new(shop());
    node.policy.permissive_memory_management = permissive;
    for n in 0..jobs {
        node.growers.push(job(100 + n, 20));
    }
    node
}

fn counts(node: &Node) -> (usize, usize) {
    let of = |what: fn(&Relief) -> bool| node.verdicts().filter(|v| what(&v.relief)).count();
    (of(|r| matches!(r, Relief::Pause { .. })), of(|r| matches!(r, Relief::Thaw { .. })))
}

#[test]
fn ten_stacked_jobs_all_finish_and_memory_never_falls_under_the_floor() {
    let mut node = stack(10, true);
    node.run(200);
    assert_eq!((node.finished.len(), node.slain()), (10, vec![]), "{:?}", node.finished);
    assert_eq!(node.finished[0], 100, "the oldest first");
    let floor = node.policy.thresholds().floor_of(node.snapshot.memory.total);
    assert!(node.least_available >= floor, "{} left", node.least_available);
    let (pauses, thaws) = counts(&node);
    assert_eq!(pauses, thaws, "whoever was paused went on");
    assert!(pauses < 40, "no to and fro: {pauses} pauses");
    assert!(
        matches!(node.log.last(), Some(Action::Close { slain: 0, .. })),
        "{:?}",
        node.log.last()
    );
}

/// How long ten jobs take that begin together, in hundredths of what one of them takes alone.
fn hundredths(total_mib: u64, mib_s: u64, most_mib: u64) -> u128 {
    let mut node = stack(10, true);
    node.snapshot.memory.total = Kib::from_mib(total_mib);
    for grower in node.growers.iter_mut().filter(|g| g.works.is_some()) {
        (grower.kib_s, grower.most) = (mib_s * MIB, Kib::from_mib(most_mib));
    }
    let began = node.snapshot.at;
    while node.finished.len() < 10 {
        node.run(1);
        assert!(node.slain().is_empty(), "{:?}", node.slain());
    }
    let alone = Duration::from_millis(12_000 + (most_mib - 10) * 1000 / mib_s);
    node.snapshot.at.since(began).as_millis() * 100 / alone.as_millis()
}

#[test]
fn stacked_jobs_of_a_kind_run_beside_each_other_as_far_as_they_fit() {
    // Room is for two, for three and for five beside each other.
    for (total_mib, most) in [(1280, 520), (1536, 350), (2048, 235)] {
        let took = [hundredths(total_mib, 20, 160), hundredths(total_mib, 60, 160)];
        assert!(took.iter().all(|took| *took <= most), "{total_mib} MiB: {took:?}");
    }
    // All of the small ones would fit; that shows only when the first has what it needs.
    let small = hundredths(1536, 60, 30);
    assert!(small <= 150, "{small}");
}

#[test]
fn one_of_a_kind_whose_others_wait_is_stopped_before_it_grows() {
    let mut node = stack(10, true);
    node.run(30);
    let waits = node.growers.iter().filter(|g| g.process.paused);
    let waits: Vec<_> = waits.map(|g| g.process.rss).collect();
    assert!(waits.len() >= 5, "{waits:?}");
    let last = node.growers.last().unwrap().process;
    let mut late = job(200, 20);
    late.process.id.start_ticks = last.id.start_ticks + 3000;
    node.growers.push(late);
    node.run(1);
    let late = node.growers.last().unwrap().process;
    assert!(late.paused && late.rss < SMALLEST_JOB, "{late:?}");
}

#[test]
fn many_of_a_kind_that_begin_together_wait_while_they_are_small() {
    let mut node = stack(10, true);
    node.run(1);
    let waits: Vec<_> = node.growers.iter().filter(|g| g.process.paused).collect();
    let small = waits.iter().filter(|g| g.process.rss < SMALLEST_JOB).count();
    assert!(small >= 5, "{small} of {}", waits.len());
}

#[test]
fn who_is_known_to_stay_small_never_waits() {
    let mut node = Node::new(shop());
    node.policy.permissive_memory_management = true;
    // Ten come, and ten more when those are gone; ten times what is guessed of one is not there.
    let mut began_to_wait = Vec::new();
    for first in [100, 200] {
        for n in 0..10 {
            let mut small = job(first + n, 4);
            small.most = Kib::from_mib(12);
            small.works = Some(Duration::from_secs(3));
            small.process.id.start_ticks = node.snapshot.at.0 / 10_000_000;
            node.growers.push(small);
        }
        node.run(20);
        began_to_wait.push(counts(&node).0);
    }
    assert_eq!((node.finished.len(), node.slain()), (20, vec![]));
    assert!(began_to_wait[0] > 0, "nothing is known of the first");
    assert_eq!(began_to_wait[1], began_to_wait[0], "of the second it is");
}

#[test]
fn a_pause_tells_of_the_zone_that_is_too_small() {
    let mut node = stack(3, true);
    node.policy.zones.push(Zone { cgroup: "limited.slice".into() });
    node.state.use_zones(1);
    node.growers.iter_mut().filter(|g| g.process.id.pid >= 100).for_each(|g| g.process.zones = 1);
    // The machine has room for all three, their zone for one.
    let limit = Kib::from_mib(300);
    let zone =
        CgroupMemory { limit: Some(limit), current: Kib::from_mib(180), ..CgroupMemory::default() };
    node.snapshot.zones = alloc::vec![Some(zone)];
    node.run(2);
    let paused = node.verdicts().filter(|v| matches!(v.relief, Relief::Pause { .. }));
    let told: Vec<_> = paused.map(|v| (v.zone, v.measured.limit)).collect();
    assert!(!told.is_empty());
    assert!(told.iter().all(|told| *told == (ZoneIndex(1), limit)), "{told:?}");
}

#[test]
fn strict_lets_nobody_wait_for_ever() {
    let mut node = stack(10, false);
    node.run(200);
    assert_eq!(node.finished.len() + node.slain().len(), 10);
    assert!(node.finished.len() >= 6, "{:?} finished, {:?} slain", node.finished, node.slain());
    let limit = node.policy.thresholds().pause_limit.0;
    let longest = node.log.iter().filter_map(|a| match a {
        Action::Relieve(Verdict { relief: Relief::Thaw { waited, .. }, .. }) => Some(*waited),
        _ => None,
    });
    assert!(longest.max().unwrap_or_default() <= limit + Duration::from_secs(1));
}

#[test]
fn many_that_begin_at_once_are_watched_closely_however_much_room_there_is() {
    let first_wait = |jobs: i32| {
        let mut node = stack(jobs, true);
        node.snapshot.memory.total = Kib::from_mib(4096);
        node.sense();
        node.act()
    };
    assert!(first_wait(10) <= Duration::from_millis(100));
    assert_eq!(first_wait(2), SLOWEST, "one job and its shell");
}

#[test]
fn jobs_that_fit_together_are_left_alone() {
    let mut node = stack(2, true);
    node.growers.iter_mut().for_each(|g| g.most = g.most.min(Kib::from_mib(80)));
    node.run(60);
    assert_eq!((node.finished.len(), counts(&node)), (2, (0, 0)));
    assert_eq!(node.log, [], "nothing to say");
}

#[test]
fn a_job_larger_than_the_node_ends_as_fast_as_without_pausing() {
    let ends_after = |pausing: bool| {
        let mut node = Node::new(shop());
        if !pausing {
            node.policy.strict.pause_limit.0 = Duration::ZERO;
        }
        node.growers.push(growing(100, 100, 4000));
        let began = node.snapshot.at;
        while node.slain().is_empty() {
            let wait = node.act();
            node.pass(wait.min(Duration::from_millis(20)));
        }
        node.snapshot.at.since(began)
    };
    assert_eq!(ends_after(true), ends_after(false));
}

/// Six jobs that hold a lock for 30 of each 100 ms, or all the time.
fn lockers(locks_ms: u64) -> Node {
    let mut node = stack(6, true);
    node.growers.iter_mut().skip(3).for_each(|g| g.locks_ms = Some(locks_ms));
    node
}

#[test]
fn jobs_that_lock_now_and_then_wait_outside_their_locks() {
    let mut node = lockers(30);
    node.run(200);
    assert_eq!((node.finished.len(), node.slain()), (6, vec![]), "{:?}", node.finished);
    assert!(node.longest_lock > Duration::ZERO, "nobody was stopped inside a lock");
    assert!(node.longest_lock <= Duration::from_millis(60), "{:?}", node.longest_lock);
}

#[test]
fn without_an_agent_the_shop_waits_no_longer_than_it_takes_to_see_it() {
    let mut node = lockers(30);
    node.has_agent = false;
    node.run(200);
    assert_eq!((node.finished.len(), node.slain()), (6, vec![]), "{:?}", node.finished);
    assert!(node.longest_lock <= Duration::from_millis(160), "{:?}", node.longest_lock);
}

#[test]
fn who_never_lets_go_of_a_lock_is_never_kept_waiting_and_slain_in_its_turn() {
    let mut node = lockers(100);
    node.run(60);
    assert!(node.longest_lock <= Duration::from_millis(60), "{:?}", node.longest_lock);
    assert!(!node.slain().is_empty(), "what may not wait and does not fit is slain");
    let (pauses, _) = counts(&node);
    assert!(pauses < 100, "asked again and again: {pauses} pauses in a minute");
}

#[test]
fn a_paused_job_that_its_owner_ends_is_forgotten() {
    let mut node = stack(10, true);
    node.run(5);
    let paused: Vec<_> =
        node.growers.iter().filter(|g| g.process.paused).map(|g| g.process.id.pid).collect();
    assert!(!paused.is_empty());
    node.growers.retain(|g| !g.process.paused);
    node.run(60);
    assert_eq!(node.state.open_incident(), None);
    let told = node.log.iter().filter(|a| {
        matches!(a, Action::Tell(o) if o.ending == Ending::Vanished && paused.contains(&o.process.id.pid))
    });
    assert_eq!(told.count(), paused.len());
}

/// The guard was killed; the next one is told who waits.
fn killed(node: &mut Node) -> Vec<ProcessId> {
    let waits = node.growers.iter().filter(|g| g.process.paused).map(|g| g.process.id);
    let waits: Vec<_> = waits.collect();
    node.state = State::new(0, 0);
    let since = node.snapshot.at;
    for id in &waits {
        node.state.take_over(Left { id: *id, since, on_trial: false });
    }
    waits
}

#[test]
fn the_next_guard_takes_over_who_waits_and_all_finish_in_their_turn() {
    let mut node = stack(10, true);
    node.run(8);
    let waits = killed(&mut node);
    assert!(waits.len() >= 4, "{waits:?}");
    node.scan();
    node.act();
    assert!(!node.state.takes_over());
    let held = waits.iter().filter(|id| node.state.holds(**id)).count();
    assert!(held + 1 >= waits.len(), "not all are woken at once: {held} of {}", waits.len());
    let opened = node.log.iter().rev().find(|a| matches!(a, Action::Open { .. }));
    assert!(matches!(opened, Some(Action::Open { trigger: Trigger::TakenOver, .. })), "{opened:?}");
    node.run(200);
    assert_eq!((node.finished.len(), node.slain()), (10, vec![]), "{:?}", node.finished);
    let floor = node.policy.thresholds().floor_of(node.snapshot.memory.total);
    assert!(node.least_available >= floor, "{} left", node.least_available);
    assert_eq!(node.state.open_incident(), None);
}

#[test]
fn who_does_not_wait_any_more_is_not_taken_over() {
    let mut node = stack(3, true);
    node.growers[3].process.paused = true;
    killed(&mut node);
    node.growers[3].process.paused = false;
    let gone = ProcessId { pid: 4711, start_ticks: 9 };
    node.state.take_over(Left { id: gone, since: node.snapshot.at, on_trial: false });
    assert!(node.state.takes_over());
    node.scan();
    node.act();
    assert!(!node.state.takes_over() && !node.state.holds(gone));
    node.run(100);
    assert_eq!((node.finished.len(), node.slain()), (3, vec![]));
}

#[test]
fn who_waits_is_not_taken_over_where_pausing_was_switched_off() {
    let mut node = stack(3, true);
    node.growers[3].process.paused = true;
    let waits = killed(&mut node);
    node.policy.permissive.pause_limit.0 = Duration::ZERO;
    node.scan();
    node.act();
    assert!(!node.state.takes_over() && !node.state.holds(waits[0]));
}

#[test]
fn a_job_that_somebody_else_stopped_is_not_ours_to_wake() {
    let mut node = stack(3, true);
    node.growers[3].process.paused = true;
    node.run(100);
    assert!(node.growers.iter().any(|g| g.process.id.pid == 100 && g.process.paused));
    assert_eq!(node.finished.len(), 2);
}

#[test]
fn what_a_kind_took_before_is_known_the_next_time() {
    let mut node = stack(1, true);
    node.run(60);
    let before = node.log.len();
    for n in 0..5 {
        node.growers.push(job(200 + n, 20));
    }
    node.run(10);
    // Three of 160 MiB fit into what there is and the other two do not: known as soon as they are seen.
    let needs: Vec<_> = node.log[before..]
        .iter()
        .filter_map(|a| match a {
            Action::Relieve(Verdict { relief: Relief::Pause { need, .. }, .. }) => Some(*need),
            _ => None,
        })
        .collect();
    assert!(needs.first().is_some_and(|n| *n > Kib::from_mib(100)), "{needs:?}");
}

#[test]
fn nobody_waits_for_one_that_gives_back_what_it_had() {
    let mut node = stack(2, true);
    node.run(60);
    assert_eq!(node.finished.len(), 2, "what they take is known");
    for n in 0..2 {
        node.growers.push(Grower { works: None, ..job(200 + n, 60) });
    }
    node.run(10);
    let before = node.log.len();
    let small = Kib::from_mib(20);
    let ends = node.growers.iter_mut().find(|g| g.process.id.pid == 200).unwrap();
    (ends.process.rss, ends.process.gives_back, ends.kib_s, ends.most) = (small, small, 0, small);
    node.sense();
    // Less is left than it gave back, and more than any of them needs yet.
    let left = node.policy.thresholds().admission_floor_of(node.snapshot.memory.total);
    let left = left.saturating_add(Kib::from_mib(80));
    let more = node.snapshot.memory.available.saturating_sub(left);
    node.taken_else = node.taken_else.saturating_add(more);
    node.run(2);
    let is_pause =
        |a: &&Action| matches!(a, Action::Relieve(Verdict { relief: Relief::Pause { .. }, .. }));
    assert_eq!(node.log[before..].iter().find(is_pause), None);
}

#[test]
fn a_protected_job_is_not_paused_and_goes_on_if_it_was() {
    let mut node = stack(10, true);
    node.run(2);
    let held = node.growers.iter_mut().rfind(|g| g.process.paused).unwrap();
    held.process.protected = true;
    let pid = held.process.id.pid;
    let before = node.log.len();
    node.run(60);
    assert!(node.finished.contains(&pid), "{:?}", node.finished);
    let pauses = node.log[before..].iter().filter(|a| {
        matches!(a, Action::Relieve(Verdict { relief: Relief::Pause { .. }, process: Some(p), .. })
            if p.id.pid == pid)
    });
    assert_eq!(pauses.count(), 0);
}

#[test]
fn a_job_that_could_not_be_let_go_on_is_tried_again() {
    let mut node = stack(6, true);
    let (mut refused, mut thawed) = (Vec::new(), Vec::new());
    for _ in 0..6000 {
        let wait = node.act();
        let thaws: Vec<_> = node
            .actions
            .iter()
            .filter_map(|a| match a {
                Action::Relieve(Verdict { relief: Relief::Thaw { .. }, process, .. }) => *process,
                _ => None,
            })
            .collect();
        for process in thaws {
            if refused.contains(&process.id) {
                thawed.push(process.id);
                continue;
            }
            // The kernel refuses once.
            refused.push(process.id);
            node.growers.iter_mut().filter(|g| g.process.id == process.id).for_each(|g| {
                g.process.paused = true;
            });
            node.state.report(process.id, Report::Refused, node.snapshot.at);
        }
        node.pass(wait.min(Duration::from_millis(50)));
    }
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|id| thawed.contains(id)), "{refused:?} {thawed:?}");
    assert_eq!(node.finished.len(), 6);
}

#[test]
fn right_after_a_pause_on_trial_the_guard_looks_again_soon_and_then_more_rarely() {
    let mut node = Node::new(shop());
    for n in 0..6 {
        node.growers.push(growing(100 + n, 20, 160));
    }
    while !node.state.admission.holds_any() {
        node.act();
        node.pass(Duration::from_millis(20));
    }
    let now = node.snapshot.at;
    assert_eq!(node.state.patience(now), Duration::MAX, "none could hold a lock");
    let held = node.growers.iter().find(|g| g.process.paused).unwrap().process.id;
    node.state.report(held, Report::OnTrial, now);
    assert_eq!(node.state.patience(now), ON_YOUNG_TRIAL);
    assert_eq!(node.state.patience(now.after(Duration::from_secs(1))), Duration::MAX);
}
