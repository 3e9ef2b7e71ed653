//! Whether incidents come back on other days at the same time of day.

use alloc::vec::Vec;

use crate::oomlog::Position;

const DAY_S: i64 = 86_400;

/// Closer than this to the same time of day is the same.
const NEAR_S: i64 = 15 * 60;

/// On how many other days it must have been.
const DAYS: usize = 2;

/// The same time of day on other days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// On how many days, this one included.
    pub days: usize,
    /// The time of day, in seconds since the local midnight.
    pub time_of_day_s: i64,
    /// Where the others stand.
    pub others: Vec<Position>,
}

/// Which of `all` incidents (moment in microseconds, place) were at the same time of day as the one at
/// `this_us`, in a zone `offset_s` east of UTC.
#[must_use]
pub fn repeats(all: &[(i64, Position)], this_us: i64, offset_s: i32) -> Option<Repeats> {
    let local = |us: i64| us.div_euclid(1_000_000).saturating_add(i64::from(offset_s));
    let this = local(this_us);
    let mut days: Vec<i64> = [this.div_euclid(DAY_S)].into();
    let mut others = Vec::new();
    for (us, at) in all {
        let other = local(*us);
        let apart = (other - this).rem_euclid(DAY_S);
        // 23:55 and 00:05 are ten minutes apart; the day is the one that `this` time of day is nearest to.
        let near = apart <= NEAR_S || apart >= DAY_S - NEAR_S;
        let day = this.div_euclid(DAY_S) + (other - this + DAY_S / 2).div_euclid(DAY_S);
        if near && !days.contains(&day) {
            days.push(day);
            others.push(*at);
        }
    }
    (others.len() >= DAYS).then(|| Repeats {
        days: days.len(),
        time_of_day_s: this.rem_euclid(DAY_S),
        others,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(minutes: &[i64], this: i64) -> Option<usize> {
        let us = |minute: i64| minute * 60_000_000;
        let all: Vec<(i64, Position)> =
            minutes.iter().map(|minute| (us(*minute), Position::default())).collect();
        repeats(&all, us(this), 3600).map(|repeats| repeats.days)
    }

    #[test]
    fn the_same_quarter_of_an_hour_on_three_days_repeats() {
        let day = 24 * 60;
        assert_eq!(days(&[180, day + 184, 2 * day + 176, 2 * day + 600], 180), Some(3));
        assert_eq!(days(&[180, day + 184], 180), None, "twice may be chance");
        assert_eq!(days(&[180, day + 240, 2 * day + 300], 180), None, "other times of day");
        assert_eq!(days(&[180, 181, 182, 183], 180), None, "one day");
        // Around midnight in a zone an hour east: 22:58, 23:02 and 22:55 in UTC.
        assert_eq!(
            days(&[22 * 60 + 58, day + 23 * 60 + 2, 2 * day + 22 * 60 + 55], 22 * 60 + 58),
            Some(3)
        );
    }
}
