//! Running a program with a text on its standard input and a limit on its time.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use headroom_core::text::harmless;
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, Signal, kill_process_group};

/// What is kept of what it says.
const SAID: u64 = 4096;

/// The longest part of it that is told.
const TOLD: usize = 200;

/// How long its output is waited for once it has ended: something it left behind may hold it open.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub(super) code: Option<i32>,
    /// The signal.
    pub(super) signal: Option<i32>,
    /// It was ended because it took too long.
    pub(super) too_long: bool,
    /// The beginning of what it said, one harmless line.
    pub(super) said: String,
}

impl Ended {
    /// One sentence about a program that did not end well.
    pub(super) fn why(&self, limit: Duration) -> String {
        let how = match (self.too_long, self.code, self.signal) {
            (true, ..) => format!("took longer than {} s and was ended", limit.as_secs()),
            (false, Some(code), _) => format!("ended with {code}"),
            (false, None, Some(signal)) => format!("was ended by signal {signal}"),
            (false, None, None) => "ended".to_owned(),
        };
        if self.said.is_empty() { how } else { format!("{how}: {}", self.said) }
    }
}

/// Makes the text a file that only this program and those it starts know. A pipe would be cut short by
/// the agent's death, and the reader would take half a mail for a whole one.
pub(super) fn input(text: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("headroom-notice", MemfdFlags::CLOEXEC)?);
    file.write_all(text)?;
    file.rewind()?;
    Ok(file.into())
}

/// Runs it to its end, or ends it and all it started in its process group when `limit` is over. It
/// gets no environment but what is set on `command` and a PATH, and `/` as its directory.
///
/// # Errors
///
/// When it cannot be started.
pub(super) fn run(command: &mut Command, input: OwnedFd, limit: Duration) -> io::Result<Ended> {
    let (reader, writer) = io::pipe()?;
    command
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        .stdin(Stdio::from(input))
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let begun = Instant::now();
    let child = command.spawn();
    // The command holds the pipe's other end open.
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    let mut child = child?;
    let output = listen(reader);
    let (status, too_long) = wait(&mut child, begun, limit)?;
    let said = output.recv_timeout(AFTERWARDS).unwrap_or_default();
    Ok(Ended {
        code: status.code(),
        signal: status.signal(),
        too_long,
        said: harmless(said.trim(), TOLD),
    })
}

/// Reads what it says on a thread of its own, keeps the beginning and lets the rest go.
fn listen(mut reader: io::PipeReader) -> Receiver<String> {
    let (send, receive) = channel();
    let _without_a_thread_nothing_is_heard = thread::Builder::new()
        .name("notify-output".into())
        .stack_size(64 * 1024)
        .spawn(move || {
            let mut said = Vec::new();
            let _as_far_as_it_goes = (&mut reader).take(SAID).read_to_end(&mut said);
            let _nobody_waits = send.send(String::from_utf8_lossy(&said).into_owned());
            let _to_its_end = io::copy(&mut reader, &mut io::sink());
        });
    receive
}

fn wait(child: &mut Child, begun: Instant, limit: Duration) -> io::Result<(ExitStatus, bool)> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, false));
        }
        if begun.elapsed() >= limit {
            break;
        }
        thread::sleep(pause.min(limit.saturating_sub(begun.elapsed())));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    // It has not been waited for, so its number is still its own.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _gone_already = kill_process_group(group, Signal::KILL);
    }
    let _gone_already = child.kill();
    Ok((child.wait()?, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, text: &[u8], limit: Duration) -> Ended {
        let mut command = Command::new("/bin/sh");
        command.env_clear().args(["-c", script]);
        run(&mut command, input(text).unwrap(), limit).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_gets_the_text_and_its_words_are_heard() {
        let ended = shell("cat; echo over >&2; exit 3", b"hello \x1b[2J ", LONG);
        assert_eq!((ended.code, ended.too_long), (Some(3), false));
        assert_eq!(ended.said, "hello \\u{1b}[2J over");
        assert!(ended.why(LONG).starts_with("ended with 3: hello"));
    }

    #[test]
    fn one_that_takes_too_long_is_ended_with_all_it_started() {
        let begun = Instant::now();
        let ended = shell("sleep 1000 & echo $!; wait", b"", Duration::from_millis(200));
        assert!(ended.too_long && begun.elapsed() < LONG, "{ended:?}");
        let sleeper: i32 = ended.said.parse().unwrap();
        let mut tries = 0;
        // The kernel takes a moment to end it; a zombie is an end as well.
        let lives = |pid: i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        while lives(sleeper) && tries < 500 {
            thread::sleep(Duration::from_millis(20));
            tries += 1;
        }
        assert!(!lives(sleeper));
    }

    #[test]
    fn a_flood_of_words_and_a_heir_that_keeps_the_pipe_hold_nobody_up() {
        let ended = shell("head -c 1000000 /dev/zero | tr '\\0' x; sleep 5 & exit 0", b"", LONG);
        assert_eq!(ended.code, Some(0));
        assert!(ended.said.len() <= TOLD + 4, "{}", ended.said.len());
    }
}
