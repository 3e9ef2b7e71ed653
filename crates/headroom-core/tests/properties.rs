//! What holds in every storm, whoever is in it: the real `decide` against nodes and jobs made up by
//! chance.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is a test as a whole")]

use std::collections::BTreeSet;
use std::time::Duration;

use headroom_core::action::{Action, Ending, Relief, Verdict};
use headroom_core::policy::{Class, Layer, Policy};
use headroom_core::replay::{Actor, Deed, Ground, Path, Point, Storm, Then, World};
use headroom_core::snapshot::{
    CgroupMemory, Comm, CommandLine, Memory, Moment, Process, ProcessId, VmCounters, ZoneIndex,
};
use headroom_core::units::Kib;
use proptest::prelude::*;

const BEGIN: u64 = 1_000_000_000_000;
/// All growth ends within this ...
const GROWTH: Duration = Duration::from_secs(150);
/// ... and whoever waits for room waits no longer than a minute, by the policies used here: within that
/// many times as long even those are dealt with who have to be slain for it one after another.
const LONGEST: Duration = Duration::from_secs(180);

/// One job: what it grows to and how, when it comes, how it takes signals.
#[derive(Clone, Debug)]
struct Job {
    class: Class,
    born_ms: u64,
    age_s: u64,
    from_mib: u64,
    mib_s: u64,
    most_mib: u64,
    works_s: u64,
    ends: bool,
    deaf: bool,
    stuck: bool,
    holds_lock: bool,
    in_zone: bool,
    kind: u8,
}

#[derive(Clone, Debug)]
struct Plan {
    permissive: bool,
    total_mib: u64,
    shop_percent: u64,
    zone_percent: Option<u64>,
    jobs: Vec<Job>,
}

prop_compose! {
    fn job()(
        class in prop_oneof![
            4 => Just(Class::Expendable), 1 => Just(Class::Normal),
            1 => Just(Class::Essential), 1 => Just(Class::System),
        ],
        born_ms in 0..30_000_u64, age_s in 0..400_u64, from_mib in 0..60_u64, mib_s in 0..400_u64,
        most_mib in 1..900_u64, works_s in 0..40_u64, ends in prop::bool::weighted(0.8),
        deaf in prop::bool::weighted(0.2), stuck in prop::bool::weighted(0.05),
        holds_lock in prop::bool::weighted(0.2), in_zone: bool, kind in 0..4_u8,
    ) -> Job {
        Job { class, born_ms, age_s, from_mib, mib_s, most_mib, works_s, ends, deaf, stuck, holds_lock,
              in_zone, kind }
    }
}

prop_compose! {
    fn plan()(
        permissive: bool, total_mib in 512..4096_u64, shop_percent in 5..60_u64,
        zone_percent in prop::option::of(50..90_u64), jobs in prop::collection::vec(job(), 0..24),
    ) -> Plan {
        Plan { permissive, total_mib, shop_percent, zone_percent, jobs }
    }
}

impl Job {
    fn actor(&self, n: usize) -> Actor {
        let born = Moment(BEGIN + self.born_ms * 1_000_000);
        // Some are there from the start and are as old as they say.
        let born = if self.born_ms.is_multiple_of(3) { Moment(BEGIN) } else { born };
        let started = if born.0 == BEGIN { born.0 - self.age_s * 1_000_000_000 } else { born.0 };
        let process = Process {
            id: ProcessId {
                pid: 100 + i32::try_from(n).expect("few jobs"),
                start_ticks: started / 10_000_000,
            },
            parent: 1,
            uid: 1000,
            comm: Comm::new(b"php"),
            command: CommandLine::new(
                format!("php job-{} {n}", char::from(b'a' + self.kind)).as_bytes(),
            ),
            class: self.class,
            zones: u8::from(self.in_zone),
            ..Process::default()
        };
        let (from, most) = (self.from_mib * 1024, self.most_mib.max(self.from_mib) * 1024);
        let mut path = Path::starting(Kib(from), Kib(from));
        let grows = Duration::from_millis((most - from) * 1000 / (self.mib_s * 1024).max(4096));
        path.reach(grows + Duration::from_millis(1), Kib(most), Kib(most));
        path.reach(grows + Duration::from_secs(self.works_s + 1), Kib(most), Kib(most));
        path.end_with(if self.ends { Then::Ends } else { Then::Stays });
        let mut actor = Actor::new(process, born, path);
        actor.temper.deaf = self.deaf;
        actor.temper.stuck = self.stuck;
        actor.temper.holds_lock = self.holds_lock;
        actor
    }
}

impl Plan {
    fn policy(&self) -> Policy {
        let zones = if self.zone_percent.is_some() { "" } else { "zone = []\n" };
        let text = format!(
            "permissive_memory_management = {}\n{zones}
             [strict]\npause_limit = \"10s\"\n[permissive]\npause_limit = \"1min\"",
            self.permissive
        );
        let layer = Layer::parse("a test", &text).expect("it is a policy");
        Policy::from_layers(&[layer]).expect("it is complete")
    }

    fn storm(&self) -> Storm {
        let total = Kib::from_mib(self.total_mib);
        let available = total.percent(100 - self.shop_percent);
        let zone = self.zone_percent.map(|share| CgroupMemory {
            limit: Some(total.percent(share)),
            current: total.percent(self.shop_percent / 2),
            ..CgroupMemory::default()
        });
        let point = Point {
            at: Moment(BEGIN),
            own_pid: 2,
            memory: Memory { total, free: available, available, ..Memory::default() },
            vm: VmCounters { oom_kill: Some(3), ..VmCounters::default() },
            zones: vec![zone],
            ..Point::default()
        };
        let mut own = self.jobs.first().map(|j| j.actor(0));
        if let Some(own) = &mut own {
            // The guard itself is there as well, as something that might be slain.
            own.process.id.pid = 2;
            own.process.class = Class::Expendable;
            own.path = Path::starting(Kib::from_mib(30), Kib::from_mib(30));
            own.born = Moment(BEGIN);
        }
        let actors = self.jobs.iter().enumerate().map(|(n, job)| job.actor(n)).chain(own).collect();
        Storm { ground: Ground::new(vec![point]), actors }
    }
}

fn is_slaying(verdict: &Verdict) -> bool {
    use Relief::{Kill, KillFamily, Terminate, Trim};
    matches!(verdict.relief, Terminate | Kill | KillFamily { .. } | Trim { .. })
}

/// Runs a plan to the end of its storm.
fn run<'a>(plan: &Plan, policy: &'a Policy) -> World<'a> {
    let mut world = World::new(policy, plan.storm());
    world.run(GROWTH);
    world.run_to_its_end(GROWTH + LONGEST);
    world
}

fn slain(world: &World<'_>) -> Vec<i32> {
    let first = world.verdicts().filter(|(_, v)| is_slaying(v) && !v.escalated);
    first.filter_map(|(_, v)| v.process.map(|p| p.id.pid)).collect()
}

/// Two victims of the same zone at a time: the second was chosen before the first was told of.
fn two_at_once(log: &[Deed]) -> Option<(ZoneIndex, ProcessId, ProcessId)> {
    let mut awaited: Vec<(ZoneIndex, ProcessId)> = Vec::new();
    for deed in log {
        match &deed.action {
            Action::Relieve(v) if is_slaying(v) => {
                let Some(process) = v.process else { continue };
                match awaited.iter().find(|(zone, _)| *zone == v.zone) {
                    Some((_, first)) if *first == process.id => {}
                    Some((zone, first)) => return Some((*zone, *first, process.id)),
                    None => awaited.push((v.zone, process.id)),
                }
            }
            Action::Tell(outcome) => awaited.retain(|(_, id)| *id != outcome.process.id),
            _ => {}
        }
    }
    None
}

/// Whoever was paused and neither went on, nor was slain, nor ended.
fn left_waiting(world: &World<'_>) -> BTreeSet<ProcessId> {
    let mut waiting = BTreeSet::new();
    for deed in world.log() {
        match &deed.action {
            Action::Relieve(Verdict { relief: Relief::Pause { .. }, process: Some(p), .. }) => {
                waiting.insert(p.id);
            }
            Action::Relieve(Verdict { process: Some(p), .. }) => {
                waiting.remove(&p.id);
            }
            Action::EndToo { id } => {
                waiting.remove(id);
            }
            Action::Tell(o) if o.ending == Ending::Vanished => {
                waiting.remove(&o.process.id);
            }
            _ => {}
        }
    }
    waiting
}

/// Few by default, since each is minutes of a node's life; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn never_the_shop_never_init_never_itself(plan in plan()) {
        let policy = plan.policy();
        for (deed, verdict) in run(&plan, &policy).verdicts() {
            let Some(process) = verdict.process else { continue };
            let trims = matches!(verdict.relief, Relief::Trim { .. }) && process.is_worker;
            prop_assert!(process.class.may_be_slain() || trims, "{deed:?}");
            prop_assert!(process.id.pid > 2, "{deed:?}");
            if matches!(verdict.relief, Relief::Pause { .. }) {
                prop_assert_eq!(process.class, Class::Expendable, "{:?}", deed);
            }
            if verdict.zone != ZoneIndex::ROOT {
                prop_assert!(process.is_in(verdict.zone), "{deed:?}");
            }
        }
    }

    #[test]
    fn one_victim_at_a_time_in_a_zone(plan in plan()) {
        let policy = plan.policy();
        let world = run(&plan, &policy);
        prop_assert_eq!(two_at_once(world.log()), None);
    }

    #[test]
    fn every_storm_ends_and_nobody_is_left_waiting(plan in plan()) {
        let policy = plan.policy();
        let world = run(&plan, &policy);
        let paused: Vec<_> = world
            .actors()
            .iter()
            .filter(|a| a.ended.is_none() && a.process.paused)
            .map(|a| a.process.id)
            .collect();
        prop_assert_eq!(paused, vec![], "still stopped");
        prop_assert_eq!(left_waiting(&world), BTreeSet::new());
        // An incident stays open only while memory is short and there is nobody left to slay, and then
        // it was said.
        if world.is_unfinished() {
            let late = world.verdicts().filter(|(d, _)| world.now().since(d.at).as_secs() < 60);
            let said = late.into_iter().any(|(_, v)| matches!(v.relief, Relief::Nothing | Relief::Useless { .. }));
            let least = policy.thresholds().minimum_gain.0;
            let could_go = world.actors().iter().any(|a| {
                a.ended.is_none() && a.process.class.may_be_slain() && !a.temper.stuck
                    && a.process.id.pid > 2 && a.process.gives_back >= least && a.process.zones == 1
            });
            prop_assert!(said || !could_go, "an incident without an end");
        }
    }

    #[test]
    fn the_same_storm_leads_to_the_same_actions(plan in plan()) {
        let policy = plan.policy();
        let (one, other) = (run(&plan, &policy), run(&plan, &policy));
        prop_assert_eq!(one.log(), other.log());
    }

    #[test]
    fn nothing_is_done_to_whoever_is_known_to_have_ended(plan in plan()) {
        let policy = plan.policy();
        let world = run(&plan, &policy);
        for (deed, verdict) in world.verdicts() {
            let Some(process) = verdict.process else { continue };
            let ended = world.actors().iter().find(|a| a.process.id == process.id).and_then(|a| a.ended);
            prop_assert!(ended.is_none_or(|ended| ended >= deed.scanned), "{deed:?}");
        }
    }

    #[test]
    fn who_has_room_is_left_in_peace(mut plan in plan()) {
        // All of them together fit above what pausing keeps free, and none grows so fast that the
        // horizon could be reached.
        let policy = plan.policy();
        let total = Kib::from_mib(plan.total_mib);
        let shop = total.percent(plan.shop_percent);
        let floor = policy.thresholds().admission_floor_of(total);
        let room = total.saturating_sub(shop).saturating_sub(floor).saturating_sub(Kib::from_mib(200));
        let each = room.0 / 1024 / (plan.jobs.len() as u64 + 1);
        prop_assume!(each >= 1);
        plan.zone_percent = None;
        for job in &mut plan.jobs {
            job.most_mib = job.most_mib.min(each);
            job.from_mib = job.from_mib.min(job.most_mib);
            job.mib_s = job.mib_s.min(8);
        }
        let policy = plan.policy();
        let world = run(&plan, &policy);
        prop_assert_eq!(slain(&world), Vec::<i32>::new());
    }
}
