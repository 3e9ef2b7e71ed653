//! The kernel's log, record by record (Documentation/ABI/testing/dev-kmsg).

use core::fmt;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, SeekFrom, major, minor};
use rustix::io::{Errno, retry_on_intr};

use crate::error::ReadError;
use crate::text::decimal;

/// The kernel never gives a longer record (`PRINTK_MESSAGE_MAX`, earlier `CONSOLE_EXT_LOG_MAX`).
const RECORD: usize = 8192;

/// The device's number (Documentation/admin-guide/devices.txt).
const KMSG: (u32, u32) = (1, 11);

/// One message of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// How bad it is, from 0 (emergency) to 7 (debug).
    pub level: u8,
    /// Who wrote it: 0 is the kernel; anything else a program that wrote to `/dev/kmsg`, and so
    /// nothing that can be believed about a kill.
    pub facility: u32,
    /// Its number. They follow one another without a gap.
    pub sequence: u64,
    /// When it was written, in µs of the kernel's log clock since boot.
    pub micros: u64,
    /// The text, one line. What is not printable ASCII stands in it as `\x0a`, and a backslash as
    /// `\x5c`: the kernel writes it so.
    pub text: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a record apart: `LEVEL,SEQUENCE,MICROS,FLAGS[,MORE];TEXT`, then lines of ` KEY=VALUE`.
    fn parse(record: &'a [u8]) -> Option<Self> {
        let semicolon = record.iter().position(|byte| *byte == b';')?;
        let (head, body) = (record.get(..semicolon)?, record.get(semicolon + 1..)?);
        let mut fields = head.split(|byte| *byte == b',').map(decimal);
        let prefix = fields.next()??;
        Some(Self {
            level: u8::try_from(prefix & 7).ok()?,
            facility: u32::try_from(prefix >> 3).ok()?,
            sequence: fields.next()??,
            micros: fields.next()??,
            text: body.split(|byte| *byte == b'\n').next()?,
        })
    }
}

/// Why the kernel's log cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The kind of failure.
    pub error: ReadError,
    /// Its likely cause and so what to do.
    pub why: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/dev/kmsg: {}: {}", self.error, self.why)
    }
}

impl core::error::Error for Refused {}

impl From<Refused> for ReadError {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}

/// A reader of `/dev/kmsg`, readable when there is a record. It never waits.
#[derive(Debug)]
pub struct KernelLog {
    device: OwnedFd,
    buffer: Box<[u8]>,
    sequence: Sequence,
}

impl KernelLog {
    /// Opens the log at its end: only what is written from now on.
    ///
    /// # Errors
    /// When it is not there or may not be read, with the reason.
    pub fn open(root: &Path) -> Result<Self, Refused> {
        Self::open_at(root, SeekFrom::End(0))
    }

    /// Opens the log at the oldest record the kernel still has.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_from_start(root: &Path) -> Result<Self, Refused> {
        Self::open_at(root, SeekFrom::Start(0))
    }

    fn open_at(root: &Path, position: SeekFrom) -> Result<Self, Refused> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let device = rustix::fs::open(root.join("dev/kmsg"), flags, Mode::empty())
            .map_err(|errno| refused(errno, "it cannot be opened"))?;
        let is_the_log = rustix::fs::fstat(&device).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
                && (major(stat.st_rdev), minor(stat.st_rdev)) == KMSG
        });
        if !is_the_log {
            let error = ReadError::Malformed { what: "not the device of the kernel's log" };
            return Err(Refused { error, why: "a captured tree, or a container that masks it" });
        }
        rustix::fs::seek(&device, position)
            .map_err(|errno| refused(errno, "it has no beginning and no end"))?;
        Ok(Self { device, buffer: vec![0; RECORD].into(), sequence: Sequence::default() })
    }

    /// The next record; `None` when there is none now. Hot.
    ///
    /// Records that were overwritten before they could be read are counted and passed over:
    /// [`lost`](Self::lost).
    ///
    /// # Errors
    /// [`ReadError::Malformed`] for a record of another form, after which the next can be read.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        let len = loop {
            match retry_on_intr(|| rustix::io::read(&self.device, &mut *self.buffer)) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(None),
                Ok(len) => break len,
                Err(Errno::PIPE) => self.sequence.broken = true,
                Err(errno) => return Err(errno.into()),
            }
        };
        let record = Record::parse(self.buffer.get(..len).unwrap_or_default())
            .ok_or(ReadError::Malformed { what: "a record of the kernel's log" })?;
        self.sequence.note(record.sequence);
        Ok(Some(record))
    }

    /// How many records were overwritten before they could be read.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.sequence.lost
    }
}

impl AsFd for KernelLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

/// The numbers of the records, and how many of them were never seen.
#[derive(Debug, Default)]
struct Sequence {
    next: Option<u64>,
    /// The kernel said that records were overwritten (`EPIPE`).
    broken: bool,
    lost: u64,
}

impl Sequence {
    fn note(&mut self, sequence: u64) {
        if self.broken {
            // Before the first record there is no number to count from: at least one was lost.
            let missing = self.next.map_or(1, |next| sequence.saturating_sub(next).max(1));
            self.lost = self.lost.saturating_add(missing);
        }
        self.broken = false;
        self.next = Some(sequence.saturating_add(1));
    }
}

fn refused(errno: Errno, otherwise: &'static str) -> Refused {
    let why = match errno {
        Errno::PERM => "kernel.dmesg_restrict is set and this process lacks CAP_SYSLOG",
        Errno::ACCESS => "its permissions leave this user out",
        Errno::NOENT => "this system has no such device (a container, or ProtectKernelLogs=)",
        _ => otherwise,
    };
    Refused { error: errno.into(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart() {
        let text = b"4,19685342,241227987454,-,caller=T12845;dumpsys invoked oom-killer:\\x0a a\n \
                     SUBSYSTEM=pci\n";
        let record = Record::parse(text).unwrap();
        assert_eq!((record.level, record.facility), (4, 0));
        assert_eq!((record.sequence, record.micros), (19_685_342, 241_227_987_454));
        assert_eq!(record.text, b"dumpsys invoked oom-killer:\\x0a a");
    }

    #[test]
    fn a_programs_record_does_not_pass_for_the_kernels() {
        let record = Record::parse(b"12,5,6,-;Out of memory: Killed process 1 (init)\n").unwrap();
        assert_eq!((record.level, record.facility), (4, 1));
    }

    #[test]
    fn the_text_may_hold_what_the_head_is_made_of() {
        let record = Record::parse(b"6,1,2,-;a;b,c").unwrap();
        assert_eq!(record.text, b"a;b,c");
        assert_eq!(Record::parse(b"6,1,2,-;").unwrap().text, b"");
    }

    #[test]
    fn what_has_another_form_is_no_record() {
        for text in [&b""[..], b"6,1,2,-", b"6,1;x", b"x,1,2,-;x", b"-6,1,2,-;x", b";x"] {
            assert_eq!(Record::parse(text), None);
        }
    }

    #[test]
    fn overwritten_records_are_counted() {
        let mut sequence = Sequence::default();
        sequence.note(100);
        sequence.note(101);
        assert_eq!(sequence.lost, 0);
        sequence.broken = true;
        sequence.note(112);
        assert_eq!(sequence.lost, 10);
        sequence.note(113);
        assert_eq!(sequence.lost, 10);
        let mut first = Sequence { broken: true, ..Sequence::default() };
        first.note(5);
        assert_eq!(first.lost, 1);
    }

    #[test]
    fn the_running_kernels_log_reads_or_says_why_not() {
        match KernelLog::open_from_start(Path::new("/")) {
            Ok(mut log) => {
                let first = log.next_record().unwrap().map(|record| record.sequence).unwrap();
                let second = log.next_record().unwrap().map(|record| record.sequence);
                assert!(second.is_none_or(|second| second > first));
                assert!(KernelLog::open(Path::new("/")).is_ok());
            }
            Err(refused) => {
                assert!(!matches!(refused.error, ReadError::Other(_)), "{refused}");
            }
        }
    }

    #[test]
    fn a_captured_tree_has_no_log_device() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(KernelLog::open(root.path()).unwrap_err().error, ReadError::Gone);
        std::fs::create_dir(root.path().join("dev")).unwrap();
        let device = root.path().join("dev/kmsg");
        std::fs::write(&device, "6,1,2,-;x\n").unwrap();
        let refused = KernelLog::open(root.path()).unwrap_err();
        assert!(matches!(refused.error, ReadError::Malformed { .. }));
        std::fs::remove_file(&device).unwrap();
        std::os::unix::fs::symlink("/dev/null", &device).unwrap();
        let refused = KernelLog::open(root.path()).unwrap_err();
        assert!(matches!(refused.error, ReadError::Malformed { .. }), "some containers mask it so");
    }
}
