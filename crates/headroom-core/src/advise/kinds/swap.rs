//! `no-swap`: nowhere to put memory that nobody touches, or too little of it.

use alloc::format;
use alloc::vec::Vec;

use crate::advise::facts::{Facts, Process};
use crate::advise::room::{Service, worth};
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// So many idle processes are named, of those that hold so much.
const NAMED: usize = 3;
const SMALL: Kib = Kib::from_mib(8);

/// What a web node should have: a quarter of the RAM, between half a GiB and two. More only makes a
/// thrashing node thrash longer.
fn proposed(ram: Kib) -> Kib {
    let step = Kib::from_mib(256).0;
    let quarter = Kib(ram.percent(25).0.div_ceil(step) * step);
    quarter.clamp(Kib::from_mib(512), Kib::from_mib(2048))
}

/// What processes hold that did next to nothing for as long as they live, a hundredth of a core at the most. The
/// shop's own services are left out: what they keep is there to be read. `None` where nothing is known of processes.
fn idle(facts: &Facts) -> Option<(Kib, Vec<&Process>)> {
    let is_known = |process: &&Process| process.swappable.is_some() && process.cpu_s.is_some();
    if !facts.processes.iter().any(|process| is_known(&process)) {
        return None;
    }
    let is_idle = |process: &&Process| {
        let (age, cpu) = (process.age_s.unwrap_or(0), process.cpu_s.unwrap_or(u64::MAX));
        let is_service = Service::ALL.iter().any(|service| service.runs(process));
        !is_service && age >= 10 && cpu.saturating_mul(100) <= age
    };
    let mut idle: Vec<&Process> = facts.processes.iter().filter(is_idle).collect();
    idle.sort_by(|a, b| b.swappable.cmp(&a.swappable).then(a.pid.cmp(&b.pid)));
    let held = |process: &&Process| process.swappable.unwrap_or_default();
    let sum = idle.iter().map(held).fold(Kib::ZERO, Kib::saturating_add);
    Some((sum, idle))
}

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let found = || {
        let node = &facts.node;
        let total = node.swap_total.filter(|_| node.ram > Kib::ZERO)?;
        let size = proposed(node.ram);
        let used = total.saturating_sub(node.swap_free.unwrap_or(total));
        let mut advice = Advice::of(Kind::NoSwap);
        if total == Kib::ZERO {
            advice.title = "There is no swap: what nobody touches stays in memory".into();
            advice.because("/proc/meminfo", "SwapTotal 0");
        } else if used.0 * 10 >= total.0 * 9 && total < size {
            advice.title = format!("The swap of {total} is full");
            advice.because("/proc/meminfo", format!("SwapTotal {total}, {used} of it in use"));
        } else {
            return None;
        }
        let room = size.saturating_sub(total);
        let mut cold = node.inactive_anon.unwrap_or(node.ram.percent(5));
        let how = if node.inactive_anon.is_some() { "" } else { " (estimated)" };
        // Since Linux 5.9 what is new counts as inactive until it is used again, so this is the most.
        let what =
            format!("Inactive(anon) {cold}{how}: at the most so much would be swapped first");
        advice.because("/proc/meminfo", what);
        if let Some((sum, idle)) = idle(facts) {
            cold = cold.min(sum);
            if !worth(facts, cold) {
                return None;
            }
            let what =
                format!("{sum} of {} that do next to nothing, the shop's own left out", idle.len());
            advice.because("processes", what);
            for process in
                idle.iter().take(NAMED).filter(|process| process.swappable >= Some(SMALL))
            {
                let size = process.swappable.unwrap_or_default();
                advice.because(
                    format!("pid {}", process.pid),
                    format!("{} holds {size}", process.comm),
                );
            }
        }
        // Compressed to a third at the worst for zram; all of it comes back from a file.
        advice.saves = Some(cold.min(room)).filter(|saves| *saves > Kib::ZERO);
        advice.confidence = match node.inactive_anon {
            Some(_) => Confidence::Medium,
            None => Confidence::Low,
        };
        advice.risk = Risk::Low;
        let mib = room.0 / 1024;
        advice.command = format!(
            "fallocate -l {mib}M /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile\n\
             in /etc/fstab: /swapfile none swap sw 0 0\n\
             or in memory, compressed (package zram-tools): SIZE={mib} in /etc/default/zramswap"
        );
        advice.check =
            "after a day `vmstat 5` shows so and si near 0: it lies there and is not read".into();
        advice.saves.is_some().then_some(advice)
    };
    found().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(total_mib: u64, free_mib: u64, cold_mib: Option<u64>) -> Facts {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(2048);
        facts.node.swap_total = Some(Kib::from_mib(total_mib));
        facts.node.swap_free = Some(Kib::from_mib(free_mib));
        facts.node.inactive_anon = cold_mib.map(Kib::from_mib);
        facts
    }

    #[test]
    fn without_swap_what_is_cold_could_go_there() {
        let advice = advise(&facts(0, 0, Some(300))).remove(0);
        assert_eq!(
            (advice.saves, advice.confidence),
            (Some(Kib::from_mib(300)), Confidence::Medium)
        );
        assert!(advice.command.contains("-l 512M"));
        assert_eq!(advise(&facts(0, 0, Some(900)))[0].saves, Some(Kib::from_mib(512)));
        assert_eq!(advise(&facts(0, 0, None))[0].confidence, Confidence::Low);
    }

    #[test]
    fn what_processes_hold_that_do_nothing_counts_where_it_is_known() {
        let process = |comm: &str, mib, cpu_s| Process {
            comm: comm.into(),
            swappable: Some(Kib::from_mib(mib)),
            age_s: Some(3600),
            cpu_s: Some(cpu_s),
            ..Process::default()
        };
        let mut facts = facts(0, 0, Some(900));
        // One that works, the database, and two that sleep.
        facts.processes = alloc::vec![
            process("php", 200, 90),
            process("mariadbd", 400, 1),
            process("searchd", 150, 30),
            process("fail2ban", 20, 2),
        ];
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.saves, Some(Kib::from_mib(170)));
        assert!(advice.evidence.iter().any(|evidence| evidence.what == "searchd holds 150 MiB"));
        facts.processes.remove(2);
        assert_eq!(advise(&facts), []);
    }

    #[test]
    fn a_small_swap_that_is_full_is_too_small_and_a_large_one_is_not() {
        assert_eq!(advise(&facts(256, 10, Some(300)))[0].saves, Some(Kib::from_mib(256)));
        assert_eq!(advise(&facts(256, 200, Some(300))), []);
        assert_eq!(advise(&facts(1024, 0, Some(300))), []);
    }
}
