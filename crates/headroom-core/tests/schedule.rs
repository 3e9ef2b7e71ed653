//! Schedules beside `croner`, a crate that reads the same five fields: where both take them, they mean the
//! same minutes.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is a test as a whole")]

use std::str::FromStr;

use croner::Cron;
use headroom_core::advise::parse::schedule::{Day, Schedule};
use jiff_02::civil::date;
use proptest::prelude::*;

/// A field of numbers, ranges and steps. Day fields that begin with a star and a step are left out: there
/// Vixie cron has a meaning of its own, which its own test fixes.
fn field(low: u8, high: u8, stars: bool) -> BoxedStrategy<String> {
    let number = (low..=high).prop_map(|n| n.to_string());
    let range = (low..=high, low..=high, 1..=9_u8).prop_map(|(a, b, step)| {
        let (from, to) = (a.min(b), a.max(b));
        if step == 1 { format!("{from}-{to}") } else { format!("{from}-{to}/{step}") }
    });
    let one = prop_oneof![number, range];
    let list = prop::collection::vec(one, 1..4).prop_map(|parts| parts.join(","));
    let step = (2..=high.max(3)).prop_map(|step| format!("*/{step}"));
    if stars {
        prop_oneof![Just("*".to_string()), list, step].boxed()
    } else {
        prop_oneof![Just("*".to_string()), list].boxed()
    }
}

proptest! {
    #[test]
    fn both_start_a_job_in_the_same_minutes(
        minute in field(0, 59, true),
        hour in field(0, 23, true),
        day in field(1, 28, false),
        month in field(1, 12, true),
        weekday in field(0, 7, false),
        year_day in 1..365_i16,
    ) {
        let ours = Schedule::parse([&minute, &hour, &day, &month, &weekday]).unwrap();
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let theirs = Cron::from_str(&text).unwrap();
        let date = date(2026, 1, 1).with().day_of_year(year_day).build().unwrap();
        let today = Day {
            month: date.month().try_into().unwrap(),
            day: date.day().try_into().unwrap(),
            weekday: date.weekday().to_sunday_zero_offset().try_into().unwrap(),
        };
        let starts: Vec<u32> = if ours.falls_on(today) { ours.starts().collect() } else { Vec::new() };
        for at in (0..1440).step_by(7).chain(starts.iter().copied().take(50)) {
            let (hour, minute) = (i8::try_from(at / 60).unwrap(), i8::try_from(at % 60).unwrap());
            let time = date.at(hour, minute, 0, 0);
            prop_assert_eq!(
                theirs.is_time_matching(&time).unwrap(),
                starts.contains(&at),
                "{} at {}", text, time
            );
        }
    }
}
