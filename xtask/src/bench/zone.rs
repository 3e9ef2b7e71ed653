//! A memory cgroup of a bench's own that is too small for what runs in it: the machine as a whole is never
//! short.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::say;

/// So many times a file is read.
const AGAIN: usize = 400;
/// Small enough to be full in a moment, large enough for a victim beside it.
const LIMIT: &str = "100663296";

/// A memory cgroup below this process's own, removed when it is dropped.
pub(super) struct Zone {
    folder: PathBuf,
    /// Below the hierarchy's root, as the policy names it.
    pub(super) path: String,
}

impl Zone {
    pub(super) fn make() -> Result<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").context("reading /proc/self/cgroup")?;
        let of =
            |mark: &str| own.lines().find_map(|line| line.split_once(mark)).map(|(_, path)| path);
        let name = format!("headroom-bench-{}", std::process::id());
        let (root, own, limit) = match (of(":memory:"), of("0::")) {
            (Some(own), _) => ("/sys/fs/cgroup/memory", own, "memory.limit_in_bytes"),
            (None, Some(own)) => ("/sys/fs/cgroup", own, "memory.max"),
            (None, None) => bail!("no memory cgroups here"),
        };
        let path = format!("{}/{name}", own.trim_matches('/'));
        let path = path.trim_matches('/').to_owned();
        let folder = Path::new(root).join(&path);
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let zone = Self { folder, path };
        fs::write(zone.folder.join(limit), LIMIT).context("setting the zone's limit")?;
        Ok(zone)
    }

    /// Runs a shell's line in the zone.
    pub(super) fn run(&self, line: &str, stdout: Stdio) -> Result<Child> {
        let procs = self.folder.join("cgroup.procs");
        let script = format!("echo $$ > '{}'; {line}", procs.display());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::null()).stdout(stdout);
        command.spawn().context("starting sh")
    }

    /// Puts a process into it.
    pub(super) fn take(&self, pid: u32) -> Result<()> {
        let procs = self.folder.join("cgroup.procs");
        fs::write(&procs, pid.to_string()).with_context(|| format!("writing {}", procs.display()))
    }

    /// Holds 16 MiB and waits, since nobody reads what it writes.
    pub(super) fn victim(&self, mark: u32) -> Result<Child> {
        let line = format!("exec dd if=/dev/zero bs=16M count={mark} status=none");
        self.run(&line, Stdio::piped())
    }

    /// Reads a file that is larger than the zone again and again: it waits for the kernel to find room.
    pub(super) fn reader(&self, file: &Path) -> Result<Child> {
        // One program, since each start of another wakes the guard.
        let again = " \"$f\"".repeat(AGAIN);
        let line = format!("f='{}'; exec cat{again}", file.display());
        self.run(&line, Stdio::null())
    }

    /// Takes memory without end: tail keeps a line until it is whole. The kernel takes it first.
    pub(super) fn hog(&self) -> Result<Child> {
        self.run("echo 1000 > /proc/self/oom_score_adj; exec tail /dev/zero", Stdio::null())
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        // The kernel takes a moment to let go of what ended in it.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        say(&format!("could not remove {}", self.folder.display()));
    }
}
