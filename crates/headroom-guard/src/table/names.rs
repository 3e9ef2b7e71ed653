//! What of a process the kernel shows only under a lock that others may hold for as long as they wait for
//! memory: its command line (its mmap lock; fs/proc/base.c, mm/memory.c `access_remote_vm`) and its cgroup
//! (`cgroup_mutex` before Linux 6.10; kernel/cgroup/cgroup.c `proc_cgroup_show`). A thread reads it, so that
//! whoever asks waits for a few milliseconds at the most and does without.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use headroom_sys::own;
use headroom_sys::proc::Proc;

/// Whoever asks waits no longer than this.
const PATIENCE: Duration = Duration::from_millis(5);
/// Bytes of a command line that are looked at.
pub(super) const COMMAND: usize = 1024;
/// Bytes of a cgroup's path.
pub(super) const CGROUP: usize = 512;

/// What was read, in the buffers of whoever asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Of the command line; `None` when it was not asked for or cannot be read.
    pub(super) command: Option<usize>,
    /// Of the cgroup's path; `None` when it cannot be read.
    pub(super) cgroup: Option<usize>,
}

/// What a process calls itself and where it belongs.
pub(super) struct Buffers {
    pub(super) command: [u8; COMMAND],
    pub(super) cgroup: [u8; CGROUP],
}

impl Buffers {
    pub(super) const fn new() -> Self {
        Self { command: [0; COMMAND], cgroup: [0; CGROUP] }
    }

    /// Reads in this thread.
    pub(super) fn read(&mut self, proc: &mut Proc, pid: i32, command: bool) -> Lengths {
        let of_command = |proc: &mut Proc, into| proc.cmdline(pid, into).ok().map(<[u8]>::len);
        Lengths {
            command: command.then(|| of_command(proc, &mut self.command)).flatten(),
            cgroup: proc.cgroup(pid, &mut self.cgroup).ok().map(<[u8]>::len),
        }
    }
}

/// What lies between the two.
struct Desk {
    state: State,
    pid: i32,
    command: bool,
    lengths: Lengths,
    buffers: Buffers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Asked,
    /// It is being read; nobody waits for it any more when the flag is set.
    Reading {
        forsaken: bool,
    },
    Answered,
}

struct Shared {
    desk: Mutex<Desk>,
    asked: Condvar,
    answered: Condvar,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader's other end.
pub(crate) struct Names(Arc<Shared>);

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// Starts the reader of the `/proc` under this root; it runs for as long as the program.
    pub(crate) fn start(root: &Path) -> io::Result<Self> {
        let proc =
            Proc::open_for_files(root).map_err(|error| io::Error::other(error.to_string()))?;
        Self::start_with(proc)
    }

    fn start_with(mut proc: Proc) -> io::Result<Self> {
        let desk = Desk {
            state: State::Free,
            pid: 0,
            command: false,
            lengths: Lengths::default(),
            buffers: Buffers::new(),
        };
        let shared = Arc::new(Shared {
            desk: Mutex::new(desk),
            asked: Condvar::new(),
            answered: Condvar::new(),
        });
        let of_reader = Arc::clone(&shared);
        let run = move || {
            // As whoever asks: it always comes back to wait.
            let _as_it_is_without_the_right = own::run_in_real_time();
            let mut buffers = Buffers::new();
            loop {
                read_one(&of_reader, &mut buffers, |buffers, pid, command| {
                    buffers.read(&mut proc, pid, command)
                });
            }
        };
        thread::Builder::new().name("names".into()).stack_size(256 * 1024).spawn(run)?;
        Ok(Self(shared))
    }

    /// Asks and waits a little; `None` when the answer does not come in time, or the one before is still
    /// being waited for. Never allocates.
    pub(super) fn ask(&self, pid: i32, command: bool, into: &mut Buffers) -> Option<Lengths> {
        let Shared { asked, answered, .. } = &*self.0;
        let mut desk = self.0.desk();
        if desk.state != State::Free {
            return None;
        }
        (desk.state, desk.pid, desk.command) = (State::Asked, pid, command);
        asked.notify_one();
        let until = Instant::now() + PATIENCE;
        while desk.state != State::Answered {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                desk.state = match desk.state {
                    State::Asked | State::Free => State::Free,
                    State::Reading { .. } | State::Answered => State::Reading { forsaken: true },
                };
                return None;
            }
            desk = answered.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        desk.state = State::Free;
        if let Some(part) = desk.lengths.command {
            into.command[..part].copy_from_slice(&desk.buffers.command[..part]);
        }
        if let Some(part) = desk.lengths.cgroup {
            into.cgroup[..part].copy_from_slice(&desk.buffers.cgroup[..part]);
        }
        Some(desk.lengths)
    }
}

/// Waits for a question and answers it.
fn read_one(
    shared: &Shared,
    buffers: &mut Buffers,
    mut read: impl FnMut(&mut Buffers, i32, bool) -> Lengths,
) {
    let mut desk = shared.desk();
    while desk.state != State::Asked {
        desk = shared.asked.wait(desk).unwrap_or_else(PoisonError::into_inner);
    }
    desk.state = State::Reading { forsaken: false };
    let (pid, command) = (desk.pid, desk.command);
    drop(desk);
    let lengths = read(buffers, pid, command);
    let mut desk = shared.desk();
    if desk.state == (State::Reading { forsaken: true }) {
        desk.state = State::Free;
        return;
    }
    desk.lengths = lengths;
    let Desk { buffers: told, .. } = &mut *desk;
    told.command = buffers.command;
    told.cgroup = buffers.cgroup;
    desk.state = State::Answered;
    shared.answered.notify_one();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_is_read() {
        let names = Names::start(Path::new("/")).unwrap();
        let (mut own_way, mut told) = (Buffers::new(), Buffers::new());
        let pid = own::own_pid();
        let lengths = own_way.read(&mut Proc::open(Path::new("/")).unwrap(), pid, true);
        assert!(lengths.command.is_some_and(|len| len > 0));
        // A busy machine may not answer in time.
        let answer = (0..1000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(5));
            names.ask(pid, true, &mut told)
        });
        assert_eq!(answer, Some(lengths));
        let len = lengths.command.unwrap();
        assert_eq!(told.command[..len], own_way.command[..len]);
    }

    #[test]
    fn whoever_asks_for_what_cannot_be_read_now_goes_on_without_it() {
        let names = Names(Arc::new(Shared {
            desk: Mutex::new(Desk {
                state: State::Free,
                pid: 0,
                command: false,
                lengths: Lengths::default(),
                buffers: Buffers::new(),
            }),
            asked: Condvar::new(),
            answered: Condvar::new(),
        }));
        let shared = Arc::clone(&names.0);
        let (go_on, waits) = std::sync::mpsc::channel::<()>();
        let reader = thread::spawn(move || {
            let mut buffers = Buffers::new();
            // The first one hangs in the kernel until it is let go, the second is answered.
            read_one(&shared, &mut buffers, |_, _, _| {
                waits.recv().unwrap();
                Lengths::default()
            });
            read_one(&shared, &mut buffers, |_, pid, _| Lengths {
                command: usize::try_from(pid).ok(),
                cgroup: None,
            });
        });
        let mut into = Buffers::new();
        while names.0.desk().state == State::Free {
            assert_eq!(names.ask(1, true, &mut into), None, "it hangs");
        }
        let asked = Instant::now();
        assert_eq!(names.ask(2, true, &mut into), None, "nobody reads");
        assert!(asked.elapsed() < Duration::from_secs(2));
        go_on.send(()).unwrap();
        let answer = (0..10_000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(1));
            names.ask(3, true, &mut into)
        });
        assert_eq!(
            answer.and_then(|l| l.command),
            Some(3),
            "never the answer to an older question"
        );
        reader.join().unwrap();
    }
}
