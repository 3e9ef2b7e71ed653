//! What one question costs, and how soon an answer is there. Run by `cargo xtask bench holders`, which reads
//! the line it prints.

use std::time::{Duration, Instant};

use headroom_api::trial::{Held, Holding};
use headroom_sys::own;
use headroom_sys::proc::Proc;

use super::ask::Asker;
use super::past::{Past, Stop};
use super::tests::{Bed, Client};
use super::{judge, still};
use crate::mysql::Server;

const QUESTIONS: u64 = 500;
const STOPS: usize = 100;
/// A clock tick of /proc/PID/stat.
const TICK_US: u64 = 10_000;

fn median(mut values: Vec<u64>) -> (u64, u64) {
    values.sort_unstable();
    (values[values.len() / 2], values[values.len() - 1])
}

/// Microseconds of processor time that a question costs the server and the agent, and how long it takes.
async fn question(bed: &Bed, client: &Client) -> String {
    let root = std::path::Path::new("/");
    let mut proc = Proc::open(root).unwrap();
    let mut asker = Asker::connect(&bed.db.config(), root).await.unwrap();
    let server = bed.db.connect().await.pid;
    let ticks = |proc: &mut Proc, pid| proc.stat(pid).unwrap().cpu_ticks;
    let before = (ticks(&mut proc, server), ticks(&mut proc, own::own_pid()));
    let held = Held { connected: true, ..Held::stopped(client.id, own::now()) };
    let (mut past, mut took) = (Past::default(), Vec::new());
    for _ in 0..QUESTIONS {
        let begin = Instant::now();
        let seen = asker.ask().await.unwrap();
        let stops: Vec<Stop> = still::look(&mut proc, &held, seen.asked).into_iter().collect();
        past.learn(&seen, &stops);
        let told = judge::judge(&seen, &past, &stops[0]);
        took.push(u64::try_from(begin.elapsed().as_micros()).unwrap());
        assert_ne!(told, Some(Holding::Waited));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let cost = |now: u64, before: u64| (now - before) * TICK_US / QUESTIONS;
    let of_server = cost(ticks(&mut proc, server), before.0);
    let of_agent = cost(ticks(&mut proc, own::own_pid()), before.1);
    let (median, worst) = median(took);
    format!(
        r#"{{"server_us":{of_server},"agent_us":{of_agent},"median_us":{median},"worst_us":{worst}}}"#
    )
}

/// Microseconds from the list being written to an answer that says so.
async fn answer(bed: &Bed, client: &mut Client, statement: &str, expected: Holding) -> String {
    client.have(statement);
    let mut took = Vec::new();
    for _ in 0..STOPS {
        let held = client.stop();
        let begin = Instant::now();
        bed.hold(0, Some(held));
        while bed.answer().and_then(|a| a.of(&held)) != Some(expected) {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        took.push(u64::try_from(begin.elapsed().as_micros()).unwrap());
        bed.hold(0, None);
        client.go_on();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let (median, worst) = median(took);
    format!(r#"{{"median_us":{median},"worst_us":{worst}}}"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, by cargo xtask bench holders"]
async fn holders_cost_and_latency() {
    let bed = Bed::start().await.expect("MariaDB and its client");
    let mut root = bed.db.connect().await;
    root.run("SET GLOBAL max_connections = 1200", Duration::from_secs(9)).await.unwrap();
    let mut client = Client::start(&bed.db);
    let nothing = answer(&bed, &mut client, "SELECT 1;", Holding::Nothing).await;
    let lock = answer(&bed, &mut client, "LOCK TABLES t WRITE;", Holding::Lock).await;
    client.have("UNLOCK TABLES;");
    client.stop();
    let few = question(&bed, &client).await;
    let mut others: Vec<Server> = Vec::new();
    for _ in 0..1000 {
        let mut server = bed.db.connect().await;
        // Each with a transaction that has read something.
        server.run("START TRANSACTION", Duration::from_secs(9)).await.unwrap();
        server.run("SELECT * FROM shop.t", Duration::from_secs(9)).await.unwrap();
        others.push(server);
    }
    let many = question(&bed, &client).await;
    let version = root.version_text().await;
    println!(
        r#"BENCH {{"version":"{version}","few":{few},"many":{many},"nothing":{nothing},"lock":{lock}}}"#
    );
}
