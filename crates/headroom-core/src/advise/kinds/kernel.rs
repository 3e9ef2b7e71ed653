//! `psi-off`, `cgroup-v1`, `kernel-too-old`: what this kernel does not give a guard.
//!
//! None of these gives memory back, so they stand last; their figures are versions.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::advise::facts::Facts;
use crate::advise::parse::node::version;
use crate::advise::{Advice, Confidence, Kind, Risk};

/// What Headroom uses, and since when Linux has it.
const FEATURES: [((u32, u32), &str); 6] = [
    ((4, 5), "cgroup v2 with memory.high"),
    ((4, 20), "pressure stall information (PSI)"),
    ((5, 3), "pidfd_open, signals that cannot hit the wrong process"),
    ((5, 15), "process_mrelease, memory back before the victim is gone"),
    ((5, 19), "memory.reclaim, memory back without a kill"),
    ((6, 1), "MGLRU and its protection from thrashing"),
];

/// Older than this is worth a word: the distributions have gone on.
const OLD: (u32, u32) = (5, 15);

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let node = &facts.node;
    let known = node.release.as_deref().and_then(|release| Some((release, version(release)?)));
    let mut advices = Vec::new();
    if let Some((release, version)) = known.filter(|(_, version)| *version < OLD) {
        let missing: Vec<String> = FEATURES
            .iter()
            .filter(|(since, _)| version < *since)
            .map(|((major, minor), what)| format!("{what} ({major}.{minor})"))
            .collect();
        let mut advice = Advice::of(Kind::KernelTooOld);
        advice.title = format!(
            "Linux {}.{} lacks {} things a guard uses",
            version.0,
            version.1,
            missing.len()
        );
        advice.because("/proc/sys/kernel/osrelease", String::from(release.trim()));
        for what in missing {
            advice.because("missing", what);
        }
        advice.confidence = Confidence::High;
        advice.risk = Risk::High;
        advice.command = "install the distribution's newer kernel (Debian: bookworm-backports, \
                          linux-image-amd64; Ubuntu: linux-generic-hwe), and restart the node"
            .into();
        advice.check = "uname -r, then headroom status: nothing under \"Missing here\"".into();
        advices.push(advice);
    }
    let has = |since| known.is_none_or(|(_, version)| version >= since);
    if node.psi == Some(false) && has((4, 20)) {
        let mut advice = Advice::of(Kind::PsiOff);
        advice.title = "Pressure is not measured (PSI is off), 1 of the guard's 4 senses".into();
        advice.because("/proc/pressure/memory", "not there, though Linux has it since 4.20");
        advice.confidence = Confidence::High;
        advice.risk = Risk::Medium;
        advice.command = "add psi=1 to the kernel's command line (GRUB_CMDLINE_LINUX in \
                          /etc/default/grub, then update-grub), and restart the node"
            .into();
        advice.check = "cat /proc/pressure/memory".into();
        advices.push(advice);
    }
    if node.cgroup_v2 == Some(false) && has((4, 5)) {
        let mut advice = Advice::of(Kind::CgroupV1);
        advice.title =
            "Memory is limited by cgroup v1: 0 of MemoryHigh, MemoryLow, MemoryMin work".into();
        advice.because("/sys/fs/cgroup", "the memory controller is v1's");
        advice.confidence = Confidence::High;
        advice.risk = Risk::Medium;
        advice.command =
            "add systemd.unified_cgroup_hierarchy=1 to the kernel's command line, and \
                          restart the node"
                .into();
        advice.check = "cat /sys/fs/cgroup/cgroup.controllers names memory".into();
        advices.push(advice);
    }
    advices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_told_what_it_lacks() {
        let mut facts = Facts::default();
        facts.node.release = Some("4.4.0-130-generic".into());
        facts.node.psi = Some(false);
        facts.node.cgroup_v2 = Some(false);
        let advices = advise(&facts);
        let ids: Vec<_> = advices.iter().map(|advice| advice.kind.id()).collect();
        // That 4.4 has no PSI is said once.
        assert_eq!(ids, ["kernel-too-old"]);
        assert!(advices[0].title.contains("lacks 6 things"), "{}", advices[0].title);
        facts.node.release = Some("6.1.0-18-amd64".into());
        let ids: Vec<_> = advise(&facts).iter().map(|advice| advice.kind.id()).collect();
        assert_eq!(ids, ["psi-off", "cgroup-v1"]);
        facts.node.psi = Some(true);
        facts.node.cgroup_v2 = None;
        assert_eq!(advise(&facts), []);
    }
}
