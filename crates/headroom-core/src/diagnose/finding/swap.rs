//! Swap that is not there or full, and the thrashing that comes before a kill without it.

use alloc::vec::Vec;

use super::{Confidence, Finding, Kind, View};
use crate::diagnose::Use;
use crate::oomlog::Constraint;
use crate::units::Kib;
use crate::words::finding as words;

/// A limit hit so often meant reclaim again and again before the kill.
const MANY_HITS: u64 = 1000;

pub(super) fn findings(view: &View<'_>) -> Vec<Finding> {
    let event = view.event();
    let mut list = Vec::new();
    let Some(info) = event.mem_info.as_ref() else {
        list.extend(limit_hit_often(view));
        return list;
    };
    let at = [event.evidence.mem_info];
    let without = info.swap_total == Some(Kib::ZERO);
    // The report's kernel threw out nearly every page of a program or file before it killed.
    let cache = view.facts.beside(Use::PageCache);
    let squeezed = view
        .facts
        .capacity
        .is_some_and(|whole| cache > Kib::ZERO && cache.0 < whole.0 / 50 && whole.0 > 256 * 1024);
    let by_pages = event.order.is_some_and(|order| order > 0);
    if without && squeezed && event.constraint == Some(Constraint::None) && !by_pages {
        list.push(
            Finding::new(Kind::Thrashing, Confidence::Medium, words::thrashing(cache))
                .seen(&at)
                .advise(words::thrashing_advice()),
        );
    } else if without {
        list.push(
            Finding::new(Kind::NoSwap, Confidence::Low, words::NO_SWAP.into())
                .seen(&at)
                .advise(words::no_swap_advice()),
        );
    } else if let (Some(total), Some(free)) = (info.swap_total, info.swap_free)
        && free.0 < total.0 / 50
    {
        list.push(
            Finding::new(Kind::SwapFull, Confidence::Low, words::swap_full(total))
                .seen(&at)
                .advise(words::swap_full_advice()),
        );
    }
    list.extend(limit_hit_often(view));
    list
}

/// A cgroup that lived at its limit for long was slow for long.
fn limit_hit_often(view: &View<'_>) -> Option<Finding> {
    let event = view.event();
    let hits = event.memcg.memory.and_then(|memory| memory.failcnt)?;
    (hits >= MANY_HITS && event.constraint == Some(Constraint::Memcg)).then(|| {
        Finding::new(Kind::Thrashing, Confidence::Low, words::limit_hit_often(hits))
            .seen(&[event.evidence.usage])
            .advise(words::limit_hit_advice())
    })
}
