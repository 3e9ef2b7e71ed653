//! A MariaDB of its own: an own folder, an own socket, no network, and the misconfiguration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::tree;

/// The misconfiguration: each line is one that shops are found with.
pub(super) const OPTIONS: [&str; 9] = [
    "max_connections=500",
    "innodb_buffer_pool_size=2G",
    "innodb_log_file_size=48M",
    "key_buffer_size=64M",
    "sort_buffer_size=8M",
    "tmp_table_size=256M",
    "max_heap_table_size=256M",
    "skip-networking",
    "performance_schema=ON",
];
/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes an empty data folder.
pub(super) fn install(folder: &Path) -> Result<()> {
    let data = folder.join("data");
    let output = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--user=mysql", "--auth-root-authentication-method=normal"])
        .arg(format!("--datadir={}", data.display()))
        .output()
        .context("starting mariadb-install-db (Debian package mariadb-server; as root)")?;
    if !output.status.success() {
        bail!("mariadb-install-db: {}", String::from_utf8_lossy(&output.stderr));
    }
    tree::check(Command::new("chown").arg("mysql").arg(folder))
}

/// A server of its own, which ends with this.
pub(super) struct Server {
    child: Child,
    pub(super) socket: PathBuf,
}

impl Server {
    pub(super) fn start(folder: &Path, more: &[&str]) -> Result<Self> {
        let socket = folder.join("socket");
        let mut config = format!(
            "[mysqld]\ndatadir={}\nsocket={}\npid-file={}\n",
            folder.join("data").display(),
            socket.display(),
            folder.join("pid").display()
        );
        for option in OPTIONS.iter().chain(more) {
            config.push_str(option);
            config.push('\n');
        }
        let file = folder.join("my.cnf");
        fs::write(&file, config)?;
        let child = Command::new("mariadbd")
            .arg(format!("--defaults-file={}", file.display()))
            .arg("--user=mysql")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log"))?)
            .spawn()
            .context("starting mariadbd (Debian package mariadb-server; as root)")?;
        let server = Self { child, socket };
        let began = Instant::now();
        while server.sql("SELECT 1").is_err() {
            if began.elapsed() > PATIENCE {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                bail!("mariadbd did not come up: {log}");
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(server)
    }

    pub(super) fn client(&self, query: &str) -> Command {
        let mut command = Command::new("mariadb");
        command
            .args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"])
            .arg(format!("--socket={}", self.socket.display()))
            .args(["shop", "--execute", query])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    pub(super) fn sql(&self, query: &str) -> Result<String> {
        let output = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"])
            .arg(format!("--socket={}", self.socket.display()))
            .args(["--execute", query])
            .output()
            .context("starting mariadb (Debian package mariadb-client)")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it holds, in KiB.
    pub(super) fn pss(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.context("smaps_rollup has no Pss")
    }

    pub(super) fn stop(&mut self) {
        // SHUTDOWN first, so that it writes what it has; then it is ours to end.
        drop(self.sql("SHUTDOWN"));
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
