//! `hugepages-unused`: huge pages that are set aside for nobody.

use alloc::format;
use alloc::vec::Vec;

use crate::advise::facts::Facts;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind};
use crate::units::Kib;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let found = || {
        let huge = facts.node.huge?;
        // Those promised to somebody who has not touched them yet are not free.
        let unused = huge.free.saturating_sub(huge.reserved);
        let size = Kib(unused.saturating_mul(huge.size.0));
        if !worth(facts, size) {
            return None;
        }
        let mut advice = Advice::of(Kind::HugepagesUnused);
        advice.title = format!("{size} are set aside as huge pages that nobody uses");
        let used = huge.total.saturating_sub(unused);
        advice.because(
            "/proc/meminfo",
            format!(
                "HugePages_Total {} x {}, {unused} of them free and promised to nobody",
                huge.total, huge.size
            ),
        );
        advice.saves = Some(size);
        advice.confidence = Confidence::High;
        advice.command = format!(
            "sysctl -w vm.nr_hugepages={used}\nand the same in the file that sets it: \
             grep -rs nr_hugepages /etc/sysctl.conf /etc/sysctl.d"
        );
        advice.check = "HugePages_Free in /proc/meminfo, and MemAvailable has risen".into();
        Some(advice)
    };
    found().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::facts::HugePages;

    #[test]
    fn free_pages_that_are_promised_are_not_unused() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(4096);
        let huge = HugePages { total: 512, free: 300, reserved: 44, size: Kib(2048) };
        facts.node.huge = Some(huge);
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.saves, Some(Kib::from_mib(512)));
        assert!(advice.command.contains("vm.nr_hugepages=256"));
        facts.node.huge = Some(HugePages { free: 44, ..huge });
        assert_eq!(advise(&facts), []);
    }
}
