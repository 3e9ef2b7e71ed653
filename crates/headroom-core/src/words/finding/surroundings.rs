//! What else happened then. These sentences say "then" and never "therefore".

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::lines;
use crate::diagnose::Repeats;
use crate::otherlog::Peak;
use crate::words::context::{count, distance, duration};

/// `Requests came at 6.2 times the usual rate in the 5 minutes before (412 a minute), 61 % by GPTBot and other bots`.
pub(crate) fn traffic(peak: &Peak, times: u64) -> String {
    let bots = peak.bots.saturating_mul(100) / peak.requests.max(1);
    let bots = match &peak.bot {
        Some(bot) if bots >= 20 => format!(", {bots} % of them by {bot} and other bots"),
        _ => String::new(),
    };
    format!(
        "Requests came at {}.{} times the usual rate just before ({} a minute){bots}",
        times / 10,
        times % 10,
        peak.a_minute()
    )
}

pub(crate) fn traffic_advice(peak: &Peak) -> Vec<String> {
    let mut advice = Vec::new();
    match &peak.bot {
        Some(bot) if peak.bots * 5 >= peak.requests => {
            advice.push(format!("slow {bot} down: Crawl-delay, or limit_req by its user agent"));
        }
        _ => advice.push("bound what one client may ask: limit_req in nginx".to_string()),
    }
    if let Some((path, number)) = peak.paths.first() {
        advice.push(format!("{path} was asked for most ({number} times)"));
    }
    advice
}

/// A query that was running when memory ran out.
pub(crate) fn slow_query(lasted_us: u64, examined: Option<u64>) -> String {
    let rows = examined.map(|rows| format!(" over {} rows", count(rows))).unwrap_or_default();
    format!("A query of {}{rows} was running then", duration(lasted_us))
}

pub(crate) fn slow_query_advice() -> Vec<String> {
    lines(&["EXPLAIN it: a query that sorts or joins in memory takes it per connection"])
}

/// All workers were busy.
pub(crate) fn exhausted(pool: &str, setting: &str, limit: Option<u64>) -> String {
    let limit = limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    format!("All workers of {pool} were busy near that time ({setting}{limit})")
}

pub(crate) fn exhausted_advice() -> Vec<String> {
    lines(&[
        "as often a result of a node out of memory as a cause: do not raise it before the sum is done",
    ])
}

/// Software changed shortly before.
pub(crate) fn changed(what: &str, distance_us: i64) -> String {
    format!("Software changed {}: {what}", distance(distance_us))
}

pub(crate) fn changed_advice() -> Vec<String> {
    lines(&["compare memory before and after that change: `headroom history`"])
}

/// `The same happened on 5 days at about 03:00`.
pub(crate) fn daily(repeats: &Repeats) -> String {
    format!("It happened on {} days at about {}", repeats.days, time_of_day(repeats))
}

pub(crate) fn daily_advice(repeats: &Repeats) -> Vec<String> {
    let hour = repeats.time_of_day_s / 3600;
    [
        "look for what the clock starts then".to_string(),
        format!("`systemctl list-timers --all`, `grep -rE '^[0-9*,/-]+ +{hour} ' /etc/cron* /var/spool/cron`"),
    ]
    .into()
}

fn time_of_day(repeats: &Repeats) -> String {
    format!("{:02}:{:02}", repeats.time_of_day_s / 3600, repeats.time_of_day_s / 60 % 60)
}
