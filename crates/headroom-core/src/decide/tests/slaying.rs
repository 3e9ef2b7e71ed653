//! Slaying: who goes, when, and that the shop never does.

use super::*;
use crate::snapshot::CgroupMemory;

#[test]
fn a_runaway_is_ended_and_the_shop_is_not() {
    let mut node = Node::new(shop());
    node.growers.push(growing(100, 200, 4000));
    node.run(20);
    assert_eq!(node.slain(), [100]);
    assert!(node.growers.iter().any(|g| g.process.id.pid == 10));
    let opened = node.log.iter().filter(|a| matches!(a, Action::Open { .. })).count();
    let closed: Vec<_> = node
        .log
        .iter()
        .filter_map(|a| match a {
            Action::Close { slain, .. } => Some(*slain),
            _ => None,
        })
        .collect();
    assert_eq!((opened, closed), (1, vec![1]));
}

#[test]
fn memory_never_runs_out_before_relief_comes() {
    for mib_s in [10, 50, 200, 400] {
        let mut node = Node::new(shop());
        node.growers.push(growing(100, mib_s, 4000));
        let mut least = Kib(u64::MAX);
        while node.growers.len() > 3 {
            let wait = node.act();
            node.pass(wait.min(Duration::from_millis(15)));
            least = least.min(node.snapshot.memory.available);
        }
        assert!(least > Kib::from_mib(64), "{mib_s} MiB/s: {least} left");
    }
}

#[test]
fn of_stacked_jobs_the_youngest_go_and_the_oldest_finishes() {
    let mut node = Node::new(shop());
    node.policy.strict.pause_limit.0 = Duration::ZERO;
    for n in 0..10 {
        let mut job = growing(100 + n, 7, 160);
        job.process.id.start_ticks += u64::try_from(n).unwrap();
        node.growers.push(job);
    }
    node.run(60);
    let slain = node.slain();
    assert!(!slain.contains(&100), "the oldest finishes: {slain:?}");
    assert!(slain.len() < 9, "no more than needed: {slain:?}");
    assert_eq!(slain[0], 109, "the youngest goes first");
}

#[test]
fn nothing_is_done_at_rest_and_looking_is_rare() {
    let mut node = Node::new(shop());
    node.growers.push(still(100, Class::Expendable, 100));
    let wait = node.act();
    assert!(wait >= Duration::from_millis(500), "{wait:?}");
    node.run(30);
    assert!(node.log.iter().all(|a| matches!(a, Action::SetScore { .. })), "{:?}", node.log);
}

/// How often a node was scanned in half a minute in which `each` happens to it at every look.
fn scans(births_heard: bool, mut each: impl FnMut(&mut Node)) -> usize {
    let mut node = Node::new(shop());
    node.snapshot.births_heard = births_heard;
    let mut scans = 0;
    let end = node.snapshot.at.after(Duration::from_secs(30));
    while node.snapshot.at < end {
        let before = node.snapshot.scanned;
        let wait = node.act();
        scans += usize::from(node.snapshot.scanned != before);
        node.pass(wait);
        each(&mut node);
    }
    scans
}

#[test]
fn a_node_at_rest_is_scanned_rarely_where_births_are_heard_and_soon_when_memory_moves() {
    // At the first look after a second.
    assert!((15..=31).contains(&scans(false, |_| {})), "each second without");
    assert!(scans(true, |_| {}) <= 4);
    assert!(
        scans(true, |node| node.snapshot.nameless = true) >= 15,
        "somebody's class is not known yet"
    );
    let mut nth = 0;
    let moves = |node: &mut Node| {
        nth += 1;
        let free = if nth % 2 == 0 { 690 } else { 650 };
        node.snapshot.memory.available = Kib::from_mib(free);
    };
    assert!(scans(true, moves) >= 12, "soon");
    // A job that is kept track of is looked at each second: how long it ran is to be known.
    let watched = scans(true, |node| {
        if node.growers.len() == 3 {
            node.growers.push(still(100, Class::Expendable, 100));
        }
    });
    assert!(watched >= 12, "{watched}");
}

#[test]
fn the_deaf_are_killed_after_the_grace_and_the_stuck_do_not_hold_up_relief() {
    let mut node = Node::new(shop());
    node.growers.push(Grower { deaf: true, ..growing(100, 20, 470) });
    node.run(30);
    let signals: Vec<_> = node.verdicts().map(|v| v.relief).collect();
    assert_eq!(signals, [Relief::Terminate, Relief::Kill]);

    let mut node = Node::new(shop());
    node.growers.push(Grower { stuck: true, ..growing(100, 100, 400) });
    node.growers.push(growing(101, 20, 4000));
    node.run(30);
    assert!(node.slain().contains(&101), "{:?}", node.slain());
    assert!(node.log.iter().any(|a| matches!(
        a,
        Action::Tell(o) if o.ending == Ending::Stuck && o.process.id.pid == 100
    )));
}

#[test]
fn when_nobody_may_go_it_is_said_once_and_not_every_time() {
    let mut node = Node::new(shop());
    node.taken_else = Kib::from_mib(700);
    node.growers.push(still(100, Class::Expendable, 2));
    node.run(9);
    let verdicts: Vec<_> = node.verdicts().collect();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    assert_eq!((verdicts[0].relief, verdicts[0].process), (Relief::Nothing, None));
}

#[test]
fn kernel_kills_at_the_policys_rate_call_for_relief_though_memory_looks_free() {
    let mut node = Node::new(shop());
    node.growers.push(still(100, Class::Expendable, 300));
    node.snapshot.vm.oom_kill = Some(7);
    node.run(3);
    assert_eq!(node.slain(), [0; 0], "old kills are no reason");
    node.snapshot.vm.oom_kill = Some(8);
    node.run(3);
    assert_eq!(node.slain(), [0; 0], "one is under the strict rate of two");
    node.snapshot.vm.oom_kill = Some(10);
    node.run(3);
    assert_eq!(node.slain(), [100]);
    assert_eq!(node.verdicts().next().map(|v| v.trigger), Some(Trigger::Kills));
}

#[test]
fn what_a_look_at_a_node_at_rest_shows_is_known_after_the_scan_as_well() {
    let mut node = Node::new(shop());
    node.growers.push(still(100, Class::Expendable, 300));
    node.snapshot.vm.oom_kill = Some(7);
    node.act();
    // Longer than a second since the last look, and the choice needs a scan.
    node.pass(Duration::from_millis(1100));
    node.snapshot.vm.oom_kill = Some(10);
    node.act();
    assert_eq!(node.slain(), [100]);
}

#[test]
fn a_protected_job_outlives_every_other() {
    let mut node = Node::new(shop());
    let mut job = still(100, Class::Expendable, 400);
    job.process.protected = true;
    node.growers.push(job);
    node.growers.push(still(101, Class::Expendable, 60));
    node.growers.push(growing(102, 200, 900));
    node.run(30);
    assert!(!node.slain().is_empty() && !node.slain().contains(&100), "{:?}", node.slain());
    assert!(rank(&node.snapshot, ZoneIndex::ROOT, node.policy.thresholds()).is_empty());
    assert!(node.growers.iter().any(|g| g.process.id.pid == 100));
}

#[test]
fn thrashing_needs_both_stall_and_refaults() {
    let storm = |job: u64, stall_ms: u64, refaults: u64| {
        let mut node = Node::new(shop());
        node.growers.push(still(100, Class::Expendable, job));
        for _ in 0..100 {
            node.pass(Duration::from_millis(20));
            let pressure = node.snapshot.pressure.get_or_insert_default();
            pressure.some_total_us += stall_ms * 20;
            *node.snapshot.vm.refault_file.get_or_insert(0) += refaults / 50;
            node.act();
        }
        node.slain()
    };
    assert_eq!(storm(300, 600, 5000), [100]);
    assert_eq!(storm(300, 600, 100), [0; 0]);
    assert_eq!(storm(300, 10, 5000), [0; 0]);
    assert_eq!(storm(60, 600, 5000), [0; 0], "a reader goes through a large cache");
}

#[test]
fn what_the_kernel_does_not_show_is_no_reason_to_act() {
    let mut node = Node::new(shop());
    node.growers.push(still(100, Class::Expendable, 300));
    node.snapshot.pressure = None;
    node.snapshot.vm = crate::snapshot::VmCounters::default();
    node.run(5);
    assert_eq!(node.slain(), [0; 0]);
    node.snapshot.pressure = Some(Pressure { some_total_us: 1 << 40, ..Pressure::default() });
    node.run(1);
    assert_eq!(node.slain(), [0; 0], "a counter that jumps while refaults are unknown");
}

#[test]
fn a_clock_that_jumps_back_stops_nothing() {
    let mut node = Node::new(shop());
    node.growers.push(growing(100, 50, 4000));
    node.act();
    node.snapshot.at = Moment(node.snapshot.at.0 - 5_000_000_000);
    node.run(40);
    assert_eq!(node.slain(), [100]);
}

#[test]
fn scores_are_set_once_after_a_scan_and_never_for_oneself() {
    let mut node = Node::new(vec![still(10, Class::Essential, 400)]);
    node.growers[0].process.oom_score_adj = Some(0);
    let mut own = still(2, Class::Expendable, 1);
    own.process.oom_score_adj = Some(0);
    node.growers.push(own);
    node.act();
    let id = node.growers[0].process.id;
    assert_eq!(node.log, [Action::SetScore { id, value: -999 }]);
}

#[test]
fn a_kernel_kill_for_a_zones_own_limit_is_the_zones_business_alone() {
    let mut node = Node::new(shop());
    node.state = State::new(1, 0);
    node.growers.push(still(100, Class::Expendable, 300));
    let mut in_zone = still(101, Class::Expendable, 40);
    in_zone.process.zones = 1;
    node.growers.push(in_zone);
    node.sense();
    // The zone has room again: that is what the kernel killed for.
    let zone = |kills| {
        let limit = Some(Kib::from_mib(400));
        let oom_kill = Some(kills);
        vec![Some(CgroupMemory {
            limit,
            current: Kib::from_mib(40),
            oom_kill,
            ..Default::default()
        })]
    };
    (node.snapshot.vm.oom_kill, node.snapshot.zones) = (Some(7), zone(2));
    node.run(2);
    (node.snapshot.vm.oom_kill, node.snapshot.zones) = (Some(9), zone(4));
    node.run(3);
    let zones: Vec<_> = node.verdicts().map(|v| v.zone).collect();
    assert_eq!((node.slain(), zones), (vec![101], vec![ZoneIndex(1)]));
}

#[test]
fn whoever_could_not_be_signalled_is_asked_again_and_the_others_have_their_turn_meanwhile() {
    let mut node = Node::new(vec![still(10, Class::Essential, 420)]);
    node.policy.strict.pause_limit.0 = Duration::ZERO;
    // Two that are protected for a moment, and a third that gives back less.
    node.growers.push(still(100, Class::Expendable, 300));
    node.growers.push(still(101, Class::Expendable, 250));
    node.growers.push(still(102, Class::Expendable, 60));
    node.taken_else = Kib::from_mib(200);
    let refused = [100, 101];
    let began = node.snapshot.at;
    let mut asked = Vec::new();
    while node.snapshot.at.since(began) < Duration::from_secs(8) {
        let wait = node.act();
        let verdicts = node.actions.iter().filter_map(|a| match a {
            Action::Relieve(v) => v.process.filter(|p| refused.contains(&p.id.pid)).map(|p| p.id),
            _ => None,
        });
        let verdicts: Vec<_> = verdicts.collect();
        for id in verdicts {
            asked.push((id.pid, node.snapshot.at.since(began).as_secs()));
            node.ending_at.retain(|(ending, _)| *ending != id);
            node.growers.iter_mut().filter(|g| g.process.id == id).for_each(|g| {
                g.process.ending = false;
            });
            node.state.report(id, Report::Refused, node.snapshot.at);
        }
        node.pass(wait.min(Duration::from_millis(15)));
    }
    assert_eq!(asked, [(101, 0), (100, 0), (101, 5), (100, 5)]);
    assert!(!node.growers.iter().any(|g| g.process.id.pid == 102), "the third went meanwhile");
}

#[test]
fn kernel_kills_are_answered_by_one_end_until_there_are_more() {
    let mut node = Node::new(shop());
    node.growers.extend((100..104).map(|pid| still(pid, Class::Expendable, 60)));
    node.sense();
    node.snapshot.vm.oom_kill = Some(7);
    node.run(2);
    node.snapshot.vm.oom_kill = Some(9);
    node.run(3);
    assert_eq!(node.slain(), [103], "the memory came back and the kernel kills no more");
    node.snapshot.vm.oom_kill = Some(11);
    node.run(3);
    assert_eq!(node.slain(), [103, 102]);
}

/// How long a shop with some 400 MiB above the floor is left alone after a few looks.
fn paces(births_heard: bool, kib_s: u64) -> Duration {
    let mut node = Node::new(shop());
    node.snapshot.births_heard = births_heard;
    let most = Kib::from_mib(4000);
    node.growers.push(Grower { kib_s, most, ..still(100, Class::Normal, 50) });
    let room = node.snapshot.memory.available.saturating_sub(Kib::from_mib(520));
    node.taken_else = node.taken_else.saturating_add(room);
    node.sense();
    for _ in 0..8 {
        let wait = node.act();
        node.pass(wait.min(Duration::from_millis(500)));
    }
    node.act()
}

#[test]
fn a_node_at_rest_is_looked_at_less_often_than_one_that_fills() {
    assert_eq!(paces(true, 0), SLOWEST);
    assert!(paces(false, 0) < SLOWEST, "whoever is born meanwhile would not be heard of");
    assert!(paces(true, 4096) < SLOWEST);
}
