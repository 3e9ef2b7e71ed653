//! `plan-too-small`: what the recorded demand needs, which plan carries it, and what would do instead.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::advise::facts::{Facts, Shortage};
use crate::advise::parse::plans::Plan;
use crate::advise::room::{Service, held};
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// Incidents older than this belong to another time.
const DAYS: u64 = 30;
/// So many incidents are listed.
const LISTED: usize = 10;

/// What of a plan's memory can be used: firmware and the kernel keep the rest, and a twentieth stays free.
fn usable(memory: Kib) -> Kib {
    memory.percent(97).percent(95)
}

/// The advice, which looks at the others: what they give may do instead.
pub(in super::super) fn advice(facts: &Facts, others: &[Advice]) -> Option<Advice> {
    let record = &facts.record;
    let ram = facts.node.ram;
    let recent: Vec<&Shortage> =
        record.shortages.iter().filter(|shortage| shortage.days_ago <= DAYS).collect();
    let mut used = record.used.clone();
    used.sort_unstable();
    let at = |percent: usize| {
        used.get((used.len() * percent / 100).min(used.len().saturating_sub(1))).copied()
    };
    let (median, high, highest) = (at(50), at(99), used.last().copied());
    let worst = recent.iter().map(|shortage| shortage.demand).max();
    let peak = highest.max(worst)?;
    let room = ram.percent(95);
    let is_tight = high.is_some_and(|high| high > room);
    if ram == Kib::ZERO || (recent.is_empty() && !is_tight) {
        return None;
    }
    let demand = high.max(worst).unwrap_or(peak);
    let lacking = demand.saturating_sub(room);
    if lacking == Kib::ZERO {
        return None;
    }
    let mut advice = Advice::of(Kind::PlanTooSmall);
    let larger: Vec<&Plan> =
        facts.plans.iter().filter(|plan| plan.memory > ram.percent(110)).collect();
    let avoided = |plan: &Plan| {
        recent.iter().filter(|shortage| shortage.demand <= usable(plan.memory)).count()
    };
    let carries = |plan: &&&Plan| demand <= usable(plan.memory);
    let chosen = larger.iter().find(carries).or_else(|| larger.last()).copied();
    if let (Some(median), Some(high), Some(highest)) = (median, high, highest) {
        advice.because(
            record.at.clone(),
            format!(
                "in use: {median} half of the time, {high} at p99, {highest} at most, of {ram}"
            ),
        );
    }
    for shortage in recent.iter().take(LISTED) {
        let without = shortage.demand.saturating_sub(shortage.slain);
        let when = match shortage.days_ago {
            0 => "today".to_string(),
            days => format!("{days} d ago"),
        };
        advice.because(
            shortage.at.clone(),
            format!(
                "incident {}, {when}: {} were asked for, {without} without what was slain",
                shortage.id, shortage.demand
            ),
        );
    }
    for plan in larger.iter().take(4) {
        let price = plan.price.as_ref().map(|price| format!(" ({price})")).unwrap_or_default();
        let what =
            format!("{}{price}: avoids {} of {} incidents", plan.name, avoided(plan), recent.len());
        advice.because("plans.toml", what);
    }
    let instead = Instead::of(facts, others, lacking);
    advice.title = match (chosen, &instead) {
        (_, Some(instead)) if instead.is_enough => {
            format!("{lacking} were lacking; {} would do instead of a larger plan", instead.names())
        }
        (Some(plan), _) => {
            format!("{lacking} were lacking; plan {} would have carried it", plan.name)
        }
        (None, _) => format!("{lacking} were lacking, and no plan of the catalogue is larger"),
    };
    if let Some(instead) = &instead {
        let enough = if instead.is_enough { "enough" } else { "not enough" };
        let what = format!("{} give {} together: {enough}", instead.names(), instead.gives);
        advice.because("the other advices", what);
    }
    advice.cuts_peak = Some(lacking);
    let days = record.span_s / 86_400;
    advice.because("the record", format!("{days} days long"));
    advice.confidence = match days {
        0..3 => Confidence::Low,
        3..14 => Confidence::Medium,
        _ => Confidence::High,
    };
    advice.risk = Risk::Low;
    advice.command = match (&instead, chosen) {
        (Some(instead), _) if instead.is_enough => format!("follow {}", instead.names()),
        (_, Some(plan)) => {
            let price = plan.price.as_ref().map(|price| format!(", {price}")).unwrap_or_default();
            format!("order plan {} ({}{price})", plan.name, plan.memory)
        }
        _ => "split the node: the database, or search, on one of its own".into(),
    };
    advice.check = "headroom history --since with the day of the change: no incident".into();
    Some(advice)
}

/// The advices that cost least and give enough.
struct Instead {
    ids: Vec<&'static str>,
    gives: Kib,
    is_enough: bool,
}

impl Instead {
    fn of(facts: &Facts, others: &[Advice], lacking: Kib) -> Option<Self> {
        // Advices about one thing give the same memory only once, and what is not sure is not counted on.
        let mut best: Vec<&Advice> = Vec::new();
        let usable = others.iter().filter(|other| {
            other.confidence != Confidence::Low && other.kind != Kind::LimitsContradict
        });
        for other in usable.filter(|other| crate::advise::worth(facts, counted(facts, other))) {
            match best.iter_mut().find(|known| about(known.kind) == about(other.kind)) {
                Some(known) if counted(facts, known) < counted(facts, other) => *known = other,
                Some(_) => {}
                None => best.push(other),
            }
        }
        best.sort_by(|a, b| a.risk.cmp(&b.risk).then(counted(facts, b).cmp(&counted(facts, a))));
        let mut chosen = Self { ids: Vec::new(), gives: Kib::ZERO, is_enough: false };
        for advice in best {
            if chosen.gives >= lacking {
                break;
            }
            chosen.ids.push(advice.kind.id());
            chosen.gives = chosen.gives.saturating_add(counted(facts, advice));
        }
        chosen.is_enough = chosen.gives >= lacking;
        (!chosen.ids.is_empty()).then_some(chosen)
    }

    fn names(&self) -> String {
        self.ids.join(", ")
    }
}

/// What an advice would have given in an incident that was: a service that could take more than it should
/// has taken no more than it holds.
fn counted(facts: &Facts, advice: &Advice) -> Kib {
    let service = match about(advice.kind) {
        "mysql" => Service::Mysql,
        "fpm" => Service::Fpm,
        "redis-unbounded" => Service::Redis,
        "jvm-heap-too-large" => Service::Java,
        "varnish-storage-too-large" => Service::Varnish,
        "node-unbounded" => return Kib::ZERO,
        _ => return advice.gives(),
    };
    advice.gives().min(held(facts, service))
}

/// What an advice is about.
const fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::MysqlOverCommitted
        | Kind::MysqlPoolLargerThanData
        | Kind::MysqlTempTables
        | Kind::MysqlPerformanceSchema => "mysql",
        Kind::FpmOverCommitted | Kind::FpmIdleWorkers | Kind::FpmNeverRecycled => "fpm",
        Kind::CronsOverlap | Kind::CronOverlapsItself | Kind::CronsSameMinute => "cron",
        kind => kind.id(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str, gib: u64) -> Plan {
        Plan { name: name.into(), memory: Kib::from_mib(gib * 1024), price: None }
    }

    fn facts(demands_mib: &[u64], days: u64) -> Facts {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(2000);
        facts.plans = alloc::vec![plan("S", 2), plan("M", 4), plan("L", 8)];
        facts.record.span_s = days * 86_400;
        facts.record.at = "journal".into();
        facts.record.used = (0..100).map(|i| Kib::from_mib(1000 + i)).collect();
        facts.record.shortages = demands_mib
            .iter()
            .map(|mib| Shortage {
                id: format!("i{mib}"),
                demand: Kib::from_mib(*mib),
                slain: Kib::from_mib(100),
                ..Shortage::default()
            })
            .collect();
        facts
    }

    #[test]
    fn the_smallest_plan_that_carries_it_is_named_with_what_each_avoids() {
        let advice = advice(&facts(&[2500, 5000], 20), &[]).unwrap();
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(5000 - 1900)));
        assert!(advice.title.contains("plan L would have carried it"), "{}", advice.title);
        let said = |text: &str| advice.evidence.iter().any(|evidence| evidence.what.contains(text));
        assert!(said("M: avoids 1 of 2 incidents") && said("L: avoids 2 of 2 incidents"));
        assert!(said("1.0 GiB half of the time"));
        assert_eq!(advice.confidence, Confidence::High);
    }

    #[test]
    fn cheap_advices_come_before_an_upgrade() {
        let other = |kind, mib, confidence| Advice {
            cuts_peak: Some(Kib::from_mib(mib)),
            confidence,
            ..Advice::of(kind)
        };
        let others = [
            other(Kind::CronsSameMinute, 500, Confidence::High),
            other(Kind::CronsOverlap, 450, Confidence::High),
            other(Kind::TmpfsHeavy, 300, Confidence::Medium),
            other(Kind::RedisUnbounded, 900, Confidence::Low),
            // What could be taken and is not would have helped nobody.
            other(Kind::MysqlOverCommitted, 9000, Confidence::High),
        ];
        let advice = advice(&facts(&[2600], 5), &others).unwrap();
        assert!(
            advice.title.contains("crons-same-minute, tmpfs-heavy would do instead"),
            "{}",
            advice.title
        );
        assert_eq!(advice.confidence, Confidence::Medium);
    }

    #[test]
    fn without_a_shortage_there_is_nothing_to_say() {
        assert_eq!(advice(&facts(&[], 30), &[]), None);
        let mut old = facts(&[4000], 60);
        old.record.shortages[0].days_ago = 45;
        assert_eq!(advice(&old, &[]), None);
        assert_eq!(advice(&Facts::default(), &[]), None);
    }

    #[test]
    fn a_short_record_makes_nothing_sure() {
        assert_eq!(advice(&facts(&[3000], 1), &[]).unwrap().confidence, Confidence::Low);
    }
}
