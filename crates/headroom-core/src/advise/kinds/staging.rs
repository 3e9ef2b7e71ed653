//! `staging-shop`: a second shop on the node that visitors never see, and what it costs.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::fpm::workers;
use super::mysql_sizes::Sizes;
use super::need::{need, short};
use crate::advise::facts::{Facts, Process};
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// What people call a shop that is not the shop.
const NAMES: [&str; 14] = [
    "staging",
    "stage",
    "stg",
    "dev",
    "devel",
    "development",
    "test",
    "testing",
    "acc",
    "acceptance",
    "uat",
    "preprod",
    "sandbox",
    "demo",
];

/// Whether a name says of itself that it is not the shop: `/var/www/staging`, `shop_dev`, `test2.example`.
pub(super) fn is_staging(name: &str) -> bool {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_lowercase())
        .any(|word| NAMES.contains(&word.as_str()))
}

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let mut advice = Advice::of(Kind::StagingShop);
    let mut pids: Vec<i32> = Vec::new();
    let mut held = Kib::ZERO;
    let mut count = |process: &Process| {
        if !pids.contains(&process.pid) {
            pids.push(process.pid);
            held = held.saturating_add(process.held);
        }
    };
    // The folder of a document root that is called public or pub is the shop's.
    let folder = |root: &str| {
        let ends = ["/pub", "/public", "/web", "/htdocs", "/public_html"];
        let bare = ends.iter().find_map(|end| root.strip_suffix(end)).unwrap_or(root);
        bare.to_string()
    };
    let mut folders: Vec<String> = Vec::new();
    let mut has_shop = false;
    for site in &facts.sites {
        let is_one =
            is_staging(&site.root) || site.names.first().is_some_and(|name| is_staging(name));
        has_shop |= !is_one;
        if is_one && !folders.contains(&folder(&site.root)) {
            folders.push(folder(&site.root));
            let names = site.names.join(" ");
            let names = if names.is_empty() { String::new() } else { format!(" ({names})") };
            advice.because(site.at.clone(), format!("document root {}{names}", site.root));
        }
    }
    for fpm in &facts.fpm {
        if !is_staging(&fpm.pool.name) {
            has_shop = true;
            continue;
        }
        let running = workers(facts, &fpm.pool.name);
        let sum = running.iter().fold(Kib::ZERO, |sum, worker| sum.saturating_add(worker.held));
        running.iter().for_each(|worker| count(worker));
        let children = fpm.pool.max_children.as_ref().map_or(0, |said| said.value);
        advice.because(
            fpm.pool.at.clone(),
            format!(
                "pool {}: {} workers hold {sum}, {children} may be",
                fpm.pool.name,
                running.len()
            ),
        );
    }
    // Its consumers and daemons, by the folder in their command line.
    for process in &facts.processes {
        let line = process.line();
        if folders.iter().any(|folder| line.contains(folder.as_str()))
            && process.held >= Kib::from_mib(1)
        {
            count(process);
            advice
                .because(format!("pid {}", process.pid), format!("{line} holds {}", process.held));
        }
    }
    let cached = databases(facts, &mut advice);
    has_shop |= facts.databases.iter().any(|database| !is_staging(&database.name));
    let mut peak = Kib::ZERO;
    for job in &facts.jobs {
        let command = job.job.shell();
        let is_one = folders.iter().any(|folder| command.contains(folder.as_str()))
            || command.split_whitespace().any(|word| word.starts_with('/') && is_staging(word));
        if is_one {
            let need = need(job);
            peak = peak.saturating_add(need.size);
            let what = format!("{} {}: {}", job.job.when, short(job), need.words);
            advice.because(job.job.at.clone(), what);
        }
    }
    let saves = held.saturating_add(cached);
    let cuts = saves.saturating_add(peak);
    if !has_shop || advice.evidence.is_empty() || !worth(facts, cuts) {
        return Vec::new();
    }
    advice.title = match saves {
        Kib::ZERO => format!("A second shop on the node takes up to {cuts}"),
        saves => format!("A second shop on the node holds {saves}, and takes up to {cuts}"),
    };
    advice.saves = Some(saves).filter(|saves| *saves > Kib::ZERO);
    advice.cuts_peak = Some(cuts);
    advice.confidence = if held > Kib::ZERO { Confidence::Medium } else { Confidence::Low };
    advice.risk = Risk::Medium;
    let mut command = String::from("move it to a node of its own, or let it sleep: ");
    let pools = facts.fpm.iter().filter(|fpm| is_staging(&fpm.pool.name));
    for fpm in pools {
        let file = fpm.pool.at.rsplit_once(':').map_or("", |(file, _)| file);
        command.push_str(&format!(
            "\nin [{}] of {file}: pm = ondemand, pm.process_idle_timeout = 10s, pm.max_children = 2",
            fpm.pool.name
        ));
    }
    command.push_str("\nand put a # before its lines in the crontabs");
    advice.command = command;
    advice.check = "headroom status: the classes' resident memory has fallen".into();
    alloc::vec![advice]
}

/// What its databases take of the buffer pool: their share of all data, as far as the pool holds it.
fn databases(facts: &Facts, advice: &mut Advice) -> Kib {
    let size = |is_one: fn(&str) -> bool| {
        let of = facts.databases.iter().filter(|database| is_one(&database.name));
        of.fold(Kib::ZERO, |sum, database| sum.saturating_add(database.size))
    };
    let (own, all) = (size(is_staging), size(|_| true));
    let pool = facts.mysql.as_ref().map(|mysql| Sizes::of(mysql, facts.node.ram).pool().size);
    let Some(pool) = pool.filter(|_| own > Kib::ZERO) else { return Kib::ZERO };
    let share = u128::from(pool.min(all).0) * u128::from(own.0) / u128::from(all.0.max(1));
    let share = Kib(u64::try_from(share).unwrap_or(0));
    for database in facts.databases.iter().filter(|database| is_staging(&database.name)) {
        let what = format!(
            "database {}: {} on disk; these take up to {share} of the buffer pool",
            database.name, database.size
        );
        advice.because(database.at.clone(), what);
    }
    share
}

#[cfg(test)]
mod tests {
    use super::super::fpm::tests::{pool, worker};
    use super::super::need::tests::job;
    use super::*;
    use crate::advise::facts::{Database, Mysql};
    use crate::advise::parse::webserver::Site;

    #[test]
    fn names_say_what_is_not_the_shop() {
        for name in ["staging.shop.example", "/var/www/dev", "shop_test", "acc2", "/srv/UAT/pub"] {
            assert!(is_staging(name), "{name}");
        }
        for name in ["shop.example", "/var/www/latest", "devices", "protest", "production"] {
            assert!(!is_staging(name), "{name}");
        }
    }

    #[test]
    fn its_workers_its_share_of_the_pool_and_its_jobs_are_its_costs() {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(4000);
        let site =
            |root: &str| Site { root: root.into(), at: "/etc/nginx/x:1".into(), ..Site::default() };
        facts.sites.extend([site("/var/www/shop/pub"), site("/var/www/staging/pub")]);
        facts.fpm.extend([pool("www", 8), pool("staging", 8)]);
        let mut two = worker("staging", 60);
        two.pid = 2;
        facts.processes.extend([worker("staging", 50), two, worker("www", 90)]);
        facts.mysql = Some(Mysql::default());
        let database = |name: &str, mib| Database {
            name: name.into(),
            size: Kib::from_mib(mib),
            at: "/d".into(),
        };
        facts.databases.extend([database("shop", 300), database("shop_staging", 100)]);
        facts.jobs.push(job(
            "*/5 * * * * app php /var/www/staging/bin/magento cron:run",
            Some(90),
            None,
        ));
        let advice = advise(&facts).remove(0);
        // 50 + 60 of workers, a quarter of the pool of 128, and a job of 90.
        assert_eq!(advice.saves, Some(Kib::from_mib(110 + 32)));
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(110 + 32 + 90)));
        assert!(advice.command.contains("in [staging]"), "{}", advice.command);
        // Where it is the only shop, the node is there for it.
        facts.sites.remove(0);
        facts.fpm.remove(0);
        facts.databases.remove(0);
        assert_eq!(advise(&facts), []);
    }
}
