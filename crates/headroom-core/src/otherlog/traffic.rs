//! How busy a web server was around an incident, from requests one by one and in little memory.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::access::Request;
use crate::oomlog::{Position, Stamp, Wall};

/// Minutes before an incident that are counted.
const MINUTES: usize = 60;

/// The minutes that count as "just before".
const JUST_BEFORE: usize = 5;

/// Different paths and agents kept a window; more only count in the total.
const MOST_NAMES: usize = 2000;

const MINUTE_US: i64 = 60_000_000;

/// What was asked of a web server just before an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Peak {
    /// Requests in the minutes just before and during the incident.
    pub requests: u64,
    /// How many minutes those are.
    pub minutes: u64,
    /// Requests in a usual minute of the hour before, where the log has them.
    pub usual_a_minute: Option<u64>,
    /// Of them answered with 500 and above.
    pub failed: u64,
    /// Of them by crawlers and scripts.
    pub bots: u64,
    /// The most frequent crawler or script.
    pub bot: Option<String>,
    /// The paths asked for most, with their numbers.
    pub paths: Vec<(String, u64)>,
    /// Requests in each minute of the hour before, the oldest first, from where the log begins.
    pub by_minute: Vec<u64>,
}

impl Peak {
    /// Requests in a minute.
    #[must_use]
    pub fn a_minute(&self) -> u64 {
        self.requests / self.minutes.max(1)
    }

    /// How many times the usual rate that is, in tenths.
    #[must_use]
    pub fn times_usual(&self) -> Option<u64> {
        let usual = self.usual_a_minute.filter(|usual| *usual > 0)?;
        Some(self.a_minute().saturating_mul(10) / usual)
    }
}

/// The requests around one incident.
#[derive(Clone, Debug)]
pub struct Traffic {
    first_us: i64,
    last_us: i64,
    minutes: [u64; MINUTES],
    just_before: u64,
    failed: u64,
    bots: u64,
    paths: BTreeMap<String, u64>,
    agents: BTreeMap<String, u64>,
    at: Option<Position>,
}

impl Traffic {
    /// For an incident from `first_us` to `last_us`.
    pub(super) fn around(first_us: i64, last_us: i64) -> Self {
        Self {
            first_us,
            last_us,
            minutes: [0; MINUTES],
            just_before: 0,
            failed: 0,
            bots: 0,
            paths: BTreeMap::new(),
            agents: BTreeMap::new(),
            at: None,
        }
    }

    /// Counts one request.
    pub(super) fn add(&mut self, request: &Request<'_>, at_us: i64, at: Position) {
        let before = self.first_us.saturating_sub(at_us);
        if at_us > self.last_us {
            return;
        }
        let Ok(minute) = usize::try_from(before.max(0) / MINUTE_US) else { return };
        let Some(count) = self.minutes.get_mut(minute) else { return };
        *count += 1;
        if minute >= JUST_BEFORE {
            return;
        }
        self.at.get_or_insert(at);
        self.just_before += 1;
        self.failed += u64::from(request.status >= 500);
        count_name(&mut self.paths, &request.path);
        if let Some(bot) = bot(&request.agent) {
            self.bots += 1;
            count_name(&mut self.agents, bot);
        }
    }

    /// What it comes to; `None` without a request.
    pub(super) fn peak(mut self) -> Option<(Position, Stamp, Peak)> {
        let at = self.at?;
        let during =
            u64::try_from(self.last_us.saturating_sub(self.first_us) / MINUTE_US).unwrap_or(0);
        let minutes = u64::try_from(JUST_BEFORE).unwrap_or(0) + during;
        let began = self.minutes.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        let by_minute = self.minutes.iter().take(began).rev().copied().collect();
        // The median of the minutes before, without those the log does not reach back to.
        let before = self.minutes.get_mut(JUST_BEFORE..).unwrap_or_default();
        let reach = before.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        let known = before.get_mut(..reach).unwrap_or_default();
        known.sort_unstable();
        let usual_a_minute =
            (known.len() >= 10).then(|| known.get(known.len() / 2).copied()).flatten();
        let peak = Peak {
            requests: self.just_before,
            minutes,
            usual_a_minute,
            failed: self.failed,
            bots: self.bots,
            bot: most(&self.agents, 1).into_iter().next().map(|(name, _)| name),
            paths: most(&self.paths, 3),
            by_minute,
        };
        Some((at, Stamp { uptime_us: None, wall: Some(Wall::Unix(self.first_us)) }, peak))
    }
}

fn count_name(counts: &mut BTreeMap<String, u64>, name: &str) {
    /// Longer than any path a person would recognise.
    const LONGEST: usize = 120;
    let name = name.get(..LONGEST).unwrap_or(name);
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < MOST_NAMES && name.len() <= LONGEST {
        counts.insert(name.to_string(), 1);
    }
}

fn most(counts: &BTreeMap<String, u64>, number: usize) -> Vec<(String, u64)> {
    let mut list: Vec<(&String, u64)> = counts.iter().map(|(name, count)| (name, *count)).collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    list.into_iter().take(number).map(|(name, count)| (name.clone(), count)).collect()
}

/// The name a crawler or script goes by.
fn bot(agent: &str) -> Option<&str> {
    const SCRIPTS: [&str; 5] = ["curl/", "Wget/", "python-requests/", "Go-http-client/", "Scrapy/"];
    let mut words = agent.split([' ', ';', '(', ')', ',']);
    let is_bot = |word: &&str| {
        let name = word.split('/').next().unwrap_or(word);
        let lower = name.to_ascii_lowercase();
        ["bot", "crawler", "spider", "slurp", "externalhit"].iter().any(|part| lower.contains(part))
            || SCRIPTS.iter().any(|script| word.starts_with(script))
    };
    let word = words.find(is_bot)?;
    // "+http://www.google.com/bot.html" is no name.
    (!word.contains("://")).then(|| word.split('/').next().unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::Cow;

    #[test]
    fn crawlers_are_known_by_the_name_they_give() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                Some("Googlebot"),
            ),
            (
                "Mozilla/5.0 AppleWebKit/537.36; compatible; GPTBot/1.1; +https://openai.com/gptbot",
                Some("GPTBot"),
            ),
            ("curl/8.5.0", Some("curl")),
            ("Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0", None),
        ] {
            assert_eq!(bot(agent), name, "{agent}");
        }
    }

    #[test]
    fn a_rush_stands_against_the_usual_minute() {
        let first_us = 100 * MINUTE_US;
        let mut traffic = Traffic::around(first_us, first_us);
        let request = |path: &'static str, agent: &'static str| Request {
            wall: Wall::Unix(0),
            path: Cow::Borrowed(path),
            status: 503,
            agent: Cow::Borrowed(agent),
        };
        let at = Position { source: 1, line: 9 };
        for minute in 5..30 {
            for _ in 0..10 {
                traffic.add(&request("/", "Firefox"), first_us - minute * MINUTE_US - 1, at);
            }
        }
        for _ in 0..500 {
            traffic.add(&request("/search", "GPTBot/1"), first_us - MINUTE_US, at);
        }
        traffic.add(&request("/late", ""), first_us + 1, at);
        let (_, _, peak) = traffic.peak().unwrap();
        assert_eq!((peak.requests, peak.a_minute(), peak.usual_a_minute), (500, 100, Some(10)));
        assert_eq!(
            (peak.times_usual(), peak.bots, peak.bot.as_deref()),
            (Some(100), 500, Some("GPTBot"))
        );
        assert_eq!((peak.by_minute.len(), peak.by_minute.last()), (30, Some(&0)));
        assert_eq!((peak.failed, peak.paths.first()), (500, Some(&("/search".into(), 500))));
    }
}
