//! Who took the memory.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lines;
use crate::diagnose::{Context, Facts, Holder, percent_of};
use crate::otherlog::What;
use crate::units::Kib;

/// `php (PID 4711) alone held 1.3 GiB, 62 % of what all processes held`.
pub(crate) fn runaway(comm: &str, pid: u32, rss: Kib, swapped: Kib, share: u64) -> String {
    let swap = if swapped.0 >= rss.0 / 10 && swapped > Kib::ZERO {
        format!(" and {swapped} in swap")
    } else {
        String::new()
    };
    format!("{comm} (PID {pid}) alone held {rss}{swap}, {share} % of what all processes held")
}

/// `One php-fpm (PID 4711) held 12.2 GiB, 12 times what each of its siblings has`.
pub(crate) fn worker_far_ahead(comm: &str, pid: u32, rss: Kib, times: u64) -> String {
    format!("One {comm} (PID {pid}) held {rss}, {times} times what each of its siblings has")
}

/// `it was one of cron's jobs`, of `/system.slice/cron.service`; `None` where the cgroup tells nothing.
pub(crate) fn ran_in(cgroup: &str) -> Option<String> {
    let part = cgroup.rsplit('/').find(|part| !part.is_empty())?;
    let user =
        cgroup.split('/').find_map(|part| part.strip_prefix("user-")?.strip_suffix(".slice"));
    let session = part.starts_with("session-") && part.ends_with(".scope");
    match (part, user) {
        ("cron.service" | "crond.service" | "cronie.service", _) => Some(
            "it was one of cron's jobs: `journalctl -t CRON -t CROND` has the command".to_string(),
        ),
        (_, Some(uid)) if session => Some(format!(
            "it ran in a login of uid {uid} ({part}): `last` and `journalctl -t sshd` say whose"
        )),
        (unit, _) if unit.ends_with(".service") || unit.ends_with(".scope") => {
            Some(format!("it ran in {unit}: `systemctl status {unit}`"))
        }
        _ => None,
    }
}

/// `php (PID 4711) alone held 1.3 GiB, 62 % of the limit`.
pub(crate) fn runaway_of(
    comm: &str,
    pid: Option<u32>,
    rss: Kib,
    share: u64,
    capacity: &str,
) -> String {
    let pid = pid.map(|pid| format!(" (PID {pid})")).unwrap_or_default();
    format!("{comm}{pid} alone held {rss}, {share} % of {capacity}")
}

/// How a program of that name is bounded: to a quarter of everything, where nothing better is known.
pub(crate) fn runaway_advice(family: &str, whole: Kib, bounded: bool) -> Vec<String> {
    let bound = (whole.0 / 1024 / 4).max(16).next_multiple_of(16);
    let mut advice = match family {
        "php" => lines(&[
            "find out what it ran and bound it",
            "`php -d memory_limit=512M …`, or smaller batches: a job's peak is what counts",
        ]),
        "php-fpm" | "php-cgi" | "lsphp" => lines(&[
            "bound each request with memory_limit",
            "php_admin_value[memory_limit] = 256M in the pool; the slow log names the script",
        ]),
        "java" => {
            lines(&["set -Xmx to fit", "heap, metaspace, threads and buffers come on top of -Xmx"])
        }
        "node" => lines(&["bound its heap", "`node --max-old-space-size=512 …`"]),
        _ if bounded => lines(&["the limit did its work: find out what it did"]),
        _ => lines(&["find out what it did and bound it"]),
    };
    if bounded {
        advice.push(
            "if it needs that much, `systemctl set-property UNIT MemoryMax=…` raises the limit"
                .to_string(),
        );
        return advice;
    }
    advice.push(format!(
        "`systemd-run --scope -p MemoryMax={bound}M CMD` bounds any command, MemoryMax= in a unit a service"
    ));
    if matches!(family, "php" | "python" | "perl" | "ruby" | "node" | "bash" | "sh") {
        advice.push("`headroom guard` ends such a job before it costs the shop".to_string());
    }
    advice
}

/// `43 php-fpm processes of 73 MiB on average held 3.1 GiB`.
pub(crate) fn many(holder: &Holder) -> String {
    format!(
        "{} {} processes of {} on average held {}",
        holder.processes,
        holder.group,
        holder.average(),
        holder.rss
    )
}

fn pool_setting(group: &str) -> &'static str {
    match group {
        "php-fpm" | "php-cgi" => "pm.max_children",
        "lsphp" => "PHP_LSAPI_CHILDREN",
        "apache" => "MaxRequestWorkers",
        "nginx" => "worker_processes",
        _ => "the number of workers",
    }
}

/// The size a pool should have, and where the number comes from.
pub(crate) fn pool_advice(holder: &Holder, fit: u64, others: Kib, whole: Kib) -> Vec<String> {
    let setting = pool_setting(&holder.group);
    [
        format!("lower {setting} to {fit}"),
        format!(
            "{fit} × {} each is what {whole} less a tenth and less {others} for all else leaves",
            holder.average()
        ),
        "`headroom advise` does the same sum over all pools".to_string(),
    ]
    .into()
}

/// The pool would fit, were it not for the rest.
pub(crate) fn pool_still_fits(holder: &Holder) -> Vec<String> {
    let mut advice = Vec::new();
    if holder.average() >= Kib::from_mib(96) {
        advice.push(format!("look at each one's size: {} is much", holder.average()));
    }
    advice.push(format!("the {} processes alone would fit: what else grew?", holder.group));
    advice
}

/// The pool's own log agrees.
pub(crate) fn pool_was_full(what: &What) -> String {
    let What::WorkersExhausted { pool, setting, limit } = what else { return String::new() };
    let limit = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    format!(
        "its log says that {pool} was at {setting}{limit}: raising it would have made this worse"
    )
}

/// `12 php processes of 160 MiB on average ran at once and held 1.9 GiB; cron had 12 jobs running`.
pub(crate) fn stacked(holder: &Holder, scheduled: u64) -> String {
    let cron =
        if scheduled >= 2 { format!("; cron had {scheduled} jobs running") } else { String::new() };
    format!(
        "{} {} processes of {} on average ran at once and held {}{cron}",
        holder.processes,
        holder.group,
        holder.average(),
        holder.rss
    )
}

/// Jobs of several programs.
pub(crate) fn mixed_jobs(running: u64, total: Kib, names: &[String]) -> String {
    format!("{running} cron jobs ran at once and held {total} together: {}", names.join(", "))
}

/// How jobs are kept from each other's way; the commands by name where cron's log names them.
pub(crate) fn stacked_advice(context: &Context<'_>) -> Vec<String> {
    let mut advice = lines(&[
        "spread the jobs, or let one wait for the other",
        "`flock /run/lock/jobs.lock CMD` in each crontab line runs them one after another",
    ]);
    let commands = context.running_jobs().filter_map(|(near, _)| match &near.entry.what {
        What::CronStarted { user, command, .. } => Some((user.as_str(), command.as_str())),
        _ => None,
    });
    let mut named: Vec<(&str, &str)> = commands.collect();
    let all = named.len();
    named.sort_unstable();
    named.dedup();
    if named.len() < all {
        advice.push(
            "a job overlaps itself: `flock -n` skips a run while the last one still goes"
                .to_string(),
        );
    }
    for (user, command) in named.into_iter().take(4) {
        advice.push(format!("still running then: {command} (crontab of {user})"));
    }
    advice.push("`headroom guard` pauses jobs that do not fit beside each other".to_string());
    advice
}

/// Many processes of one program that is no pool and no job.
pub(crate) fn burst_advice(holder: &Holder) -> Vec<String> {
    [
        format!("run fewer {} at a time", holder.group),
        "a queue with a fixed number of workers, or `xargs -P 2`, in place of one process a task"
            .to_string(),
        "`systemctl set-property UNIT TasksMax=… MemoryMax=…` bounds whoever starts them"
            .to_string(),
    ]
    .into()
}

/// `4012 bash processes held 1.1 GiB and as much again in the kernel`.
pub(crate) fn fork_bomb(holder: &Holder) -> String {
    format!(
        "{} {} processes of {} on average: far more than anybody starts on purpose",
        holder.processes,
        holder.group,
        holder.average()
    )
}

pub(crate) fn fork_bomb_advice(holder: &Holder) -> Vec<String> {
    [
        "bound the user's processes".to_string(),
        "`systemctl set-property user-UID.slice TasksMax=512`, TasksMax= in a unit".to_string(),
        format!(
            "`pkill -STOP {}` and then `pkill -KILL {0}` ends one that still runs",
            holder.group
        ),
    ]
    .into()
}

/// A process that grew from event to event.
pub(crate) fn leak(comm: &str, pid: u32, from: Kib, to: Kib, events: usize) -> String {
    format!("{comm} (PID {pid}) grew from {from} to {to} over {events} events")
}

pub(crate) fn leak_advice(family: &str) -> Vec<String> {
    let mut advice = lines(&["restart it on a schedule until the leak is found"]);
    if family == "php-fpm" {
        advice.push(
            "pm.max_requests = 500 in the pool ends a worker before it has grown".to_string(),
        );
    } else {
        advice.push(
            "RuntimeMaxSec=1d and MemoryMax= in its unit; `systemctl restart` now".to_string(),
        );
    }
    advice
}

/// `mysql takes 2.6 GiB of 4.0 GiB (65 %)`.
pub(crate) fn database_too_large(holder: &Holder, facts: &Facts<'_>) -> String {
    database_alone(&holder.group, holder.rss, facts.whole())
}

/// The same from a kill line alone.
pub(crate) fn database_alone(group: &str, rss: Kib, whole: Kib) -> String {
    format!("{group} alone held {rss} of {whole} ({} %)", percent_of(rss, whole))
}

/// How a store gives memory back, or takes less.
pub(crate) fn database_advice(group: &str, rss: Kib) -> Vec<String> {
    let less = Kib(rss.0 / 4 * 3).0 / 1024;
    match group {
        "mysql" => [
            "give it less, or the node more".to_string(),
            "`headroom release mysql -m 512 -c 60` from cron takes back what it does not use".to_string(),
            format!(
                "innodb_buffer_pool_size and max_connections × its per-connection buffers should come to \
                 {less} MiB at most; `headroom advise` adds them up"
            ),
        ]
        .into(),
        "redis-server" | "valkey-server" => [
            format!("set maxmemory {less}mb"),
            "maxmemory-policy allkeys-lru for a cache; a save or BGREWRITEAOF may double it for a while".to_string(),
        ]
        .into(),
        "varnish" => [format!("`varnishd -s malloc,{less}M`"), "its own overhead comes on top".to_string()].into(),
        "memcached" => [format!("`memcached -m {less}`")].into(),
        "postgres" => lines(&[
            "lower shared_buffers or max_connections × work_mem",
            "`headroom advise` adds them up",
        ]),
        _ => lines(&["give it less, or the node more"]),
    }
}

/// A limit that nobody in particular fills.
pub(crate) fn limit_too_small(facts: &Facts<'_>, cache: Kib) -> String {
    if percent_of(cache, facts.whole()) >= 60 {
        return format!(
            "The limit of {} was full of page cache ({cache}) that could not be dropped in time",
            facts.whole()
        );
    }
    let largest: Vec<String> = facts
        .holders
        .iter()
        .enumerate()
        .take_while(|(at, holder)| *at == 0 || *at < 3 && holder.share >= 0.05)
        .map(|(_, holder)| match holder.processes {
            1 => format!("{} {}", holder.group, holder.rss),
            count => format!("{count} × {} {}", holder.group, holder.rss),
        })
        .collect();
    format!(
        "The limit of {} is below what runs under it, none of it large: {}",
        facts.whole(),
        largest.join(", ")
    )
}

pub(crate) fn limit_advice(group: Option<&str>, capacity: Kib) -> Vec<String> {
    let more = (capacity.0 / 1024 * 5 / 4).max(16).next_multiple_of(16);
    let mut advice = lines(&["raise the limit, or lower what runs under it"]);
    if let Some(unit) = group.filter(|group| group.contains('.')) {
        advice.push(format!(
            "`systemctl set-property {unit} MemoryMax={more}M` raises it by a quarter"
        ));
    }
    advice
}

/// Many holders, none far ahead.
pub(crate) fn nobody(holders: &[Holder], resident: Kib) -> String {
    let largest: Vec<String> =
        holders.iter().take(3).map(|holder| format!("{} {}", holder.group, holder.rss)).collect();
    format!("Nobody stands out among {resident} of processes; the largest: {}", largest.join(", "))
}

pub(crate) fn nobody_advice() -> Vec<String> {
    lines(&[
        "run less beside each other, or take a machine with more memory",
        "`headroom advise` says what could be smaller",
    ])
}
