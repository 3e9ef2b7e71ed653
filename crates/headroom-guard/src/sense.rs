//! The guard's senses: what the kernel shows, put into the core's snapshot.

use std::time::Duration;

use headroom_core::action::{Relief, Report, Verdict};
use headroom_core::policy::Policy;
use headroom_core::snapshot::{Moment, Process, Snapshot};
use headroom_core::units::Kib;
use headroom_sys::ReadError;
use headroom_sys::cgroup::{Cgroups, ZoneReader};
use headroom_sys::own;
use headroom_sys::proc::Proc;

use crate::imminent::Imminent;
use crate::ready::Readiness;
use crate::table::{Table, Whom};
use crate::trial::Trials;
use crate::zone_kills::KillsBelow;

/// Everything that is read from.
pub(crate) struct Senses {
    pub(crate) proc: Proc,
    pub(crate) cgroups: Cgroups,
    pub(crate) table: Table,
    pub(crate) snapshot: Snapshot,
    zones: Vec<Option<ZoneReader>>,
    /// Kills that the zones' own counters leave out.
    kills_below: KillsBelow,
    imminent: Imminent,
    pub(crate) readiness: Readiness,
    /// The last scan was a whole one.
    has_scanned: bool,
    /// Zones that did not exist are looked for again at every so many looks.
    looks: u32,
}

/// Per cent of the time between two looks that some task waited for memory, above which it is short.
const STALLS: u128 = 10;
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
                trials: Trials::room(),
                ..Snapshot::default()
            },
            zones: Vec::new(),
            kills_below: KillsBelow::default(),
            imminent: Imminent::default(),
            readiness: Readiness::default(),
            has_scanned: false,
            looks: 0,
        };
        senses.use_zones(policy);
        senses.look(policy)?;
        senses.scan(policy, Whom::All)?;
        Ok(senses)
    }

    /// Opens the policy's zones, at the start and after a reload.
    pub(crate) fn use_zones(&mut self, policy: &Policy) {
        self.zones = policy.zones.iter().map(|z| self.cgroups.zone(&z.cgroup).ok()).collect();
        self.snapshot.zones = vec![None; self.zones.len()];
        self.kills_below = KillsBelow::of(self.zones.len());
        self.looks = 0;
    }

    /// The readers of the zones that exist, for their event files.
    pub(crate) fn zone_readers(&self) -> impl Iterator<Item = &ZoneReader> {
        self.zones.iter().flatten()
    }

    /// Looks at memory, pressure and counters. Cheap; never allocates. Without /proc/meminfo there
    /// is nothing to decide by, all else may be missing.
    pub(crate) fn look(&mut self, policy: &Policy) -> Result<(), ReadError> {
        let before = self.snapshot.pressure.map(|p| (self.snapshot.at, p.some_total_us));
        self.snapshot.at = own::now();
        self.snapshot.memory = self.proc.memory()?;
        self.snapshot.pressure = self.proc.pressure().unwrap_or(None);
        self.snapshot.vm = self.proc.vm_counters().unwrap_or_default();
        let mut runs_out = false;
        let own = Table::zones_of(&self.snapshot, self.snapshot.own_pid);
        let now = self.snapshot.at;
        self.readiness.note_machine(&self.snapshot.memory, now);
        let zones = self.snapshot.zones.iter_mut().zip(&mut self.zones);
        for (at, (reading, reader)) in zones.enumerate() {
            let killed = reading.and_then(|zone| zone.oom_kill);
            *reading = reader.as_mut().and_then(|r| r.read().ok());
            if let Some(zone) = reading.as_mut().filter(|_| counts_itself_alone(reader.as_ref())) {
                let below = self.kills_below.get(at);
                zone.oom_kill = zone.oom_kill.map(|own| own.saturating_add(below));
            }
            let ran_out = reader.as_mut().is_some_and(ZoneReader::ran_out_since);
            runs_out |= ran_out;
            if own & 1 << at != 0 {
                let kills = reading.and_then(|zone| zone.oom_kill) > killed;
                self.readiness.note_own_zone(reading.as_ref(), ran_out || kills, now);
            }
            if reading.is_none() {
                *reader = None;
            }
        }
        let kills = self.kernel_kills();
        self.imminent.note(runs_out, kills, self.snapshot.at);
        self.table.set_hasty(self.is_short(policy, before));
        Ok(())
    }

    /// Takes in a line of the kernel's log.
    pub(crate) fn note_kernel_line(&mut self, line: &[u8], policy: &Policy) {
        self.kills_below.note(line, &policy.zones);
    }

    /// All kills that the kernel counts, whose ever they are.
    fn kernel_kills(&self) -> u64 {
        let of_zones = self.snapshot.zones.iter().flatten().filter_map(|zone| zone.oom_kill);
        of_zones.fold(self.snapshot.vm.oom_kill.unwrap_or(0), u64::saturating_add)
    }

    /// How soon to look again, where the kernel is about to kill.
    pub(crate) const fn patience(&self) -> Duration {
        self.imminent.patience()
    }

    /// Whether memory is short, so that nothing may be read that can make the guard wait.
    fn is_short(&self, policy: &Policy, before: Option<(Moment, u64)>) -> bool {
        let thresholds = policy.thresholds();
        let is_low =
            |limit: Kib, available: Kib| available < thresholds.floor_of(limit).percent(200);
        let memory = &self.snapshot.memory;
        let zones = self.snapshot.zones.iter().flatten();
        let low_zone = zones.filter_map(|zone| Some((zone.limit?.min(memory.total), zone))).any(
            |(limit, zone)| {
                is_low(limit, limit.saturating_sub(zone.current).saturating_add(zone.reclaimable))
            },
        );
        let stalls = before.zip(self.snapshot.pressure).is_some_and(|((at, stalled), now)| {
            let time = self.snapshot.at.since(at).as_micros();
            u128::from(now.some_total_us.saturating_sub(stalled)) * 100 > time * STALLS
        });
        low_zone || stalls || is_low(memory.total, memory.available)
    }

    /// Looks at every process, or at those who may go.
    pub(crate) fn scan(&mut self, policy: &Policy, whom: Whom) -> Result<(), ReadError> {
        self.has_scanned = true;
        self.table.scan(&mut self.proc, &mut self.snapshot, policy, whom, own::now())
    }

    /// Where no memory is left for the guard's own calls: looks at those alone who are held ready, and says
    /// whether one of them may go. Not twice in a row, since it finds nobody who was forked meanwhile.
    pub(crate) fn scan_ready(&mut self) -> bool {
        let Self { proc, snapshot, table, readiness, .. } = self;
        let may_do = self.has_scanned && readiness.is_out(snapshot.at) && snapshot.births_heard;
        let is_done = may_do && table.scan_ready(proc, snapshot, own::now());
        self.has_scanned = !is_done;
        is_done
    }

    /// Goes the way of a choice where no memory is left, and of the last look, with this very process.
    pub(crate) fn rehearse(&mut self, policy: &Policy, own: &Process) {
        let Self { proc, snapshot, table, .. } = self;
        let _held = proc.hold_ready(own.id);
        let scanned = snapshot.scanned;
        let _may_go = table.scan_ready(proc, snapshot, own::now());
        snapshot.scanned = scanned;
        let _vanished = table.look_again(proc, snapshot, policy, own, false);
        proc.keep_ready(|id| id != own.id);
    }

    /// Gives the places of those who are held ready anew.
    pub(crate) fn hold_ready(&mut self) {
        self.readiness.renew(&mut self.proc, &self.snapshot);
    }

    /// Why a verdict must not be carried out any more, if so: see [`Table::look_again`].
    pub(crate) fn look_again(&mut self, policy: &Policy, verdict: &Verdict) -> Option<Report> {
        let trims = match verdict.relief {
            Relief::Trim { .. } => true,
            Relief::Terminate | Relief::Kill | Relief::KillFamily { .. } | Relief::Pause { .. } => {
                false
            }
            Relief::Thaw { .. } | Relief::Nothing | Relief::Useless { .. } => return None,
        };
        let Self { proc, snapshot, table, .. } = self;
        table.look_again(proc, snapshot, policy, &verdict.process?, trims)
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

/// Whether a zone's counter leaves out what is killed below it.
fn counts_itself_alone(zone: Option<&ZoneReader>) -> bool {
    zone.is_some_and(|zone| !zone.counts_kills_below())
}
