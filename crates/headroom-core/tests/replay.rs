//! A storm that is recorded and replayed: by the same policy it goes as it went, by another otherwise.
#![expect(
    clippy::tests_outside_test_module,
    clippy::expect_used,
    reason = "an integration test is a test as a whole"
)]

use std::time::Duration;

use headroom_core::action::{Relief, Verdict};
use headroom_core::policy::{Class, Layer, Policy};
use headroom_core::replay::{
    Actor, Done, DoneWhat, Ground, Path, Point, Recording, Storm, Then, World,
};
use headroom_core::sample::Sample;
use headroom_core::snapshot::{CommandLine, Memory, Moment, Process, ProcessId};
use headroom_core::units::Kib;

const BEGIN: Moment = Moment(1_000_000_000_000);

fn policy(text: &str) -> Policy {
    let layer = Layer::parse("a test", text).expect("it is a policy");
    Policy::from_layers(&[layer]).expect("it is complete")
}

/// A node of 1280 MiB with 600 MiB for jobs, and `jobs` of 160 MiB that begin at once, each growing at
/// 40 MiB/s, working ten seconds and ending.
fn stack(jobs: i32) -> Storm {
    let available = Kib::from_mib(600);
    let point = Point {
        at: BEGIN,
        unix_ms: 1_700_000_000_000,
        own_pid: 2,
        memory: Memory { total: Kib::from_mib(1280), available, ..Memory::default() },
        ..Point::default()
    };
    let end = Point { at: BEGIN.after(Duration::from_secs(120)), ..point.clone() };
    let end = Point { unix_ms: point.unix_ms + 120_000, ..end };
    let actors = (0..jobs).map(|n| {
        let born = BEGIN.after(Duration::from_millis(2000 + 20 * u64::from(n.unsigned_abs())));
        let process = Process {
            id: ProcessId { pid: 100 + n, start_ticks: born.0 / 10_000_000 },
            command: CommandLine::new(b"php import.php"),
            uid: 1000,
            class: Class::Expendable,
            oom_score_adj: Some(1000),
            ..Process::default()
        };
        let mut path = Path::starting(Kib::from_mib(4), Kib::from_mib(4));
        path.reach(Duration::from_secs(4), Kib::from_mib(160), Kib::from_mib(160));
        path.reach(Duration::from_secs(14), Kib::from_mib(160), Kib::from_mib(160));
        path.end_with(Then::Ends);
        Actor::new(process, born, path)
    });
    Storm { ground: Ground::new(vec![point, end]), actors: actors.collect() }
}

/// Lets a storm go by under a policy, and records it as a guard would.
fn recorded(policy: &Policy, storm: Storm) -> (Storm, World<'_>) {
    let mut world = World::new(policy, storm);
    let (mut recording, mut sample) = (Recording::default(), Sample::default());
    let mut next = world.now();
    while world.now().since(BEGIN) < Duration::from_secs(119) {
        let wait = world.turn();
        if world.now() >= next {
            world.sample(&mut sample);
            assert!(recording.push(&sample), "one record");
            next = world.now().after(Duration::from_millis(100));
        }
        world.pass(wait.min(Duration::from_millis(50)));
    }
    let done: Vec<Done> = world
        .verdicts()
        .filter_map(|(deed, v)| {
            let what = match v.relief {
                Relief::Pause { .. } => DoneWhat::Paused,
                Relief::Terminate | Relief::Kill | Relief::KillFamily { .. } => DoneWhat::Slain,
                _ => return None,
            };
            Some(Done { unix_ms: world.unix_ms(deed.at), pid: v.process?.id.pid, what })
        })
        .collect();
    (recording.finish(&done), world)
}

fn counted(world: &World<'_>) -> (usize, usize) {
    let of = |is: fn(&Verdict) -> bool| world.verdicts().filter(|(_, v)| is(v)).count();
    let slain = of(|v| matches!(v.relief, Relief::Terminate | Relief::Kill) && !v.escalated);
    (slain, of(|v| matches!(v.relief, Relief::Pause { .. })))
}

fn finished(world: &World<'_>) -> usize {
    world.actors().iter().filter(|a| a.finished).count()
}

const PERMISSIVE: &str = "zone = []\npermissive_memory_management = true";
const NO_PAUSING: &str = "zone = []\n[strict]\npause_limit = \"0s\"";

#[test]
fn by_the_same_policy_it_goes_as_it_went() {
    let permissive = policy(PERMISSIVE);
    let (storm, world) = recorded(&permissive, stack(8));
    assert_eq!((counted(&world).0, finished(&world)), (0, 8), "all waited their turn");
    let mut again = World::new(&permissive, storm);
    again.run_to_its_end(Duration::from_secs(600));
    assert_eq!((counted(&again).0, finished(&again)), (0, 8));
    let (pauses, before) = (counted(&again).1, counted(&world).1);
    assert!(pauses.abs_diff(before) <= 2, "{before} pauses, {pauses} in the replay");
    let apart = again.least_available().0.0.abs_diff(world.least_available().0.0);
    assert!(apart < 40 * 1024, "the least that was available differs by {apart} KiB");
}

#[test]
fn by_another_policy_the_slain_live_and_the_paused_are_not() {
    let (harsh, gentle) = (policy(NO_PAUSING), policy(PERMISSIVE));
    let (storm, world) = recorded(&harsh, stack(8));
    let (slain, pauses) = counted(&world);
    assert!(slain >= 3 && pauses == 0, "{slain} slain, {pauses} pauses");
    let mut gentler = World::new(&gentle, storm.clone());
    gentler.run_to_its_end(Duration::from_secs(600));
    let (less, pauses) = counted(&gentler);
    assert!(less < slain && pauses > 0, "{less} slain instead of {slain}, {pauses} pauses");
    let mut same = World::new(&harsh, storm);
    same.run_to_its_end(Duration::from_secs(600));
    assert_eq!(counted(&same), (slain, 0));

    // The other way round: what was paused runs on, and has to be slain.
    let (storm, _) = recorded(&gentle, stack(8));
    let mut harsher = World::new(&harsh, storm);
    harsher.run_to_its_end(Duration::from_secs(600));
    let (slain, pauses) = counted(&harsher);
    assert!(slain >= 3 && pauses == 0, "{slain} slain, {pauses} pauses");
}

#[test]
fn a_node_that_was_booted_or_not_looked_at_for_long_is_another_record() {
    let world = World::new(&Policy::built_in(), stack(0)).now();
    assert_eq!(world, BEGIN);
    let sample = |seconds: u64, own_pid: i32| {
        let mut sample = Sample::default();
        sample.at = BEGIN.after(Duration::from_secs(seconds));
        sample.own_pid = own_pid;
        sample
    };
    let mut recording = Recording::default();
    assert!(recording.push(&sample(1000, 2)) && recording.push(&sample(1016, 2)));
    assert!(!recording.push(&sample(100, 2)), "the clock began anew");
    assert!(!recording.push(&sample(1300, 2)), "nobody looked for minutes");
    assert!(!recording.push(&sample(1017, 3)), "another guard");
}

#[test]
fn a_storm_of_nothing_ends_at_once() {
    let policy = Policy::built_in();
    let mut world = World::new(&policy, Storm::default());
    world.run_to_its_end(Duration::from_secs(600));
    assert_eq!(world.log(), []);
}
