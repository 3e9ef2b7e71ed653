//! A guard that is measured: the release build with a policy of the bench's own, in folders of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::write_section;
use crate::{say, tree};

/// A guard gets ready within this, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// A guard, ended when it is dropped.
pub(super) struct Guard {
    child: Child,
    folder: tempfile::TempDir,
}

/// Which guard to measure.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Measure this program and not the one that is built here; nothing is written to docs/
    #[arg(long, value_name = "PROGRAM")]
    guard: Option<PathBuf>,
}

impl Which {
    /// The program.
    pub(super) fn program(&self) -> Result<PathBuf> {
        self.guard.clone().map_or_else(build, Ok)
    }

    /// Says what was measured, and writes it down unless it was another program.
    pub(super) fn tell(&self, name: &str, section: &str) -> Result<()> {
        if self.guard.is_none() {
            write_section(name, section)?;
        }
        say(section);
        Ok(())
    }
}

/// Builds the guard as it is shipped, and gives its program.
fn build() -> Result<PathBuf> {
    say("bench: building the release guard");
    tree::check(&mut tree::cargo(["build", "--release", "--quiet", "-p", "headroom-guard"]))?;
    Ok(tree::target().join("release/headroom-guard"))
}

impl Guard {
    /// Starts one and waits until it watches.
    pub(super) fn start(program: &Path, policy: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let policy_file = folder.path().join("policy.toml");
        fs::write(&policy_file, policy)?;
        let log = File::create(folder.path().join("log"))?;
        let child = Command::new(program)
            .arg("--policy")
            .arg(&policy_file)
            .arg("--state-dir")
            .arg(folder.path())
            .arg("--runtime-dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let guard = Self { child, folder };
        let give_up = Instant::now() + PATIENCE;
        while !guard.log().contains("guarding ") {
            if Instant::now() > give_up {
                bail!("the guard did not get ready: {}", guard.log());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(guard)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has it read its policy anew, and look at everybody.
    pub(super) fn reload(&self) -> Result<()> {
        let sent = Command::new("kill").args(["-HUP", &self.pid().to_string()]).status();
        if !sent.context("starting kill (package procps)")?.success() {
            bail!("the guard cannot be told to reload");
        }
        Ok(())
    }

    /// All it has said.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its journal.
    pub(super) fn journal(&self) -> PathBuf {
        self.folder.path().join(headroom_api::paths::JOURNAL)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A measurement that is over has nobody to tell of an error.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
