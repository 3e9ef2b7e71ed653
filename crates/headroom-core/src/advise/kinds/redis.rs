//! `redis-unbounded`: a cache without a limit, or one whose fork has no room to copy itself.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::advise::facts::{Facts, Process};
use crate::advise::parse::redis::Instance;
use crate::advise::room::{Room, Service, held, worth};
use crate::advise::{Advice, Confidence, Kind, Risk};
use crate::units::Kib;

/// A cache smaller than this does not pay.
const SMALLEST: Kib = Kib::from_mib(64);

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    facts.redis.iter().filter_map(|redis| of(facts, redis)).collect()
}

/// The process of an instance, which says its port in its title: `redis-server 127.0.0.1:6379`.
pub(super) fn process<'a>(facts: &'a Facts, redis: &Instance) -> Option<&'a Process> {
    let mut running = facts.processes.iter().filter(|process| Service::Redis.runs(process));
    let port = format!(":{}", redis.port());
    let is_its =
        |process: &&Process| process.line().split_whitespace().any(|word| word.ends_with(&port));
    running.clone().find(is_its).or_else(|| {
        // One of each: whatever its title says, it is this one.
        running.next().filter(|_| facts.redis.len() == 1)
    })
}

fn of(facts: &Facts, redis: &Instance) -> Option<Advice> {
    let room = Room::of(facts, Service::Redis);
    // Other instances have their share of it.
    let mine = process(facts, redis).map(|process| process.held).unwrap_or_default();
    let others = held(facts, Service::Redis).saturating_sub(mine);
    let left = room.left.saturating_sub(others);
    let mut advice = Advice::of(Kind::RedisUnbounded);
    let name = format!("Redis at port {}", redis.port());
    let policy = redis.policy.as_ref().map_or("noeviction", |said| said.value.as_str());
    if let Some(limit) = redis.limit() {
        // While it writes its data, a child may come to hold a copy of all that changes meanwhile.
        let over = Kib(limit.0.saturating_mul(2)).saturating_sub(left);
        if !redis.does_fork() || !worth(facts, over) {
            return None;
        }
        let fitting = Kib((left.0 / 2).max(SMALLEST.0)).min(limit);
        let at = redis.max_memory.as_ref().map(|said| said.at.clone()).unwrap_or_default();
        advice.title = format!("{name} may take {limit}, and as much again while it saves");
        advice
            .because(at, format!("maxmemory {limit} x 2 while a fork writes it; {left} are left"));
        advice.because("room", format!("{left}: {}", room.why));
        advice.cuts_peak = Some(Kib(limit.saturating_sub(fitting).0.saturating_mul(2)));
        advice.confidence = Confidence::Low;
        advice.command = format!(
            "in {}:\nmaxmemory {}mb\nor, where its data may be lost at a restart:\nsave \"\"",
            redis.file,
            fitting.0 / 1024
        );
        advice.check = "redis-cli INFO persistence: rdb_last_cow_size is the copy it made".into();
        advice.risk = Risk::Medium;
        return Some(advice);
    }
    // Room to grow by a half beyond what it holds now, unless not even that is left. Where it was asked, its own word
    // counts: that is what the limit will bound.
    let wanted =
        redis.used.unwrap_or(mine).percent(150).max(facts.node.ram.percent(5)).max(SMALLEST);
    let step = Kib::from_mib(32).0;
    let limit = Kib(wanted.0.div_ceil(step) * step).min(left.max(SMALLEST));
    let cut = left.saturating_sub(limit);
    if !worth(facts, cut) && !worth(facts, mine) {
        return None;
    }
    advice.title = format!("{name} has no limit and may take all that is left, {left}");
    let (at, what) = match &redis.max_memory {
        Some(said) => (said.at.clone(), "maxmemory 0: no limit".into()),
        None => (redis.file.clone(), alloc::string::String::from("maxmemory is not set: no limit")),
    };
    advice.because(at, what);
    if let Some(used) = redis.used {
        let most =
            redis.used_most.map(|most| format!(", {most} at most so far")).unwrap_or_default();
        let what = format!("used_memory {used}{most}");
        advice.because(format!("INFO memory of port {}", redis.port()), what);
    }
    if mine > Kib::ZERO {
        let forks = if redis.does_fork() { ", and as much again while it saves" } else { "" };
        advice.because("its processes", format!("it holds {mine} now{forks}"));
    }
    advice.because("room", format!("{left}: {}", room.why));
    advice.because(redis.file.clone(), format!("maxmemory-policy {policy}"));
    advice.cuts_peak = Some(cut.max(mine.saturating_sub(limit)));
    advice.confidence = if worth(facts, mine) { Confidence::High } else { Confidence::Medium };
    advice.risk = Risk::Medium;
    let mib = limit.0 / 1024;
    let is_new = policy == "noeviction";
    let policy = if is_new { "allkeys-lru" } else { policy };
    let at = match redis.file.as_str() {
        file if file.starts_with('/') => format!("in {file}"),
        _ => "in its configuration, or as --options where it is started".to_string(),
    };
    let port = redis.port();
    // The policy first: a server that is full and may drop nothing refuses to write.
    let live = if is_new {
        format!("now: redis-cli -p {port} CONFIG SET maxmemory-policy {policy}\n")
    } else {
        alloc::string::String::new()
    };
    advice.command = format!(
        "{at}:\nmaxmemory {mib}mb\nmaxmemory-policy {policy}\n{live}\
         now: redis-cli -p {port} CONFIG SET maxmemory {mib}mb\n\
         (for sessions or a queue keep noeviction: nothing may be dropped from these)"
    );
    advice.check = "redis-cli INFO stats: evicted_keys grows slowly or not at all".into();
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::parse::Said;

    fn facts(held_mib: u64, limit_mib: Option<u64>) -> Facts {
        let mut facts = Facts::default();
        facts.node.ram = Kib::from_mib(2000);
        facts.processes.push(Process {
            comm: "redis-server".into(),
            arguments: alloc::vec!["redis-server 127.0.0.1:6379".into()],
            held: Kib::from_mib(held_mib),
            ..Process::default()
        });
        facts.processes.push(Process {
            comm: "mariadbd".into(),
            held: Kib::from_mib(900),
            ..Process::default()
        });
        facts.redis.push(Instance {
            file: "/etc/redis/redis.conf".into(),
            max_memory: limit_mib
                .map(|mib| Said::new(Kib::from_mib(mib), "/etc/redis/redis.conf:9")),
            ..Instance::default()
        });
        facts
    }

    #[test]
    fn without_a_limit_it_may_take_all_that_is_left() {
        let advice = advise(&facts(200, None)).remove(0);
        // 2000 less 900 and a twentieth leaves 1000; 320 are half as much again as it holds.
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib(1000 - 320)));
        assert!(advice.command.contains("maxmemory 320mb"), "{}", advice.command);
        assert!(advice.command.contains("CONFIG SET maxmemory-policy allkeys-lru"));
        assert_eq!(advice.confidence, Confidence::High);
    }

    #[test]
    fn a_limit_whose_copy_fits_is_not_mentioned() {
        assert_eq!(advise(&facts(200, Some(256))), []);
        let advice = advise(&facts(200, Some(900))).remove(0);
        assert_eq!(advice.cuts_peak, Some(Kib::from_mib((900 - 500) * 2)));
    }
}
