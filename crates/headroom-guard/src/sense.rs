//! The guard's senses: what the kernel shows, put into the core's snapshot.

use headroom_core::policy::Policy;
use headroom_core::snapshot::Snapshot;
use headroom_sys::ReadError;
use headroom_sys::cgroup::{Cgroups, ZoneReader};
use headroom_sys::own;
use headroom_sys::proc::Proc;

use crate::table::Table;

/// Everything that is read from.
pub(crate) struct Senses {
    pub(crate) proc: Proc,
    pub(crate) cgroups: Cgroups,
    pub(crate) table: Table,
    pub(crate) snapshot: Snapshot,
    zones: Vec<Option<ZoneReader>>,
    /// Zones that did not exist are looked for again at every so many looks.
    looks: u32,
}

/// A missing zone is looked for this often.
const LOOK_FOR_ZONES: u32 = 5;

impl Senses {
    pub(crate) fn open(root: &std::path::Path, policy: &Policy) -> Result<Self, ReadError> {
        let mut senses = Self {
            proc: Proc::open(root)?,
            cgroups: Cgroups::detect(root),
            table: Table::new(),
            snapshot: Snapshot {
                own_pid: i32::try_from(std::process::id()).unwrap_or(0),
                processes: Vec::with_capacity(1024),
                ..Snapshot::default()
            },
            zones: Vec::new(),
            looks: 0,
        };
        senses.use_zones(policy);
        senses.look()?;
        senses.scan(policy)?;
        Ok(senses)
    }

    /// Opens the policy's zones, at the start and after a reload.
    pub(crate) fn use_zones(&mut self, policy: &Policy) {
        self.zones = policy.zones.iter().map(|z| self.cgroups.zone(&z.cgroup).ok()).collect();
        self.snapshot.zones = vec![None; self.zones.len()];
        self.looks = 0;
    }

    /// The readers of the zones that exist, for their event files.
    pub(crate) fn zone_readers(&self) -> impl Iterator<Item = &ZoneReader> {
        self.zones.iter().flatten()
    }

    /// Looks at memory, pressure and counters. Cheap; never allocates. Without /proc/meminfo there
    /// is nothing to decide by, all else may be missing.
    pub(crate) fn look(&mut self) -> Result<(), ReadError> {
        self.snapshot.at = own::now();
        self.snapshot.memory = self.proc.memory()?;
        self.snapshot.pressure = self.proc.pressure().unwrap_or(None);
        self.snapshot.vm = self.proc.vm_counters().unwrap_or_default();
        for (reading, reader) in self.snapshot.zones.iter_mut().zip(&mut self.zones) {
            *reading = reader.as_mut().and_then(|r| r.read().ok());
            if reading.is_none() {
                *reader = None;
            }
        }
        Ok(())
    }

    /// Looks at every process.
    pub(crate) fn scan(&mut self, policy: &Policy) -> Result<(), ReadError> {
        self.table.scan(&mut self.proc, &mut self.snapshot, policy, own::now())
    }

    /// Looks for zones that did not exist before; true when one was found. Called at rest only.
    pub(crate) fn find_zones(&mut self, policy: &Policy) -> bool {
        self.looks = (self.looks + 1) % LOOK_FOR_ZONES;
        if self.looks != 0 {
            return false;
        }
        let mut found = false;
        for (reader, zone) in self.zones.iter_mut().zip(&policy.zones) {
            if reader.is_none() {
                *reader = self.cgroups.zone(&zone.cgroup).ok();
                found |= reader.is_some();
            }
        }
        found
    }
}
