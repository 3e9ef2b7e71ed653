//! What is left on a node for one service, once the others have what is theirs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::facts::{Facts, Process};
use super::kinds::mysql_sizes;
use super::parse::units::{Limit, UnitLimits};
use crate::units::Kib;

/// Whether a size is worth an advice: a fiftieth of the RAM, and 16 MiB at the least. An administrator who
/// is told of less stops listening.
#[must_use]
pub fn worth(facts: &Facts, size: Kib) -> bool {
    facts.node.ram > Kib::ZERO && size >= facts.node.ram.percent(2).max(Kib::from_mib(16))
}

/// A service by the names of its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Mysql,
    Fpm,
    Redis,
    Java,
    Varnish,
}

impl Service {
    pub(crate) const ALL: [Self; 5] =
        [Self::Mysql, Self::Fpm, Self::Redis, Self::Java, Self::Varnish];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mysql => "the database",
            Self::Fpm => "php-fpm",
            Self::Redis => "Redis",
            Self::Java => "search",
            Self::Varnish => "Varnish",
        }
    }

    /// Whether a unit is this service's, by the table `headroom setup` knows units with.
    fn owns(self, unit: &UnitLimits) -> bool {
        let name = crate::setup::Service::of(&unit.name).map(|service| service.name);
        match self {
            Self::Mysql => name == Some("mysql"),
            Self::Fpm => name == Some("php-fpm"),
            Self::Redis => matches!(name, Some("redis" | "valkey")),
            Self::Java => matches!(name, Some("elasticsearch" | "opensearch")),
            Self::Varnish => name == Some("varnish"),
        }
    }

    pub(crate) fn runs(self, process: &Process) -> bool {
        let comm = process.comm.as_str();
        match self {
            Self::Mysql => matches!(comm, "mysqld" | "mariadbd"),
            Self::Fpm => comm.starts_with("php-fpm"),
            Self::Redis => comm.starts_with("redis-server") || comm.starts_with("valkey-server"),
            Self::Java => comm == "java",
            Self::Varnish => matches!(comm, "varnishd" | "cache-main"),
        }
    }

    /// What its configuration promises it for good, as far as that makes sense: what is promised beyond it
    /// is the mistake of that service and has an advice of its own, and must not make all others look
    /// wrong.
    fn promised(self, facts: &Facts) -> Kib {
        let quarter = facts.node.ram.percent(25);
        let sum = |sizes: &mut dyn Iterator<Item = Kib>| sizes.fold(Kib::ZERO, Kib::saturating_add);
        match self {
            Self::Mysql => facts.mysql.as_ref().map_or(Kib::ZERO, |mysql| {
                let sizes = mysql_sizes::Sizes::of(mysql, facts.node.ram);
                let pool = sizes.pool().size;
                let data = mysql.data.as_ref().map_or(pool, |data| data.value.percent(150));
                let useless = pool.saturating_sub(data.max(Kib::from_mib(128)));
                sizes.global().saturating_sub(useless).min(facts.node.ram.percent(50))
            }),
            Self::Redis => {
                sum(&mut facts.redis.iter().filter_map(|redis| redis.limit())).min(quarter)
            }
            Self::Java => sum(&mut facts.engines.iter().filter_map(|engine| {
                let heap = engine.heap.as_ref()?.value;
                let index = engine.data.map_or(quarter, |data| data.max(Kib::from_mib(512)));
                Some(heap.min(index).min(quarter))
            })),
            Self::Varnish => {
                facts.varnish.as_ref().map_or(Kib::ZERO, |storage| storage.value.min(quarter))
            }
            Self::Fpm => Kib::ZERO,
        }
    }
}

/// What one service may take, and what the others leave of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The RAM, or the limit of the zone the shop runs in.
    pub whole: Kib,
    /// What of it is for this service.
    pub left: Kib,
    /// How that was reckoned, in words.
    pub why: String,
}

/// What the processes of a service hold.
pub(crate) fn held(facts: &Facts, service: Service) -> Kib {
    let of = facts.processes.iter().filter(|process| service.runs(process));
    of.fold(Kib::ZERO, |sum, process| sum.saturating_add(process.held))
}

/// Whether cron started a process, or one above it.
fn is_job(facts: &Facts, process: &Process) -> bool {
    let mut above = process.parent;
    // A shell or two in between; a loop is not possible, a bound costs nothing.
    for _ in 0..8 {
        let Some(found) = facts.processes.iter().find(|process| process.pid == above) else {
            return false;
        };
        if matches!(found.comm.as_str(), "cron" | "crond" | "CRON" | "CROND") {
            return true;
        }
        above = found.parent;
    }
    false
}

/// The whole that is shared: a zone's limit where services were moved into one.
pub(crate) fn whole(facts: &Facts) -> (Kib, &'static str) {
    let zone = facts.units.iter().find(|unit| unit.name == crate::setup::ZONE);
    let limit = zone.and_then(|zone| match zone.max.as_ref()?.value {
        Limit::Size(limit) => Some(limit),
        Limit::Infinite => None,
    });
    match limit {
        Some(limit) if limit < facts.node.ram => (limit, "of limited.slice"),
        _ => (facts.node.ram, "of RAM"),
    }
}

impl Room {
    /// The room for a service. Others count with what they hold or what they are promised, whichever is
    /// more; a twentieth stays free for the kernel and for what nobody thought of.
    pub(crate) fn of(facts: &Facts, service: Service) -> Self {
        let (whole, name) = whole(facts);
        let mut parts: Vec<String> = Vec::new();
        let mut taken = Kib::ZERO;
        let mut take = |size: Kib, what: &str| {
            if size >= Kib::from_mib(1) {
                parts.push(format!("{size} {what}"));
            }
            taken = taken.saturating_add(size);
        };
        for other in Service::ALL.into_iter().filter(|other| *other != service) {
            take(held(facts, other).max(other.promised(facts)), other.name());
        }
        // What cron started is gone again soon, and has advices of its own.
        let rest = facts.processes.iter().filter(|process| {
            !Service::ALL.iter().any(|service| service.runs(process)) && !is_job(facts, process)
        });
        take(rest.fold(Kib::ZERO, |sum, process| sum.saturating_add(process.held)), "others");
        let slab = facts.node.slab_unreclaimable.unwrap_or_default();
        take(slab.saturating_add(facts.node.kernel), "kernel");
        take(whole.percent(5), "kept free");
        let left = whole.saturating_sub(taken);
        // Its own unit may allow it less than the others leave it.
        let own = facts.units.iter().filter(|unit| service.owns(unit));
        let limits = own.filter_map(|unit| match unit.max.as_ref()?.value {
            Limit::Size(size) => Some((size, unit)),
            Limit::Infinite => None,
        });
        if let Some((limit, unit)) =
            limits.min_by_key(|(limit, _)| *limit).filter(|(l, _)| *l < left)
        {
            let why = format!("MemoryMax={limit} of {}", unit.name);
            return Self { whole: limit, left: limit, why };
        }
        Self { whole, left, why: format!("{whole} {name} less {}", parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::parse::Said;

    fn process(comm: &str, mib: u64) -> Process {
        Process { comm: comm.into(), held: Kib::from_mib(mib), ..Process::default() }
    }

    fn facts() -> Facts {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(1000);
        facts.processes =
            alloc::vec![process("mariadbd", 300), process("php-fpm8.2", 100), process("cron", 10)];
        facts
    }

    #[test]
    fn a_service_has_what_the_others_leave() {
        let room = Room::of(&facts(), Service::Fpm);
        assert_eq!(room.left, Kib::from_mib(1000 - 300 - 10 - 50));
        assert!(room.why.contains("300 MiB the database"), "{}", room.why);
    }

    #[test]
    fn a_units_own_limit_can_be_less_than_what_the_others_leave() {
        let mut facts = facts();
        let mut unit = UnitLimits { name: "php8.2-fpm.service".into(), ..UnitLimits::default() };
        unit.max = Some(Said::new(Limit::Size(Kib::from_mib(200)), "/u:2"));
        facts.units.push(unit);
        let room = Room::of(&facts, Service::Fpm);
        assert_eq!(
            (room.left, room.why.as_str()),
            (Kib::from_mib(200), "MemoryMax=200 MiB of php8.2-fpm.service")
        );
        assert!(Room::of(&facts, Service::Redis).left > Kib::from_mib(200));
    }

    #[test]
    fn what_cron_started_does_not_stay() {
        let mut facts = facts();
        facts.processes[2].pid = 7;
        let job = Process { parent: 7, pid: 8, ..process("sh", 1) };
        facts.processes.extend([job, Process { parent: 8, pid: 9, ..process("php", 400) }]);
        assert_eq!(Room::of(&facts, Service::Fpm).left, Kib::from_mib(1000 - 300 - 10 - 50));
    }

    #[test]
    fn a_promise_counts_where_it_is_more_than_what_is_held() {
        let mut facts = facts();
        facts.varnish = Some(Said::new(Kib::from_mib(256), "unit"));
        assert_eq!(Room::of(&facts, Service::Fpm).left, Kib::from_mib(1000 - 300 - 10 - 50 - 250));
    }

    #[test]
    fn what_is_small_is_not_worth_a_word() {
        let facts = facts();
        assert!(worth(&facts, Kib::from_mib(20)) && !worth(&facts, Kib::from_mib(19)));
        assert!(!worth(&Facts::default(), Kib::from_mib(999)));
    }
}
