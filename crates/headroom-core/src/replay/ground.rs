//! The node without the actors of a storm, moment by moment.

use alloc::vec::Vec;
use core::time::Duration;

use super::actor::between;
use crate::snapshot::{CgroupMemory, Memory, Moment, Pressure, VmCounters};
use crate::units::Kib;

/// The node at one moment, as it would be if no actor held anything.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// When.
    pub at: Moment,
    /// The wall clock then, in milliseconds since 1970.
    pub unix_ms: i64,
    /// The guard's own pid.
    pub own_pid: i32,
    /// The machine.
    pub memory: Memory,
    /// Its pressure.
    pub pressure: Option<Pressure>,
    /// Its counters.
    pub vm: VmCounters,
    /// The zones below it.
    pub zones: Vec<Option<CgroupMemory>>,
}

/// The points of a storm in their order; linear in between.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    points: Vec<Point>,
}

impl Ground {
    /// Ground that begins with these points.
    #[must_use]
    pub fn new(points: Vec<Point>) -> Self {
        Self { points }
    }

    /// Adds a later point.
    pub fn push(&mut self, point: Point) {
        self.points.push(point);
    }

    /// The first and the last point, when there is any.
    #[must_use]
    pub fn ends(&self) -> Option<(&Point, &Point)> {
        Some((self.points.first()?, self.points.last()?))
    }

    /// How many points there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The wall clock at a moment: that of the nearest point before, and the time since.
    #[must_use]
    pub fn unix_ms(&self, at: Moment) -> i64 {
        let after = self.points.partition_point(|p| p.at <= at);
        self.points.get(after.saturating_sub(1)).map_or(0, |p| {
            p.unix_ms.saturating_add(i64::try_from(at.since(p.at).as_millis()).unwrap_or(0))
        })
    }

    /// The node at a moment: before the first point that one, after the last that one.
    #[must_use]
    pub fn at(&self, at: Moment) -> Option<Point> {
        let after = self.points.partition_point(|p| p.at <= at);
        let before = self.points.get(after.saturating_sub(1))?;
        let Some(next) = self.points.get(after).filter(|_| after > 0) else {
            return Some(Point { at, ..before.clone() });
        };
        let way = Way { part: at.since(before.at), whole: next.at.since(before.at) };
        let (m, n) = (&before.memory, &next.memory);
        Some(Point {
            at,
            unix_ms: self.unix_ms(at),
            own_pid: before.own_pid,
            memory: Memory {
                total: m.total,
                free: way.size(m.free, n.free),
                available: way.size(m.available, n.available),
                swap_total: m.swap_total,
                swap_free: way.size(m.swap_free, n.swap_free),
            },
            pressure: way.pressure(before.pressure, next.pressure),
            vm: way.counters(&before.vm, &next.vm),
            zones: before.zones.iter().zip(&next.zones).map(|(z, y)| way.zone(*z, *y)).collect(),
        })
    }
}

/// Part of the way from one point to the next.
#[derive(Clone, Copy)]
struct Way {
    part: Duration,
    whole: Duration,
}

impl Way {
    fn size(self, from: Kib, to: Kib) -> Kib {
        between(from, to, self.part, self.whole)
    }

    fn count(self, from: Option<u64>, to: Option<u64>) -> Option<u64> {
        Some(self.size(Kib(from?), Kib(to.or(from)?)).0)
    }

    fn pressure(self, from: Option<Pressure>, to: Option<Pressure>) -> Option<Pressure> {
        let (from, to) = (from?, to.or(from)?);
        Some(Pressure {
            some_total_us: self.size(Kib(from.some_total_us), Kib(to.some_total_us)).0,
            full_total_us: self.size(Kib(from.full_total_us), Kib(to.full_total_us)).0,
            ..from
        })
    }

    fn counters(self, from: &VmCounters, to: &VmCounters) -> VmCounters {
        VmCounters {
            // A kill is at one moment, which a sample saw, and never half a kill.
            oom_kill: from.oom_kill,
            refault_file: self.count(from.refault_file, to.refault_file),
            refault_anon: self.count(from.refault_anon, to.refault_anon),
            swap_in: self.count(from.swap_in, to.swap_in),
            major_faults: self.count(from.major_faults, to.major_faults),
            scan_direct: self.count(from.scan_direct, to.scan_direct),
        }
    }

    fn zone(self, from: Option<CgroupMemory>, to: Option<CgroupMemory>) -> Option<CgroupMemory> {
        let from = from?;
        let Some(to) = to else { return Some(from) };
        Some(CgroupMemory {
            limit: from.limit,
            current: self.size(from.current, to.current),
            reclaimable: self.size(from.reclaimable, to.reclaimable),
            oom_kill: from.oom_kill,
            pressure: self.pressure(from.pressure, to.pressure),
        })
    }
}
