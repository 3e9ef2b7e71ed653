//! `node-unbounded`: Node.js processes that may grow to V8's own default before they collect in earnest.

use alloc::format;
use alloc::vec::Vec;

use crate::advise::facts::{Facts, Process};
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// V8 takes a quarter of the RAM for its heap, and no more than this (`heap.cc`, 64 bit).
const MOST: Kib = Kib::from_mib(4096);

fn is_unbounded(process: &Process) -> bool {
    let is_node =
        matches!(process.comm.as_str(), "node" | "nodejs") || process.comm.starts_with("node ");
    is_node
        && !process.line().contains("max-old-space-size")
        && !process.line().contains("max_old_space_size")
}

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let unbounded: Vec<&Process> = facts.processes.iter().filter(|p| is_unbounded(p)).collect();
    let held = unbounded.iter().fold(Kib::ZERO, |sum, process| sum.saturating_add(process.held));
    let most = facts.node.ram.percent(25).min(MOST);
    // A process that holds next to nothing is no server.
    let servers: Vec<&&Process> =
        unbounded.iter().filter(|p| p.held >= Kib::from_mib(32)).collect();
    let step = Kib::from_mib(64).0;
    let bound = |process: &Process| Kib(process.held.percent(150).0.div_ceil(step).max(2) * step);
    let cut = servers
        .iter()
        .fold(Kib::ZERO, |sum, process| sum.saturating_add(most.saturating_sub(bound(process))));
    // Where they hold little together, nobody will meet their limit.
    if held < facts.node.ram.percent(10) || !worth(facts, cut) {
        return Vec::new();
    }
    let mut advice = Advice::of(Kind::NodeUnbounded);
    advice.title = format!("{} Node.js processes may grow to {most} each", servers.len());
    for process in servers.iter().take(5) {
        advice.because(
            format!("pid {}", process.pid),
            format!("{} holds {}, no --max-old-space-size", process.line(), process.held),
        );
    }
    let largest = servers.iter().map(|process| bound(process)).max().unwrap_or(most);
    advice.cuts_peak = Some(cut);
    advice.confidence = Confidence::Low;
    advice.risk = Risk::Medium;
    advice.command = format!(
        "in their unit: Environment=NODE_OPTIONS=--max-old-space-size={}",
        largest.0 / 1024
    );
    advice.check = "none ends with \"JavaScript heap out of memory\" within a day".into();
    alloc::vec![advice]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_a_bound_are_counted_up_to_v8s_own() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(4000);
        let node = |args: &str| Process {
            comm: "node".into(),
            arguments: alloc::vec!["node".into(), args.into()],
            held: Kib::from_mib(250),
            ..Process::default()
        };
        facts.processes.extend([node("server.js"), node("server.js")]);
        // 250 and a half are 384 in steps of 64; a quarter of the RAM is 1000.
        assert_eq!(advise(&facts)[0].cuts_peak, Some(Kib::from_mib(2 * (1000 - 384))));
        facts.processes =
            alloc::vec![node("--max-old-space-size=400"), node("--max-old-space-size=400")];
        assert_eq!(advise(&facts), []);
    }
}
