//! `tmpfs-heavy`: files that lie in memory.

use alloc::format;
use alloc::vec::Vec;

use crate::advise::facts::Facts;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let heavy = facts.tmpfs.iter().filter(|fs| fs.used >= facts.node.ram.percent(5));
    heavy
        .filter(|fs| worth(facts, fs.used))
        .map(|fs| {
            let mut advice = Advice::of(Kind::TmpfsHeavy);
            advice.title = format!("Files under {} hold {} of memory", fs.point, fs.used);
            let most = fs.size.map(|size| format!(" of the {size} it may")).unwrap_or_default();
            advice.because(fs.point.clone(), format!("tmpfs, {} in use{most}", fs.used));
            for (path, size) in fs.largest.iter().filter(|(_, size)| *size >= Kib::from_mib(1)) {
                advice.because(path.clone(), format!("{size}"));
            }
            advice.saves = Some(fs.used);
            // Whether somebody still needs them, nobody but their owner knows.
            advice.confidence = Confidence::Medium;
            advice.risk = if fs.point == "/tmp" { Risk::Low } else { Risk::Medium };
            let half = Kib(fs.used.0 / 2).max(Kib::from_mib(64));
            advice.command = format!(
                "du -xah {point} | sort -h | tail, delete what is old, and bound it:\n\
                 mount -o remount,size={}m {point}\n\
                 or move it to the disk (for /tmp: systemctl mask tmp.mount, then restart the node)",
                half.0 / 1024,
                point = fs.point
            );
            advice.check = format!("df {}, and Shmem in /proc/meminfo has fallen", fs.point);
            advice
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::facts::Tmpfs;

    #[test]
    fn what_files_in_memory_take_comes_back() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(2000);
        let of = |mib| Tmpfs { point: "/tmp".into(), used: Kib::from_mib(mib), ..Tmpfs::default() };
        facts.tmpfs.extend([of(300), of(50)]);
        let advices = advise(&facts);
        assert_eq!(advices.len(), 1);
        assert_eq!(advices[0].saves, Some(Kib::from_mib(300)));
    }
}
