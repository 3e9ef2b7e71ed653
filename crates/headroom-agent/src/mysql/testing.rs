//! A MariaDB of the test's own: its data in a folder that goes away with it, reached by a socket alone.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Config, Server};
use crate::testing::missing;

/// How long a slow machine may take to start it.
const START: Duration = Duration::from_secs(120);

/// The server. It ends with its test, whatever the test does.
pub(crate) struct MariaDb {
    pub(crate) dir: tempfile::TempDir,
    server: Option<Child>,
    pool_mib: u64,
}

/// Fills a fresh data folder; what the program said, when it failed.
fn install(data: &std::path::Path) -> Result<(), String> {
    let _of_an_earlier_try = std::fs::remove_dir_all(data);
    std::fs::create_dir(data).unwrap();
    let mut install = Command::new("mariadb-install-db");
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    install.arg(format!("--datadir={}", data.display())).arg(format!("--user={}", user()));
    let output = install.stdin(Stdio::null()).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    let _ = std::fs::remove_dir_all(data);
    Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

impl MariaDb {
    /// Starts one; `None` where there is none, and then that is said.
    pub(crate) fn start(pool_mib: u64) -> Option<Self> {
        if missing("mariadbd") || missing("mariadb-install-db") {
            return None;
        }
        let dir = tempfile::Builder::new().prefix("headroom-db").tempdir().unwrap();
        // One at a time: on a busy machine several of them at once run into each other's time limits.
        static INSTALLS: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let one_at_a_time = INSTALLS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let data = dir.path().join("data");
        let tries = (0..3).map(|_| install(&data));
        let mut failures = tries.map_while(Result::err);
        let problem = failures.by_ref().last();
        assert!(data.join("mysql").exists(), "mariadb-install-db: {problem:?}");
        drop(one_at_a_time);
        let mut server = Self { dir, server: None, pool_mib };
        server.begin();
        Some(server)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("data/socket")
    }

    pub(crate) fn config(&self) -> Config {
        Config { socket: Some(self.socket()), user: "root".into(), password_file: None }
    }

    pub(crate) async fn connect(&self) -> Server {
        Server::connect(&self.config(), std::path::Path::new("/")).await.unwrap()
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn begin(&mut self) {
        let data = self.dir.path().join("data");
        let mut command = Command::new("mariadbd");
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--innodb-buffer-pool-size={}M", self.pool_mib))
            .arg(format!("--user={}", user()))
            .args([
                "--skip-networking",
                "--plugin-load-add=auth_socket",
                "--performance-schema=OFF",
            ])
            .args([
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-log-file-size=96M",
                "--innodb-fast-shutdown=1",
            ])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.dir.path().join("log")).unwrap());
        self.server = Some(command.spawn().unwrap());
        let begin = Instant::now();
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(begin.elapsed() < START, "mariadbd does not start: {}", log());
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "mariadbd ended: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the server in order, as a graceful restart does.
    pub(crate) fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            let pid = i32::try_from(server.id()).unwrap();
            let mut proc = headroom_sys::proc::Proc::open(std::path::Path::new("/")).unwrap();
            let start_ticks = proc.stat(pid).unwrap().start_ticks;
            let id = headroom_core::snapshot::ProcessId { pid, start_ticks };
            let target = headroom_sys::process::Target::open(&mut proc, id).unwrap();
            target.terminate().unwrap();
            server.wait().unwrap();
        }
    }

    /// Fills a table of that many MiB, so that the pool holds it.
    pub(crate) async fn fill(&self, mib: u64) {
        let mut server = self.connect().await;
        let long = Duration::from_secs(300);
        server.run("CREATE DATABASE IF NOT EXISTS shop", long).await.unwrap();
        server.run("CREATE TABLE shop.t (id INT PRIMARY KEY, filler CHAR(200) NOT NULL) ENGINE=InnoDB CHARACTER SET latin1", long).await.unwrap();
        // Some 230 bytes a row with what InnoDB adds.
        let rows = mib * (1 << 20) / 230;
        server
            .run(&format!("INSERT INTO shop.t SELECT seq, REPEAT(CHAR(65 + seq % 26), 200) FROM shop.seq_1_to_{rows}"), long)
            .await
            .unwrap();
    }
}

fn user() -> &'static str {
    // As root it must be told that root is meant.
    "root"
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
