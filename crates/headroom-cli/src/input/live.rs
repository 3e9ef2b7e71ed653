//! The node's own logs: the journal, the kernel's log files with their rotations, the ring buffer.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustix::fs::OFlags;

use super::open::Log;
use super::piped::Piped;
use super::rotation::{self, Age};
use super::when::Clock;
use super::{Gathered, Range};

/// Log files by the distributions' habits; the first that is there is the kernel's.
const KERNEL_LOGS: [&str; 3] = ["kern.log", "messages", "syslog"];

/// Who writes kill lines to the journal: the kernel, and the daemons.
const TAGS: [&str; 6] =
    ["systemd-oomd", "earlyoom", "nohang", "nohang-desktop", "oomd", "headroom-guard"];

/// Reads every log of the node that there is, or under `root` the files only.
pub(super) fn read(gathered: &mut Gathered, root: Option<&Path>, range: &Range) {
    let mut denied = Vec::new();
    journal(gathered, root, range, &mut denied);
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
        let mut found: Vec<(Age, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let file = entry.file_name().into_string().ok()?;
                let (base, age) = rotation::split(&file);
                (base == name && entry.path().is_file()).then(|| (age, entry.path()))
            })
            .collect();
        if !found.is_empty() {
            found.sort();
            return found.into_iter().map(|(_, path)| path).collect();
        }
    }
    Vec::new()
}

/// The journal, by the program that reads it: its format is systemd's own.
fn journal(gathered: &mut Gathered, root: Option<&Path>, range: &Range, denied: &mut Vec<String>) {
    let mut command = Command::new("journalctl");
    // Not --quiet: what it would not say then is that it may not show all.
    command.args(["--no-pager", "--all", "--output=short-unix"]);
    if let Some(root) = root {
        let folder = root.join("var/log/journal");
        if !folder.is_dir() {
            return;
        }
        command.arg("--directory").arg(folder);
    }
    if let Some(since) = range.since {
        command.arg(format!("--since=@{}", since.as_second()));
    }
    command.arg("_TRANSPORT=kernel");
    for tag in TAGS {
        command.args(["+".to_string(), format!("SYSLOG_IDENTIFIER={tag}")]);
    }
    // A node without systemd has no journal, which is no failure.
    let Ok(piped) = Piped::start("journalctl", &mut command) else { return };
    let complaint = Complaint::default();
    let reader = Telling { piped, complaint: complaint.clone() };
    let bytes = gathered.read_stream("journal", Box::new(reader), &Clock::now());
    // "-- No entries --" is no log that was read.
    if bytes < 32 {
        gathered.forget_last();
    }
    let said = complaint.lock().map(|said| said.clone()).unwrap_or_default();
    if ["ermission", "not seeing messages"].iter().any(|words| said.contains(words)) {
        denied.push(
            "journal: not all of it is readable for you; members of the group systemd-journal (or adm) \
             may read it"
                .into(),
        );
    }
}

/// What journalctl said on standard error, for whoever had its output read.
type Complaint = Arc<Mutex<String>>;

/// journalctl's output, whose end is never an error: it says more than its exit status.
struct Telling {
    piped: Piped,
    complaint: Complaint,
}

impl Read for Telling {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.piped.read_output(into)?;
        if count == 0
            && let Ok(mut complaint) = self.complaint.lock()
        {
            complaint.push_str(&self.piped.end().0);
        }
        Ok(count)
    }
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
            denied.push(format!(
                "{PATH}: not readable for you; root may read it, and everybody where the sysctl \
                 kernel.dmesg_restrict is 0"
            ));
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
    /// Forgets a source in which nothing was.
    fn forget_last(&mut self) {
        let source = u32::try_from(self.sources.len().saturating_sub(1)).unwrap_or(u32::MAX);
        if self.events.iter().all(|event| event.event.first.source != source) {
            self.sources.pop();
            self.logs.retain(|log| log.source != source);
        }
    }

    /// Reads a stream to its end; gives back how many bytes it had.
    fn read_stream(&mut self, name: &str, reader: Box<dyn Read>, clock: &Clock) -> u64 {
        let source = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(name.to_string());
        let log = Log { name: name.to_string(), reader, compressed: false, skim: None };
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
