//! SIGKILL at any moment: no incident and no setting that was promised is lost, and none is doubled.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use headroom_api::agent::ask;
use serde_json::{Value, json};

use crate::harness::{FakeGuard, Journal, Node, until};

const KILLS: u32 = 200;
/// However slow the machine: what was not killed by then is not killed any more.
const AT_MOST: Duration = Duration::from_secs(120);

/// Some numbers that nobody chose (a linear congruential generator, Knuth's constants).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

#[test]
fn two_hundred_kills_lose_and_double_nothing() {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    let mut chance = Chance(u64::try_from(seed).unwrap());
    println!("seed {seed}");
    let mut node = Node::new("");
    let guard = FakeGuard::start(node.path());
    let (dir, over) = (node.path().to_owned(), AtomicBool::new(false));
    let (kills, incidents, promised) = thread::scope(|scope| {
        let setting = scope.spawn(|| {
            let mut promised = Vec::new();
            let mut value = 1_u32;
            while !over.load(Ordering::Acquire) {
                let body = json!({"strict.refaults": value});
                let wait = Duration::from_secs(10);
                match ask(&dir, "PATCH", "/v1/settings", Some(&body), wait) {
                    Ok(response) if response.status == 200 => promised.push(value),
                    _ => thread::sleep(Duration::from_millis(2)),
                }
                value += 1;
            }
            promised
        });
        let storming = scope.spawn(|| {
            let mut journal = Journal::create(&dir, 4096);
            let mut incidents = 0;
            while !over.load(Ordering::Acquire) && incidents < 480 {
                incidents += 1;
                journal.storm(incidents, "php import.php");
                thread::sleep(Duration::from_millis(50));
            }
            incidents
        });
        let start = Instant::now();
        let mut kills = 0;
        while kills < KILLS && start.elapsed() < AT_MOST {
            let mut command: Command = node.command();
            let mut agent = command.stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(Duration::from_millis(chance.below(250)));
            agent.kill().unwrap();
            agent.wait().unwrap();
            kills += 1;
        }
        over.store(true, Ordering::Release);
        (kills, storming.join().unwrap(), setting.join().unwrap())
    });
    println!("{kills} kills, {incidents} incidents, {} settings promised", promised.len());
    assert!(kills > 20 && !promised.is_empty(), "too little happened to tell");
    node.start();
    let count =
        || node.get("/v1/incidents?limit=500")["incidents"].as_array().unwrap().len() as u64;
    until("all incidents are there", || count() >= incidents);
    let mut numbers = BTreeMap::<String, u32>::new();
    for incident in node.get("/v1/incidents?limit=500")["incidents"].as_array().unwrap() {
        assert_eq!(incident["verdicts"].as_array().unwrap().len(), 1, "{incident}");
        *numbers.entry(incident["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(numbers.len() as u64, incidents);
    assert!(numbers.values().all(|times| *times == 1), "{numbers:?}");
    let metrics = String::from_utf8(node.ask("GET", "/metrics", None).body).unwrap();
    assert!(metrics.contains(&format!("headroom_incidents_total {incidents}\n")), "{metrics}");
    settings_are_kept(&node, &guard, &promised);
}

fn settings_are_kept(node: &Node, guard: &FakeGuard, promised: &[u32]) {
    let waits = || flows(node).iter().any(|flow| flow["state"] == "running");
    until("no change waits any more", || !waits());
    let reached: Vec<u32> =
        guard.values_of("strict.refaults").iter().map(|value| value.parse().unwrap()).collect();
    let mut told = BTreeMap::<String, u32>::new();
    for flow in flows(node).iter().filter(|flow| flow["state"] == "success") {
        let what = flow["what"].as_str().unwrap();
        let (_, value) = what.rsplit_once(" to ").unwrap();
        *told.entry(value.to_owned()).or_default() += 1;
    }
    for value in promised {
        assert!(reached.contains(value), "{value} was promised and never reached the guard");
        assert_eq!(told.get(&value.to_string()), Some(&1), "{value} in the logbook");
    }
    assert!(reached.is_sorted(), "an older change came after a newer one: {reached:?}");
    let last = reached.last().unwrap();
    assert!(last >= promised.last().unwrap());
    assert_eq!(node.get("/v1/settings/strict.refaults")["value"], json!(last));
}

fn flows(node: &Node) -> Vec<Value> {
    let mut next = Some("/v1/log?limit=500".to_owned());
    let mut flows = Vec::new();
    while let Some(path) = next {
        let page = node.get(&path);
        flows.extend(page["results"].as_array().unwrap().clone());
        next = page["next"].as_str().map(ToOwned::to_owned);
    }
    flows
}
