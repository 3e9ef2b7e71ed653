//! Against a real MySQL, 8.0 or later. Debian's stable release has none, so the program is named by
//! `HEADROOM_TEST_MYSQLD`; without it these tests say that they were left out. One way to a server:
//! `mmdebstrap --variant=essential --include=mysql-server-core sid ROOT http://deb.debian.org/debian`, and a script
//! that runs `ROOT/usr/sbin/mysqld` by the `ld.so` of `ROOT` with its `--basedir` and `--lc-messages-dir`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headroom_api::trial::Holding::{self, Lock, Nothing, Waited};
use headroom_sys::own;

use super::super::ask::Asker;
use super::super::judge::judge;
use super::super::past::{Past, Stop};
use super::real::Client;
use crate::mysql::{Config, Server};

/// However slow the machine: what is awaited comes.
const PATIENCE: Duration = Duration::from_secs(300);

/// The server. It ends with its test.
struct MySql {
    dir: tempfile::TempDir,
    server: Child,
}

impl Drop for MySql {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl MySql {
    async fn start(more: &[&str]) -> Option<Self> {
        let Some(program) = std::env::var_os("HEADROOM_TEST_MYSQLD") else {
            eprintln!("SKIPPED: HEADROOM_TEST_MYSQLD names no MySQL server of 8.0 or later");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("headroom-mysql").tempdir().unwrap();
        let log = |name: &str| std::fs::File::create(dir.path().join(name)).unwrap();
        let data = format!("--datadir={}", dir.path().join("data").display());
        let begin = |log: std::fs::File| {
            let mut command = Command::new(&program);
            command.args(["--no-defaults", "--user=root", "--secure-file-priv=", &data]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            command
        };
        let filled = begin(log("first")).arg("--initialize-insecure").status().unwrap();
        assert!(filled.success(), "see {}", dir.keep().join("first").display());
        let mut command = begin(log("log"));
        command.args(["--skip-networking", "--mysqlx=OFF"]).args(more);
        command.arg(format!("--socket={}", dir.path().join("socket").display()));
        command.arg(format!("--pid-file={}", dir.path().join("pid").display()));
        let server = command.spawn().unwrap();
        let mut db = Self { dir, server };
        let begin = Instant::now();
        while std::os::unix::net::UnixStream::connect(db.socket()).is_err() {
            assert!(begin.elapsed() < PATIENCE, "it does not start");
            assert_eq!(db.server.try_wait().unwrap(), None, "it ended");
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut root = db.root().await;
        for statement in [
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB",
            "INSERT INTO shop.t VALUES (1, 1), (2, 2)",
        ] {
            root.run(statement, PATIENCE).await.unwrap();
        }
        Some(db)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn config(&self) -> Config {
        Config { socket: Some(self.socket()), user: "root".into(), password_file: None }
    }

    async fn root(&self) -> Server {
        Server::connect(&self.config(), Path::new("/")).await.unwrap()
    }

    async fn asker(&self) -> Asker {
        Asker::connect(&self.config(), Path::new("/")).await.unwrap()
    }

    /// A client, and the thread that serves it.
    async fn client(&self) -> (Client, i32) {
        let mut client = Client::at(&self.socket());
        client.send("SELECT CONNECTION_ID();");
        let question = format!(
            "SELECT CAST(THREAD_OS_ID AS UNSIGNED) FROM performance_schema.threads WHERE PROCESSLIST_ID = {}",
            client.line()
        );
        let tid = self.root().await.rows::<u64>(&question).await.unwrap()[0];
        (client, i32::try_from(tid).unwrap())
    }
}

/// What is said of a client that is stopped, served by that thread or by nobody knows whom.
async fn said(asker: &mut Asker, client: &Client, tid: Option<i32>) -> Option<Holding> {
    let held = client.stop();
    let (id, since, still) = (held.id, held.since, own::now());
    let stop = Stop { id, since, still, threads: tid.map(|tid| [tid, 0, 0, 0]) };
    // InnoDB's lists are not asked for each time.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let seen = asker.ask().await.unwrap();
    let mut past = Past::default();
    past.learn(&seen, &[stop]);
    client.go_on();
    judge(&seen, &past, &stop)
}

#[tokio::test]
async fn each_kind_of_lock_is_told_of_whom_the_guard_knows_the_thread() {
    let Some(db) = MySql::start(&[]).await else { return };
    let mut asker = db.asker().await;
    assert_eq!(asker.lack(), None);
    for (statements, expected) in [
        ("SELECT 1;", Nothing),
        ("LOCK TABLES t WRITE;", Lock),
        ("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1;", Lock),
        ("BEGIN; SELECT * FROM t WHERE id = 1 FOR UPDATE;", Lock),
        ("SELECT GET_LOCK('cron', 1);", Lock),
        ("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1; COMMIT;", Nothing),
        ("LOCK TABLES t WRITE; UNLOCK TABLES;", Nothing),
    ] {
        let (mut client, tid) = db.client().await;
        client.have(statements);
        assert_eq!(said(&mut asker, &client, Some(tid)).await, Some(expected), "{statements}");
        assert_eq!(said(&mut asker, &client, None).await, None, "{statements}");
    }
}

#[tokio::test]
async fn who_is_waited_for_is_told_apart_from_who_is_not() {
    let Some(db) = MySql::start(&[]).await else { return };
    let mut asker = db.asker().await;
    for (holds, wants) in [
        ("LOCK TABLES t WRITE;", "SELECT * FROM t;"),
        ("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1;", "UPDATE t SET v = v + 1 WHERE id = 1;"),
        ("SELECT GET_LOCK('cron', 1);", "SELECT GET_LOCK('cron', 600);"),
    ] {
        let ((mut holder, of_holder), (mut waiter, of_waiter)) =
            (db.client().await, db.client().await);
        let (idle, of_idle) = db.client().await;
        holder.have(holds);
        waiter.have("SELECT 1;");
        waiter.send(wants);
        let begin = Instant::now();
        while said(&mut asker, &holder, Some(of_holder)).await != Some(Waited) {
            assert!(begin.elapsed() < PATIENCE, "{holds} {wants}");
        }
        assert_eq!(said(&mut asker, &idle, Some(of_idle)).await, Some(Nothing), "{holds}");
        assert_eq!(said(&mut asker, &waiter, Some(of_waiter)).await, Some(Lock), "{wants}");
    }
}

#[tokio::test]
async fn where_no_account_is_kept_nobody_is_acquitted_and_that_is_said() {
    let Some(db) = MySql::start(&["--performance-schema-instrument=wait/lock/metadata%=OFF"]).await
    else {
        return;
    };
    let mut asker = db.asker().await;
    assert!(asker.lack().is_some_and(|lack| lack.contains("performance_schema")));
    let (mut client, tid) = db.client().await;
    client.have("LOCK TABLES t WRITE;");
    assert_eq!(said(&mut asker, &client, Some(tid)).await, None);
}
