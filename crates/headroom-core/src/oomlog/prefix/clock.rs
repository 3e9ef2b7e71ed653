//! The forms of time a log line can begin with.

use super::super::event::Wall;
use super::super::scan;
use super::months;

const DAY_US: u64 = 86_400_000_000;

/// `12:34:56`, `12:34:56.789012` or with a comma, as microseconds since midnight.
pub(crate) fn time_of_day(text: &str) -> Option<(u64, &str)> {
    let (hour, rest) = scan::fixed(text, 2)?;
    let (minute, rest) = scan::fixed(rest.strip_prefix(':')?, 2)?;
    let (second, mut rest) = scan::fixed(rest.strip_prefix(':')?, 2)?;
    let mut time_us = ((hour * 60 + minute) * 60 + second) * 1_000_000;
    if let Some(fraction) = rest.strip_prefix(['.', ','])
        && let Some((us, after)) = scan::fraction_us(fraction)
    {
        time_us += us;
        rest = after;
    }
    // A leap second is the last of its day; more than that is no time.
    if hour >= 24 || minute >= 60 || second > 60 {
        return None;
    }
    for (mark, noon) in [(" AM", false), (" PM", true)] {
        if let Some(after) = rest.strip_prefix(mark).filter(|_| hour <= 12) {
            // Twelve at night is the day's first hour.
            time_us = time_us % (DAY_US / 2) + if noon { DAY_US / 2 } else { 0 };
            rest = after;
        }
    }
    Some((time_us.min(DAY_US - 1), rest))
}

/// `2026-11-23T22:20:23.043143+00:00`, with a blank or `_` for the `T`, `/` for `-`, with or without an
/// offset.
pub(crate) fn iso(text: &str) -> Option<(Wall, &str)> {
    let (year, rest) = scan::fixed(text, 4)?;
    let (month, rest) = scan::fixed(rest.strip_prefix(['-', '/'])?, 2)?;
    let (day, rest) = scan::fixed(rest.strip_prefix(['-', '/'])?, 2)?;
    let (time_us, rest) = time_of_day(rest.strip_prefix(['T', 't', ' ', '_'])?)?;
    let (offset_s, rest) = offset(rest);
    Some((civil(Some(year), month, day, time_us, offset_s)?, rest))
}

/// `Z`, `+01:00`, `-0230`, also behind a blank, where it must have all its digits.
fn offset(text: &str) -> (Option<i32>, &str) {
    if let Some(after) = text.strip_prefix(['Z', 'z']) {
        return (Some(0), after);
    }
    let apart = text.strip_prefix(' ');
    let signed = apart.unwrap_or(text);
    let found = signed.strip_prefix(['+', '-']).and_then(|after| {
        let (hours, after) = scan::fixed(after, 2)?;
        let after = after.strip_prefix(':').unwrap_or(after);
        let (minutes, after) = match scan::fixed(after, 2) {
            Some(found) => found,
            None if apart.is_none() => (0, after),
            None => return None,
        };
        let east = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        Some((if signed.starts_with('-') { -east } else { east }, after))
    });
    found.map_or((None, text), |(east, after)| (Some(east), after))
}

/// Dates the other way round: `23.11.2026 22:20:23`, `11/23/2026 10:20:23 PM`, and Apache's
/// `23/Nov/2026:22:20:23 +0000`.
pub(super) fn day_first(text: &str) -> Option<(Wall, &str)> {
    let (first, rest) = scan::number(text).filter(|(_, rest)| text.len() - rest.len() <= 2)?;
    let mark = rest.chars().next().filter(|mark| matches!(mark, '.' | '/'))?;
    let rest = &rest[1..];
    if let Some((name, rest)) = rest.split_once('/')
        && let Some(month) = months::number(name)
    {
        let (year, rest) = scan::fixed(rest, 4)?;
        let (time_us, rest) = time_of_day(rest.strip_prefix(':')?)?;
        let (offset_s, rest) = offset(rest);
        return Some((civil(Some(year), month, first, time_us, offset_s)?, rest));
    }
    let (second, rest) = scan::number(rest)?;
    let (year, rest) = scan::fixed(rest.strip_prefix(mark)?, 4)?;
    let (time_us, rest) = time_of_day(rest.trim_start_matches(',').strip_prefix(' ')?)?;
    // With slashes the month comes first, unless that is no month.
    let (month, day) = if mark == '/' && first <= 12 { (first, second) } else { (second, first) };
    Some((civil(Some(year), month, day, time_us, None)?, rest))
}

/// Android's `11-23 22:20:23.043`.
pub(super) fn logcat(text: &str) -> Option<(Wall, &str)> {
    let (month, rest) = scan::fixed(text, 2)?;
    let (day, rest) = scan::fixed(rest.strip_prefix('-')?, 2)?;
    let (time_us, rest) = time_of_day(rest.strip_prefix(' ')?)?;
    Some((civil(None, month, day, time_us, None)?, rest))
}

/// `Jan  5 15:19:27`, the stamp of RFC 3164, also with a year at any place.
pub(crate) fn bsd(text: &str) -> Option<(Wall, &str)> {
    if let Some((first, rest)) = scan::fixed(text, 4)
        && let Some(rest) = rest.strip_prefix(' ')
        && let (Wall::Civil { month, day, time_us, .. }, rest) = bsd_without_year(rest)?
    {
        let found = civil(Some(first), month.into(), day.into(), time_us, None)?;
        return Some((found, rest));
    }
    bsd_without_year(text)
}

fn bsd_without_year(text: &str) -> Option<(Wall, &str)> {
    let (name, rest) = word(text)?;
    let month = months::number(name)?;
    let (day, rest) = scan::number(rest.trim_start_matches(' '))?;
    let mut rest = rest.strip_prefix(['.', ',']).unwrap_or(rest).strip_prefix(' ')?;
    let mut year = None;
    if let Some((number, after)) = scan::fixed(rest, 4)
        && let Some(after) = after.strip_prefix(' ')
    {
        (year, rest) = (Some(number), after);
    }
    let (time_us, mut rest) = time_of_day(rest)?;
    if let Some((number, after)) = rest.strip_prefix(' ').and_then(|r| scan::fixed(r, 4))
        && (1970..2200).contains(&number)
        && after.starts_with([' ', ']'])
    {
        (year, rest) = (Some(number), after);
    }
    Some((civil(year, month, day, time_us, None)?, rest))
}

/// `Fri Sep 25 15:29:47 2020`, ctime(3)'s form, in any language that puts day, month and date in
/// this order; a month this parser cannot read leaves the time of day.
pub(crate) fn ctime(text: &str) -> Option<(Wall, &str)> {
    let (_, rest) = word(text)?;
    let rest = rest.trim_start_matches([' ', ',']);
    if let Some(found) = bsd(rest) {
        return Some(found);
    }
    let (first, after) = rest.split_once(' ')?;
    // Some languages put the date first: "di 12 aug 03:54:03 2025".
    if let Ok(day) = first.trim_end_matches('.').parse::<u64>() {
        let (name, after) = word(after)?;
        let (time_us, after) = time_of_day(after.trim_start_matches(' '))?;
        let (year, after) = scan::fixed(after.strip_prefix(' ')?, 4)?;
        let wall = months::number(name).and_then(|m| civil(Some(year), m, day, time_us, None));
        return Some((wall.unwrap_or(Wall::TimeOfDay(time_us)), after));
    }
    let (_, after) = scan::number(after.trim_start_matches(' '))?;
    let (time_us, after) = time_of_day(after.trim_start_matches(' '))?;
    let (_, after) = scan::fixed(after.strip_prefix(' ')?, 4)?;
    Some((Wall::TimeOfDay(time_us), after))
}

/// `1500316299`, `1500316299.123456` or `1500316299123,`: seconds or milliseconds since 1970.
pub(super) fn epoch(text: &str) -> Option<(Wall, &str)> {
    let (seconds, rest) = scan::fixed(text, 10)?;
    let mut us = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
    let mut rest = rest;
    if let Some((milliseconds, after)) = scan::fixed(rest, 3) {
        us = us.checked_add(i64::try_from(milliseconds * 1000).ok()?)?;
        return after.starts_with([' ', ',']).then_some((Wall::Unix(us), after));
    }
    if let Some((fraction, after)) = rest.strip_prefix('.').and_then(scan::fraction_us) {
        us = us.checked_add(i64::try_from(fraction).ok()?)?;
        rest = after;
    }
    rest.starts_with(' ').then_some((Wall::Unix(us), rest))
}

/// `[   23.157011]`, printk's seconds since boot, as microseconds; Android puts a CPU behind them, and
/// `dmesg -d` the time since the line before.
pub(super) fn uptime(text: &str) -> Option<(u64, &str)> {
    let inner = text.strip_prefix('[')?.trim_start_matches(' ');
    let (seconds, rest) = scan::number(inner)?;
    let (fraction, mut rest) = scan::fraction_us(rest.strip_prefix('.')?)?;
    if let Some(processor) = rest.strip_prefix([',', '@']) {
        rest = scan::number(processor)?.1;
    }
    let rest = without_delta(rest).strip_prefix(']')?;
    Some((seconds.checked_mul(1_000_000)?.checked_add(fraction)?, rest))
}

/// What follows `<    0.000021>`, the time since the line before.
pub(super) fn without_delta(text: &str) -> &str {
    let delta = text.trim_start_matches(' ').strip_prefix('<').and_then(|inner| {
        let (delta, rest) = inner.split_once('>')?;
        delta.trim().bytes().all(|b| b.is_ascii_digit() || b == b'.').then_some(rest)
    });
    delta.unwrap_or(text)
}

fn civil(
    year: Option<u64>,
    month: u64,
    day: u64,
    time_us: u64,
    offset_s: Option<i32>,
) -> Option<Wall> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year.and_then(|y| i16::try_from(y).ok());
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    Some(Wall::Civil { year, month, day, time_us, offset_s })
}

/// A word of letters, with the full stop some languages put behind an abbreviation.
fn word(text: &str) -> Option<(&str, &str)> {
    let month = |c: char| c == '月' || c == '월';
    let end =
        text.find(|c: char| !(c.is_alphabetic() || c.is_ascii_digit() && text.contains(month)))?;
    let (name, rest) = text.split_at(end);
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    (!name.is_empty() && name.len() <= 24 && rest.starts_with([' ', ','])).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_name_in_any_language_is_no_obstacle() {
        let expected = Some((
            Wall::Civil {
                year: Some(2025),
                month: 8,
                day: 12,
                time_us: 14_043_000_000,
                offset_s: None,
            },
            "] x",
        ));
        assert_eq!(ctime("Di Aug 12 03:54:03 2025] x"), expected);
        assert_eq!(ctime("mar. août 12 03:54:03 2025] x"), expected);
        assert_eq!(ctime("di 12 aug 03:54:03 2025] x"), expected);
        assert_eq!(
            ctime("火 八月 12 03:54:03 2025] x"),
            Some((Wall::TimeOfDay(14_043_000_000), "] x"))
        );
    }

    #[test]
    fn an_offset_is_kept_and_a_missing_one_is_unknown() {
        let offset = |text| match iso(text) {
            Some((Wall::Civil { offset_s, .. }, _)) => offset_s,
            _ => panic!("not a time: {text}"),
        };
        assert_eq!(offset("2026-03-18T04:06:54+0100 host"), Some(3600));
        assert_eq!(offset("2026-03-18T04:06:54,123456-02:30 x"), Some(-9000));
        assert_eq!(offset("2026-03-18 04:06:54 host"), None);
    }

    #[test]
    fn uptime_has_six_digits_or_fewer() {
        assert_eq!(uptime("[15180285.537297] x"), Some((15_180_285_537_297, " x")));
        assert_eq!(uptime("[    0.5] x"), Some((500_000, " x")));
        assert_eq!(uptime("[  pid  ]   uid"), None);
        assert_eq!(uptime("[    480]     0"), None);
    }
}
