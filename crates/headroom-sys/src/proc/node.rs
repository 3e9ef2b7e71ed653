//! The machine as a whole: `/proc/meminfo` and `/proc/vmstat`, line by line.

use headroom_core::snapshot::{Memory, VmCounters};
use headroom_core::units::Kib;

use crate::error::ReadError;
use crate::text::{counter, keyed, kib};

/// `/proc/meminfo` while it is read (Documentation/filesystems/proc.rst).
#[derive(Default)]
pub(super) struct MeminfoLines {
    total: Option<Kib>,
    free: Option<Kib>,
    available: Option<Kib>,
    buffers: Option<Kib>,
    cached: Option<Kib>,
    shmem: Option<Kib>,
    swap_total: Option<Kib>,
    swap_free: Option<Kib>,
}

impl MeminfoLines {
    pub(super) fn line(&mut self, line: &[u8]) {
        let Some((key, value)) = keyed(line) else { return };
        let slot = match key {
            b"MemTotal" => &mut self.total,
            b"MemFree" => &mut self.free,
            b"MemAvailable" => &mut self.available,
            b"Buffers" => &mut self.buffers,
            b"Cached" => &mut self.cached,
            b"Shmem" => &mut self.shmem,
            b"SwapTotal" => &mut self.swap_total,
            b"SwapFree" => &mut self.swap_free,
            _ => return,
        };
        *slot = kib(value);
    }

    /// The memory these lines describe.
    ///
    /// A kernel before 3.14 has no `MemAvailable`. Then it is estimated as free memory and page
    /// cache, without the shared memory that counts as cache and can only be swapped. That is on
    /// the high side: it leaves out the reserves below which the kernel reclaims, and takes the
    /// whole cache for reclaimable.
    pub(super) fn finish(self) -> Result<Memory, ReadError> {
        let total = self.total.ok_or(ReadError::Malformed { what: "meminfo without MemTotal" })?;
        let free = self.free.ok_or(ReadError::Malformed { what: "meminfo without MemFree" })?;
        let cache =
            self.buffers.unwrap_or_default().saturating_add(self.cached.unwrap_or_default());
        let estimate =
            free.saturating_add(cache.saturating_sub(self.shmem.unwrap_or_default())).min(total);
        Ok(Memory {
            total,
            free,
            available: self.available.unwrap_or(estimate),
            swap_total: self.swap_total.unwrap_or_default(),
            swap_free: self.swap_free.unwrap_or_default(),
        })
    }
}

/// `/proc/vmstat` while it is read.
#[derive(Default)]
pub(super) struct VmstatLines {
    counters: VmCounters,
    any: bool,
}

impl VmstatLines {
    pub(super) fn line(&mut self, line: &[u8]) {
        let Some((key, value)) = counter(line) else { return };
        self.any = true;
        let counters = &mut self.counters;
        match key {
            b"oom_kill" => counters.oom_kill = Some(value),
            b"workingset_refault_file" | b"workingset_refault" => {
                counters.refault_file = Some(value);
            }
            b"workingset_refault_anon" => counters.refault_anon = Some(value),
            b"pswpin" => counters.swap_in = Some(value),
            b"pgmajfault" => counters.major_faults = Some(value),
            // Counts tasks that were made to wait, not pages.
            b"pgscan_direct_throttle" => {}
            // One line for the machine since 4.8, one for each kind of zone before.
            key if key.starts_with(b"pgscan_direct") => {
                let sum = counters.scan_direct.unwrap_or_default();
                counters.scan_direct = Some(sum.saturating_add(value));
            }
            _ => {}
        }
    }

    /// The counters these lines hold.
    pub(super) fn finish(self) -> Result<VmCounters, ReadError> {
        if self.any {
            Ok(self.counters)
        } else {
            Err(ReadError::Malformed { what: "vmstat without a counter" })
        }
    }
}
