//! Many small ones, workers of the shop's own, and memory that goes where no signal reaches.

use super::*;

/// A process of a family that has next to nothing.
fn small(pid: i32, family: u64) -> Grower {
    let mut grower = still(pid, Class::Expendable, 5);
    grower.process.family = family;
    grower
}

/// A worker of php-fpm.
fn worker(pid: i32, pool: &str, mib: u64) -> Grower {
    let mut grower = still(pid, Class::Essential, mib);
    grower.process.is_worker = true;
    grower.process.command = crate::snapshot::CommandLine::new(pool.as_bytes());
    grower
}

fn reliefs(node: &Node) -> Vec<Relief> {
    node.verdicts().map(|v| v.relief).collect()
}

#[test]
fn a_swarm_of_small_ones_ends_as_one_and_nobody_else_does() {
    let mut node = Node::new(shop());
    for n in 0..120 {
        node.growers.push(small(100 + n, 77));
    }
    node.growers.push(small(300, 78));
    node.run(10);
    assert!(matches!(reliefs(&node)[..], [Relief::KillFamily { members: 120, .. }]));
    let left: Vec<_> = node.growers.iter().map(|g| g.process.id.pid).collect();
    assert_eq!(left, [10, 11, 12, 300]);
    assert!(node.log.iter().any(|a| matches!(
        a,
        Action::Tell(o) if o.ending == Ending::Gone && o.gives_back == Kib::from_mib(600)
    )));
}

#[test]
fn those_born_while_their_family_ends_end_too() {
    let mut node = Node::new(shop());
    for n in 0..120 {
        node.growers.push(small(100 + n, 77));
    }
    node.act();
    node.pass(Duration::from_millis(5));
    node.growers.extend((0..10).map(|n| small(400 + n, 77)));
    node.run(10);
    assert_eq!(node.growers.len(), 3, "the shop alone is left");
}

#[test]
fn a_few_small_ones_beside_a_large_one_are_no_swarm() {
    let mut growers = shop();
    growers.extend((0..20).map(|n| small(100 + n, 77)));
    growers.push(growing(200, 100, 4000));
    let mut node = Node::new(growers);
    node.run(10);
    assert_eq!(node.slain(), [200]);
    assert_eq!(node.growers.len(), 23);
}

#[test]
fn a_swarm_takes_no_large_one_of_its_family_along_and_none_that_waits() {
    let mut node = Node::new(vec![still(10, Class::Essential, 120)]);
    node.snapshot.memory.total = Kib::from_mib(4096);
    node.taken_else = Kib::from_mib(2600);
    // From one shell: 160 small ones, and large ones that together are no relief at once.
    node.growers.extend((0..160).map(|n| small(100 + n, 77)));
    for pid in 300..303 {
        let mut job = still(pid, Class::Expendable, 80);
        job.process.family = 77;
        node.growers.push(job);
    }
    let mut waiting = small(310, 77);
    waiting.process.paused = true;
    node.growers.push(waiting);
    node.policy.strict.pause_limit.0 = Duration::ZERO;
    node.sense();
    node.run(3);
    assert!(matches!(reliefs(&node)[..], [Relief::KillFamily { members: 160, .. }]));
    let left: Vec<_> = node.growers.iter().map(|g| g.process.id.pid).collect();
    assert_eq!(left, [10, 300, 301, 302, 310]);
}

#[test]
fn large_ones_from_one_shell_are_no_swarm_and_go_one_by_one() {
    let mut node = Node::new(vec![still(10, Class::Essential, 120)]);
    node.snapshot.memory.total = Kib::from_mib(8192);
    node.taken_else = Kib::from_mib(7250);
    for pid in 300..305 {
        let mut job = still(pid, Class::Expendable, 122);
        job.process.family = 77;
        job.process.paused = pid > 302;
        node.growers.push(job);
    }
    node.policy.strict.pause_limit.0 = Duration::ZERO;
    node.sense();
    node.act();
    assert!(
        matches!(reliefs(&node)[..], [Relief::Terminate | Relief::Kill]),
        "{:?}",
        reliefs(&node)
    );
    assert_eq!(node.ending_at.len(), 1);
}

#[test]
fn a_rule_may_ask_for_the_whole_family() {
    let mut node = Node::new(shop());
    for pid in 100..103 {
        let mut job = growing(pid, 40, 4000);
        (job.process.family, job.process.slay_family) = (9, true);
        node.growers.push(job);
    }
    node.policy.strict.pause_limit.0 = Duration::ZERO;
    node.run(20);
    assert!(matches!(reliefs(&node)[..], [Relief::KillFamily { members: 3, .. }]));
    assert_eq!(node.growers.len(), 3);
}

#[test]
fn a_worker_far_above_the_shops_own_is_trimmed_when_nothing_else_is_left() {
    let mut node = Node::new(vec![still(10, Class::Essential, 420)]);
    node.growers.extend((20..24).map(|pid| worker(pid, "php-fpm: pool www", 12)));
    node.growers.extend((30..40).map(|pid| worker(pid, "php-fpm: pool campaign", 62)));
    node.run(10);
    let trimmed: Vec<_> = node.verdicts().filter(|v| v.process.is_some()).collect();
    assert!(!trimmed.is_empty());
    for verdict in trimmed {
        assert_eq!(verdict.relief, Relief::Trim { usual: Kib::from_mib(12) });
        assert!(verdict.process.is_some_and(|p| (30..40).contains(&p.id.pid)));
    }
    assert!(node.snapshot.memory.available >= Kib::from_mib(77));
    assert!(node.growers.len() > 10, "no more than needed");
}

#[test]
fn no_request_is_lost_to_pages_read_again_while_memory_is_left() {
    let storm = |others: u64, worker_mib: u64| {
        let mut node = Node::new(vec![still(10, Class::Essential, others)]);
        node.growers.extend((20..24).map(|pid| worker(pid, "php-fpm: pool www", 6)));
        node.growers.push(worker(30, "php-fpm: pool www", worker_mib));
        node.snapshot.vm.refault_file = Some(0);
        for _ in 0..100 {
            node.pass(Duration::from_millis(20));
            node.snapshot.pressure.get_or_insert_default().some_total_us += 12_000;
            *node.snapshot.vm.refault_file.get_or_insert(0) += 1000;
            node.act();
        }
        reliefs(&node).iter().filter(|relief| matches!(relief, Relief::Trim { .. })).count()
    };
    let (full, trimmed) = (1000, 1);
    assert_eq!(storm(full, 60), trimmed, "the floor is reached");
    assert_eq!(storm(full, 14), 0, "and 14 MiB are not worth a request");
    assert_eq!(storm(750, 60), 0, "nor is any of them while memory is left");
}

#[test]
fn workers_like_each_other_are_the_shop_and_stay() {
    let mut node = Node::new(vec![still(10, Class::Essential, 420)]);
    node.growers.extend((20..30).map(|pid| worker(pid, "php-fpm: pool www", 66)));
    node.run(10);
    assert_eq!(reliefs(&node), [Relief::Nothing]);
    assert_eq!(node.growers.len(), 11);
}

#[test]
fn relief_that_gives_nothing_back_rests_and_says_so() {
    let mut node = Node::new(shop());
    node.policy.strict.pause_limit.0 = Duration::ZERO;
    node.growers.extend((100..140).map(|pid| still(pid, Class::Expendable, 10)));
    let end = node.snapshot.at.after(Duration::from_secs(4));
    while node.snapshot.at < end {
        let wait = node.act();
        node.pass(wait.min(Duration::from_millis(15)));
        // A tmpfs takes all there is, whoever ends.
        node.snapshot.memory.available = Kib::from_mib(60);
    }
    let slain = node.slain().len();
    assert!((5..=8).contains(&slain), "{slain} in four seconds");
    assert!(reliefs(&node).contains(&Relief::Useless { ends: 5 }));
}

#[test]
fn whoever_is_on_its_way_out_is_waited_for() {
    let mut growers = shop();
    growers.push(still(100, Class::Expendable, 350));
    let mut other = still(101, Class::Expendable, 200);
    other.process.ending = true;
    growers.push(other);
    let mut node = Node::new(growers);
    for _ in 0..10 {
        node.act();
        node.pass(Duration::from_millis(20));
    }
    assert_eq!(node.slain(), [0; 0], "somebody else's victim is ending");
    node.growers.pop();
    node.sense();
    node.run(2);
    assert_eq!(node.slain(), [0; 0], "and that was enough");
}

#[test]
fn with_swap_a_floor_that_is_reached_at_rest_is_no_reason_and_a_moving_one_is() {
    let storm = |refaults: u64| {
        let mut node = Node::new(shop());
        node.growers.push(still(100, Class::Expendable, 500));
        node.snapshot.memory.swap_free = Kib::from_mib(900);
        node.snapshot.vm.refault_anon = Some(0);
        for _ in 0..100 {
            node.pass(Duration::from_millis(20));
            *node.snapshot.vm.refault_anon.get_or_insert(0) += refaults / 50;
            node.act();
        }
        node.slain()
    };
    assert_eq!(storm(0), [0; 0]);
    assert_eq!(storm(1000), [100]);
}

#[test]
fn what_the_list_had_no_room_for_ends_without_another_scan() {
    let mut node = Node::new(shop());
    for n in 0..120 {
        node.growers.push(small(100 + n, 77));
    }
    for _ in 0..50 {
        node.act();
        if !reliefs(&node).is_empty() {
            break;
        }
        node.pass(Duration::from_millis(20));
    }
    let mut ended = 0;
    for _ in 0..8 {
        let told = node.actions.iter().filter(|a| matches!(a, Action::EndToo { .. })).count();
        ended += told;
        if node.actions.len() < node.actions.capacity() {
            break;
        }
        // Whoever was sent its signal is on its way out, as the guard notes it.
        for process in &mut node.snapshot.processes {
            process.ending |= node.ending_at.iter().any(|(id, _)| *id == process.id);
        }
        decide(&mut node.state, &node.snapshot, &node.policy, &mut node.actions);
        assert!(!node.actions.iter().any(Action::is_scan));
        node.carry_out();
    }
    let reliefs = reliefs(&node);
    assert!(matches!(reliefs[..], [Relief::KillFamily { members: 120, .. }]), "{reliefs:?}");
    assert_eq!(ended, 119, "and the one that is waited for");
}
