//! The reader of one memory cgroup, its files opened once.

use core::ffi::CStr;

use headroom_core::snapshot::{CgroupMemory, Pressure};
use headroom_core::units::Kib;
use rustix::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};

use super::is_cgroup2;
use crate::error::ReadError;
use crate::lines::{each_line, open_file, read_file};
use crate::psi::{PressureLines, is_absent};
use crate::text::{counter, decimal};
use crate::wait::Bell;

/// Room for the lines of memory.stat, in a few reads.
const BUFFER: usize = 4096;

/// v1 says "no limit" as the largest number of whole pages, or of bytes before 3.19.
const V1_UNLIMITED: u64 = i64::MAX as u64 - (1 << 20);

/// What differs between the versions: names, and how much they tell.
struct Names {
    limit: &'static CStr,
    current: &'static CStr,
    stat: &'static CStr,
    kills: &'static CStr,
    /// The lines of `stat` that add up to what reclaim could take at once. v1 counts only pages
    /// in it, and has the whole subtree under `total_`.
    reclaimable: [&'static [u8]; 3],
}

const V2: Names = Names {
    limit: c"memory.max",
    current: c"memory.current",
    stat: c"memory.stat",
    kills: c"memory.events",
    reclaimable: [b"inactive_file", b"active_file", b"slab_reclaimable"],
};

const V1: Names = Names {
    limit: c"memory.limit_in_bytes",
    current: c"memory.usage_in_bytes",
    stat: c"memory.stat",
    kills: c"memory.oom_control",
    reclaimable: [b"total_inactive_file", b"total_active_file", b"total_slab_reclaimable"],
};

/// A zone's files, kept open.
///
/// They belong to that one cgroup: when it is removed every reading is [`ReadError::Gone`], also
/// after another was created under its name, and the zone has to be opened again.
pub struct ZoneReader {
    names: &'static Names,
    limit: OwnedFd,
    current: OwnedFd,
    stat: OwnedFd,
    kills: Option<OwnedFd>,
    pressure: Option<OwnedFd>,
    counts_kills_below: bool,
    notifies: bool,
    /// v1: rings when the cgroup has run out of memory.
    bell: Option<Bell>,
    /// v2: how often it had, at the last reading.
    ran_out: Option<u64>,
    /// It has since that was last asked.
    runs_out: bool,
    buffer: Box<[u8]>,
}

impl ZoneReader {
    pub(super) fn v2(dir: &OwnedFd) -> Result<Self, ReadError> {
        let mut zone = Self::with(&V2, dir, Some(dir))?;
        zone.counts_kills_below = zone.kills.is_some();
        zone.notifies = is_cgroup2(dir.as_fd());
        Ok(zone)
    }

    pub(super) fn v1(dir: &OwnedFd, unified: Option<&OwnedFd>) -> Result<Self, ReadError> {
        let mut zone = Self::with(&V1, dir, unified)?;
        // A captured tree has no such file.
        zone.bell = zone.kills.as_ref().and_then(|kills| oom_bell(dir, kills).ok());
        Ok(zone)
    }

    fn with(
        names: &'static Names,
        dir: &OwnedFd,
        pressure: Option<&OwnedFd>,
    ) -> Result<Self, ReadError> {
        let open = |name| open_file(dir.as_fd(), name);
        Ok(Self {
            names,
            current: open(names.current)?,
            limit: open(names.limit)?,
            stat: open(names.stat)?,
            kills: open(names.kills).ok(),
            pressure: pressure.and_then(|dir| open_file(dir.as_fd(), c"memory.pressure").ok()),
            counts_kills_below: false,
            notifies: false,
            bell: None,
            ran_out: None,
            runs_out: false,
            buffer: vec![0; BUFFER].into(),
        })
    }

    /// The zone's state now. Hot.
    ///
    /// In v1 the pressure is known only when the v2 tree of the hybrid layout has a cgroup of the
    /// same path; for the kernel's kills see [`counts_kills_below`](Self::counts_kills_below).
    ///
    /// # Errors
    /// [`ReadError::Gone`] when the cgroup was removed, [`ReadError::Malformed`] when a file does
    /// not say what it must.
    pub fn read(&mut self) -> Result<CgroupMemory, ReadError> {
        let current = self.usage()?;
        Ok(CgroupMemory {
            limit: self.limit()?,
            current,
            reclaimable: self.reclaimable()?.min(current),
            oom_kill: self.oom_kill()?,
            pressure: self.pressure()?,
        })
    }

    /// What becomes readable when the zone runs out of memory, before the kernel kills in it (v1:
    /// Documentation/admin-guide/cgroup-v1/memory.rst, 10. OOM Control). `None` in v2, whose
    /// [`events_fd`](Self::events_fd) tells, and in a captured tree.
    #[must_use]
    pub fn oom_fd(&self) -> Option<BorrowedFd<'_>> {
        self.bell.as_ref().map(AsFd::as_fd)
    }

    /// Whether the zone ran out of memory since this was last asked, as far as the last
    /// [`read`](Self::read) knows: the kernel kills in it in a moment, if it has not yet. Hot.
    #[must_use]
    pub fn ran_out_since(&mut self) -> bool {
        let rang = self.bell.as_ref().is_some_and(Bell::silence);
        core::mem::take(&mut self.runs_out) || rang
    }

    /// Whether `oom_kill` counts the kernel's kills in the whole subtree.
    ///
    /// v2 does. v1 counts only those in the cgroup itself, and none at all before 4.13: there
    /// kills have to be learnt from the kernel's log.
    #[must_use]
    pub const fn counts_kills_below(&self) -> bool {
        self.counts_kills_below
    }

    /// v2's `memory.events`, to be waited on for priority data (`POLLPRI`; `POLLERR` comes with it
    /// and means nothing). It stays ready until the next [`read`](Self::read), and is ready before
    /// the first. `None` in v1 and in a captured tree.
    #[must_use]
    pub fn events_fd(&self) -> Option<BorrowedFd<'_>> {
        self.kills.as_ref().filter(|_| self.notifies).map(AsFd::as_fd)
    }

    fn usage(&mut self) -> Result<Kib, ReadError> {
        decimal(read_file(self.current.as_fd(), &mut self.buffer)?.trim_ascii())
            .map(Kib::from_bytes)
            .ok_or(ReadError::Malformed { what: "a cgroup's usage without a number" })
    }

    fn limit(&mut self) -> Result<Option<Kib>, ReadError> {
        let text = read_file(self.limit.as_fd(), &mut self.buffer)?.trim_ascii();
        if text == b"max" {
            return Ok(None);
        }
        let bytes = decimal(text)
            .ok_or(ReadError::Malformed { what: "a cgroup's limit without a number" })?;
        Ok((bytes < V1_UNLIMITED).then_some(Kib::from_bytes(bytes)))
    }

    fn reclaimable(&mut self) -> Result<Kib, ReadError> {
        let mut sum = 0u64;
        let mut any = false;
        each_line(self.stat.as_fd(), &mut self.buffer, &mut |line| {
            let Some((key, value)) = counter(line) else { return };
            if self.names.reclaimable.contains(&key) {
                sum = sum.saturating_add(value);
                any = true;
            }
        })?;
        if any {
            Ok(Kib::from_bytes(sum))
        } else {
            Err(ReadError::Malformed { what: "a cgroup's memory.stat without its file pages" })
        }
    }

    fn oom_kill(&mut self) -> Result<Option<u64>, ReadError> {
        let Some(file) = &self.kills else { return Ok(None) };
        let (mut kills, mut ran_out) = (None, None);
        each_line(file.as_fd(), &mut self.buffer, &mut |line| match counter(line) {
            Some((b"oom_kill", value)) => kills = Some(value),
            Some((b"oom", value)) => ran_out = Some(value),
            _ => {}
        })?;
        self.runs_out |= self.ran_out.is_some_and(|before| ran_out > Some(before));
        self.ran_out = ran_out;
        Ok(kills)
    }

    fn pressure(&mut self) -> Result<Option<Pressure>, ReadError> {
        let Some(file) = &self.pressure else { return Ok(None) };
        let mut found = PressureLines::default();
        match each_line(file.as_fd(), &mut self.buffer, &mut |line| found.line(line)) {
            Ok(()) => found.finish().map(Some),
            Err(error) if is_absent(error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Has the kernel ring a bell whenever a cgroup of v1 runs out of memory, in its hierarchy as well.
fn oom_bell(dir: &OwnedFd, kills: &OwnedFd) -> Result<Bell, ReadError> {
    let bell = Bell::new()?;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let control = rustix::fs::openat(dir, c"cgroup.event_control", flags, Mode::empty())?;
    let order = format!("{} {}", bell.as_fd().as_raw_fd(), kills.as_raw_fd());
    rustix::io::write(&control, order.as_bytes())?;
    Ok(bell)
}
