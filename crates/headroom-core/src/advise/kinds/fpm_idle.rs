//! `fpm-idle-workers`: workers that are kept though a pool without them would start them when needed.

use alloc::format;
use alloc::vec::Vec;

use super::fpm::{average, workers};
use crate::advise::facts::{Facts, FpmPool};
use crate::advise::parse::fpm::Manager;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind};
use crate::units::Kib;

/// So many stay for who comes next.
const KEPT: u64 = 5;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    facts.fpm.iter().filter_map(|pool| of(facts, pool)).collect()
}

fn of(facts: &Facts, fpm: &FpmPool) -> Option<Advice> {
    let pool = &fpm.pool;
    let running = workers(facts, &pool.name);
    let count = u64::try_from(running.len()).ok()?;
    let each = average(&running)?;
    // A dynamic pool lets those go that its own limit of spare ones does not keep.
    if pool.manager != Manager::Static {
        return None;
    }
    let spare = count.saturating_sub(KEPT);
    let saved = Kib(each.0.saturating_mul(spare));
    if !worth(facts, saved) {
        return None;
    }
    let mut advice = Advice::of(Kind::FpmIdleWorkers);
    advice.title = format!("Pool {} keeps {count} workers whether it needs them or not", pool.name);
    advice.because(
        pool.at.clone(),
        format!(
            "pm = {}: {count} workers x {each} = {}, of which {KEPT} would be kept as spare ones",
            pool.manager.name(),
            Kib(each.0.saturating_mul(count))
        ),
    );
    advice.saves = Some(saved);
    // How many are busy at the height of the day is not known.
    advice.confidence = Confidence::Low;
    let file = pool.at.rsplit_once(':').map_or("", |(file, _)| file);
    advice.command = format!(
        "in [{}] of {file}:\npm = dynamic\npm.start_servers = {KEPT}\npm.min_spare_servers = 2\n\
         pm.max_spare_servers = {KEPT}",
        pool.name
    );
    advice.check =
        "the pool's status page: `max active processes` over a day is what it needs".into();
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::super::fpm::tests::{pool, worker};
    use super::*;

    #[test]
    fn a_static_pool_could_give_most_of_its_workers_back() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(4000);
        facts.processes.extend((0..20).map(|_| worker("www", 40)));
        let mut www = pool("www", 20);
        facts.fpm.push(www.clone());
        assert_eq!(advise(&facts), []);
        www.pool.manager = Manager::Static;
        facts.fpm = alloc::vec![www];
        assert_eq!(advise(&facts)[0].saves, Some(Kib::from_mib(15 * 40)));
    }
}
