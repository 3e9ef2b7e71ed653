//! `slab-heavy`: the kernel's own objects that it cannot drop.

use alloc::format;
use alloc::vec::Vec;

use crate::advise::facts::Facts;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// What a busy web node has without anything being wrong: a twentieth, 96 MiB at the least.
fn usual(ram: Kib) -> Kib {
    ram.percent(5).max(Kib::from_mib(96))
}

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let found = || {
        let slab = facts.node.slab_unreclaimable?;
        let excess = slab.saturating_sub(usual(facts.node.ram));
        if slab < facts.node.ram.percent(10) || !worth(facts, excess) {
            return None;
        }
        let mut advice = Advice::of(Kind::SlabHeavy);
        advice.title = format!("The kernel holds {slab} that it cannot give back");
        let share = slab.0.saturating_mul(100) / facts.node.ram.0.max(1);
        advice.because("/proc/meminfo", format!("SUnreclaim {slab}, {share} % of the RAM"));
        for (name, size) in facts.node.slabs.iter().take(3) {
            advice.because("/proc/slabinfo", format!("{name}: {size}"));
        }
        advice.saves = Some(excess);
        advice.confidence = Confidence::Low;
        advice.risk = Risk::Medium;
        advice.command =
            "slabtop -o -s c | head -20: the cache on top names the part of the kernel; a cache \
                          that grows day by day is a leak, which a newer kernel or module ends"
                .into();
        advice.check = "SUnreclaim in /proc/meminfo after a restart and a day of work".into();
        Some(advice)
    };
    found().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_usual_counts() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(4000);
        facts.node.slab_unreclaimable = Some(Kib::from_mib(800));
        assert_eq!(advise(&facts)[0].saves, Some(Kib::from_mib(600)));
        facts.node.slab_unreclaimable = Some(Kib::from_mib(300));
        assert_eq!(advise(&facts), []);
    }
}
