//! The ladder against a real MariaDB, and Redis against a real one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use headroom_api::release::{Ask, Release};

use super::ladder::{Ladder, Restart, available};
use super::*;
use crate::mysql::testing::MariaDb;
use crate::mysql::{Pool, resize};
use crate::testing::missing;

/// Restarts by ending the server in order and starting it again.
pub(super) struct Again<'a>(pub(super) &'a Mutex<MariaDb>, pub(super) &'a AtomicU32);

impl Restart for Again<'_> {
    async fn restart(&self) -> Result<(), String> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let mut db = self.0.lock().unwrap();
        db.end();
        db.begin();
        Ok(())
    }
}

pub(super) struct Node {
    pub(super) db: Mutex<MariaDb>,
    pub(super) restarts: AtomicU32,
    state: tempfile::TempDir,
    config: Mysql,
    /// A /proc whose meminfo says what the test wants.
    root: tempfile::TempDir,
}

impl Node {
    pub(super) async fn new(pool_mib: u64, fill: u64) -> Option<Self> {
        let db = MariaDb::start(pool_mib)?;
        db.fill(fill).await;
        let node = Self {
            db: Mutex::new(db),
            restarts: AtomicU32::new(0),
            state: tempfile::tempdir().unwrap(),
            config: Mysql { least_size: Size(Kib::from_mib(16)), ..Mysql::default() },
            root: tempfile::tempdir().unwrap(),
        };
        // All but meminfo is this machine's own.
        let proc = node.root.path().join("proc");
        std::fs::create_dir(&proc).unwrap();
        let pid = node.server_pid();
        std::os::unix::fs::symlink(format!("/proc/{pid}"), proc.join(pid.to_string())).unwrap();
        node.say_available(100);
        Some(node)
    }

    fn server_pid(&self) -> i32 {
        let stream =
            std::os::unix::net::UnixStream::connect(self.db.lock().unwrap().socket()).unwrap();
        headroom_sys::peer::peer_of(&stream).unwrap().pid
    }

    pub(super) fn say_available(&self, mib: u64) {
        let text =
            format!("MemTotal: 4000000 kB\nMemFree: 1 kB\nMemAvailable: {} kB\n", mib * 1024);
        std::fs::write(self.root.path().join("proc/meminfo"), text).unwrap();
    }

    pub(super) async fn climb(&self, ask: Ask) -> Release {
        let mysql = self.db.lock().unwrap().config();
        let ladder = Ladder {
            mysql: &mysql,
            config: &self.config,
            state_dir: self.state.path().into(),
            root: self.root.path().into(),
            restart: Again(&self.db, &self.restarts),
        };
        ladder.climb(&ask).await
    }

    async fn pool(&self) -> Pool {
        let server = self.db.lock().unwrap().config();
        let mut server = crate::mysql::Server::connect(&server, Path::new("/")).await.unwrap();
        Pool::of(&mut server).await.unwrap()
    }

    pub(super) async fn grow(&self) -> Option<String> {
        let mysql = self.db.lock().unwrap().config();
        grow::step(&mysql, &self.config, self.state.path(), self.root.path()).await.unwrap()
    }
}

pub(super) fn low() -> Ask {
    Ask { below_mib: 140, cooldown_min: 30, ..Ask::default() }
}

fn outcomes(release: &Release) -> Vec<(&str, &str)> {
    release.rungs.iter().map(|r| (r.rung.as_str(), r.outcome.as_str())).collect()
}

#[tokio::test]
async fn memory_comes_back_without_a_restart_and_the_pool_grows_back_as_room_returns() {
    let Some(node) = Node::new(160, 110).await else { return };
    let plenty = node.climb(Ask { below_mib: 100, ..low() }).await;
    assert_eq!((plenty.verdict.as_str(), plenty.available_mib), ("not_low", 100));
    let dry = node.climb(Ask { dry_run: true, ..low() }).await;
    assert_eq!(dry.verdict, "would_release");
    assert_eq!(
        outcomes(&dry),
        [("shrink_pool", "would"), ("flush_tables", "would"), ("restart", "would")]
    );
    assert_eq!(node.pool().await.bytes, 160 << 20);

    let release = node.climb(Ask { online_only: true, ..low() }).await;
    assert_eq!(release.rungs[0].rung, "shrink_pool", "{release:?}");
    assert_eq!(release.rungs[0].outcome, "done", "{release:?}");
    assert!(release.rungs[0].gained_kib.unwrap() > 48 * 1024, "{release:?}");
    // meminfo is the test's and does not change.
    assert_eq!(release.verdict, "not_enough");
    assert_eq!(node.restarts.load(Ordering::SeqCst), 0);
    let small = node.pool().await.bytes;
    assert!(small < 80 << 20, "{small}");

    assert_eq!(node.climb(low()).await.verdict, "cooling_down");

    // As after a crash of the agent: all that is known is on the disk.
    assert_eq!(node.grow().await, None, "no room");
    node.say_available(2000);
    let mut steps = 0;
    while node.pool().await.bytes < 160 << 20 {
        assert!(node.grow().await.unwrap().contains("has grown to"));
        steps += 1;
        assert!(steps < 20);
    }
    assert!(steps > 1, "step by step");
    assert_eq!(node.grow().await, None, "and then it is forgotten");
}

#[tokio::test]
async fn a_restart_is_the_last_rung_and_what_runs_keeps_it_away() {
    let Some(mut node) = Node::new(64, 40).await else { return };
    node.config.transaction = Time(Duration::from_secs(1));
    let config = node.db.lock().unwrap().config();
    let mut long = crate::mysql::Server::connect(&config, Path::new("/")).await.unwrap();
    for statement in ["START TRANSACTION", "UPDATE shop.t SET filler = 'x' WHERE id = 1"] {
        long.run(statement, Duration::from_secs(60)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let busy = node.climb(low()).await;
    assert_eq!((busy.verdict.as_str(), busy.rungs.len()), ("busy", 0), "{busy:?}");
    assert!(busy.reasons[0].contains("transaction open"), "{busy:?}");
    long.run("ROLLBACK", Duration::from_secs(60)).await.unwrap();

    // The server keeps what it last said of transactions for a moment.
    let mut release = node.climb(low()).await;
    for _ in 0..100 {
        if release.verdict != "busy" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        release = node.climb(low()).await;
    }
    assert_eq!(node.restarts.load(Ordering::SeqCst), 1, "{release:?}");
    assert_eq!(outcomes(&release).last(), Some(&("restart", "done")), "{release:?}");
    assert_eq!(node.pool().await.bytes, 64 << 20, "a restart brings the size back");
    assert_eq!(kept::Kept::read(node.state.path()), None);
}

#[tokio::test]
async fn a_size_that_was_kept_ends_with_the_server_that_had_it() {
    let Some(node) = Node::new(64, 1).await else { return };
    let kept = kept::Kept { bytes: 64 << 20, server_started: 1000, below_mib: 1 };
    kept.write(node.state.path()).unwrap();
    {
        let config = node.db.lock().unwrap().config();
        let mut server = crate::mysql::Server::connect(&config, Path::new("/")).await.unwrap();
        resize(&mut server, 32 << 20, Duration::from_secs(60)).await.unwrap();
    }
    assert!(node.grow().await.unwrap().contains("configured size again"));
    assert_eq!(node.pool().await.bytes, 32 << 20, "the administrator's, not ours");
}

#[tokio::test]
async fn redis_gives_back_what_its_allocator_holds() {
    if missing("redis-server") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("redis.sock");
    let mut server = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--requirepass", "secret", "--unixsocket"])
        .arg(&socket)
        .arg("--dir")
        .arg(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let place = socket.display().to_string();
    let mut rung = None;
    for _ in 0..600 {
        rung = redis::purge(&place, Some("secret"), Path::new("/"), false).await;
        if rung.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let refused = redis::purge(&place, None, Path::new("/"), false).await.unwrap();
    let nobody = redis::purge("/nonexistent/redis.sock", None, Path::new("/"), false).await;
    server.kill().unwrap();
    server.wait().unwrap();
    let rung = rung.unwrap();
    assert_eq!(rung.outcome, "done", "{rung:?}");
    assert!(rung.gained_kib.is_some(), "the process was found by its own word: {rung:?}");
    assert!(refused.why.unwrap().contains("NOAUTH"));
    assert_eq!(nobody, None);
}

#[test]
fn what_is_available_is_the_seventh_column_of_free() {
    let free = Command::new("free").arg("-m").output();
    let now = available(Path::new("/")).unwrap().0 / 1024;
    if let Ok(free) = free {
        let text = String::from_utf8(free.stdout).unwrap();
        let column: u64 =
            text.lines().nth(1).unwrap().split_whitespace().nth(6).unwrap().parse().unwrap();
        assert!(column.abs_diff(now) < 2048, "{column} and {now}");
    }
}
