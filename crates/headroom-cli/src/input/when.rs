//! Turns a log's stamps into moments, and the times a user types.

use std::time::SystemTime;

use headroom_core::oomlog::{Stamp, Wall};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, ZonedDateTime};

/// What is known of a log's time beside its stamps.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// The log was written no later than this.
    written: Timestamp,
    /// When the machine that wrote it booted, where that is known.
    boot: Option<Timestamp>,
    zone: TimeZone,
}

impl Clock {
    /// For what is being written just now.
    pub(crate) fn now() -> Self {
        Self { written: Timestamp::now(), boot: None, zone: TimeZone::system() }
    }

    /// For this machine's ring buffer, whose stamps count from its boot.
    pub(crate) fn of_this_boot() -> Self {
        let now = Self::now();
        let uptime = std::fs::read_to_string("/proc/uptime").ok();
        let seconds = uptime.and_then(|text| text.split('.').next()?.parse::<i64>().ok());
        let boot =
            seconds.and_then(|seconds| now.written.checked_sub(Span::new().seconds(seconds)).ok());
        Self { boot, ..now }
    }

    /// For a file last written at `modified`.
    pub(crate) fn of_file(modified: SystemTime) -> Self {
        Self {
            written: Timestamp::try_from(modified).unwrap_or_else(|_| Timestamp::now()),
            ..Self::now()
        }
    }

    /// For tests: in UTC, written at this time.
    #[cfg(test)]
    pub(crate) fn written(at: &str) -> Self {
        Self { written: at.parse().unwrap(), boot: None, zone: TimeZone::UTC }
    }

    /// The same, with the machine's boot known in microseconds since 1970.
    pub(crate) fn with_boot(self, boot_us: Option<i64>) -> Self {
        let boot = boot_us.and_then(|us| Timestamp::from_microsecond(us).ok());
        Self { boot: self.boot.or(boot), ..self }
    }

    /// The year in which the log was written last.
    pub(crate) fn year(&self) -> i16 {
        self.written.to_zoned_datetime(self.zone.clone()).year()
    }

    /// Whether a line can be of this moment: a day's grace for clocks and zones.
    pub(crate) fn was_written_after(&self, at_us: i64) -> bool {
        self.written
            .checked_add(Span::new().hours(24))
            .is_ok_and(|latest| at_us <= latest.as_microsecond())
    }

    /// The moment of a stamp in microseconds since 1970, where it can be known.
    pub(crate) fn resolve(&self, stamp: &Stamp) -> Option<i64> {
        match stamp.wall {
            Some(Wall::Unix(us)) => Some(us),
            Some(Wall::Civil { year, month, day, time_us, offset_s }) => {
                self.civil(year, month, day, time_us, offset_s).map(|at| at.as_microsecond())
            }
            // A time of day belongs to a day this log does not name.
            Some(Wall::TimeOfDay(_)) => None,
            None => {
                let boot = self.boot?.as_microsecond();
                boot.checked_add(i64::try_from(stamp.uptime_us?).ok()?)
            }
        }
    }

    fn civil(
        &self,
        year: Option<i16>,
        month: u8,
        day: u8,
        time_us: u64,
        offset_s: Option<i32>,
    ) -> Option<Timestamp> {
        let in_year = |year: i16| {
            let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
            let zone = match offset_s {
                Some(seconds) => Offset::from_seconds(seconds).ok()?.to_time_zone(),
                None => self.zone.clone(),
            };
            let nanosecond = i64::try_from(time_us).ok()?.checked_mul(1000)?;
            let at = DateTime::from_parts(date, Time::midnight())
                .checked_add(Span::new().nanoseconds(nanosecond))
                .ok()?;
            Some(at.to_zoned_datetime(zone).ok()?.timestamp())
        };
        if let Some(year) = year {
            return in_year(year);
        }
        // RFC 3164 has no year: the latest in which the line was not written after the file was, a day's
        // grace for clocks and zones. Eight years back there was a 29th of February for sure.
        let latest = self.written.checked_add(Span::new().hours(24)).ok()?;
        let this_year = self.written.to_zoned_datetime(self.zone.clone()).year();
        (this_year - 8..=this_year + 1).rev().filter_map(in_year).find(|at| *at <= latest)
    }
}

/// A time as a user types it: a date, a date and time, a time of today, or `2h ago`.
///
/// # Errors
/// What is expected instead.
pub(crate) fn argument(text: &str) -> Result<Timestamp, String> {
    let zone = TimeZone::system();
    let now = Timestamp::now().to_zoned_datetime(zone.clone());
    parse(text.trim(), &now, &zone).ok_or_else(|| {
        "not a time; try 2026-03-18, \"2026-03-18 04:06\", 04:06 or \"2h ago\"".to_string()
    })
}

fn parse(text: &str, now: &ZonedDateTime, zone: &TimeZone) -> Option<Timestamp> {
    match text {
        "now" => return Some(now.timestamp()),
        "today" => return now.start_of_day().ok().map(|at| at.timestamp()),
        "yesterday" => return now.yesterday().ok()?.start_of_day().ok().map(|at| at.timestamp()),
        _ => {}
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Some(span) = text.strip_suffix("ago") {
        let span: Span = span.trim().parse().ok()?;
        return now.checked_sub(span).ok().map(|at| at.timestamp());
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return at.to_zoned_datetime(zone.clone()).ok().map(|at| at.timestamp());
    }
    if let Ok(date) = text.parse::<Date>() {
        return date.to_zoned_datetime(zone.clone()).ok().map(|at| at.timestamp());
    }
    let time = text.parse::<Time>().ok()?;
    now.date().to_datetime(time).to_zoned_datetime(zone.clone()).ok().map(|at| at.timestamp())
}

/// A moment as RFC 3339 with the offset of this machine's zone.
pub(crate) fn rfc3339(at_us: i64) -> Option<String> {
    let at = Timestamp::from_microsecond(at_us).ok()?.to_zoned_datetime(TimeZone::system());
    let fraction =
        if at_us % 1_000_000 == 0 { "%Y-%m-%dT%H:%M:%S%:z" } else { "%Y-%m-%dT%H:%M:%S%.6f%:z" };
    Some(at.strftime(fraction).to_string())
}

/// Seconds that this machine's zone is east of UTC at a moment.
pub(crate) fn offset_s(at_us: i64) -> i32 {
    let at = Timestamp::from_microsecond(at_us);
    at.map_or(0, |at| at.to_zoned_datetime(TimeZone::system()).offset().seconds())
}

/// A moment's time of day for a person, `03:12:07`.
pub(crate) fn clock(at_us: i64) -> Option<String> {
    let at = Timestamp::from_microsecond(at_us).ok()?.to_zoned_datetime(TimeZone::system());
    Some(at.strftime("%H:%M:%S").to_string())
}

/// A moment in UTC, as incident ids have it.
pub(crate) fn utc_id(at_us: i64) -> Option<String> {
    let at = Timestamp::from_microsecond(at_us).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A moment for a person.
pub(crate) fn readable(at_us: i64) -> Option<String> {
    let at = Timestamp::from_microsecond(at_us).ok()?.to_zoned_datetime(TimeZone::system());
    Some(at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(written: &str) -> Clock {
        Clock::written(written)
    }

    fn at(clock: &Clock, month: u8, day: u8) -> String {
        let wall = Some(Wall::Civil { year: None, month, day, time_us: 0, offset_s: None });
        let us = clock.resolve(&Stamp { uptime_us: None, wall }).unwrap();
        Timestamp::from_microsecond(us).unwrap().to_string()
    }

    #[test]
    fn the_year_of_a_bare_stamp_is_the_files() {
        let clock = clock("2026-01-10T00:00:00Z");
        assert_eq!(at(&clock, 1, 5), "2026-01-05T00:00:00Z");
        assert_eq!(at(&clock, 12, 31), "2025-12-31T00:00:00Z");
        assert_eq!(at(&clock, 2, 29), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn an_uptime_is_a_time_only_with_a_boot() {
        let stamp = Stamp { uptime_us: Some(5_000_000), wall: None };
        let mut clock = clock("2026-01-10T00:00:00Z");
        assert_eq!(clock.resolve(&stamp), None);
        clock.boot = Some(Timestamp::from_second(10).unwrap());
        assert_eq!(clock.resolve(&stamp), Some(15_000_000));
    }

    #[test]
    fn times_are_understood_as_people_type_them() {
        let now =
            "2026-03-18T12:00:00Z".parse::<Timestamp>().unwrap().to_zoned_datetime(TimeZone::UTC);
        let read = |text| parse(text, &now, &TimeZone::UTC).map(|at| at.to_string());
        assert_eq!(read("2026-03-01").as_deref(), Some("2026-03-01T00:00:00Z"));
        assert_eq!(read("2026-03-01 04:06").as_deref(), Some("2026-03-01T04:06:00Z"));
        assert_eq!(read("04:06").as_deref(), Some("2026-03-18T04:06:00Z"));
        assert_eq!(read("2h ago").as_deref(), Some("2026-03-18T10:00:00Z"));
        assert_eq!(read("2026-03-01T04:06:00+01:00").as_deref(), Some("2026-03-01T03:06:00Z"));
        assert_eq!(read("soon"), None);
    }
}
