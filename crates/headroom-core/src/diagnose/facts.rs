//! The numbers of an incident that every finding starts from.

use alloc::vec::Vec;

use super::beside::{Beside, Use, beside};
use super::holders::{Holder, holders, part, resident};
use crate::oomlog::{Constraint, Event, Killer};
use crate::units::Kib;

/// What the report with the fullest table says, in numbers.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The event the numbers are from.
    pub event: &'a Event,
    /// Who held the memory in it.
    pub holders: Vec<Holder>,
    /// The resident memory of all processes.
    pub resident: Kib,
    /// The part of it that belongs to processes with -1000.
    pub unkillable: Kib,
    /// What there was to use: the cgroup's limit, or the machine's RAM.
    pub capacity: Option<Kib>,
    /// What no process explains.
    pub beside: Vec<Beside>,
}

impl<'a> Facts<'a> {
    /// The facts of an incident: those of its kernel event with the most resident memory, since at the
    /// first kills of a storm it is at its height.
    #[must_use]
    pub fn of(events: &[&'a Event]) -> Option<Self> {
        let kernel = events.iter().filter(|event| event.killer == Killer::Kernel);
        let fullest = kernel.max_by_key(|event| (resident(event), core::cmp::Reverse(event.first)));
        let event = fullest.or_else(|| events.first())?;
        let unkillable = event
            .tasks
            .iter()
            .filter(|task| task.oom_score_adj == Some(-1000))
            .fold(0, |sum: u64, task| sum.saturating_add(task.rss.unwrap_or(0)));
        let capacity = capacity(event);
        Some(Self {
            event,
            holders: holders(event, capacity),
            resident: resident(event),
            unkillable: event.pages(unkillable),
            capacity,
            beside: beside(event, capacity),
        })
    }

    /// Resident and swapped out: what all processes asked for.
    #[must_use]
    pub fn asked_for(&self) -> Kib {
        let swapped = self.holders.iter().filter_map(|holder| holder.swap);
        swapped.fold(self.resident, Kib::saturating_add)
    }

    /// What shares are taken of: what there was to use, or what processes held where that is unknown.
    #[must_use]
    pub fn whole(&self) -> Kib {
        self.capacity.unwrap_or(self.resident)
    }

    /// The capacity's name in a sentence.
    #[must_use]
    pub fn capacity_name(&self) -> &'static str {
        match (self.capacity, self.event.constraint) {
            (None, _) => "what all processes held",
            (_, Some(Constraint::Memcg)) => "the limit",
            _ => "RAM",
        }
    }

    /// The allocation's order, 0 where unknown.
    #[must_use]
    pub fn order(&self) -> i32 {
        self.event.order.unwrap_or(0)
    }

    /// How much of one use that no process explains.
    #[must_use]
    pub fn beside(&self, usage: Use) -> Kib {
        let found = self.beside.iter().find(|beside| beside.usage == usage);
        found.map(|beside| beside.size).unwrap_or_default()
    }

    /// Cron jobs that were running: each has a process of the daemon's that waits for it.
    #[must_use]
    pub fn cron_jobs(&self) -> u64 {
        const DAEMONS: [&str; 3] = ["cron", "crond", "CROND"];
        let daemons = self.holders.iter().filter(|h| DAEMONS.contains(&h.group.as_str()));
        daemons.fold(0, |sum, holder| sum + holder.processes).saturating_sub(1)
    }

    /// A counter of the Mem-Info block as a size.
    #[must_use]
    pub fn counter(&self, name: &str) -> Option<Kib> {
        self.event.mem_info.as_ref()?.counters.get(name).map(|pages| self.event.pages(*pages))
    }

    /// A size as a part of [`Self::whole`].
    #[must_use]
    pub fn part(&self, size: Kib) -> f64 {
        part(size, self.whole())
    }
}

fn capacity(event: &Event) -> Option<Kib> {
    if event.constraint == Some(Constraint::Memcg) {
        return event.memcg.memory.and_then(|memory| memory.limit.or(Some(memory.usage)));
    }
    let info = event.mem_info.as_ref()?;
    Some(event.pages(info.ram_pages?.saturating_sub(info.reserved_pages.unwrap_or(0))))
}

/// One size as whole percents of another.
#[must_use]
pub fn percent_of(size: Kib, whole: Kib) -> u64 {
    crate::words::explain::percent(part(size, whole))
}
