//! `vm-setting`: settings of the kernel that hurt on this node (`Documentation/admin-guide/sysctl/vm.rst`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::redis::process;
use crate::advise::facts::Facts;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let checks =
        [swappiness, overcommit, min_free, dirty, vfs_cache_pressure, transparent_huge_pages];
    checks.iter().filter_map(|check| check(facts)).collect()
}

fn vm(facts: &Facts, name: &str) -> Option<u64> {
    facts.node.vm.get(name).copied()
}

/// An advice to set something.
fn set(name: &str, value: &str, now: u64, title: String, why: String) -> Advice {
    let mut advice = Advice::of(Kind::VmSetting);
    advice.title = title;
    advice.because(format!("/proc/sys/vm/{name}"), format!("vm.{name} = {now}: {why}"));
    advice.command = format!(
        "sysctl -w vm.{name}={value}\nand in /etc/sysctl.d/60-memory.conf: vm.{name} = {value}"
    );
    advice.check = format!("sysctl vm.{name}");
    advice
}

/// With 0 nothing is swapped until memory is gone, and then the page cache is gone already.
fn swappiness(facts: &Facts) -> Option<Advice> {
    let now = vm(facts, "swappiness").filter(|value| *value == 0)?;
    let free = facts.node.swap_free.filter(|free| *free > Kib::ZERO)?;
    let cold = facts.node.inactive_anon?.min(free);
    if !worth(facts, cold) {
        return None;
    }
    let title = format!("Swap is there and not used: {cold} lie cold in memory");
    let why = format!("Inactive(anon) is {cold} of what {free} of free swap could take");
    let mut advice = set("swappiness", "60", now, title, why);
    advice.saves = Some(cold);
    Some(advice)
}

/// Strict accounting makes memory unusable that nobody has.
fn overcommit(facts: &Facts) -> Option<Advice> {
    let now = vm(facts, "overcommit_memory").filter(|value| *value == 2)?;
    let (limit, committed) = (facts.node.commit_limit?, facts.node.committed?);
    let all = facts.node.ram.saturating_add(facts.node.swap_total.unwrap_or_default());
    let unusable = all.saturating_sub(limit);
    // As long as there is distance to the limit it does no harm.
    let is_near = limit.saturating_sub(committed) < facts.node.ram.percent(10);
    if !is_near || !worth(facts, unusable) {
        return None;
    }
    let title = format!("{unusable} of memory and swap may be used by nobody");
    let why = format!("CommitLimit {limit} of {all}, Committed_AS {committed}: forks fail next");
    let mut advice = set("overcommit_memory", "0", now, title, why);
    advice.saves = Some(unusable);
    advice.confidence = Confidence::High;
    Some(advice)
}

/// More than a hundredth kept free is memory that nobody gets.
fn min_free(facts: &Facts) -> Option<Advice> {
    let now = vm(facts, "min_free_kbytes")?;
    let enough = facts.node.ram.percent(1).max(Kib::from_mib(16));
    // The kernel reclaims until a half more than this is free: its high watermark (mm/page_alloc.c).
    let saved = Kib(now).saturating_sub(enough).percent(150);
    if Kib(now) < facts.node.ram.percent(5) || !worth(facts, saved) {
        return None;
    }
    let kept = Kib(now).percent(150);
    let title = format!("The kernel keeps {kept} free for itself");
    let share = kept.0.saturating_mul(100) / facts.node.ram.0.max(1);
    let why = format!("{} and its watermarks, {share} % of the RAM; {enough} do", Kib(now));
    let mut advice = set("min_free_kbytes", &format!("{}", enough.0), now, title, why);
    advice.saves = Some(saved);
    advice.confidence = Confidence::High;
    Some(advice)
}

/// What is written and not yet on the disk cannot be dropped.
fn dirty(facts: &Facts) -> Option<Advice> {
    const USUAL: u64 = 20;
    let ram = facts.node.ram;
    let bytes = vm(facts, "dirty_bytes").filter(|bytes| *bytes > 0).map(Kib::from_bytes);
    let ratio = vm(facts, "dirty_ratio").unwrap_or(0);
    let most = bytes.unwrap_or(ram.percent(ratio));
    if most <= ram.percent(USUAL + 10) {
        return None;
    }
    let cut = most.saturating_sub(ram.percent(USUAL));
    let (name, now) = match bytes {
        Some(_) => ("dirty_bytes", vm(facts, "dirty_bytes")?),
        None => ("dirty_ratio", ratio),
    };
    let value = match bytes {
        Some(_) => format!("{}", ram.percent(USUAL).0 * 1024),
        None => format!("{USUAL}"),
    };
    let title = format!("Up to {most} may wait to be written and cannot be dropped meanwhile");
    let why = format!("{most} of {ram}");
    let mut advice = set(name, &value, now, title, why);
    advice.cuts_peak = Some(cut);
    Some(advice)
}

/// Near 0 the kernel keeps names of files before it keeps anything else.
fn vfs_cache_pressure(facts: &Facts) -> Option<Advice> {
    let now = vm(facts, "vfs_cache_pressure").filter(|value| *value < 20)?;
    let cache = facts.node.slab_reclaimable?;
    let excess = cache.saturating_sub(facts.node.ram.percent(5));
    if !worth(facts, excess) {
        return None;
    }
    let title = format!("The kernel keeps {cache} of file names rather than give them up");
    let why = format!("SReclaimable is {cache}");
    let mut advice = set("vfs_cache_pressure", "100", now, title, why);
    advice.saves = Some(excess);
    Some(advice)
}

/// With whole pages of 2 MiB a write of one byte copies 2 MiB while Redis saves.
fn transparent_huge_pages(facts: &Facts) -> Option<Advice> {
    if facts.node.transparent_huge_pages.as_deref() != Some("always") {
        return None;
    }
    let forks = facts.redis.iter().filter(|redis| redis.does_fork());
    let held = forks.filter_map(|redis| Some(process(facts, redis)?.held)).max()?;
    if !worth(facts, held) {
        return None;
    }
    let mut advice = Advice::of(Kind::VmSetting);
    advice.title = format!("Huge pages make Redis's fork copy up to all of its {held}");
    advice.because("/sys/kernel/mm/transparent_hugepage/enabled", "always");
    advice.because("its processes", format!("Redis holds {held} and forks to save"));
    advice.cuts_peak = Some(held);
    advice.confidence = Confidence::Low;
    advice.risk = Risk::Low;
    advice.command = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled\n\
                      and at boot: transparent_hugepage=madvise on the kernel's command line"
        .into();
    advice.check = "redis-cli INFO persistence: rdb_last_cow_size".into();
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(settings: &[(&str, u64)]) -> Facts {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(4000);
        facts.node.swap_total = Some(Kib::from_mib(1000));
        facts.node.swap_free = Some(Kib::from_mib(1000));
        facts.node.inactive_anon = Some(Kib::from_mib(500));
        facts.node.slab_reclaimable = Some(Kib::from_mib(900));
        facts.node.commit_limit = Some(Kib::from_mib(3000));
        facts.node.committed = Some(Kib::from_mib(2900));
        for (name, value) in settings {
            facts.node.vm.insert((*name).into(), *value);
        }
        facts
    }

    #[test]
    fn each_setting_that_hurts_has_its_figure() {
        for (name, value, mib) in [
            ("swappiness", 0, 500),
            ("overcommit_memory", 2, 2000),
            ("min_free_kbytes", 400 * 1024, 540),
            ("dirty_ratio", 60, 1600),
            ("dirty_bytes", 2000 << 20, 1200),
            ("vfs_cache_pressure", 1, 700),
        ] {
            let advices = advise(&node(&[(name, value)]));
            assert_eq!(advices.len(), 1, "{name}");
            assert_eq!(advices[0].gives(), Kib::from_mib(mib), "{name}");
            assert!(advices[0].command.contains(name));
        }
    }

    #[test]
    fn the_kernels_defaults_are_left_alone() {
        let usual = [
            ("swappiness", 60),
            ("overcommit_memory", 0),
            ("min_free_kbytes", 8192),
            ("dirty_ratio", 20),
            ("vfs_cache_pressure", 100),
        ];
        assert_eq!(advise(&node(&usual)), []);
    }
}
