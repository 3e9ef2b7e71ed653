//! `jvm-heap-too-large`: a search engine whose heap does not fit, or takes what its index would not need.

use alloc::format;
use alloc::vec::Vec;

use crate::advise::facts::{Engine, Facts};
use crate::advise::room::{Room, Service, held, worth};
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// The least either engine starts and stays healthy with.
const SMALLEST: Kib = Kib::from_mib(512);

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    facts.engines.iter().filter_map(|engine| of(facts, engine)).collect()
}

fn of(facts: &Facts, engine: &Engine) -> Option<Advice> {
    let ram = facts.node.ram;
    let room = Room::of(facts, Service::Java);
    // Both engines take half of the RAM when nobody says otherwise.
    let heap = engine.heap.as_ref().map_or(ram.percent(50), |heap| heap.value);
    // Off the heap it needs about a quarter as much again, and its index wants page cache.
    let whole = heap.percent(125);
    let running = held(facts, Service::Java);
    if running == Kib::ZERO && engine.heap.is_none() {
        return None;
    }
    // A catalogue's index lives well with as much heap as it takes on disk.
    let by_index = engine.data.map(|data| data.percent(100).max(SMALLEST));
    let by_room = Kib(room.left.0 * 100 / 125);
    let quarter = ram.percent(25).max(SMALLEST);
    let enough = by_index.unwrap_or(quarter).min(by_room).max(SMALLEST);
    let enough = Kib(enough.0.div_ceil(Kib::from_mib(256).0) * Kib::from_mib(256).0);
    let is_over = whole > room.left;
    let is_half = heap > ram.percent(50);
    // A heap four times the index: garbage collection has nothing to do but wait.
    let is_idle = by_index.is_some_and(|index| heap.0 > index.0.saturating_mul(2));
    let saved = heap.saturating_sub(enough);
    if !(is_over || is_half || is_idle) || !worth(facts, saved) {
        return None;
    }
    let mut advice = Advice::of(Kind::JvmHeapTooLarge);
    advice.title = format!("{} has a heap of {heap} on a node of {ram}", engine.name);
    match &engine.heap {
        Some(said) => advice.because(said.at.clone(), format!("-Xmx {heap}")),
        None => advice.because(engine.file.clone(), format!("no -Xmx: half of the RAM, {heap}")),
    }
    if let Some(data) = engine.data {
        advice.because(format!("/var/lib/{}", engine.name), format!("its index takes {data}"));
    }
    if running > Kib::ZERO {
        advice.because("its processes", format!("java holds {running} now"));
    }
    advice.because("room", format!("{}: {}", room.left, room.why));
    advice.cuts_peak = Some(saved);
    advice.confidence =
        if is_over || engine.data.is_some() { Confidence::High } else { Confidence::Medium };
    advice.risk = Risk::Medium;
    let mib = enough.0 / 1024;
    advice.command = format!(
        "in {}:\n-Xms{mib}m\n-Xmx{mib}m\nthen: systemctl restart {}",
        engine.file, engine.name
    );
    advice.check = "GET _nodes/stats/jvm: heap_used_percent stays below 75 after a reindex".into();
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::facts::Process;
    use crate::advise::parse::Said;

    fn facts(ram_mib: u64, heap_mib: Option<u64>, data_mib: Option<u64>) -> Facts {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(ram_mib);
        facts.processes.push(Process {
            comm: "mariadbd".into(),
            held: Kib::from_mib(600),
            ..Process::default()
        });
        facts.engines.push(Engine {
            name: "elasticsearch".into(),
            heap: heap_mib
                .map(|mib| Said::new(Kib::from_mib(mib), "/etc/elasticsearch/jvm.options:2")),
            file: "/etc/elasticsearch/jvm.options.d/heap.options".into(),
            data: data_mib.map(Kib::from_mib),
        });
        facts
    }

    #[test]
    fn a_heap_that_does_not_fit_is_cut_to_what_does() {
        let advice = advise(&facts(4096, Some(3072), None)).remove(0);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(3072 - 1024)));
        assert!(advice.command.contains("-Xmx1024m"), "{}", advice.command);
    }

    #[test]
    fn a_heap_of_two_gigabytes_for_an_index_of_100_megabytes_is_idle() {
        let advice = advise(&facts(8192, Some(2048), Some(100))).remove(0);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(2048 - 512)));
        assert_eq!(advices_of(8192, Some(1024), Some(700)), 0);
    }

    fn advices_of(ram: u64, heap: Option<u64>, data: Option<u64>) -> usize {
        advise(&facts(ram, heap, data)).len()
    }

    #[test]
    fn an_engine_that_is_only_installed_takes_nothing() {
        assert_eq!(advices_of(4096, None, None), 0);
    }
}
