//! Against a real MariaDB: client programs that are stopped, the list written as the guard writes it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_api::trial::Holding::{self, Lock, Nothing, Waited};
use headroom_api::trial::{HELD, HELD_LEN, HOLDERS, Held, Holders, PLACE, SERVED, Served};
use headroom_core::snapshot::{Moment, ProcessId};
use headroom_sys::own;
use headroom_sys::proc::Proc;
use headroom_sys::process::Target;

use super::super::{Counters, Node, run};
use crate::mysql::Server;
use crate::mysql::testing::MariaDb;
use crate::testing::missing;

/// However slow the machine: what is awaited comes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A database, and an agent that answers.
pub(crate) struct Bed {
    pub(crate) db: MariaDb,
    root: Server,
    agent: tokio::task::JoinHandle<()>,
}

impl Bed {
    pub(crate) async fn start() -> Option<Self> {
        if missing("mariadb") {
            return None;
        }
        let db = MariaDb::start(32)?;
        let mut root = db.connect().await;
        for statement in [
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB",
            "INSERT INTO shop.t VALUES (1, 1), (2, 2)",
            "INSTALL PLUGIN metadata_lock_info SONAME 'metadata_lock_info'",
        ] {
            root.run(statement, PATIENCE).await.unwrap();
        }
        let agent = Self::agent(&db);
        Some(Self { db, root, agent })
    }

    fn agent(db: &MariaDb) -> tokio::task::JoinHandle<()> {
        let node = Node {
            mysql: db.config(),
            guard_dir: db.dir.path().into(),
            own_dir: db.dir.path().join("agent"),
            root: "/".into(),
        };
        tokio::spawn(async move { run(&node, &Counters::default()).await })
    }

    /// Ends the agent and starts another.
    async fn begin_again(&mut self) {
        self.agent.abort();
        let _ended = (&mut self.agent).await;
        self.agent = Self::agent(&self.db);
    }

    /// Writes who is stopped into a place of the list, as the guard does.
    pub(crate) fn hold(&self, place: u64, held: Option<Held>) {
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create(true).truncate(false);
        let file = file.open(self.db.dir.path().join(HELD)).unwrap();
        if file.metadata().unwrap().len() == 0 {
            file.set_len(HELD_LEN as u64).unwrap();
        }
        file.write_all_at(&Held::encode(held), place * PLACE as u64).unwrap();
    }

    /// The answer as it stands.
    pub(crate) fn answer(&self) -> Option<Holders> {
        let file = std::fs::read(self.db.dir.path().join("agent").join(HOLDERS)).ok()?;
        Holders::decode(&file)
    }

    /// Waits for that answer; whatever else was said until then.
    async fn until(&self, held: &Held, expected: Holding) -> Vec<Holding> {
        self.until_any(held, &[expected]).await
    }

    async fn until_any(&self, held: &Held, expected: &[Holding]) -> Vec<Holding> {
        let begin = Instant::now();
        let mut others = Vec::new();
        loop {
            let answer = self.answer().filter(|holders| holders.asked >= held.since);
            match answer.and_then(|holders| holders.of(held)) {
                Some(holding) if expected.contains(&holding) => return others,
                Some(holding) if !others.contains(&holding) => others.push(holding),
                _ => {}
            }
            assert!(begin.elapsed() < PATIENCE, "{expected:?} is never said, only {others:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until the server says that, of whatever it is asked.
    async fn server_says(&mut self, question: &str) {
        let begin = Instant::now();
        while self.root.rows::<u64>(question).await.unwrap().first().is_none_or(|n| *n == 0) {
            assert!(begin.elapsed() < PATIENCE, "never: {question}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A client program.
pub(crate) struct Client {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub(crate) id: ProcessId,
}

impl Client {
    pub(crate) fn start(db: &MariaDb) -> Self {
        Self::at(&db.socket())
    }

    /// One of the server that listens there.
    pub(super) fn at(socket: &Path) -> Self {
        let mut command = Command::new("mariadb");
        command.args([
            "--no-defaults",
            "--skip-column-names",
            "--batch",
            "--unbuffered",
            "--user=root",
        ]);
        command.arg(format!("--socket={}", socket.display())).args(["-A", "shop"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let start_ticks = Proc::open(Path::new("/")).unwrap().stat(pid).unwrap().start_ticks;
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout, id: ProcessId { pid, start_ticks } }
    }

    /// Has it send statements, and does not wait.
    pub(crate) fn send(&mut self, statements: &str) {
        writeln!(self.stdin, "{statements}").unwrap();
    }

    /// Has it send statements, and waits until they are done.
    pub(crate) fn have(&mut self, statements: &str) {
        self.send(&format!("{statements} SELECT 'done';"));
        while self.line() != "done" {}
    }

    /// The next line it prints.
    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "the client ended");
        line.trim().into()
    }

    /// Stops it and waits until it stands still.
    pub(crate) fn stop(&self) -> Held {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        Target::open(&mut proc, self.id).unwrap().stop().unwrap();
        let begin = Instant::now();
        while !proc.stat(self.id.pid).unwrap().is_stopped() {
            assert!(begin.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
        Held { connected: true, ..Held::stopped(self.id, own::now()) }
    }
}

impl Client {
    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        Target::open(&mut proc, self.id).unwrap().resume().unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_lock_is_seen_and_nothing_is_seen_as_nothing() {
    let Some(bed) = Bed::start().await else { return };
    for (statements, expected) in [
        ("SELECT 1;", Nothing),
        ("LOCK TABLES t WRITE;", Lock),
        ("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1;", Lock),
        ("BEGIN; SELECT * FROM t WHERE id = 1 FOR UPDATE;", Lock),
        ("SELECT GET_LOCK('cron', 1);", Lock),
        ("BEGIN; SELECT COUNT(*) FROM t;", Lock),
        ("FLUSH TABLES WITH READ LOCK;", Lock),
        ("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1; COMMIT; SELECT RELEASE_LOCK('x');", Nothing),
        ("LOCK TABLES t WRITE; UNLOCK TABLES;", Nothing),
    ] {
        let mut client = Client::start(&bed.db);
        client.have(statements);
        let held = client.stop();
        bed.hold(0, Some(held));
        assert_eq!(bed.until(&held, expected).await, [], "{statements}");
        bed.hold(0, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_known_by_its_thread_is_told_apart_at_once() {
    let Some(mut bed) = Bed::start().await else { return };
    let (mut idle, mut holder) = (Client::start(&bed.db), Client::start(&bed.db));
    let mut threads = Vec::new();
    for client in [&mut idle, &mut holder] {
        client.send("SELECT CONNECTION_ID();");
        let id = client.line();
        let question = format!(
            "SELECT CAST(TID AS UNSIGNED) FROM information_schema.PROCESSLIST WHERE ID = {id}"
        );
        let tid = bed.root.rows::<u64>(&question).await.unwrap()[0];
        threads.push([i32::try_from(tid).unwrap(), 0, 0, 0]);
    }
    // Nothing happens after the stops that would tell whose connection has the lock, and somebody waits for it.
    holder.have("LOCK TABLES t WRITE;");
    let (first, second) = (idle.stop(), holder.stop());
    let mut waiter = Client::start(&bed.db);
    waiter.send("SELECT * FROM t;");
    bed.server_says(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%'",
    )
    .await;
    let served = [(first, threads[0]), (second, threads[1])].map(|(held, threads)| Served {
        id: held.id,
        since: held.since,
        threads,
    });
    std::fs::write(bed.db.dir.path().join(SERVED), Served::encode(&served)).unwrap();
    bed.hold(0, Some(first));
    bed.hold(1, Some(second));
    assert_eq!(bed.until(&first, Nothing).await, [], "never taken for the other");
    assert_eq!(bed.until(&second, Waited).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_seen_whatever_for() {
    let Some(mut bed) = Bed::start().await else { return };
    for (holds, wants) in [
        ("LOCK TABLES t WRITE;", "SELECT * FROM t;"),
        ("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1;", "UPDATE t SET v = v + 1 WHERE id = 1;"),
        ("SELECT GET_LOCK('cron', 1);", "SELECT GET_LOCK('cron', 600);"),
        ("BEGIN; SELECT COUNT(*) FROM t;", "ALTER TABLE t COMMENT 'new';"),
        ("FLUSH TABLES WITH READ LOCK;", "UPDATE t SET v = v + 1 WHERE id = 1;"),
    ] {
        let (mut holder, mut waiter) = (Client::start(&bed.db), Client::start(&bed.db));
        holder.have(holds);
        waiter.have("SELECT 1;");
        let held = holder.stop();
        bed.hold(3, Some(held));
        waiter.send(wants);
        let others = bed.until(&held, Waited).await;
        assert!(!others.contains(&Nothing), "{holds} {wants}");
        drop((holder, waiter));
        bed.hold(3, None);
        // The server notices in its own time that they are gone.
        bed.server_says("SELECT COUNT(*) = 0 FROM information_schema.METADATA_LOCK_INFO").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_comes_after_the_stop_is_seen() {
    let Some(mut bed) = Bed::start().await else { return };
    let (mut first, mut second) = (Client::start(&bed.db), Client::start(&bed.db));
    second.have("SELECT 1;");
    first.have("LOCK TABLES t WRITE;");
    second.send("LOCK TABLES t WRITE;");
    bed.server_says(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%'",
    )
    .await;
    let held = second.stop();
    bed.hold(0, Some(held));
    // The first one sleeps as whoever is stopped would: it may be that one who is waited for.
    let said = bed.until_any(&held, &[Lock, Waited]).await;
    assert_eq!(said, [], "its statement is under way");
    first.have("UNLOCK TABLES;");
    bed.server_says(
        "SELECT COUNT(*) FROM information_schema.METADATA_LOCK_INFO \
         WHERE LOCK_MODE = 'MDL_SHARED_NO_READ_WRITE'",
    )
    .await;
    let (mut now, mut answers) = (own::now(), 0);
    while answers < 5 {
        let answer = bed.answer().filter(|holders| holders.asked > now);
        if let Some(answer) = answer {
            assert_eq!(answer.of(&held), Some(Lock));
            (now, answers) = (answer.asked, answers + 1);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn among_visitors_each_of_two_is_told_what_it_holds() {
    let Some(mut bed) = Bed::start().await else { return };
    let config = Arc::new(bed.db.config());
    let visitors: Vec<_> = (0..3)
        .map(|_| {
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                loop {
                    let Ok(mut server) = Server::connect(&config, Path::new("/")).await else {
                        continue;
                    };
                    for _ in 0..3 {
                        let _ =
                            server.run("SELECT SUM(seq) FROM mysql.seq_1_to_2000", PATIENCE).await;
                        tokio::time::sleep(Duration::from_millis(3)).await;
                    }
                }
            })
        })
        .collect();
    let (mut idle, mut holder) = (Client::start(&bed.db), Client::start(&bed.db));
    idle.have("SELECT 1;");
    let first = idle.stop();
    bed.hold(0, Some(first));
    bed.until(&first, Nothing).await;
    // It did something after the other was stopped, so that is known not to have been the other.
    holder.have("SELECT 1;");
    tokio::time::sleep(Duration::from_millis(1)).await;
    holder.have("SELECT GET_LOCK('cron', 1);");
    let second = holder.stop();
    bed.hold(1, Some(second));
    assert!(!bed.until(&second, Lock).await.contains(&Nothing));
    bed.begin_again().await;
    let now = own::now();
    let begin = Instant::now();
    while bed.answer().is_none_or(|a| a.asked < now || a.of(&second) != Some(Lock)) {
        assert!(begin.elapsed() < PATIENCE, "the next agent says nothing");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for visitor in visitors {
        visitor.abort();
    }
    // And on after a restart of the server, when nobody has a connection any more.
    bed.db.end();
    bed.db.begin();
    bed.until(&second, Nothing).await;
    bed.until(&first, Nothing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_word_on_locks_what_a_transaction_holds_is_still_told() {
    let Some(mut bed) = Bed::start().await else { return };
    bed.root.run("UNINSTALL PLUGIN metadata_lock_info", PATIENCE).await.unwrap();
    bed.begin_again().await;
    let mut client = Client::start(&bed.db);
    client.have("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1;");
    let held = client.stop();
    bed.hold(0, Some(held));
    assert_eq!(bed.until(&held, Lock).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_with_a_connection_is_no_question() {
    let Some(bed) = Bed::start().await else { return };
    let client = Client::start(&bed.db);
    let held = Held { connected: false, ..client.stop() };
    bed.hold(0, Some(held));
    let other = Client::start(&bed.db);
    let asked = other.stop();
    bed.hold(1, Some(asked));
    bed.until(&asked, Nothing).await;
    let answer = bed.answer().unwrap();
    assert_eq!(answer.of(&held), None, "only whoever is connected is spoken of");
    bed.hold(1, None);
    // The list is read before each question: at most one was under way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let last = bed.answer().map(|a| a.asked).unwrap_or(Moment(0));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bed.answer().map(|a| a.asked), Some(last));
}
