//! `fpm-over-committed`: more PHP workers may run than fit beside the rest.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::advise::facts::{Facts, FpmPool, Process};
use crate::advise::parse::fpm::{Limit, Manager};
use crate::advise::room::{Room, Service, worth};
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// PHP's own default of `memory_limit`.
const LIMIT: Kib = Kib::from_mib(128);
/// What a worker without a limit is counted with.
const UNLIMITED: Kib = Kib::from_mib(256);
/// No proposal leaves a pool fewer workers.
const FEWEST: u64 = 2;

/// Running workers of a pool, which say its name in their title.
pub(super) fn workers<'a>(facts: &'a Facts, pool: &str) -> Vec<&'a Process> {
    let title = format!("php-fpm: pool {pool}");
    facts.processes.iter().filter(|process| process.line().trim_end() == title).collect()
}

/// What the pool's workers hold on average.
pub(super) fn average(workers: &[&Process]) -> Option<Kib> {
    let count = u64::try_from(workers.len()).ok().filter(|count| *count > 0)?;
    let sum = workers.iter().fold(Kib::ZERO, |sum, worker| sum.saturating_add(worker.held));
    Some(Kib(sum.0 / count))
}

/// What each of them took at its highest, on average: between two pages a worker holds little, and it is the
/// pages that meet.
fn average_at_work(workers: &[&Process]) -> Option<Kib> {
    let count = u64::try_from(workers.len()).ok().filter(|count| *count > 0)?;
    let most = workers.iter().map(|worker| worker.highest.unwrap_or(worker.held));
    Some(Kib(most.fold(Kib::ZERO, Kib::saturating_add).0 / count))
}

/// A pool with what it may take.
struct Need<'a> {
    pool: &'a FpmPool,
    children: u64,
    each: Kib,
    is_measured: bool,
    words: String,
}

fn need<'a>(facts: &Facts, pool: &'a FpmPool) -> Option<Need<'a>> {
    let children = pool.pool.max_children.as_ref()?.value;
    let workers = workers(facts, &pool.pool.name);
    if let Some((each, now)) = average_at_work(&workers).zip(average(&workers)) {
        let most = |worker: &&Process| worker.highest.unwrap_or(worker.held);
        let largest = workers.iter().map(most).max().unwrap_or(each);
        let how = if workers.iter().all(|worker| worker.is_pss) { "PSS" } else { "own memory" };
        let now = if now < each { format!(", {now} now") } else { String::new() };
        let words = format!(
            "{each} {how} at the highest of {} workers on average, {largest} the largest{now}",
            workers.len()
        );
        return Some(Need { pool, children, each, is_measured: true, words });
    }
    // A pool that sleeps runs the same PHP as those that are awake.
    let others: Vec<&Process> =
        facts.fpm.iter().flat_map(|other| self::workers(facts, &other.pool.name)).collect();
    if let Some(each) = average_at_work(&others) {
        let words = format!("none runs; {each} as the {} workers of other pools", others.len());
        return Some(Need { pool, children, each, is_measured: true, words });
    }
    let limit = pool.pool.memory_limit.as_ref().or(pool.ini.memory_limit.as_ref());
    let (each, words) = match limit {
        None => (LIMIT, format!("at most {LIMIT}, PHP's default memory_limit")),
        Some(limit) => match limit.value {
            Limit::Size(size) => (size, format!("at most its memory_limit {size} ({})", limit.at)),
            Limit::None => {
                (UNLIMITED, format!("{UNLIMITED} assumed: memory_limit is -1 ({})", limit.at))
            }
        },
    };
    Some(Need { pool, children, each, is_measured: false, words })
}

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let needs: Vec<Need<'_>> = facts.fpm.iter().filter_map(|pool| need(facts, pool)).collect();
    let total = needs.iter().fold(Kib::ZERO, |sum, need| {
        sum.saturating_add(Kib(need.each.0.saturating_mul(need.children)))
    });
    let room = Room::of(facts, Service::Fpm);
    let over = total.saturating_sub(room.left);
    if needs.is_empty() || !worth(facts, over) {
        return Vec::new();
    }
    let mut advice = Advice::of(Kind::FpmOverCommitted);
    let workers = needs.iter().map(|need| need.children).fold(0, u64::saturating_add);
    advice.title =
        format!("{workers} PHP workers may take {total}, {} are left for them", room.left);
    let mut command = String::new();
    let mut after = Kib::ZERO;
    let is_measured = needs.iter().all(|need| need.is_measured);
    for need in &needs {
        let at = need.pool.pool.max_children.as_ref().map(|said| said.at.clone());
        advice.because(
            at.unwrap_or_default(),
            format!(
                "pool {}: pm.max_children {} x {} = {}: {}",
                need.pool.pool.name,
                need.children,
                need.each,
                Kib(need.each.0.saturating_mul(need.children)),
                need.words
            ),
        );
        // Each pool gives up the same share.
        let share =
            u128::from(need.children) * u128::from(room.left.0) / u128::from(total.0.max(1));
        let fit = u64::try_from(share).unwrap_or(need.children).max(FEWEST.min(need.children));
        after = after.saturating_add(Kib(need.each.0.saturating_mul(fit)));
        if fit < need.children {
            let file = need.pool.pool.at.rsplit_once(':').map_or("", |(file, _)| file);
            let name = &need.pool.pool.name;
            command.push_str(&format!("in [{name}] of {file}:\npm.max_children = {fit}\n"));
            // php-fpm does not start with more spare workers than there may be (fpm_conf.c).
            let is_dynamic = need.pool.pool.manager == Manager::Dynamic;
            if is_dynamic && need.pool.pool.max_spare.is_none_or(|spare| spare > fit) {
                command.push_str(&format!(
                    "pm.start_servers = 1\npm.min_spare_servers = 1\npm.max_spare_servers = {fit}\n"
                ));
            }
        }
    }
    advice.because("room", format!("{}: {}", room.left, room.why));
    if let Some(opcache) = needs.iter().find_map(|need| need.pool.ini.opcache.as_ref()) {
        let what = format!("opcache.memory_consumption {} is shared and comes once", opcache.value);
        advice.because(opcache.at.clone(), what);
    }
    advice.cuts_peak = Some(total.saturating_sub(after));
    advice.confidence = match is_measured {
        true if over >= room.left.percent(25) => Confidence::High,
        true => Confidence::Medium,
        false => Confidence::Low,
    };
    // Fewer workers than visitors need makes them wait.
    advice.risk = Risk::Medium;
    if !is_measured {
        // A limit says what a worker may take, which most never do.
        command.push_str("(by the limit alone: measure first, with php-fpm at work and as root)\n");
    }
    command.push_str("then: php-fpm -t, and reload it");
    advice.command = command;
    advice.check =
        "the pool's log does not say \"server reached pm.max_children\" more often than \
                    before; if it does, the workers must get smaller, not more"
            .into();
    alloc::vec![advice]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::advise::parse::Said;
    use crate::advise::parse::fpm::Pool;

    pub(in super::super) fn pool(name: &str, children: u64) -> FpmPool {
        FpmPool {
            pool: Pool {
                name: name.into(),
                at: format!("/etc/php/8.2/fpm/pool.d/{name}.conf:1"),
                max_children: Some(Said::new(children, "/etc/php/8.2/fpm/pool.d/www.conf:4")),
                ..Pool::default()
            },
            ..FpmPool::default()
        }
    }

    pub(in super::super) fn worker(pool: &str, mib: u64) -> Process {
        Process {
            comm: "php-fpm8.2".into(),
            arguments: alloc::vec![format!("php-fpm: pool {pool}")],
            held: Kib::from_mib(mib),
            is_pss: true,
            ..Process::default()
        }
    }

    fn node(ram_mib: u64) -> Facts {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(ram_mib);
        facts
    }

    #[test]
    fn measured_workers_decide_how_many_fit() {
        let mut facts = node(2000);
        facts.fpm.push(pool("www", 60));
        facts.processes.extend([worker("www", 70), worker("www", 90)]);
        let advice = advise(&facts).remove(0);
        // 60 x 80 MiB in 2000 MiB less a twentieth: 23 fit.
        assert!(advice.command.contains("pm.max_children = 23"), "{}", advice.command);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib((60 - 23) * 80)));
        assert_eq!(advice.confidence, Confidence::High);
        assert!(advice.evidence[0].what.contains("80 MiB PSS at the highest of 2 workers"));
    }

    #[test]
    fn a_worker_counts_with_what_it_took_for_a_page() {
        let mut facts = node(2000);
        facts.fpm.push(pool("www", 60));
        let grown =
            |highest| Process { highest: Some(Kib::from_mib(highest)), ..worker("www", 10) };
        facts.processes.extend([grown(70), grown(90)]);
        let advice = advise(&facts).remove(0);
        // What the two hold now is in the arithmetic of nobody else.
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib((60 - 23) * 80)));
        assert!(advice.evidence[0].what.ends_with("90 MiB the largest, 10 MiB now"));
    }

    #[test]
    fn spare_workers_never_exceed_what_there_may_be() {
        let mut facts = node(2000);
        let mut www = pool("www", 60);
        www.pool.manager = Manager::Dynamic;
        www.pool.max_spare = Some(30);
        facts.fpm.push(www);
        facts.processes.push(worker("www", 80));
        let command = advise(&facts).remove(0).command;
        assert!(command.contains("pm.max_children = 23\npm.start_servers = 1"), "{command}");
        assert!(command.contains("pm.max_spare_servers = 23"), "{command}");
        facts.fpm[0].pool.max_spare = Some(20);
        assert!(!advise(&facts).remove(0).command.contains("spare"));
    }

    #[test]
    fn without_workers_the_limit_is_an_upper_bound_and_nothing_is_sure() {
        let mut facts = node(2000);
        let mut www = pool("www", 40);
        www.pool.memory_limit = Some(Said::new(Limit::Size(Kib::from_mib(512)), "/p:9"));
        facts.fpm.push(www);
        let advice = advise(&facts).remove(0);
        assert_eq!(advice.confidence, Confidence::Low);
        assert!(advice.evidence[0].what.contains("at most its memory_limit 512 MiB (/p:9)"));
    }

    #[test]
    fn a_pool_that_sleeps_is_taken_to_be_as_those_that_are_awake() {
        let mut facts = node(2000);
        facts.fpm.extend([pool("www", 10), pool("two", 30)]);
        facts.processes.push(worker("www", 80));
        let advice = advise(&facts).remove(0);
        assert!(advice.evidence[1].what.contains("30 x 80 MiB"), "{}", advice.evidence[1].what);
        assert!(advice.title.contains("40 PHP workers may take 3.1 GiB"), "{}", advice.title);
    }

    #[test]
    fn pools_give_up_the_same_share_and_what_fits_is_not_mentioned() {
        let mut facts = node(2000);
        facts.fpm.extend([pool("www", 40), pool("two", 20)]);
        facts.processes.extend([worker("www", 50), worker("two", 100)]);
        let command = advise(&facts).remove(0).command;
        assert!(command.contains("pm.max_children = 19"), "{command}");
        assert!(command.contains("pm.max_children = 9"), "{command}");
        facts.fpm = alloc::vec![pool("www", 10), pool("two", 5)];
        assert_eq!(advise(&facts), []);
    }
}
