//! The forms of time that only other logs have, beside those in `oomlog::prefix`.

use crate::oomlog::prefix::clock;
use crate::oomlog::{Stamp, Wall, scan};

/// A stamp with nothing but a wall clock.
pub(super) fn stamp(wall: Wall) -> Stamp {
    Stamp { uptime_us: None, wall: Some(wall) }
}

/// `24/Nov/2026:02:58:03 +0000`, the common log format's.
pub(super) fn common(text: &str) -> Option<(Wall, &str)> {
    let (day, rest) = scan::fixed(text, 2)?;
    let (month, rest) = month(rest.strip_prefix('/')?)?;
    let (year, rest) = scan::fixed(rest.strip_prefix('/')?, 4)?;
    let (time_us, rest) = clock::time_of_day(rest.strip_prefix(':')?)?;
    let (offset_s, rest) = offset(rest.strip_prefix(' ')?)?;
    Some((civil(year, month, day, time_us, Some(offset_s))?, rest))
}

/// `24-Nov-2026 02:58:03`, with `UTC` or a zone's name behind it or not: PHP's.
pub(super) fn php(text: &str) -> Option<(Wall, &str)> {
    let (day, rest) = scan::fixed(text, 2)?;
    let (month, rest) = month(rest.strip_prefix('-')?)?;
    let (year, rest) = scan::fixed(rest.strip_prefix('-')?, 4)?;
    let (time_us, rest) = clock::time_of_day(rest.strip_prefix(' ')?)?;
    let zone = rest.strip_prefix(' ').and_then(|rest| rest.split_once(']'));
    let utc = zone.is_some_and(|(zone, _)| matches!(zone, "UTC" | "GMT" | "+00:00"));
    // A zone's name says where, not how far from UTC: the node's own zone is the best guess.
    let rest = zone
        .filter(|(zone, _)| !zone.contains(' '))
        .map_or(rest, |(zone, _)| &rest[zone.len() + 1..]);
    Some((civil(year, month, day, time_us, utc.then_some(0))?, rest))
}

/// `2026/11/24 02:58:03`, nginx's error log's.
pub(super) fn slashes(text: &str) -> Option<(Wall, &str)> {
    let (year, rest) = scan::fixed(text, 4)?;
    let (month, rest) = scan::fixed(rest.strip_prefix('/')?, 2)?;
    let (day, rest) = scan::fixed(rest.strip_prefix('/')?, 2)?;
    let (time_us, rest) = clock::time_of_day(rest.strip_prefix(' ')?)?;
    Some((civil(year, month, day, time_us, None)?, rest))
}

/// `241124  2:58:03`, the slow log's of MariaDB and old MySQL.
pub(super) fn short(text: &str) -> Option<(Wall, &str)> {
    let (year, rest) = scan::fixed(text, 2)?;
    let (month, rest) = scan::fixed(rest, 2)?;
    let (day, rest) = scan::fixed(rest, 2)?;
    let rest = rest.strip_prefix(' ')?.trim_start_matches(' ');
    let (hour, rest) = scan::number(rest)?;
    let (minute, rest) = scan::fixed(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = scan::fixed(rest.strip_prefix(':')?, 2)?;
    let time_us = (hour < 24 && minute < 60 && second < 61)
        .then_some(((hour * 60 + minute) * 60 + second) * 1_000_000)?;
    Some((civil(2000 + year, month, day, time_us, None)?, rest))
}

/// `20261124025803`, the name of a release.
pub(super) fn release(text: &str) -> Option<Wall> {
    let (date, rest) = scan::fixed(text, 8)?;
    let (time, rest) = scan::fixed(rest, 6)?;
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (hour, minute, second) = (time / 10_000, time / 100 % 100, time % 100);
    let time_us = (hour < 24 && minute < 60 && second < 61)
        .then_some(((hour * 60 + minute) * 60 + second) * 1_000_000)?;
    civil(date / 10_000, date / 100 % 100, date % 100, time_us, Some(0))
}

fn offset(text: &str) -> Option<(i32, &str)> {
    let east = !text.starts_with('-');
    let (digits, rest) = scan::fixed(text.strip_prefix(['+', '-'])?, 4)?;
    let seconds = i32::try_from(digits / 100 * 3600 + digits % 100 * 60).ok()?;
    Some((if east { seconds } else { -seconds }, rest))
}

fn month(text: &str) -> Option<(u64, &str)> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (name, rest) = text.split_at_checked(3)?;
    let (number, _) = (1..).zip(MONTHS).find(|(_, month)| *month == name)?;
    Some((number, rest))
}

fn civil(year: u64, month: u64, day: u64, time_us: u64, offset_s: Option<i32>) -> Option<Wall> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    Some(Wall::Civil { year: i16::try_from(year).ok(), month, day, time_us, offset_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_writes_the_same_moment_in_its_own_way() {
        let wall = |offset_s| {
            let time_us = ((2 * 60 + 58) * 60 + 3) * 1_000_000;
            Some(Wall::Civil { year: Some(2026), month: 11, day: 24, time_us, offset_s })
        };
        let first = |found: Option<(Wall, &'static str)>| found.map(|(wall, _)| wall);
        assert_eq!(first(common("24/Nov/2026:02:58:03 +0130] x")), wall(Some(5400)));
        assert_eq!(first(php("24-Nov-2026 02:58:03 UTC] PHP x")), wall(Some(0)));
        assert_eq!(first(php("24-Nov-2026 02:58:03] x")), wall(None));
        assert_eq!(php("24-Nov-2026 02:58:03 Europe/Berlin] x").map(|(_, rest)| rest), Some("] x"));
        assert_eq!(first(slashes("2026/11/24 02:58:03 [error]")), wall(None));
        assert_eq!(first(short("261124  2:58:03")), wall(None));
        assert_eq!(release("20261124025803 by app"), wall(Some(0)));
        assert_eq!(release("202611240258031"), None);
        assert_eq!(common("99/Foo/2026:02:58:03 +0000"), None);
    }
}
