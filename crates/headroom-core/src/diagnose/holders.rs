//! Who held the memory, by service.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::group;
use crate::oomlog::Event;
use crate::units::Kib;

/// A service with all its processes in one task table.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// The name the processes share, without version.
    pub group: String,
    /// How many there are.
    pub processes: u64,
    /// The sum of their resident memory. A page they share counts once a process, as the kernel's
    /// table cannot tell.
    pub rss: Kib,
    /// The largest of them.
    pub largest: Kib,
    /// Swapped out, where the table has it.
    pub swap: Option<Kib>,
    /// The part of what there was to use (limit or RAM), or of `portion`'s whole where that is unknown;
    /// 0 to 1.
    pub share: f64,
    /// The part of all processes' resident memory, 0 to 1.
    pub portion: f64,
    /// Whether every one of them has an `oom_score_adj` of -1000.
    pub unkillable: bool,
}

impl Holder {
    /// How many times its siblings' average the largest of the processes holds, if that is far ahead:
    /// five times or more, with two siblings at least.
    #[must_use]
    pub fn far_ahead(&self) -> Option<u64> {
        let siblings = self.processes.checked_sub(1).filter(|siblings| *siblings >= 2)?;
        let average = self.rss.saturating_sub(self.largest).0 / siblings;
        let times = self.largest.0.checked_div(average)?;
        (times >= 5).then_some(times)
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
}

/// The holders in an event's task table, the largest first, with their shares of `capacity`.
#[must_use]
pub fn holders(event: &Event, capacity: Option<Kib>) -> Vec<Holder> {
    let mut groups: BTreeMap<&str, Holder> = BTreeMap::new();
    for task in &event.tasks {
        let name = group::family(&task.comm);
        let rss = event.pages(task.rss.unwrap_or(0));
        let holder = groups.entry(name).or_insert_with(|| Holder {
            group: name.to_string(),
            processes: 0,
            rss: Kib::ZERO,
            largest: Kib::ZERO,
            swap: None,
            share: 0.0,
            portion: 0.0,
            unkillable: true,
        });
        holder.processes += 1;
        holder.rss = holder.rss.saturating_add(rss);
        holder.largest = holder.largest.max(rss);
        holder.unkillable &= task.oom_score_adj == Some(-1000);
        if let Some(pages) = task.swap {
            holder.swap = Some(holder.swap.unwrap_or_default().saturating_add(event.pages(pages)));
        }
    }
    let total = resident(event);
    let mut holders: Vec<Holder> = groups.into_values().collect();
    for holder in &mut holders {
        holder.portion = part(holder.rss, total);
        holder.share = part(holder.rss, capacity.unwrap_or(total)).min(1.0);
    }
    holders.sort_by(|a, b| b.rss.cmp(&a.rss).then_with(|| a.group.cmp(&b.group)));
    holders
}

/// The resident memory of all processes in the table.
#[must_use]
pub fn resident(event: &Event) -> Kib {
    event.pages(event.tasks.iter().fold(0, |sum, task| task.rss.unwrap_or(0).saturating_add(sum)))
}

/// One size as a part of another, 0 when there is no other.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more than a float's precision")]
pub(super) fn part(of: Kib, whole: Kib) -> f64 {
    if whole.0 == 0 { 0.0 } else { of.0 as f64 / whole.0 as f64 }
}
