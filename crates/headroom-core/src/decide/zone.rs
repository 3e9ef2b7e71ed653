//! What a zone is doing: how much is left, how fast it goes, what the kernel did about it.

use core::time::Duration;

use crate::action::Measured;
use crate::policy::Thresholds;
use crate::snapshot::{CgroupMemory, Moment, Snapshot};
use crate::units::Kib;

/// Rates are taken over this long: shorter ones are noise, longer ones come too late.
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// Two readings closer than this say nothing about a rate.
const RATE_LEAST: Duration = Duration::from_millis(40);
/// The kills, stall and refaults that the policy speaks of are those of one second.
const SECOND: Duration = Duration::from_secs(1);
/// Readings kept: a second's worth at the fastest period.
const KEPT: usize = 64;

/// The counters of one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    at: Moment,
    available: Kib,
    swap_counted: Kib,
    swap_free: Kib,
    kills: Option<u64>,
    stalled_us: Option<u64>,
    refaults: Option<u64>,
}

/// A zone's recent past, in a ring of fixed size.
#[derive(Clone, Debug)]
pub(super) struct ZoneHistory {
    ring: [Reading; KEPT],
    next: usize,
    filled: usize,
    limit: Kib,
    /// The count of kernel kills that relief has answered: those alone are no reason for more of it.
    answered: Option<u64>,
}

impl Default for ZoneHistory {
    fn default() -> Self {
        Self {
            ring: [Reading::default(); KEPT],
            next: 0,
            filled: 0,
            limit: Kib::ZERO,
            answered: None,
        }
    }
}

impl ZoneHistory {
    /// Takes the machine's reading from a snapshot. Of the free swap only what the policy says counts as
    /// available: what is pushed there is read back at the disk's pace when the shop wants it.
    pub(super) fn note_machine(
        &mut self,
        snapshot: &Snapshot,
        thresholds: &Thresholds,
        kills: Option<u64>,
    ) {
        let memory = &snapshot.memory;
        self.limit = memory.total;
        let swap_counted = memory.swap_free.percent(u64::from(thresholds.swap.0));
        self.push(Reading {
            at: snapshot.at,
            available: memory.available.saturating_add(swap_counted),
            swap_counted,
            swap_free: memory.swap_free,
            kills,
            stalled_us: snapshot.pressure.map(|p| p.some_total_us),
            // Before 5.9 pages read from swap are counted by their number alone.
            refaults: match (snapshot.vm.refault_file, snapshot.vm.refault_anon) {
                (None, None) => None,
                (file, anon) => {
                    let anon = anon.or(snapshot.vm.swap_in).unwrap_or(0);
                    Some(file.unwrap_or(0) + anon)
                }
            },
        });
    }

    /// Takes a cgroup's reading; a zone without a limit is bounded by the machine alone.
    pub(super) fn note_cgroup(&mut self, snapshot: &Snapshot, zone: &CgroupMemory) {
        let limit = zone.limit.unwrap_or(snapshot.memory.total).min(snapshot.memory.total);
        self.limit = limit;
        self.push(Reading {
            at: snapshot.at,
            available: limit.saturating_sub(zone.current).saturating_add(zone.reclaimable),
            swap_counted: Kib::ZERO,
            swap_free: Kib::ZERO,
            kills: zone.oom_kill,
            stalled_us: zone.pressure.map(|p| p.some_total_us),
            refaults: None,
        });
    }

    /// Forgets all: the zone is gone and a new one of its name starts its counters anew.
    pub(super) fn forget(&mut self) {
        self.filled = 0;
        self.answered = None;
    }

    /// Relief has come for all that happened up to now.
    pub(super) fn answer(&mut self) {
        let newest = self.back().next().and_then(|newest| newest.kills);
        self.answered = newest;
    }

    fn push(&mut self, reading: Reading) {
        // Decided once more after a scan: it is still the same look, and what changed since the one
        // before must not be forgotten.
        if self.back().next().is_some_and(|newest| newest.at == reading.at) {
            self.next = (self.next + KEPT - 1) % KEPT;
            self.filled -= 1;
        }
        self.ring[self.next] = reading;
        self.next = (self.next + 1) % KEPT;
        self.filled = (self.filled + 1).min(KEPT);
    }

    /// The readings from the newest back.
    fn back(&self) -> impl Iterator<Item = &Reading> {
        (1..=self.filled).map(|n| &self.ring[(self.next + KEPT - n) % KEPT])
    }

    /// The oldest reading no older than `window`, if it is old enough to make a rate with the newest.
    fn over(&self, window: Duration) -> Option<(&Reading, &Reading, Duration)> {
        let newest = self.back().next()?;
        let oldest = self.back().take_while(|r| newest.at.since(r.at) <= window).last()?;
        let time = newest.at.since(oldest.at);
        // At a slow period the reading before the newest is all there is.
        let (oldest, time) = if time < RATE_LEAST {
            let before = self.back().nth(1)?;
            (before, newest.at.since(before.at))
        } else {
            (oldest, time)
        };
        (time >= RATE_LEAST).then_some((oldest, newest, time))
    }

    /// The zone as the policy's numbers see it; `None` before the first reading.
    pub(super) fn measured(&self, thresholds: &Thresholds) -> Option<Measured> {
        let newest = self.back().next()?;
        let second = self.over(SECOND);
        let per_second = |count: u64, time: Duration| {
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
            count.saturating_mul(1_000_000) / micros
        };
        let falling = self.over(RATE_WINDOW).map_or(0, |(from, to, time)| {
            per_second(from.available.saturating_sub(to.available).0, time)
        });
        let delta = |get: fn(&Reading) -> Option<u64>| {
            let (from, to, time) = second?;
            Some((get(to)?.saturating_sub(get(from)?), time))
        };
        let is_answered = newest.kills.is_some() && newest.kills <= self.answered;
        let kills = delta(|r| r.kills).filter(|_| !is_answered).map_or(0, |(count, _)| count);
        Some(Measured {
            limit: self.limit,
            available: newest.available,
            swap_counted: newest.swap_counted,
            swap_free: newest.swap_free,
            floor: thresholds.floor_of(self.limit),
            falling_kib_s: falling,
            kills: u32::try_from(kills).unwrap_or(u32::MAX),
            stall_percent: delta(|r| r.stalled_us)
                .map(|(us, time)| u8::try_from(per_second(us, time) / 10_000).unwrap_or(100)),
            refaults: delta(|r| r.refaults).map(|(count, time)| per_second(count, time)),
        })
    }
}
