//! `fpm-never-recycled`: workers that live for ever, some of which have grown far beyond the others.

use alloc::format;
use alloc::vec::Vec;

use super::fpm::workers;
use crate::advise::facts::{Facts, FpmPool};
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind};
use crate::units::Kib;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    facts.fpm.iter().filter_map(|pool| of(facts, pool)).collect()
}

fn of(facts: &Facts, fpm: &FpmPool) -> Option<Advice> {
    let pool = &fpm.pool;
    let requests = pool.max_requests.as_ref();
    if requests.is_some_and(|said| said.value > 0) {
        return None;
    }
    let running = workers(facts, &pool.name);
    let mut sizes: Vec<Kib> = running.iter().map(|worker| worker.held).collect();
    sizes.sort();
    // What a worker of this pool needs: the smaller half shows it, the larger half has grown.
    let usual = *sizes.get(sizes.len() / 4)?;
    let grown: Vec<Kib> = sizes.iter().copied().filter(|size| size.0 > usual.0 * 2).collect();
    let saved =
        grown.iter().fold(Kib::ZERO, |sum, size| sum.saturating_add(size.saturating_sub(usual)));
    if sizes.len() < 4 || !worth(facts, saved) {
        return None;
    }
    let mut advice = Advice::of(Kind::FpmNeverRecycled);
    advice.title = format!("Workers of pool {} grow and are never replaced", pool.name);
    let (at, what) = requests.map_or_else(
        || (pool.at.clone(), "pm.max_requests is not set: never".into()),
        |said| (said.at.clone(), alloc::string::String::from("pm.max_requests = 0: never")),
    );
    advice.because(at, what);
    let largest = sizes.last().copied().unwrap_or_default();
    advice.because(
        "its processes",
        format!(
            "{} of {} workers hold more than twice the usual {usual}, {largest} the largest",
            grown.len(),
            sizes.len()
        ),
    );
    advice.saves = Some(saved);
    advice.confidence = Confidence::Medium;
    let file = pool.at.rsplit_once(':').map_or("", |(file, _)| file);
    advice.command = format!("in [{}] of {file}:\npm.max_requests = 500", pool.name);
    advice.check = "an hour later the largest worker is not far above the others".into();
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::super::fpm::tests::{pool, worker};
    use super::*;
    use crate::advise::parse::Said;

    #[test]
    fn workers_that_grew_are_counted_above_the_usual() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(2000);
        facts.fpm.push(pool("www", 8));
        facts.processes.extend([40, 40, 45, 50, 150, 200].map(|mib| worker("www", mib)));
        assert_eq!(advise(&facts)[0].saves, Some(Kib::from_mib(110 + 160)));
        facts.fpm[0].pool.max_requests = Some(Said::new(500, "/p:1"));
        assert_eq!(advise(&facts), []);
    }
}
