//! A few processes that are held ready for a signal: their pidfds and the files that are looked at before
//! it stay open. Opening anything takes the kernel memory, which it charges to the cgroup of whoever asks
//! and has them wait for; where there is none that takes as long as the storm. Reading again what is open
//! takes none: the kernel keeps the buffer of the first reading (fs/seq_file.c).

use headroom_core::snapshot::ProcessId;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};

use super::{PidPath, Proc};
use crate::error::ReadError;
use crate::lines::{open_file, read_file};
#[cfg(doc)]
use crate::process::Target;
use crate::process::{has_ended, hold};

/// So many at the most: each takes the kernel some 20 KiB.
pub const MOST_READY: usize = 4;

/// Read of the process itself.
const OF_IT: [&str; 5] = ["stat", "statm", "status", "oom_score_adj", "exe"];
/// Read of its parent.
const OF_PARENT: [&str; 2] = ["status", "exe"];

/// One process with all that stays open of it.
#[derive(Debug)]
struct Place {
    id: ProcessId,
    /// Until a [`Target`] takes it.
    pidfd: Option<OwnedFd>,
    files: [OwnedFd; OF_IT.len()],
    parent: i32,
    /// Of a parent that is not to be seen there are none.
    of_parent: Option<[OwnedFd; OF_PARENT.len()]>,
}

/// All that are held ready.
#[derive(Debug, Default)]
pub(super) struct Ready {
    places: [Option<Place>; MOST_READY],
}

impl Ready {
    /// The open file of that name, if the process is held ready or is the parent of one that is. Hot.
    pub(super) fn file(&self, pid: i32, name: &str) -> Option<BorrowedFd<'_>> {
        let nth = |names: &[&str]| names.iter().position(|each| *each == name);
        self.places.iter().flatten().find_map(|place| {
            if place.id.pid == pid {
                return place.files.get(nth(&OF_IT)?).map(|file| file.as_fd());
            }
            let of_parent = place.of_parent.as_ref().filter(|_| place.parent == pid)?;
            of_parent.get(nth(&OF_PARENT)?).map(|file| file.as_fd())
        })
    }

    /// That process has ended: what is open is nobody's any more.
    pub(super) fn forget(&mut self, pid: i32) {
        for place in &mut self.places {
            let _ended = place.take_if(|place| place.id.pid == pid);
            if let Some(place) = place.as_mut().filter(|place| place.parent == pid) {
                place.of_parent = None;
            }
        }
    }
}

impl Proc {
    /// Opens what is read of a process before a signal and keeps it open. From then on every reading of
    /// it, of its parent's user and program, and [`Target::open`] take the kernel no memory.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it ended; [`ReadError::Malformed`] when there is no place left, or this
    /// `/proc` is not the running kernel's.
    pub fn hold_ready(&mut self, id: ProcessId) -> Result<(), ReadError> {
        if self.is_ready(id) {
            return Ok(());
        }
        // What is open under this pid is another's.
        self.ready.forget(id.pid);
        let free = self.ready.places.iter().position(Option::is_none);
        let free = free.ok_or(ReadError::Malformed { what: "no place left among those ready" })?;
        let pidfd = hold(self, id)?;
        let parent = self.stat(id.pid)?.parent;
        let [stat, statm, status, score, exe] = OF_IT;
        let files = [
            self.open_ready(id.pid, stat)?,
            self.open_ready(id.pid, statm)?,
            self.open_ready(id.pid, status)?,
            self.open_ready(id.pid, score)?,
            self.open_ready(id.pid, exe)?,
        ];
        let [status, exe] = OF_PARENT;
        let of_parent =
            (|| Some([self.open_ready(parent, status).ok()?, self.open_ready(parent, exe).ok()?]))(
            );
        if let Some(place) = self.ready.places.get_mut(free) {
            *place = Some(Place { id, pidfd: Some(pidfd), files, parent, of_parent });
        }
        Ok(())
    }

    /// Those that are held ready. Hot.
    pub fn ready(&self) -> impl Iterator<Item = ProcessId> + '_ {
        let places = self.ready.places.iter().flatten();
        places.filter(|place| place.pidfd.is_some()).map(|place| place.id)
    }

    /// Lets go of all that are not to be kept, and of those that were sent a signal.
    pub fn keep_ready(&mut self, is_kept: impl Fn(ProcessId) -> bool) {
        for place in &mut self.ready.places {
            let _let_go = place.take_if(|place| place.pidfd.is_none() || !is_kept(place.id));
        }
    }

    /// Lets go of those that have ended.
    pub fn let_ended_go(&mut self) {
        for place in &mut self.ready.places {
            let _let_go = place.take_if(|place| place.pidfd.as_ref().is_none_or(has_ended));
        }
    }

    /// Whether this very process is held ready. Hot.
    #[must_use]
    pub fn is_ready(&self, id: ProcessId) -> bool {
        self.ready().any(|ready| ready == id)
    }

    /// The pidfd of a process that is held ready, for its one [`Target`]: were it open twice, whoever waits
    /// for it would be told of it for longer than there is a target. Hot.
    pub(crate) fn take_pidfd(&mut self, id: ProcessId) -> Option<OwnedFd> {
        self.ready.places.iter_mut().flatten().find(|place| place.id == id)?.pidfd.take()
    }

    /// Opens a file and reads it once, so that its buffer is there.
    fn open_ready(&mut self, pid: i32, name: &str) -> Result<OwnedFd, ReadError> {
        let path = PidPath::new(pid, name)?;
        if name == "exe" {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            return Ok(rustix::fs::openat(&self.dir, path.as_c_str(), flags, Mode::empty())?);
        }
        let file = open_file(self.dir.as_fd(), path.as_c_str())?;
        read_file(file.as_fd(), &mut self.buffer)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::{Child, Command};

    fn sleeper() -> (Child, ProcessId) {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let start_ticks = Proc::open(Path::new("/")).unwrap().stat(pid).unwrap().start_ticks;
        (child, ProcessId { pid, start_ticks })
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until it runs its own program: what it is called changes before that.
    fn settled(proc: &mut Proc, pid: i32) {
        while proc.cmdline(pid, &mut [0; 64]).unwrap_or_default() != b"sleep\x00600" {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_is_read_of_one_that_is_ready_is_what_is_read_of_any() {
        let (child, id) = sleeper();
        let (mut proc, mut plain) =
            (Proc::open(Path::new("/")).unwrap(), Proc::open(Path::new("/")).unwrap());
        settled(&mut proc, id.pid);
        proc.hold_ready(id).unwrap();
        proc.hold_ready(id).unwrap();
        assert_eq!(proc.ready().collect::<Vec<_>>(), [id]);
        for name in OF_IT {
            assert!(proc.ready.file(id.pid, name).is_some(), "{name}");
        }
        let parent = crate::own::own_pid();
        assert!(OF_PARENT.iter().all(|name| proc.ready.file(parent, name).is_some()));
        assert!(proc.ready.file(parent, "stat").is_none());
        assert_eq!(proc.stat(id.pid).unwrap().parent, parent);
        assert_eq!(proc.statm(id.pid), plain.statm(id.pid));
        assert_eq!(
            proc.status(id.pid).map(|s| s.uid_real),
            plain.status(id.pid).map(|s| s.uid_real)
        );
        assert_eq!(proc.oom_score_adj(id.pid), plain.oom_score_adj(id.pid));
        plain.set_oom_score_adj(id.pid, 1000).unwrap();
        assert_eq!(proc.oom_score_adj(id.pid), Ok(1000), "it is read anew each time");
        let (mut into, mut other) = ([0; 512], [0; 512]);
        assert_eq!(proc.exe(id.pid, &mut into), plain.exe(id.pid, &mut other));
        assert_eq!(proc.exe(parent, &mut into), plain.exe(parent, &mut other));
        end(child);
    }

    #[test]
    fn its_target_takes_the_pidfd_that_was_open_and_reaches_it() {
        let (mut child, id) = sleeper();
        let mut proc = Proc::open(Path::new("/")).unwrap();
        proc.hold_ready(id).unwrap();
        let target = crate::process::Target::open(&mut proc, id).unwrap();
        assert!(!proc.is_ready(id), "it is open once");
        target.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(proc.stat(id.pid), Err(ReadError::Gone));
        assert!(proc.ready.file(id.pid, "stat").is_none(), "nothing of it stays open");
    }

    #[test]
    fn who_has_ended_is_let_go_and_there_are_only_so_many_places() {
        let mut proc = Proc::open(Path::new("/")).unwrap();
        let all: Vec<_> = (0..=MOST_READY).map(|_| sleeper()).collect();
        let (more, first) = all.split_last().unwrap();
        for (_, id) in first {
            proc.hold_ready(*id).unwrap();
        }
        assert!(proc.hold_ready(more.1).is_err());
        let kept = first[0].1;
        proc.keep_ready(|id| id == kept);
        proc.hold_ready(more.1).unwrap();
        let more = more.1;
        assert_eq!(proc.ready().collect::<Vec<_>>(), [kept, more]);
        all.into_iter().for_each(|(child, _)| end(child));
        proc.let_ended_go();
        assert_eq!(proc.ready().count(), 0);
        assert_eq!(proc.hold_ready(more), Err(ReadError::Gone));
    }
}
