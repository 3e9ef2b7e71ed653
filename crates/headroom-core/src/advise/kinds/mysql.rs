//! `mysql-over-committed`: the server may take more than the others leave it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::mysql_sizes::{Part, Sizes, file_of};
use crate::advise::facts::{Facts, Mysql};
use crate::advise::parse::mycnf::Flavour;
use crate::advise::parse::size::written;
use crate::advise::room::{Room, Service, held, worth};
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// As few connections as no proposal goes below.
const FEWEST: u64 = 20;
/// No proposal makes the buffer pool smaller.
const SMALLEST_POOL: Kib = Kib::from_mib(64);

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    facts.mysql.as_ref().and_then(|mysql| of(facts, mysql)).into_iter().collect()
}

fn of(facts: &Facts, mysql: &Mysql) -> Option<Advice> {
    let sizes = Sizes::of(mysql, facts.node.ram);
    let room = Room::of(facts, Service::Mysql);
    let allowed = sizes.max_connections.value;
    let most = sizes.peak(allowed);
    if facts.node.ram == Kib::ZERO || most <= room.left {
        return None;
    }
    let clients = clients(facts, mysql);
    let seen = sizes.max_used.map(|used| sizes.peak(used));
    let fits = |size: Kib| size <= room.left;
    // What nobody set and nobody uses is no misconfiguration.
    let is_harmless = match (seen, clients) {
        (Some(_), _) => {
            sizes.max_used.is_some_and(|used| fits(sizes.peak(used.saturating_add(used / 2))))
        }
        (None, clients) => clients.is_some_and(|clients| fits(sizes.peak(clients.min(allowed)))),
    };
    if sizes.sessions_are_default() && is_harmless {
        return None;
    }
    let proposal = Proposal::of(&sizes, &room, clients);
    let cuts = most.saturating_sub(proposal.peak(&sizes));
    if !worth(facts, cuts) {
        return None;
    }
    let mut advice = Advice::of(Kind::MysqlOverCommitted);
    advice.title = format!("The database may take {most}, {} are left for it", room.left);
    let each = sizes.session().saturating_add(sizes.table.size);
    let others = sizes.global().saturating_sub(sizes.pool().size);
    advice.because(
        sizes.max_connections.at.clone(),
        format!(
            "max_connections {allowed} x {} + {} pool + {others} other buffers = {most} of {}",
            mib(each),
            sizes.pool().size,
            room.whole,
        ),
    );
    let mut parts: Vec<&Part> = sizes.each.iter().chain([&sizes.table]).collect();
    advice.because("a connection", Sizes::arithmetic(&mut parts));
    let mut parts: Vec<&Part> = sizes.once.iter().collect();
    advice.because("the server", Sizes::arithmetic(&mut parts));
    advice.because("room", format!("{}: {}", room.left, room.why));
    if let (Some(used), Some(seen)) = (sizes.max_used, seen) {
        advice.because("Max_used_connections", format!("{used} at once so far: up to {seen}"));
    }
    let own = facts.processes.iter().find(|process| Some(process.pid) == mysql.pid);
    let now = own.map_or_else(|| held(facts, Service::Mysql), |process| process.held);
    if now > Kib::ZERO {
        advice.because("its processes", format!("it holds {now} now"));
    }
    if let Some(clients) = clients {
        let what = format!("{clients} connections can come from php-fpm's workers and cron");
        advice.because("pm.max_children", what);
    }
    advice.cuts_peak = Some(cuts);
    advice.confidence = match (seen, clients) {
        _ if !fits(sizes.global()) => Confidence::High,
        (Some(seen), _) if !fits(seen) => Confidence::High,
        (None, Some(clients)) if !fits(sizes.peak(clients.min(allowed))) => Confidence::High,
        (None, None) if !sizes.sessions_are_default() => Confidence::Medium,
        (Some(_), _) | (None, Some(_)) if !sizes.sessions_are_default() => Confidence::Medium,
        _ => Confidence::Low,
    };
    advice.risk = if proposal.is_tight { Risk::High } else { Risk::Medium };
    advice.command = proposal.command(mysql, &sizes);
    advice.check = "SHOW GLOBAL STATUS LIKE 'Max_used_connections' stays below the new limit, and \
                    `headroom advise` no longer names it"
        .into();
    Some(advice)
}

/// Connections that can come from this node; `None` when others may connect, or nothing is known of who
/// does.
fn clients(facts: &Facts, mysql: &Mysql) -> Option<u64> {
    let address = mysql
        .variables
        .get("bind_address")
        .map(String::as_str)
        .or_else(|| mysql.options.get("bind_address").map(|said| said.value));
    let is_local = matches!(address, Some("127.0.0.1" | "localhost" | "::1"))
        || mysql.options.get("skip_networking").is_some_and(|said| said.value != "0");
    if !is_local || facts.fpm.is_empty() {
        return None;
    }
    let children = |pool: &crate::advise::facts::FpmPool| {
        pool.pool.max_children.as_ref().map(|said| said.value)
    };
    let workers = facts.fpm.iter().filter_map(children).fold(0, u64::saturating_add);
    let jobs = u64::try_from(facts.jobs.len()).unwrap_or(0).min(10);
    // A few for administrators and monitoring.
    Some(workers.saturating_add(jobs + 5))
}

/// What would fit.
struct Proposal {
    /// Buffers of a connection that go back to their default.
    defaults: Vec<&'static str>,
    connections: u64,
    pool: Kib,
    /// Whether it allows fewer connections than there were or can be.
    is_tight: bool,
}

impl Proposal {
    fn of(sizes: &Sizes, room: &Room, clients: Option<u64>) -> Self {
        let (sizes, defaults) = sizes.trimmed();
        let allowed = sizes.max_connections.value;
        let pool = sizes.pool().size;
        // What is needed: half as many again as were ever seen, or who can come.
        let used = sizes.max_used.map(|used| used.saturating_add(used / 2).saturating_add(5));
        let needed = used.max(clients).unwrap_or(allowed).max(FEWEST).min(allowed);
        let each = sizes.session().saturating_add(sizes.table.size).0.max(1);
        let fixed = sizes.global().saturating_sub(pool);
        let fitting = |pool: Kib| {
            let left = room.left.saturating_sub(fixed).saturating_sub(pool);
            (left.0 / each).max(FEWEST.min(allowed))
        };
        let connections = match (used, clients) {
            (None, None) => fitting(pool).min(allowed),
            // Where not even the smallest pool leaves them room, some will have to wait.
            _ => needed.min(fitting(SMALLEST_POOL.min(pool))),
        };
        let rest = room.left.saturating_sub(fixed).saturating_sub(sizes.sessions(connections));
        let step = Kib::from_mib(64).0;
        let rounded = Kib(rest.0 / step * step);
        let pool = if rest >= pool { pool } else { rounded.max(SMALLEST_POOL.min(pool)) };
        let is_tight = used.max(clients).is_some() && connections < needed;
        Self { defaults, connections, pool, is_tight }
    }

    fn peak(&self, sizes: &Sizes) -> Kib {
        let saved = sizes.pool().size.saturating_sub(self.pool);
        sizes.trimmed().0.peak(self.connections).saturating_sub(saved)
    }

    fn command(&self, mysql: &Mysql, sizes: &Sizes) -> String {
        let mut lines = Vec::new();
        let mut live = Vec::new();
        if self.connections < sizes.max_connections.value {
            let line = format!("max_connections = {}", self.connections);
            lines.push((file_of(mysql, "max_connections"), line));
            live.push(format!("SET GLOBAL max_connections = {};", self.connections));
        }
        if self.pool < sizes.pool().size {
            let line = format!("innodb_buffer_pool_size = {}", written(self.pool));
            lines.push((file_of(mysql, "innodb_buffer_pool_size"), line));
            live.push(format!("SET GLOBAL innodb_buffer_pool_size = {};", self.pool.0 * 1024));
        }
        for name in &self.defaults {
            let mut parts = sizes.each.iter().chain([&sizes.table]);
            let Some(part) = parts.find(|part| part.name == *name) else { continue };
            let usual = part.usual.0 * 1024;
            lines.push((file_of(mysql, name), format!("{name} = {usual}")));
            live.push(format!("SET GLOBAL {name} = {usual};"));
        }
        let client = if mysql.flavour == Flavour::MariaDb { "mariadb" } else { "mysql" };
        let mut command = String::new();
        for group in lines.chunk_by(|a, b| a.0 == b.0) {
            let Some((file, _)) = group.first() else { continue };
            command.push_str(&format!("in [mysqld] of {file}:\n"));
            group.iter().for_each(|(_, line)| command.push_str(&format!("{line}\n")));
        }
        command.push_str(&format!("now: {client} -e \"{}\"", live.join(" ")));
        command
    }
}

/// With a decimal, as people multiply it.
fn mib(size: Kib) -> String {
    let tenths = (size.0 * 10 + 512) / 1024;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::facts::{FpmPool, Process};
    use crate::advise::parse::Said;

    fn facts(ram_mib: u64, options: &[(&str, &str)]) -> Facts {
        let mut mysql = Mysql::default();
        for (name, value) in options {
            mysql.options.set(name, Some(value), "/etc/my.cnf:2");
        }
        let mut facts = Facts { mysql: Some(mysql), ..Facts::default() };
        facts.node.ram = Kib::from_mib(ram_mib);
        facts
    }

    #[test]
    fn four_hundred_connections_and_a_pool_of_six_gigabytes_do_not_fit_into_four() {
        let facts = facts(4096, &[("max_connections", "400"), ("innodb_buffer_pool_size", "6G")]);
        let advice = of(&facts, facts.mysql.as_ref().unwrap()).unwrap();
        assert_eq!(advice.confidence, Confidence::High);
        assert_eq!(advice.evidence[0].source, "/etc/my.cnf:2");
        let said = &advice.evidence[0].what;
        assert!(said.starts_with("max_connections 400 x 18.9 MiB + 6.0 GiB pool"), "{said}");
        assert!(said.ends_with("of 4.0 GiB"), "{said}");
        assert!(advice.command.contains("innodb_buffer_pool_size = "), "{}", advice.command);
        // What is proposed fits.
        let sizes = Sizes::of(facts.mysql.as_ref().unwrap(), facts.node.ram);
        let room = Room::of(&facts, Service::Mysql);
        assert!(Proposal::of(&sizes, &room, None).peak(&sizes) <= room.left);
    }

    #[test]
    fn what_fits_is_not_mentioned() {
        let facts = facts(4096, &[("max_connections", "50"), ("innodb_buffer_pool_size", "1G")]);
        assert_eq!(advise(&facts), []);
    }

    #[test]
    fn defaults_that_few_workers_use_are_not_mentioned_and_a_raised_limit_is() {
        let pool = crate::advise::parse::fpm::Pool {
            max_children: Some(Said::new(8, "/www.conf:3")),
            ..Default::default()
        };
        let mut facts = facts(2048, &[("bind_address", "127.0.0.1")]);
        facts.fpm.push(FpmPool { pool, ..FpmPool::default() });
        assert_eq!(advise(&facts), []);
        let mysql = facts.mysql.as_mut().unwrap();
        mysql.options.set("max_connections", Some("400"), "/etc/my.cnf:9");
        let advices = advise(&facts);
        assert_eq!(advices[0].confidence, Confidence::Medium);
        assert!(advices[0].command.contains("max_connections = 20"), "{}", advices[0].command);
    }

    #[test]
    fn what_was_seen_makes_it_sure() {
        let mut facts = facts(1024, &[("max_connections", "200")]);
        facts.processes.push(Process {
            comm: "mariadbd".into(),
            held: Kib::from_mib(300),
            ..Process::default()
        });
        facts.mysql.as_mut().unwrap().status.insert("max_used_connections".into(), "90".into());
        let advices = advise(&facts);
        assert_eq!(advices[0].confidence, Confidence::High);
        assert!(advices[0].evidence.iter().any(|e| e.source == "Max_used_connections"));
        // Ninety at once do not fit: fewer would make visitors wait, which is a risk to be named.
        assert_eq!(advices[0].risk, Risk::High);
    }
}
