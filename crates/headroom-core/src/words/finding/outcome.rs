//! Who died, who could not, and what swap did.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lines;
use crate::diagnose::{Facts, Holder, percent_of};
use crate::units::Kib;

/// `php (612 MiB, 48 % of the machine's RAM) may not be killed and took the most`.
pub(crate) fn hog(holder: &Holder, facts: &Facts<'_>) -> String {
    format!(
        "{} held {} ({} % of {}) and may not be killed (oom_score_adj -1000)",
        holder.group,
        holder.rss,
        percent_of(holder.rss, facts.whole()),
        facts.capacity_name()
    )
}

pub(crate) fn hog_advice() -> Vec<String> {
    lines(&[
        "protect less: -1000 adds no memory",
        "`headroom protect -- CMD` keeps a budget; `choom -p PID -n 0` takes the protection back",
    ])
}

/// Much of everything belonged to whoever may not be killed.
pub(crate) fn unkillable(facts: &Facts<'_>) -> String {
    format!(
        "{} ({} % of {}) was held by processes that may not be killed",
        facts.unkillable,
        percent_of(facts.unkillable, facts.whole()),
        facts.capacity_name()
    )
}

pub(crate) fn unkillable_advice() -> Vec<String> {
    lines(&[
        "protect less, or size it to fit: -1000 adds no memory",
        "-999 spares a service as long as anybody else is left, and leaves the kernel a way out",
    ])
}

/// `mysql (2.1 GiB) has no protection and was killed for its size`.
pub(crate) fn database(holder: &Holder, killed: bool) -> String {
    let fate = match killed {
        true if holder.portion >= 0.1 => "was killed for its size",
        true => "was killed, though it held little",
        false => "is the next to die for its size",
    };
    format!("{} ({}) has no protection and {fate}", holder.group, holder.rss)
}

/// The same from a kill line alone.
pub(crate) fn database_died(group: &str) -> String {
    format!("{group} has no protection and was killed")
}

pub(crate) fn unprotected_advice(group: &str) -> Vec<String> {
    let unit = match group {
        "mysql" => "mariadb",
        "postgres" => "postgresql",
        "beam.smp" => "rabbitmq-server",
        other => other,
    };
    [
        "`headroom setup` protects it".to_string(),
        format!("or `systemctl edit {unit}`: [Service] OOMScoreAdjust=-900"),
    ]
    .into()
}

/// A victim that held little while others held much.
pub(crate) fn wrong_victim(victim: &str, rss: Kib, adj: Option<i32>, holder: &Holder) -> String {
    let adj = adj.map(|adj| format!(" (oom_score_adj {adj})")).unwrap_or_default();
    format!("{victim} died with {rss}{adj} while {} held {}", holder.group, holder.rss)
}

pub(crate) fn wrong_victim_advice() -> Vec<String> {
    lines(&[
        "check the oom_score_adj values: they outweighed the sizes",
        "`headroom rank` shows who would go now and why; `choom -p PID` what a process carries",
    ])
}

/// `php8.2-fpm.service ended as a whole because one of its processes was killed`.
pub(crate) fn units_stopped(units: &[&str]) -> String {
    let shown: Vec<&str> = units.iter().take(3).copied().collect();
    let more = if units.len() > 3 { " and others" } else { "" };
    let each = if units.len() == 1 { "" } else { ", each" };
    format!(
        "{}{more} ended as a whole{each} because one of its processes was killed",
        shown.join(", ")
    )
}

pub(crate) fn units_stopped_advice(unit: &str) -> Vec<String> {
    [
        "let the unit live on without that process".to_string(),
        format!("`systemctl edit {unit}`: [Service] OOMPolicy=continue and Restart=on-failure"),
    ]
    .into()
}

/// One program that dies again and again.
pub(crate) fn again(name: &str, count: usize, kills: usize) -> String {
    format!("{name} was the victim of {count} of {kills} kills in these logs")
}

pub(crate) fn again_advice(name: &str, job: bool) -> Vec<String> {
    if job {
        return lines(&["look for who starts it: `crontab -l -u USER`, `systemctl list-timers`"]);
    }
    [format!("a restart of {name} is no cure: it comes back to the same size")].into()
}

/// `There is no swap, and the page cache was squeezed to 9 MiB`.
pub(crate) fn thrashing(cache: Kib) -> String {
    format!(
        "There is no swap and only {cache} of page cache were left: programs were read from disk over and over"
    )
}

pub(crate) fn thrashing_advice() -> Vec<String> {
    lines(&[
        "act before the kernel does: it kills only when nothing is left",
        "`headroom guard` does; with kernel 6.1 and later also min_ttl_ms (`headroom setup`)",
        "1 GiB of swap or zram takes what is never used",
    ])
}

/// A limit hit again and again.
pub(crate) fn limit_hit_often(hits: u64) -> String {
    format!("The limit was hit {hits} times before: it lived in reclaim long before the kill")
}

pub(crate) fn limit_hit_advice() -> Vec<String> {
    lines(&["a MemoryHigh= a tenth below MemoryMax= slows it down before it is killed"])
}

pub(crate) const NO_SWAP: &str = "There is no swap, so memory that is never used cannot make room";

pub(crate) fn no_swap_advice() -> Vec<String> {
    lines(&[
        "add 1 GiB of swap or zram and watch whether it is used",
        "`fallocate -l 1G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile`",
    ])
}

/// `All 2.0 GiB of swap were full as well`.
pub(crate) fn swap_full(total: Kib) -> String {
    format!("All {total} of swap were full as well")
}

pub(crate) fn swap_full_advice() -> Vec<String> {
    lines(&["find what grew: more swap only delays this"])
}
