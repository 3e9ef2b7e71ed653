//! Finds the years of stamps that have none (RFC 3164), and the wall clock behind stamps that only count
//! from boot.
//!
//! A log's lines are in order, so its stamps tell their years against each other: from December to
//! January a year has passed. What the newest of them can be at most is the time of the file, or of the
//! next younger rotation's first line.

use headroom_core::diagnose::Dated;
use headroom_core::oomlog::{Stamp, Wall};

use super::timeline::{Day, Timeline};
use super::when::Clock;

/// A jump back of up to so many days within a file is disorder: rotations put together, clocks set. What
/// goes back further is the next year.
const DISORDER_DAYS: i64 = 62;

const YEAR_DAYS: i64 = 365;

/// A log that was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) source: u32,
    pub(super) clock: Clock,
    pub(super) timeline: Timeline,
}

/// Dates the events of rotations of one log, the oldest first; a single log is one of one.
pub(super) fn rotations(rotations: &[Read], events: &mut [Dated]) {
    // All that is known, in the order it was logged, and whose it is.
    let mut known: Vec<(usize, Day)> = Vec::new();
    for (index, read) in rotations.iter().enumerate() {
        let mut own = read.timeline.days.clone();
        for dated in events.iter().filter(|dated| dated.event.first.source == read.source) {
            own.extend(day_of(dated));
        }
        own.sort_by_key(|day| day.line);
        known.extend(own.into_iter().map(|day| (index, day)));
    }
    let years = relative_years(known.iter().map(|(_, day)| *day));
    let Some(base) = base_year(rotations, &known, &years) else { return };
    for dated in events {
        let Some(day) = day_of(dated) else { continue };
        let Some(index) = rotations.iter().position(|r| r.source == dated.event.first.source)
        else {
            continue;
        };
        let at = known.iter().position(|known| *known == (index, day));
        let Some(year) = at.and_then(|at| years.get(at)) else { continue };
        let year = i16::try_from(base + year).ok();
        if let Some(at_us) = rotations[index].clock.resolve(&with_year(&dated.event.stamp, year)) {
            dated.at_us = Some(at_us);
        }
    }
}

fn day_of(dated: &Dated) -> Option<Day> {
    let line = dated.event.first.line;
    match dated.event.stamp.wall {
        Some(Wall::Civil { year: None, month, day, .. }) => Some(Day { line, month, day }),
        _ => None,
    }
}

fn with_year(stamp: &Stamp, year: Option<i16>) -> Stamp {
    match stamp.wall {
        Some(Wall::Civil { month, day, time_us, offset_s, .. }) => {
            Stamp { wall: Some(Wall::Civil { year, month, day, time_us, offset_s }), ..*stamp }
        }
        _ => *stamp,
    }
}

/// The years of days in the order they were logged, against the first's.
fn relative_years(days: impl Iterator<Item = Day>) -> Vec<i32> {
    let mut before: Option<i64> = None;
    let mut year = 0;
    days.map(|day| {
        let now = day_of_year(day.month, day.day);
        if let Some(before) = before {
            let forward = now - before;
            if forward < -DISORDER_DAYS {
                year += 1;
            } else if forward > YEAR_DAYS - DISORDER_DAYS {
                year -= 1;
            }
        }
        before = Some(now);
        year
    })
    .collect()
}

fn day_of_year(month: u8, day: u8) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let month = usize::from(month.saturating_sub(1)).min(BEFORE.len() - 1);
    BEFORE[month] + i64::from(day)
}

/// The latest year for the first day in which none lies after its file was written, and each exists.
fn base_year(rotations: &[Read], known: &[(usize, Day)], years: &[i32]) -> Option<i32> {
    let newest = rotations.iter().map(|read| read.clock.year()).max()?;
    let fits = |base: i32| {
        known.iter().zip(years).all(|((index, day), year)| {
            let wall = Wall::Civil {
                year: i16::try_from(base + year).ok(),
                month: day.month,
                day: day.day,
                time_us: 0,
                offset_s: None,
            };
            let stamp = Stamp { uptime_us: None, wall: Some(wall) };
            let clock = &rotations[*index].clock;
            clock.resolve(&stamp).is_some_and(|at_us| clock.was_written_after(at_us))
        })
    };
    // A 29th of February may be eight years back, and the first day some years before the last.
    (i32::from(newest) - 40..=i32::from(newest) + 1).rev().find(|base| fits(*base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::oomlog::{Event, Position};

    fn read(source: u32, written: &str, stamps: &[&str]) -> Read {
        let mut timeline = Timeline::default();
        for (line, stamp) in (1..).zip(stamps) {
            timeline.sample(line, format!("{stamp} 10:00:00 web1 kernel: x\n").as_bytes());
        }
        Read { source, clock: Clock::written(written), timeline }
    }

    fn event(source: u32, line: u64, month: u8, day: u8) -> Dated {
        let wall = Some(Wall::Civil { year: None, month, day, time_us: 0, offset_s: None });
        let event = Event {
            first: Position { source, line },
            stamp: Stamp { uptime_us: None, wall },
            ..Event::default()
        };
        Dated { event, at_us: None }
    }

    fn dates(rotations: &[Read], mut events: Vec<Dated>) -> Vec<String> {
        super::rotations(rotations, &mut events);
        events
            .iter()
            .map(|e| {
                let at = jiff::Timestamp::from_microsecond(e.at_us.expect("a time")).unwrap();
                at.strftime("%Y-%m-%d").to_string()
            })
            .collect()
    }

    #[test]
    fn a_log_of_a_whole_year_copied_later_keeps_its_order() {
        let log =
            read(0, "2026-02-10T00:00:00Z", &["Jan  3", "Mar  1", "Jun  1", "Sep  1", "Dec 30"]);
        assert_eq!(
            dates(&[log], vec![event(0, 2, 1, 20), event(0, 5, 12, 24)]),
            ["2025-01-20", "2025-12-24"]
        );
    }

    #[test]
    fn new_year_within_a_log_is_seen() {
        let log = read(0, "2026-03-10T00:00:00Z", &["Dec  1", "Jan 30"]);
        assert_eq!(
            dates(&[log], vec![event(0, 1, 12, 24), event(0, 2, 1, 2)]),
            ["2025-12-24", "2026-01-02"]
        );
    }

    #[test]
    fn rotations_put_together_the_newest_first_are_no_new_year() {
        let log = read(0, "2026-11-30T00:00:00Z", &["Nov 20", "Nov 28", "Nov 13", "Nov 20"]);
        assert_eq!(
            dates(&[log], vec![event(0, 2, 11, 27), event(0, 4, 11, 15)]),
            ["2026-11-27", "2026-11-15"]
        );
    }

    #[test]
    fn rotations_date_each_other_where_copying_lost_their_times() {
        let copied = "2026-01-20T00:00:00Z";
        let logs = [
            read(0, copied, &["Jan 15", "Feb 14"]),
            read(1, copied, &["Feb 14", "Aug  1"]),
            read(2, copied, &["Aug  1", "Dec 31"]),
        ];
        assert_eq!(
            dates(&logs, vec![event(0, 1, 1, 16), event(1, 2, 7, 1), event(2, 2, 12, 1)]),
            ["2025-01-16", "2025-07-01", "2025-12-01"]
        );
    }
}
