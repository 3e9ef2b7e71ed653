//! What an online release gives beside a restart, and what requests meanwhile saw of each. Run by
//! `cargo xtask bench release`, which reads the line it prints.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use headroom_api::release::Ask;

use super::ladder::Restart;
use super::tests::{Again, Node, low};
use crate::mysql::{Config, Server};

/// As many visitors ask at once.
const CLIENTS: u64 = 4;
/// Before and after what is measured they ask this long.
const AROUND: Duration = Duration::from_secs(2);

/// What the visitors saw.
#[derive(Default)]
struct Seen {
    good: AtomicU64,
    failed: AtomicU64,
    longest_ms: AtomicU64,
}

/// Each connects, reads a row and leaves, as a page of a shop does, until told to stop.
async fn visit(config: Config, rows: u64, seed: u64, stop: Arc<AtomicBool>, seen: Arc<Seen>) {
    let mut at = seed;
    while !stop.load(Ordering::Relaxed) {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let question = format!("SELECT filler FROM shop.t WHERE id = {}", at % rows + 1);
        let begin = Instant::now();
        let answer = async {
            let mut server = Server::connect(&config, Path::new("/")).await.ok()?;
            server.run(&question, Duration::from_secs(30)).await.ok()
        };
        let counter = if answer.await.is_some() { &seen.good } else { &seen.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        let took = u64::try_from(begin.elapsed().as_millis()).unwrap();
        seen.longest_ms.fetch_max(took, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs `work` while visitors ask, and says what they saw as a part of JSON.
async fn visited(node: &Node, rows: u64, work: impl Future<Output = i64>) -> String {
    let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
    let config = node.db.lock().unwrap().config();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| tokio::spawn(visit(config.clone(), rows, n, Arc::clone(&stop), Arc::clone(&seen))))
        .collect();
    tokio::time::sleep(AROUND).await;
    let gained = work.await;
    tokio::time::sleep(AROUND).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    format!(
        "{{\"gained_kib\":{gained},\"requests\":{},\"failed\":{},\"longest_ms\":{}}}",
        seen.good.load(Ordering::Relaxed) + seen.failed.load(Ordering::Relaxed),
        seen.failed.load(Ordering::Relaxed),
        seen.longest_ms.load(Ordering::Relaxed)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement and no test; cargo xtask bench release runs it"]
async fn release_beside_restart() {
    let (pool, fill) = (512, 440);
    let Some(node) = Node::new(pool, fill).await else { return };
    let rows = fill * (1 << 20) / 230;
    let config = node.db.lock().unwrap().config();
    let held = || async {
        i64::try_from(Server::connect(&config, Path::new("/")).await.unwrap().held().unwrap().0)
            .unwrap()
    };
    let version = {
        let mut server = Server::connect(&config, Path::new("/")).await.unwrap();
        server.version_text().await
    };
    let full = held().await;
    let online = visited(&node, rows, async {
        let before = held().await;
        let release = node.climb(Ask { online_only: true, below_mib: 100_000, ..low() }).await;
        assert_eq!(release.rungs[0].outcome, "done", "{release:?}");
        before - held().await
    })
    .await;
    // Grown back and read again, as before.
    node.say_available(200_000);
    while node.grow().await.is_some() {}
    let mut server = Server::connect(&config, Path::new("/")).await.unwrap();
    let long = Duration::from_secs(600);
    server.run("SELECT SUM(LENGTH(filler)) FROM shop.t", long).await.unwrap();
    drop(server);
    let restart = visited(&node, rows, async {
        let before = held().await;
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(Again(&node.db, &node.restarts).restart())
        })
        .unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        before - held().await
    })
    .await;
    println!(
        "BENCH {{\"version\":\"{version}\",\"pool_mib\":{pool},\"held_kib\":{full},\"online\":{online},\
         \"restart\":{restart}}}"
    );
}
