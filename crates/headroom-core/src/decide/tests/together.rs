//! Who waits together, and who does not.

use super::*;
use crate::action::{Because, Way};
use crate::cgroup::Cgroup;
use crate::policy::Zone;
use crate::snapshot::Pipes;

const UNIT: &[u8] = b"/system.slice/import.service";

/// A job that grows to 160 MiB, a little younger than the one of the pid before it.
fn job(pid: i32) -> Grower {
    let mut job = Grower { works: Some(Duration::from_secs(12)), ..growing(pid, 20, 160) };
    job.process.id.start_ticks += u64::try_from(pid).unwrap();
    job.process.family = u64::try_from(pid).unwrap();
    job
}

fn small(pid: i32, parent: i32) -> Grower {
    let mut small = still(pid, Class::Expendable, 3);
    small.process.parent = parent;
    small.process.family = u64::try_from(parent).unwrap();
    small
}

/// The shop, and jobs of which only the first ones fit.
fn node(more: impl IntoIterator<Item = Grower>) -> Node {
    let mut node = Node::new(shop());
    node.policy.permissive_memory_management = true;
    node.growers.extend((100..106).map(job));
    node.growers.extend(more);
    node.growers.sort_by_key(|g| g.process.id.pid);
    node
}

impl Node {
    fn of(&mut self, pid: i32) -> &mut Process {
        &mut self.growers.iter_mut().find(|g| g.process.id.pid == pid).unwrap().process
    }

    fn ways(&self, pid: i32) -> Vec<Way> {
        let of_it = self.verdicts().filter(|v| v.process.is_some_and(|p| p.id.pid == pid));
        of_it
            .filter_map(|v| match v.relief {
                Relief::Pause { way, .. } => Some(way),
                _ => None,
            })
            .collect()
    }

    fn stopped_with(&self, pid: i32) -> Vec<i32> {
        let mut pids: Vec<_> = self
            .log
            .iter()
            .filter_map(|a| match a {
                Action::StopToo { id, with } if with.pid == pid => Some(id.pid),
                _ => None,
            })
            .collect();
        pids.dedup();
        pids
    }
}

#[test]
fn a_job_with_a_unit_of_its_own_is_frozen_and_others_are_stopped() {
    let mut node = node([small(205, 105)]);
    for pid in [105, 205] {
        node.of(pid).cgroup = Cgroup::of(UNIT);
    }
    (100..105).for_each(|pid| node.of(pid).cgroup = Cgroup::of(b"/system.slice/cron.service"));
    node.run(5);
    assert_eq!(node.ways(105), [Way::Freeze], "what is small in it belongs to it");
    assert_eq!(node.ways(104), [Way::Stop], "five jobs in one unit are five jobs");
}

#[test]
fn one_of_many_in_a_unit_is_not_frozen_with_the_others_while_all_are_small() {
    let mut node = node([]);
    (100..106).for_each(|pid| node.of(pid).cgroup = Cgroup::of(UNIT));
    node.run(1);
    assert!(node.of(105).paused && node.of(105).rss < SMALLEST_JOB);
    assert_eq!(node.ways(105), [Way::Stop]);
    assert!(!node.of(100).paused, "the oldest runs");
}

#[test]
fn nothing_is_frozen_that_holds_what_must_not_wait() {
    let essential = || {
        let mut essential = still(300, Class::Essential, 5);
        essential.process.cgroup = Cgroup::of(UNIT);
        essential
    };
    let unit = |node: &mut Node, path: &[u8]| node.of(105).cgroup = Cgroup::of(path);
    let mut beside_the_shop = node([essential()]);
    unit(&mut beside_the_shop, UNIT);
    let mut in_a_slice = node([]);
    unit(&mut in_a_slice, b"/limited.slice");
    let mut in_a_zone = node([]);
    unit(&mut in_a_zone, UNIT);
    in_a_zone.policy.zones.push(Zone { cgroup: "system.slice/import.service".into() });
    in_a_zone.state.use_zones(1);
    let mut beside_a_protected = node([small(205, 1)]);
    unit(&mut beside_a_protected, UNIT);
    let protected = beside_a_protected.of(205);
    (protected.protected, protected.cgroup) = (true, Cgroup::of(UNIT));
    let nodes = [beside_the_shop, in_a_slice, in_a_zone, beside_a_protected];
    for (nth, mut node) in nodes.into_iter().enumerate() {
        node.run(5);
        assert_eq!(node.ways(105), [Way::Stop], "node {nth}");
    }
}

#[test]
fn children_wait_with_their_job_and_those_born_meanwhile_as_well() {
    let mut node = node([small(205, 105), small(206, 205), small(207, 100)]);
    node.run(5);
    assert!(node.of(105).paused);
    assert_eq!(node.stopped_with(105), [205, 206]);
    assert!(!node.of(207).paused, "its job runs");
    node.growers.push(small(208, 206));
    node.run(1);
    assert!(node.of(208).paused, "born while its family waits");
    node.run(200);
    assert!(node.finished.contains(&105));
    assert!(!node.of(205).paused && !node.of(208).paused, "they went on with it");
}

#[test]
fn both_ends_of_a_pipe_wait_and_go_on_together() {
    let mut node = node([]);
    (node.of(100).pipes.writes, node.of(105).pipes.reads) = (77, 77);
    node.run(5);
    assert_eq!(
        (node.of(100).paused, node.of(105).paused),
        (false, false),
        "the oldest runs, and its reader"
    );
    assert_eq!(node.ways(105), []);

    let mut node = self::node([]);
    (node.of(104).pipes.writes, node.of(105).pipes.reads) = (77, 77);
    node.run(200);
    let mut together = [0; 2];
    for action in &node.log {
        let Action::Relieve(v) = action else { continue };
        let Some(at) = v.process.map(|p| p.id.pid - 104).filter(|at| (0..2).contains(at)) else {
            continue;
        };
        together[usize::try_from(at).unwrap()] += match v.relief {
            Relief::Pause { .. } => 1,
            _ => -1,
        };
    }
    assert_eq!(together, [0, 0]);
    assert_eq!((node.finished.len(), node.slain()), (6, vec![]));
}

#[test]
fn a_pipe_that_all_children_of_a_script_inherited_joins_nobody() {
    let mut node = node([]);
    let mut tee = still(300, Class::Expendable, 2);
    tee.process.pipes.reads = 77;
    node.growers.push(tee);
    (100..106).for_each(|pid| node.of(pid).pipes = Pipes { reads: 0, writes: 77 });
    node.run(200);
    assert_eq!((node.finished.len(), node.slain()), (6, vec![]), "one after another");
}

#[test]
fn the_shell_of_a_job_in_the_foreground_is_stopped_first() {
    let mut shell = still(90, Class::Expendable, 4);
    shell.process.family = 105;
    let mut node = node([shell]);
    (node.of(105).parent, node.of(105).in_foreground) = (90, true);
    (node.of(104).parent, node.of(104).family) = (90, 105);
    node.run(5);
    let place = |what: &dyn Fn(&Action) -> bool| node.log.iter().position(what).unwrap();
    let stop =
        place(&|a| matches!(a, Action::StopToo { id, with } if id.pid == 90 && with.pid == 105));
    let pause = place(&|a| {
        matches!(a, Action::Relieve(Verdict { relief: Relief::Pause { .. }, process: Some(p), .. })
            if p.id.pid == 105)
    });
    assert!(stop < pause);
    assert_eq!(node.stopped_with(104), [0; 0], "nobody waits for what runs in the background");
}

#[test]
fn whoever_waits_with_a_job_that_its_owner_ends_goes_on() {
    let mut node = node([small(205, 105)]);
    node.run(5);
    assert!(node.of(105).paused && node.of(205).paused);
    node.growers.retain(|g| g.process.id.pid != 105);
    node.run(2);
    assert!(!node.of(205).paused);
}

#[test]
fn who_switches_pausing_off_has_nobody_wait_and_nobody_slain_for_having_waited() {
    let mut node = node([]);
    node.growers.truncate(3 + 5);
    node.run(5);
    assert!(node.growers.iter().any(|g| g.process.paused));
    // What they would take is there now.
    node.taken_else = Kib::ZERO;
    node.snapshot.memory.total = Kib::from_mib(4096);
    node.policy.permissive.pause_limit.0 = Duration::ZERO;
    node.run(5);
    assert!(node.growers.iter().all(|g| !g.process.paused));
    assert_eq!(node.slain(), Vec::<i32>::new());
}

#[test]
fn a_paused_job_that_is_asked_to_end_goes_on_so_that_it_can() {
    let mut node = node([]);
    node.run(5);
    assert!(node.of(105).paused);
    node.of(105).asked_to_end = true;
    node.run(1);
    assert!(!node.of(105).paused);
    assert!(node.verdicts().any(|v| {
        matches!(v.relief, Relief::Thaw { because: Because::Ended, .. })
            && v.process.is_some_and(|p| p.id.pid == 105)
    }));
}
