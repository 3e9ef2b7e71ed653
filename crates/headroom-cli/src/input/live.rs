//! The node's own logs: the journal, the kernel's log files with their rotations, the ring buffer.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::OFlags;

use super::open::Log;
use super::when::Clock;
use super::{Gathered, Range};

/// Log files by the distributions' habits; the first that is there is the kernel's.
const KERNEL_LOGS: [&str; 3] = ["kern.log", "messages", "syslog"];

/// Who writes kill lines to the journal: the kernel, and the daemons.
const TAGS: [&str; 5] = ["systemd-oomd", "earlyoom", "nohang", "oomd", "headroom-guard"];

/// Reads every log of the node that there is, or under `root` the files only.
pub(super) fn read(gathered: &mut Gathered, root: Option<&Path>, range: &Range) {
    let mut denied = Vec::new();
    if root.is_none() {
        journal(gathered, range, &mut denied);
    }
    let logs = root.unwrap_or_else(|| Path::new("/")).join("var/log");
    for path in kernel_logs(&logs) {
        match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => denied.push(format!(
                "{}: not readable for you; members of the group adm (or root) may read it",
                path.display()
            )),
            _ => gathered.read(&path),
        }
    }
    if root.is_none() {
        ring_buffer(gathered, &mut denied);
    }
    if gathered.sources.is_empty() && denied.is_empty() {
        gathered.problems.push(format!("no kernel log under {}; name one", logs.display()));
    }
    // What was found stands; that nothing was found is no answer while a log is closed to us.
    if gathered.events.is_empty() {
        gathered.problems.append(&mut denied);
    } else {
        gathered.notes.append(&mut denied);
    }
}

/// The kernel's log and its rotations, the oldest first.
fn kernel_logs(folder: &Path) -> Vec<PathBuf> {
    for name in KERNEL_LOGS {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut found: Vec<(u32, String, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let file = entry.file_name().into_string().ok()?;
                let suffix = file.strip_prefix(name)?;
                // "kern.log.2.gz" by its number, "messages-20260318" by its date.
                let age =
                    suffix.trim_start_matches('.').split('.').next().and_then(|n| n.parse().ok());
                let rotation = suffix.is_empty() || suffix.starts_with(['.', '-']);
                (rotation && entry.path().is_file())
                    .then(|| (age.unwrap_or(0), file.clone(), entry.path()))
            })
            .collect();
        if !found.is_empty() {
            found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            return found.into_iter().map(|(_, _, path)| path).collect();
        }
    }
    Vec::new()
}

/// The journal, by the program that reads it: its format is systemd's own.
fn journal(gathered: &mut Gathered, range: &Range, denied: &mut Vec<String>) {
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--all", "--output=short-unix"]);
    if let Some(since) = range.since {
        command.arg(format!("--since=@{}", since.as_second()));
    }
    command.arg("_TRANSPORT=kernel");
    for tag in TAGS {
        command.args(["+".to_string(), format!("SYSLOG_IDENTIFIER={tag}")]);
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    // A node without systemd has no journal, which is no failure.
    let Ok(mut child) = child else { return };
    let Some(output) = child.stdout.take() else { return };
    let bytes = gathered.read_stream("journal", Box::new(output), &Clock::now());
    if bytes == 0 && said(&mut child).contains("ermission") {
        denied.push(
            "journal: not readable for you; members of the group systemd-journal may read it"
                .into(),
        );
    }
}

/// What journalctl said on standard error, once it has ended.
fn said(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = child.stderr.take() {
        // Whatever it was, an unreadable complaint is no complaint about permissions.
        let _ = stderr.take(64 * 1024).read_to_string(&mut text);
    }
    let _ = child.wait();
    text
}

/// The kernel's ring buffer, which holds what no logger has written yet.
fn ring_buffer(gathered: &mut Gathered, denied: &mut Vec<String>) {
    const PATH: &str = "/dev/kmsg";
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    match OpenOptions::new().read(true).custom_flags(flags).open(PATH) {
        Ok(file) => {
            gathered.read_stream(PATH, Box::new(RingBuffer(file)), &Clock::of_this_boot());
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            denied.push(format!("{PATH}: not readable for you; root may read it"));
        }
        Err(_) => {}
    }
}

/// `/dev/kmsg`: a record a read, and no end but the wait for more
/// (`Documentation/ABI/testing/dev-kmsg`).
struct RingBuffer(File);

impl Read for RingBuffer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        /// Records can be overwritten while they are read; what follows is still there.
        const OVERTAKEN: usize = 64;
        for _ in 0..OVERTAKEN {
            match self.0.read(into) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                result => return result,
            }
        }
        Ok(0)
    }
}

impl Gathered {
    /// Reads a stream to its end; gives back how many bytes it had.
    fn read_stream(&mut self, name: &str, reader: Box<dyn Read>, clock: &Clock) -> u64 {
        let source = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(name.to_string());
        let log = Log { name: name.to_string(), reader, compressed: false };
        self.take(log, source, clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_come_from_the_oldest_to_the_newest() {
        let folder = tempfile::TempDir::new().unwrap();
        for name in
            ["kern.log", "kern.log.1", "kern.log.10.gz", "kern.log.2.gz", "kern.logger", "syslog"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<String> = kernel_logs(folder.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["kern.log.10.gz", "kern.log.2.gz", "kern.log.1", "kern.log"]);
    }
}
