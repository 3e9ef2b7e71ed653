//! The five fields of `crontab(5)` as Vixie cron and cronie read them, and schedules shifted in time.
//!
//! The crates for schedules accept what cron(8) refuses (`L`, `W`, `#`, seconds, a sixth field) and read
//! `*/2` in a day field otherwise; a job that cron will never start must be said to be one. So the fields
//! are read here, and `croner` is the witness in the tests.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The minutes a job starts at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u32,
    days: u32,
    months: u16,
    weekdays: u8,
    /// A day field that begins with a star restricts nothing; where neither does, either may match.
    any_day: bool,
    any_weekday: bool,
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 is Sunday.
    pub weekday: u8,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The longest each month can be.
const LENGTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Schedule {
    /// Reads the five fields.
    ///
    /// # Errors
    /// What is wrong with the first field that cron would not take.
    pub fn parse(fields: [&str; 5]) -> Result<Self, String> {
        let [minute, hour, day, month, weekday] = fields;
        let minutes = field(minute, "minute", 0, 59, &[])?;
        let hours = field(hour, "hour", 0, 23, &[])?;
        let days = field(day, "day of the month", 1, 31, &[])?;
        let months = field(month, "month", 1, 12, &MONTHS)?;
        let weekdays = field(weekday, "day of the week", 0, 7, &WEEKDAYS)?;
        // 7 is Sunday as well.
        let weekdays = (weekdays | (weekdays >> 7)) & 0x7f;
        let found = Self {
            minutes,
            hours: u32::try_from(hours).unwrap_or_default(),
            days: u32::try_from(days).unwrap_or_default(),
            months: u16::try_from(months).unwrap_or_default(),
            weekdays: u8::try_from(weekdays).unwrap_or_default(),
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        };
        if found.any_weekday && !found.has_a_day() {
            return Err(format!("never runs: no month {month} has a day {day}"));
        }
        Ok(found)
    }

    /// Reads `@daily` and its kind; `None` for `@reboot`, which no clock starts.
    ///
    /// # Errors
    /// When there is no such word.
    pub fn keyword(word: &str) -> Result<Option<Self>, String> {
        let fields = match word {
            "@reboot" => return Ok(None),
            "@yearly" | "@annually" => ["0", "0", "1", "1", "*"],
            "@monthly" => ["0", "0", "1", "*", "*"],
            "@weekly" => ["0", "0", "*", "*", "0"],
            "@daily" | "@midnight" => ["0", "0", "*", "*", "*"],
            "@hourly" => ["0", "*", "*", "*", "*"],
            _ => return Err(format!("no such word: {word}")),
        };
        Self::parse(fields).map(Some)
    }

    fn has_a_day(&self) -> bool {
        (1_u8..).zip(LENGTHS).any(|(month, length)| {
            let is_asked = self.months & (1 << month) != 0;
            is_asked && (1..=length).any(|day| self.days & (1 << day) != 0)
        })
    }

    /// Whether it runs on that day at all.
    #[must_use]
    pub fn falls_on(&self, day: Day) -> bool {
        let is_day = self.days & (1_u32.checked_shl(day.day.into()).unwrap_or(0)) != 0;
        let is_weekday = self.weekdays & (1_u8.checked_shl(day.weekday.into()).unwrap_or(0)) != 0;
        let is_month = self.months & (1_u16.checked_shl(day.month.into()).unwrap_or(0)) != 0;
        let is_either = if self.any_day || self.any_weekday {
            is_day && is_weekday
        } else {
            is_day || is_weekday
        };
        is_month && is_either
    }

    /// The minutes of a day, from 0 to 1439, at which it starts on the days it falls on.
    pub fn starts(&self) -> impl Iterator<Item = u32> {
        let (minutes, hours) = (self.minutes, self.hours);
        (0..24).filter(move |hour| hours & (1 << hour) != 0).flat_map(move |hour| {
            (0..60).filter(move |minute| minutes & (1 << minute) != 0).map(move |m| hour * 60 + m)
        })
    }

    /// The shortest time between two of its starts on one day, in minutes; `None` when there is one a day.
    #[must_use]
    pub fn shortest_gap(&self) -> Option<u32> {
        let starts: Vec<u32> = self.starts().collect();
        let gaps = starts.windows(2).map(|pair| pair[1] - pair[0]);
        // A job of every five minutes also has its gap over midnight.
        let over_midnight =
            (starts.len() > 1).then(|| Some(starts.first()? + 1440 - starts.last()?));
        gaps.chain(over_midnight.flatten()).min()
    }

    /// The same, but where both day fields restrict, both must match: as systemd has it.
    #[must_use]
    pub const fn with_both_days(self) -> Self {
        Self { any_day: true, ..self }
    }

    /// How many minutes later it can start without leaving its hours.
    #[must_use]
    pub fn latest_shift(&self) -> u32 {
        self.minutes.leading_zeros().saturating_sub(4)
    }

    /// The same `minutes` later within its hours; `None` when it would leave them.
    #[must_use]
    pub fn shifted(&self, minutes: u32) -> Option<Self> {
        let fits = minutes <= self.latest_shift();
        fits.then(|| Self { minutes: self.minutes << minutes, ..*self })
    }

    /// Its minute field, for writing it into a crontab.
    #[must_use]
    pub fn minute_field(&self) -> String {
        let all: Vec<u32> = (0..60).filter(|minute| self.minutes & (1 << minute) != 0).collect();
        if all.len() == 60 {
            return "*".to_string();
        }
        if let [first, second, .., last] = all[..] {
            let step = second - first;
            let is_even = all.windows(2).all(|pair| pair[1] - pair[0] == step);
            if is_even && all.len() > 2 {
                return match (first, last + step > 59) {
                    (0, true) => format!("*/{step}"),
                    (first, true) => format!("{first}-59/{step}"),
                    (first, false) => format!("{first}-{last}/{step}"),
                };
            }
        }
        let words: Vec<String> = all.iter().map(ToString::to_string).collect();
        words.join(",")
    }
}

/// One field as bits.
fn field(text: &str, what: &str, low: u8, high: u8, names: &[&str]) -> Result<u64, String> {
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            None => (part, 1),
            Some((range, step)) => {
                let step: u8 = step.parse().map_err(|_| format!("{what}: no step: \"/{step}\""))?;
                if step == 0 {
                    return Err(format!("{what}: a step of 0 never comes"));
                }
                (range, step)
            }
        };
        let value = |text: &str| value(text, what, low, high, names);
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, if high == 7 { 6 } else { high }),
            Some((from, to)) => (value(from)?, value(to)?),
            None => {
                let value = value(range)?;
                if part.contains('/') {
                    return Err(format!("{what}: a step needs a range: {value}-{high}/{step}"));
                }
                (value, value)
            }
        };
        if from > to {
            return Err(format!("{what}: a range that ends before it begins: {range}"));
        }
        for value in (from..=to).step_by(step.into()) {
            bits |= 1_u64 << value;
        }
    }
    Ok(bits)
}

fn value(text: &str, what: &str, low: u8, high: u8, names: &[&str]) -> Result<u8, String> {
    if let Some(index) = names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
        return Ok(u8::try_from(index).unwrap_or_default() + low);
    }
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| (low..=high).contains(number) && is_number);
    number.ok_or_else(|| match (text, is_number) {
        ("", _) => format!("{what}: nothing where a number should be"),
        (_, true) => format!("no such {what}: {text}"),
        (_, false) => format!("{what}: no number: {text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Schedule, String> {
        let fields: Vec<&str> = text.split(' ').collect();
        Schedule::parse(fields.try_into().unwrap())
    }

    /// 2026-11-24 is a Tuesday.
    fn on(text: &str, month: u8, day: u8, weekday: u8) -> bool {
        parse(text).unwrap().falls_on(Day { month, day, weekday })
    }

    #[test]
    fn fields_mean_what_the_manual_says() {
        let starts = |text| parse(text).unwrap().starts().collect::<Vec<_>>();
        assert_eq!(starts("*/20 1,3 * * *"), [60, 80, 100, 180, 200, 220]);
        assert_eq!(starts("5-20/5 0 * * *"), [5, 10, 15, 20]);
        assert!(on("0 0 * nov tue", 11, 24, 2) && !on("0 0 * dec tue", 11, 24, 2));
        assert!(on("0 0 * * 7", 11, 22, 0) && on("0 0 * * 5-7", 11, 22, 0));
        assert!(!on("0 0 * * 1-5", 11, 22, 0));
    }

    #[test]
    fn two_day_fields_are_an_or_unless_one_begins_with_a_star() {
        assert!(on("0 0 13 * 5", 11, 13, 1) && on("0 0 13 * 5", 11, 20, 5));
        assert!(!on("0 0 13 * 5", 11, 24, 2));
        // What looks like a restriction is none: the star counts, the step does not.
        assert!(!on("0 0 */2 * 5", 11, 13, 1) && on("0 0 */2 * 5", 11, 13, 5));
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        for (text, why) in [
            ("60 * * * *", "no such minute: 60"),
            ("0 25 * * *", "no such hour: 25"),
            ("0 0 32 * *", "no such day of the month: 32"),
            ("0 0 0 * *", "no such day of the month: 0"),
            ("0 0 * 13 *", "no such month: 13"),
            ("0 0 * * 8", "no such day of the week: 8"),
            ("0 0 * foo *", "month: no number: foo"),
            ("0 0 30 2 *", "never runs: no month 2 has a day 30"),
            ("*/0 * * * *", "minute: a step of 0 never comes"),
            ("*/x * * * *", "minute: no step: \"/x\""),
            ("5/15 * * * *", "minute: a step needs a range: 5-59/15"),
            ("30-10 * * * *", "minute: a range that ends before it begins: 30-10"),
            ("1,,2 * * * *", "minute: nothing where a number should be"),
            ("+5 * * * *", "minute: no number: +5"),
            ("0 0 L * *", "day of the month: no number: L"),
        ] {
            assert_eq!(parse(text), Err(why.to_string()), "{text}");
        }
        assert_eq!(Schedule::keyword("@dayly"), Err("no such word: @dayly".to_string()));
        assert_eq!(Schedule::keyword("@reboot"), Ok(None));
    }

    #[test]
    fn a_shift_stays_within_the_hour_and_can_be_written() {
        for (text, shift, field) in [
            ("0 3 * * *", 17, Some("17")),
            ("*/5 * * * *", 2, Some("2-59/5")),
            ("*/5 * * * *", 5, None),
            ("0,30 * * * *", 7, Some("7,37")),
            ("10-30/10 * * * *", 3, Some("13-33/10")),
            ("* * * * *", 1, None),
            ("59 * * * *", 1, None),
        ] {
            let shifted = parse(text).unwrap().shifted(shift).map(|s| s.minute_field());
            assert_eq!(shifted.as_deref(), field, "{text}");
        }
        assert_eq!(parse("*/15 * * * *").unwrap().minute_field(), "*/15");
        assert_eq!(parse("* * * * *").unwrap().minute_field(), "*");
    }

    #[test]
    fn the_shortest_gap_counts_midnight() {
        assert_eq!(parse("*/5 * * * *").unwrap().shortest_gap(), Some(5));
        assert_eq!(parse("0 23,0 * * *").unwrap().shortest_gap(), Some(60));
        assert_eq!(parse("0 3 * * *").unwrap().shortest_gap(), None);
    }
}
