//! What another program makes of a file: the journal's own format, compression that is not read here.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

/// Complaints longer than this are cut.
const LONGEST_COMPLAINT: u64 = 64 * 1024;

/// A program's standard output. Its end is an error if the program failed.
pub(super) struct Piped {
    name: String,
    child: Child,
    output: ChildStdout,
    complaint: Option<JoinHandle<String>>,
}

impl Piped {
    /// Starts a program; `name` is what to call it when it fails.
    pub(super) fn start(name: &str, command: &mut Command) -> io::Result<Self> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        // Both are read at once, so that a program with much to complain about cannot hold us up.
        let complaint = child.stderr.take().map(|stderr| {
            thread::spawn(move || {
                let mut text = Vec::new();
                // Whatever it was, an unreadable complaint is none.
                let _ = stderr.take(LONGEST_COMPLAINT).read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        Ok(Self { name: name.into(), child, output, complaint })
    }

    /// Reads on, whatever comes of the program.
    pub(super) fn read_output(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.output.read(into)
    }

    /// What the program said on standard error, once it has ended, and whether it failed.
    pub(super) fn end(&mut self) -> (String, bool) {
        let complaint = self.complaint.take().and_then(|thread| thread.join().ok());
        let failed = self.child.wait().is_ok_and(|status| !status.success());
        (complaint.unwrap_or_default(), failed)
    }
}

impl Read for Piped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(into)?;
        if count == 0 && !into.is_empty() && self.complaint.is_some() {
            let (complaint, failed) = self.end();
            if failed {
                let last = complaint.lines().last().unwrap_or("it failed").trim();
                return Err(io::Error::other(format!("{}: {last}", self.name)));
            }
        }
        Ok(count)
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        if self.complaint.is_some() {
            // Left early: the program is not to write on into a pipe that nobody reads.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A journal file, by the program that knows its format.
pub(super) fn journal(path: &Path) -> io::Result<Piped> {
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--all", "--output=short-unix", "--file"]).arg(path);
    Piped::start("journalctl --file", &mut command)
}

/// A file compressed by bzip2.
pub(super) fn bzip2(path: &Path) -> io::Result<Piped> {
    Piped::start("bzcat", Command::new("bzcat").arg("--").arg(path))
}
