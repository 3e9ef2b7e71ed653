//! Who held the memory, by service.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::group::{self, Role};
use super::impostor;
use crate::oomlog::{Event, Task};
use crate::units::Kib;

/// A service with all its processes in one task table.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// The name the processes share, without version.
    pub group: String,
    /// What part they play.
    pub role: Role,
    /// How many there are.
    pub processes: u64,
    /// The sum of their resident memory. A page they share counts once a process, as the kernel's
    /// table cannot tell.
    pub rss: Kib,
    /// The largest of them.
    pub largest: Kib,
    /// Swapped out, where the table has it.
    pub swap: Option<Kib>,
    /// Their page tables, where the table has them.
    pub page_tables: Option<Kib>,
    /// Shared memory they map, where the table has it (kernels since 6.8): the largest of them, since
    /// they map the same.
    pub shared: Option<Kib>,
    /// The part of what there was to use (limit or RAM), or of `portion`'s whole where that is unknown;
    /// 0 to 1.
    pub share: f64,
    /// The part of all processes' resident memory, 0 to 1.
    pub portion: f64,
    /// Whether every one of them has an `oom_score_adj` of -1000.
    pub unkillable: bool,
}

impl Holder {
    fn named(group: &str) -> Self {
        Self {
            group: group.to_string(),
            role: group::role(group),
            processes: 0,
            rss: Kib::ZERO,
            largest: Kib::ZERO,
            swap: None,
            page_tables: None,
            shared: None,
            share: 0.0,
            portion: 0.0,
            unkillable: true,
        }
    }

    /// What it took in all: what is swapped out was held as well.
    #[must_use]
    pub fn held(&self) -> Kib {
        self.rss.saturating_add(self.swap.unwrap_or_default())
    }

    /// How many times its siblings' average the largest of the processes holds, if that is far ahead:
    /// five times or more, with two siblings at least.
    #[must_use]
    pub fn far_ahead(&self) -> Option<u64> {
        let siblings = self.processes.checked_sub(1).filter(|siblings| *siblings >= 2)?;
        let average = self.rss.saturating_sub(self.largest).0 / siblings;
        let times = self.largest.0.checked_div(average)?;
        (times >= 5).then_some(times)
    }

    /// Whether one of the processes, three times its siblings' average or more, has most of `capacity` by
    /// itself.
    #[must_use]
    pub fn mostly_one(&self, capacity: Option<Kib>) -> bool {
        let siblings = self.processes.saturating_sub(1);
        let others = self.rss.saturating_sub(self.largest).0;
        siblings >= 2
            && self.largest.0.saturating_mul(siblings) >= others.saturating_mul(3)
            && capacity.is_some_and(|whole| self.largest.0.saturating_mul(2) >= whole.0)
    }

    /// The holder without its largest process, if that is far ahead: what its pool is like.
    #[must_use]
    pub fn without_the_one_far_ahead(&self) -> Self {
        let mut rest = self.clone();
        if self.far_ahead().is_some() {
            rest.processes -= 1;
            rest.rss = self.rss.saturating_sub(self.largest);
        }
        rest
    }

    /// What one of the processes holds on average.
    #[must_use]
    pub fn average(&self) -> Kib {
        Kib(self.rss.0.checked_div(self.processes).unwrap_or(0))
    }

    /// Whether it is several processes none of which is most of them.
    #[must_use]
    pub fn is_many(&self) -> bool {
        self.processes >= 3 && self.largest.0.saturating_mul(2) < self.rss.0
    }

    fn add(&mut self, event: &Event, task: &Task) {
        let rss = event.pages(task.rss.unwrap_or(0));
        let sum = |own: Option<Kib>, more: Option<Kib>| match more {
            Some(more) => Some(own.unwrap_or_default().saturating_add(more)),
            None => own,
        };
        self.processes += 1;
        self.rss = self.rss.saturating_add(rss);
        self.largest = self.largest.max(rss);
        self.unkillable &= task.oom_score_adj == Some(-1000);
        self.swap = sum(self.swap, task.swap.map(|pages| event.pages(pages)));
        self.page_tables = sum(self.page_tables, page_tables(event, task));
        self.shared = self.shared.max(task.rss_shmem.map(|pages| event.pages(pages)));
    }
}

/// The holders in an event's task table, the largest with its swap first, with their shares of `capacity`.
#[must_use]
pub fn holders(event: &Event, capacity: Option<Kib>) -> Vec<Holder> {
    let event = &*impostor::unmasked(event);
    let mut groups: BTreeMap<&str, Holder> = BTreeMap::new();
    for task in &event.tasks {
        let name = group::family(&task.comm);
        groups.entry(name).or_insert_with(|| Holder::named(name)).add(event, task);
    }
    let total = resident(event);
    let mut holders: Vec<Holder> = groups.into_values().collect();
    for holder in &mut holders {
        holder.portion = part(holder.rss, total);
        holder.share = part(holder.rss, capacity.unwrap_or(total)).min(1.0);
    }
    holders.sort_by(|a, b| b.held().cmp(&a.held()).then_with(|| a.group.cmp(&b.group)));
    holders
}

/// The resident memory of all processes in the table.
#[must_use]
pub fn resident(event: &Event) -> Kib {
    event.pages(event.tasks.iter().fold(0, |sum, task| task.rss.unwrap_or(0).saturating_add(sum)))
}

/// A task's page tables.
pub(super) fn page_tables(event: &Event, task: &Task) -> Option<Kib> {
    let pages = task.page_table_pages.map(|pages| event.pages(pages));
    pages.or_else(|| task.page_table_bytes.map(Kib::from_bytes))
}

/// One size as a part of another, 0 when there is no other.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more than a float's precision")]
pub(super) fn part(of: Kib, whole: Kib) -> f64 {
    if whole.0 == 0 { 0.0 } else { of.0 as f64 / whole.0 as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_the_sum_of_its_workers() {
        let task = |comm: &str, rss, swap, shmem| Task {
            comm: comm.to_string(),
            rss: Some(rss),
            swap: Some(swap),
            rss_shmem: Some(shmem),
            page_table_bytes: Some(8192),
            oom_score_adj: Some(if comm == "mariadbd" { -1000 } else { 0 }),
            ..Task::default()
        };
        let event = Event {
            tasks: [
                task("php-fpm8.2", 1000, 10, 50),
                task("php-fpm8.2", 2000, 0, 60),
                task("mariadbd", 2500, 0, 0),
            ]
            .into(),
            ..Event::default()
        };
        let holders = holders(&event, None);
        let php = holders.first().unwrap();
        assert_eq!((php.group.as_str(), php.processes, php.rss), ("php-fpm", 2, Kib(12_000)));
        assert_eq!((php.swap, php.page_tables), (Some(Kib(40)), Some(Kib(16))));
        assert_eq!(php.shared, Some(Kib(240)), "what they share is shared");
        assert!(holders[1].unkillable && !php.unkillable);
    }
}
