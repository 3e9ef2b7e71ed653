//! One process: the values of `/proc/PID/stat`, `statm` and `status` (proc(5), fs/proc/array.c).

use headroom_core::snapshot::Comm;
use headroom_core::units::Kib;

use crate::error::ReadError;
use crate::text::{decimal, hexadecimal, keyed, kib, signed, words};

/// `PF_KTHREAD` of include/linux/sched.h.
const PF_KTHREAD: u32 = 0x0020_0000;

/// The bit of SIGKILL in a mask of pending signals.
const SIGKILL_BIT: u64 = 1 << 8;

/// Those of SIGHUP (1), SIGINT (2), SIGQUIT (3) and SIGTERM (15).
const END_BITS: u64 = 0b111 | 1 << 14;

/// What `/proc/PID/stat` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Its name, as it set it itself.
    pub comm: Comm,
    /// Its state as one letter: `R`, `S`, `D`, `T`, `t`, `Z`, `X`, `I`.
    pub state: u8,
    /// Its parent's pid; 0 when the parent is outside this pid namespace.
    pub parent: i32,
    /// Its session: the pid of the login shell or daemon it descends from.
    pub session: i32,
    /// The number of its controlling terminal, 0 without one.
    pub tty: i32,
    /// Its process group is the one that the terminal listens to.
    pub in_foreground: bool,
    /// The kernel's `PF_` flags.
    pub flags: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// Resident pages. Cheap and, since 6.2, off by up to 64 pages for each CPU.
    pub rss: Kib,
    /// The processor time it used in user and kernel mode, in clock ticks.
    pub cpu_ticks: u64,
    /// How many threads it has.
    pub threads: u32,
}

impl Stat {
    /// Whether it is a thread of the kernel, which has no memory of its own to give back.
    #[must_use]
    pub const fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    /// Whether it has ended and only waits for its parent.
    #[must_use]
    pub const fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether a signal or a debugger has stopped it.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    /// Reads the line of a stat file, with pages of `page_kib` KiB.
    ///
    /// The name is what stands between the first `(` and the last `)`: a process may put anything
    /// in it, ` ) R 1` and line feeds included, and must not be able to choose its other fields.
    pub(super) fn parse(text: &[u8], page_kib: u64) -> Option<Self> {
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let comm = unescaped(text.get(open + 1..close)?);
        let mut fields = words(text.get(close + 1..)?);
        let state = match fields.next()? {
            [state] => *state,
            _ => return None,
        };
        // `skip` counts the fields of proc(5) between the one before and the one wanted.
        let mut number = |skip: usize| fields.nth(skip).and_then(signed);
        let parent = i32::try_from(number(0)?).ok()?;
        let group = number(0)?;
        let session = i32::try_from(number(0)?).ok()?;
        let tty = i32::try_from(number(0)?).ok()?;
        let listened_to = number(0)?;
        let flags = u32::try_from(number(0)?).ok()?;
        let user = number(4)?;
        let system = number(0)?;
        let threads = u32::try_from(number(4)?).ok()?;
        let start_ticks = u64::try_from(number(1)?).ok()?;
        let resident = u64::try_from(number(1)?).ok()?;
        Some(Self {
            comm,
            state,
            parent,
            session,
            tty,
            in_foreground: tty != 0 && group > 0 && listened_to == group,
            flags,
            start_ticks,
            rss: Kib::from_pages(resident, page_kib),
            cpu_ticks: u64::try_from(user.checked_add(system)?).ok()?,
            threads,
        })
    }
}

/// A name with the kernel's escapes taken back: since 4.18 stat writes `\n` and `\\`.
fn unescaped(name: &[u8]) -> Comm {
    let mut plain = [0; 64];
    let mut len = 0;
    let mut rest = name.iter();
    while let (Some(byte), Some(slot)) = (rest.next(), plain.get_mut(len)) {
        *slot = match (byte, rest.as_slice().first()) {
            (b'\\', Some(b'n')) => {
                rest.next();
                b'\n'
            }
            (b'\\', Some(b'\\')) => {
                rest.next();
                b'\\'
            }
            _ => *byte,
        };
        len += 1;
    }
    Comm::new(plain.get(..len).unwrap_or(&plain))
}

/// What `/proc/PID/statm` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statm {
    /// Resident memory, shared pages included.
    pub resident: Kib,
    /// Of that, pages of files and shared memory.
    pub shared: Kib,
}

impl Statm {
    /// Reads the line of a statm file, with pages of `page_kib` KiB.
    pub(super) fn parse(text: &[u8], page_kib: u64) -> Option<Self> {
        let mut fields = words(text);
        let mut pages = |skip: usize| {
            let pages = fields.nth(skip).and_then(decimal)?;
            Some(Kib::from_pages(pages, page_kib))
        };
        Some(Self { resident: pages(1)?, shared: pages(0)? })
    }
}

/// What `/proc/PID/status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The user who started it.
    pub uid_real: u32,
    /// The user whose rights it has.
    pub uid_effective: u32,
    /// Its memory in swap, without shared memory; none for a kernel thread or a zombie.
    pub swap: Kib,
    /// `RssAnon`, resident memory of its own (Linux 4.5); `None` on an older kernel, for a kernel
    /// thread and for a zombie.
    pub rss_anon: Option<Kib>,
    /// `RssShmem`, resident shared memory, tmpfs included (Linux 4.5).
    pub rss_shmem: Option<Kib>,
    /// `VmLck`: memory it has locked.
    pub locked: Kib,
    /// A SIGKILL waits for it: its memory is on the way back.
    pub kill_pending: bool,
    /// A signal that asks it to end waits for it: SIGHUP, SIGINT, SIGQUIT or SIGTERM.
    pub end_pending: bool,
}

/// `/proc/PID/status` while it is read.
#[derive(Default)]
pub(super) struct StatusLines {
    status: Status,
    uids: Option<(u32, u32)>,
}

impl StatusLines {
    pub(super) fn line(&mut self, line: &[u8]) {
        let Some((key, value)) = keyed(line) else { return };
        let status = &mut self.status;
        match key {
            b"Uid" => self.uids = uids(value),
            b"VmSwap" => status.swap = kib(value).unwrap_or_default(),
            b"VmLck" => status.locked = kib(value).unwrap_or_default(),
            b"RssAnon" => status.rss_anon = kib(value),
            b"RssShmem" => status.rss_shmem = kib(value),
            b"SigPnd" | b"ShdPnd" => {
                let pending = hexadecimal(value.trim_ascii()).unwrap_or_default();
                status.kill_pending |= pending & SIGKILL_BIT != 0;
                status.end_pending |= pending & END_BITS != 0;
            }
            _ => {}
        }
    }

    /// The process these lines describe.
    pub(super) fn finish(self) -> Result<Status, ReadError> {
        let (uid_real, uid_effective) =
            self.uids.ok_or(ReadError::Malformed { what: "status without its users" })?;
        Ok(Status { uid_real, uid_effective, ..self.status })
    }
}

/// The real and the effective user out of four.
fn uids(value: &[u8]) -> Option<(u32, u32)> {
    let mut ids = words(value).map(|id| decimal(id).and_then(|id| u32::try_from(id).ok()));
    Some((ids.next()??, ids.next()??))
}
