//! `/proc`: the machine's memory and its processes, read without allocating.

mod links;
mod membership;
mod node;
mod ready;
mod task;
#[cfg(test)]
mod tests;

use core::ffi::CStr;
use core::mem::MaybeUninit;
use std::io::Write as _;
use std::path::Path;

use headroom_core::fnv::Fnv;
use headroom_core::snapshot::{Memory, Pressure, ProcessId, VmCounters};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Access, AtFlags, Mode, OFlags, PROC_SUPER_MAGIC, RawDir, SeekFrom};
use rustix::io::retry_on_intr;

use crate::error::ReadError;
use crate::lines::{self, Kept, open_file, read_file};
use crate::psi::{PressureLines, is_absent};
use crate::text::{decimal, signed};

pub use ready::MOST_READY;
use ready::Ready;
pub use task::{Stat, Statm, Status};

/// Room for any line that is looked at, and for all of meminfo or vmstat in one or two reads.
const BUFFER: usize = 8192;

/// What a process does, as one look tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It runs, wants to, or waits for its own memory.
    Runs,
    /// It waits for somebody to connect: it has nothing to do.
    WaitsForClient,
    /// It waits for something else. As long as the mark stays the same it got on by nothing.
    Waits {
        /// Made of the call it waits in and the time it ran.
        mark: u64,
    },
}

/// Room for the names of some 250 processes a read.
const ENTRIES: usize = 8 * 1024;

/// A reader of `/proc` under some root.
///
/// All methods on it are hot: it owns its buffers and never grows them. They read at that moment;
/// of a process that ended meanwhile they say [`ReadError::Gone`].
pub struct Proc {
    dir: OwnedFd,
    meminfo: Kept,
    pressure: Kept,
    vmstat: Kept,
    ready: Ready,
    buffer: Box<[u8]>,
    entries: Box<[MaybeUninit<u8>]>,
    page_kib: u64,
    ticks_per_second: u64,
    live: bool,
}

impl Proc {
    /// Opens `root/proc`.
    ///
    /// # Errors
    /// When there is no such directory, or it may not be read.
    pub fn open(root: &Path) -> Result<Self, ReadError> {
        Self::open_with(root, ENTRIES)
    }

    /// The same, small: for whoever reads files alone and lists no directory, for which there is no room.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_for_files(root: &Path) -> Result<Self, ReadError> {
        Self::open_with(root, 0)
    }

    fn open_with(root: &Path, entries: usize) -> Result<Self, ReadError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(root.join("proc"), flags, Mode::empty())?;
        let live = shows_this_process(dir.as_fd());
        Ok(Self {
            dir,
            meminfo: Kept::new(c"meminfo"),
            pressure: Kept::new(c"pressure/memory"),
            vmstat: Kept::new(c"vmstat"),
            ready: Ready::default(),
            buffer: vec![0; BUFFER].into(),
            entries: vec![MaybeUninit::new(0); entries].into(),
            page_kib: (rustix::param::page_size() / 1024) as u64,
            ticks_per_second: rustix::param::clock_ticks_per_second(),
            live,
        })
    }

    /// The directory itself.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The length of a clock tick, as a number of them a second (`USER_HZ`).
    #[must_use]
    pub const fn ticks_per_second(&self) -> u64 {
        self.ticks_per_second
    }

    /// Whether its pids are this process's own, so that a signal to one reaches what was read
    /// here. Of a captured tree or another container's `/proc` that is not so.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// Whether it hides other users' processes (mount option `hidepid`): then even the first one
    /// cannot be read, and what is seen is not the machine.
    #[must_use]
    pub fn hides_others(&self) -> bool {
        rustix::fs::accessat(&self.dir, c"1/stat", Access::READ_OK, AtFlags::empty()).is_err()
    }

    /// The machine's memory. Where the kernel has no `MemAvailable` (before 3.14) it is estimated
    /// as free memory and page cache without shared memory, which is on the high side.
    ///
    /// # Errors
    /// When meminfo cannot be read or names no total.
    pub fn memory(&mut self) -> Result<Memory, ReadError> {
        let mut found = node::MeminfoLines::default();
        self.meminfo.each_line(self.dir.as_fd(), &mut self.buffer, &mut |line| found.line(line))?;
        found.finish()
    }

    /// The machine's memory pressure; `None` when this kernel keeps none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn pressure(&mut self) -> Result<Option<Pressure>, ReadError> {
        let mut found = PressureLines::default();
        let read = self
            .pressure
            .each_line(self.dir.as_fd(), &mut self.buffer, &mut |line| found.line(line));
        match read {
            Ok(()) => found.finish().map(Some),
            Err(error) if is_absent(error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The machine's counters since boot.
    ///
    /// # Errors
    /// When vmstat cannot be read or has no counter at all.
    pub fn vm_counters(&mut self) -> Result<VmCounters, ReadError> {
        let mut found = node::VmstatLines::default();
        self.vmstat.each_line(self.dir.as_fd(), &mut self.buffer, &mut |line| found.line(line))?;
        found.finish()
    }

    /// Calls `f` with the pid of each process, in rising order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn each_pid(&mut self, f: &mut dyn FnMut(i32)) -> Result<(), ReadError> {
        rustix::fs::seek(&self.dir, SeekFrom::Start(0))?;
        let mut entries = RawDir::new(&self.dir, &mut self.entries);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let pid = decimal(entry.file_name().to_bytes()).and_then(|pid| i32::try_from(pid).ok());
            if let Some(pid) = pid {
                f(pid);
            }
        }
        Ok(())
    }

    /// What `/proc/PID/stat` says.
    ///
    /// # Errors
    /// When it cannot be read, or is cut or garbled.
    pub fn stat(&mut self, pid: i32) -> Result<Stat, ReadError> {
        let page_kib = self.page_kib;
        Stat::parse(self.whole(pid, "stat")?, page_kib)
            .ok_or(ReadError::Malformed { what: "stat without all its fields" })
    }

    /// What `/proc/PID/statm` says.
    ///
    /// # Errors
    /// When it cannot be read or has too few fields.
    pub fn statm(&mut self, pid: i32) -> Result<Statm, ReadError> {
        let page_kib = self.page_kib;
        Statm::parse(self.whole(pid, "statm")?, page_kib)
            .ok_or(ReadError::Malformed { what: "statm without all its fields" })
    }

    /// What `/proc/PID/status` says.
    ///
    /// # Errors
    /// When it cannot be read or does not name its users.
    pub fn status(&mut self, pid: i32) -> Result<Status, ReadError> {
        let mut found = task::StatusLines::default();
        if let Some(file) = self.ready.file(pid, "status") {
            match lines::each_line(file, &mut self.buffer, &mut |line| found.line(line)) {
                Err(ReadError::Gone) => self.ready.forget(pid),
                read => return read.and_then(|()| found.finish()),
            }
        }
        let file = self.open_of(pid, "status")?;
        lines::each_line(file.as_fd(), &mut self.buffer, &mut |line| found.line(line))?;
        found.finish()
    }

    /// The command line, as much of it as `into` holds: arguments with a zero after each but the
    /// last. Empty for a kernel thread and a zombie. A process may write anything there, and if
    /// its memory is swapped out or locked by a fault the reading waits for that.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cmdline<'b>(&mut self, pid: i32, into: &'b mut [u8]) -> Result<&'b [u8], ReadError> {
        let file = self.open_of(pid, "cmdline")?;
        let text = read_file(file.as_fd(), into)?;
        let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Ok(text.get(..end).unwrap_or(text))
    }

    /// The program it runs, and whether that file has been deleted or replaced since (the kernel
    /// then adds ` (deleted)`, which is taken off).
    ///
    /// # Errors
    /// [`ReadError::Gone`] for a kernel thread and a zombie too, since they run no program;
    /// [`ReadError::Forbidden`] for another user's process without `CAP_SYS_PTRACE`.
    pub fn exe<'b>(&mut self, pid: i32, into: &'b mut [u8]) -> Result<(&'b [u8], bool), ReadError> {
        let len = match self.ready.file(pid, "exe") {
            // An empty name is the link itself that is open.
            Some(link) => rustix::fs::readlinkat_raw(link, c"", &mut *into).ok(),
            None => None,
        };
        let len = match len {
            Some(len) => len,
            None => {
                let path = PidPath::new(pid, "exe")?;
                rustix::fs::readlinkat_raw(&self.dir, path.as_c_str(), &mut *into)?
            }
        };
        if len >= into.len() {
            return Err(ReadError::Malformed { what: "a program's path longer than the buffer" });
        }
        let link = into.get(..len).unwrap_or_default();
        Ok(link.strip_suffix(b" (deleted)").map_or((link, false), |path| (path, true)))
    }

    /// The cgroup that tells the unit it belongs to: that of cgroup v2, or of systemd's or the
    /// memory controller's hierarchy in v1, the first of them that is not the root; else `/`.
    ///
    /// # Errors
    /// When it cannot be read or `into` is too short.
    pub fn cgroup<'b>(&mut self, pid: i32, into: &'b mut [u8]) -> Result<&'b [u8], ReadError> {
        let file = self.open_of(pid, "cgroup")?;
        let mut found = membership::MembershipLines::new(into);
        lines::each_line(file.as_fd(), &mut self.buffer, &mut |line| found.line(line))?;
        found.finish()
    }

    /// Whether a process that sleeps (`S`) is frozen with its cgroup (v2): there it sleeps on its way out of
    /// the kernel (kernel/signal.c `do_freezer_trap`, mostly inlined into `get_signal`), and its state says
    /// nothing of it.
    ///
    /// # Errors
    /// [`ReadError::Forbidden`] for another user's process without `CAP_SYS_PTRACE`.
    pub fn is_frozen(&mut self, pid: i32) -> Result<bool, ReadError> {
        let place = self.whole(pid, "wchan")?.trim_ascii();
        Ok(place == b"get_signal" || place == b"do_freezer_trap")
    }

    /// What a single-threaded process does right now: runs, waits for a client, or waits for something
    /// else, which two looks tell apart from getting on (`/proc/PID/syscall`, `/proc/PID/schedstat`).
    ///
    /// # Errors
    /// [`ReadError::Forbidden`] for another user's process without `CAP_SYS_PTRACE`; when the kernel was
    /// built without one of the files.
    pub fn doing(&mut self, pid: i32) -> Result<Doing, ReadError> {
        let call = self.whole(pid, "syscall")?.trim_ascii();
        let number = call.split(|byte| *byte == b' ').next().and_then(signed);
        // `running`, or `-1 SP PC` outside of a call: in a page fault, which is no waiting for others.
        let Some(number) = number.filter(|number| *number >= 0) else { return Ok(Doing::Runs) };
        if [libc::SYS_accept, libc::SYS_accept4].contains(&number) {
            return Ok(Doing::WaitsForClient);
        }
        let mut mark = Fnv::default();
        mark.add_all(call);
        // The first two of three numbers: time on a processor, time in its queue.
        mark.add_all(self.whole(pid, "schedstat")?.trim_ascii());
        Ok(Doing::Waits { mark: mark.value() })
    }

    /// Calls `f` with each pair of a process that holds a file lock (flock(2), fcntl(2)) and one that waits
    /// for it (`/proc/locks`, fs/locks.c). Locks that belong to no process are left out.
    ///
    /// # Errors
    /// When it cannot be read: the kernel was built without file locks.
    pub fn lock_waiters(&mut self, f: &mut dyn FnMut(i32, i32)) -> Result<(), ReadError> {
        let file = open_file(self.dir.as_fd(), c"locks")?;
        let mut holder = None;
        lines::each_line(file.as_fd(), &mut self.buffer, &mut |line| {
            // `1: FLOCK  ADVISORY  WRITE 4711 fe:01:99 0 EOF`, and `1: -> FLOCK ...` below its holder.
            let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
            let waits = fields.nth(1) == Some(b"->");
            let pid = fields.nth(if waits { 3 } else { 2 }).and_then(signed);
            let pid = pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0);
            match (waits, holder, pid) {
                (false, _, pid) => holder = pid,
                (true, Some(holder), Some(pid)) => f(holder, pid),
                (true, ..) => {}
            }
        })
    }

    /// How readily the kernel's OOM killer takes it, from -1000 (never) to 1000 (first).
    ///
    /// # Errors
    /// When it cannot be read or is no number.
    pub fn oom_score_adj(&mut self, pid: i32) -> Result<i16, ReadError> {
        signed(self.whole(pid, "oom_score_adj")?.trim_ascii())
            .and_then(|value| i16::try_from(value).ok())
            .ok_or(ReadError::Malformed { what: "oom_score_adj without a number" })
    }

    /// Sets its `oom_score_adj`, by pid alone: for this process and its children. For any other
    /// see [`set_oom_score_adj_of`](Self::set_oom_score_adj_of).
    ///
    /// # Errors
    /// [`ReadError::Forbidden`] when lowering it without `CAP_SYS_RESOURCE`, or for another user's
    /// process.
    pub fn set_oom_score_adj(&mut self, pid: i32, value: i16) -> Result<(), ReadError> {
        write_score(&self.open_score(pid)?, value)
    }

    /// Sets the `oom_score_adj` of that very process: never that of another which has its pid now.
    ///
    /// # Errors
    /// As [`set_oom_score_adj`](Self::set_oom_score_adj); [`ReadError::Gone`] when the pid is
    /// another's.
    pub fn set_oom_score_adj_of(&mut self, id: ProcessId, value: i16) -> Result<(), ReadError> {
        // The file stays with the process it was opened for: one that ended before the check can
        // only be one that had the pid earlier, and writing to it fails.
        let file = self.open_score(id.pid)?;
        if self.stat(id.pid)?.start_ticks != id.start_ticks {
            return Err(ReadError::Gone);
        }
        write_score(&file, value)
    }

    fn open_score(&self, pid: i32) -> Result<OwnedFd, ReadError> {
        let path = PidPath::new(pid, "oom_score_adj")?;
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(retry_on_intr(|| rustix::fs::openat(&self.dir, path.as_c_str(), flags, Mode::empty()))?)
    }

    fn open_of(&self, pid: i32, name: &str) -> Result<OwnedFd, ReadError> {
        open_file(self.dir.as_fd(), PidPath::new(pid, name)?.as_c_str())
    }

    /// A short file of a process, whole.
    fn whole(&mut self, pid: i32, name: &str) -> Result<&[u8], ReadError> {
        let Some(kept) = self.ready.file(pid, name) else { return self.whole_anew(pid, name) };
        match read_file(kept, &mut self.buffer).map(<[u8]>::len) {
            Ok(len) => Ok(self.buffer.get(..len).unwrap_or_default()),
            // It ended; its pid may be another's already.
            Err(ReadError::Gone) => {
                self.ready.forget(pid);
                self.whole_anew(pid, name)
            }
            Err(error) => Err(error),
        }
    }

    fn whole_anew(&mut self, pid: i32, name: &str) -> Result<&[u8], ReadError> {
        let file = self.open_of(pid, name)?;
        read_file(file.as_fd(), &mut self.buffer)
    }
}

/// Writes the number in one piece, as the kernel wants it.
fn write_score(file: &OwnedFd, value: i16) -> Result<(), ReadError> {
    let mut text = [0; 8];
    let mut rest = text.as_mut_slice();
    let unwritten = match write!(rest, "{value}") {
        Ok(()) => rest.len(),
        Err(_) => return Err(ReadError::Malformed { what: "a score of too many digits" }),
    };
    let len = text.len() - unwritten;
    retry_on_intr(|| rustix::io::write(file, text.get(..len).unwrap_or_default()))?;
    Ok(())
}

/// Whether this directory is a procfs in which this process has the pid it knows itself by.
fn shows_this_process(dir: BorrowedFd<'_>) -> bool {
    let is_procfs = rustix::fs::fstatfs(dir).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
    let mut link = [0; 16];
    let own = rustix::fs::readlinkat_raw(dir, c"self", &mut link)
        .ok()
        .and_then(|len| decimal(link.get(..len)?))
        .and_then(|pid| i32::try_from(pid).ok());
    is_procfs && own == Some(rustix::process::getpid().as_raw_nonzero().get())
}

/// `PID/NAME`, put together on the stack.
struct PidPath([u8; 32]);

impl PidPath {
    fn new(pid: i32, name: &str) -> Result<Self, ReadError> {
        if pid <= 0 {
            return Err(ReadError::Gone);
        }
        let mut path = [0; 32];
        // One byte less, so that a zero always closes it.
        write!(path.split_at_mut(31).0, "{pid}/{name}")
            .map_err(|_| ReadError::Malformed { what: "a file name too long for /proc" })?;
        Ok(Self(path))
    }

    /// `PID/task/TID/NAME`
    fn of_thread(pid: i32, tid: i32, name: &str) -> Result<Self, ReadError> {
        if pid <= 0 || tid <= 0 {
            return Err(ReadError::Gone);
        }
        let mut path = [0; 32];
        write!(path.split_at_mut(31).0, "{pid}/task/{tid}/{name}")
            .map_err(|_| ReadError::Malformed { what: "a file name too long for /proc" })?;
        Ok(Self(path))
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}
