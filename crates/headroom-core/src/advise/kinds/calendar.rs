//! A month of cron, minute by minute: who runs beside whom, and how high that goes.

use alloc::vec::Vec;

use crate::advise::facts::{Facts, Today};
use crate::advise::parse::schedule::{Day, Schedule};
use crate::units::Kib;

/// So far is looked ahead: each day of the month comes once.
const DAYS: usize = 31;
const DAY: usize = 1440;

/// A job as the calendar needs it.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) schedule: Schedule,
    pub(super) offset_min: i32,
    /// How long it runs, in minutes.
    pub(super) minutes: usize,
    pub(super) need: Kib,
}

/// The memory that runs take, for each minute.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    days: Vec<Day>,
    used: Vec<u64>,
}

impl Calendar {
    pub(super) fn new(facts: &Facts) -> Self {
        let today = facts
            .record
            .today
            .unwrap_or(Today { year: 2026, day: Day { month: 1, day: 1, weekday: 4 } });
        let mut days = Vec::with_capacity(DAYS);
        let (mut year, mut day) = (today.year, today.day);
        for _ in 0..DAYS {
            days.push(day);
            let is_last = day.day >= length(year, day.month);
            if is_last && day.month == 12 {
                year += 1;
            }
            day = Day {
                month: if is_last { day.month % 12 + 1 } else { day.month },
                day: if is_last { 1 } else { day.day + 1 },
                weekday: (day.weekday + 1) % 7,
            };
        }
        Self { days, used: alloc::vec![0; DAYS * DAY] }
    }

    /// The minutes at which a job starts, as the node's clock counts them.
    pub(super) fn starts(&self, load: &Load) -> Vec<usize> {
        let of_day = |(index, day): (usize, &Day)| {
            let falls = load.schedule.falls_on(*day);
            falls.then(|| load.schedule.starts().map(move |minute| (index, minute)))
        };
        let all = self.days.iter().enumerate().filter_map(of_day).flatten();
        let at = |(index, minute): (usize, u32)| {
            let base = i64::try_from(index * DAY).ok()? + i64::from(minute);
            usize::try_from(base + i64::from(load.offset_min)).ok()
        };
        all.filter_map(at).filter(|at| *at < DAYS * DAY).collect()
    }

    /// The minutes of all runs of a job, each once.
    fn minutes(&self, load: &Load) -> Vec<usize> {
        let mut all = Vec::new();
        let mut next = 0;
        for start in self.starts(load) {
            let end = (start + load.minutes.max(1)).min(DAYS * DAY);
            // A run that is still going when the next one starts is not counted twice here: that it runs
            // beside itself is another advice's.
            all.extend(start.max(next)..end);
            next = next.max(end);
        }
        all
    }

    pub(super) fn add(&mut self, load: &Load) {
        for minute in self.minutes(load) {
            if let Some(used) = self.used.get_mut(minute) {
                *used = used.saturating_add(load.need.0);
            }
        }
    }

    /// How high it goes at the highest, and when first.
    pub(super) fn peak(&self) -> (Kib, usize) {
        let highest = self.used.iter().copied().max().unwrap_or(0);
        let at = self.used.iter().position(|used| *used == highest).unwrap_or(0);
        (Kib(highest), at)
    }

    /// How high it would go during the job's runs.
    fn height(&self, load: &Load) -> u64 {
        let used = |minute: usize| self.used.get(minute).copied().unwrap_or(0);
        self.minutes(load).into_iter().map(used).max().unwrap_or(0).saturating_add(load.need.0)
    }

    /// Whether a job runs in that minute, and whether it starts in it.
    pub(super) fn runs_at(&self, load: &Load, minute: usize) -> (bool, bool) {
        let starts = self.starts(load);
        let runs =
            starts.iter().any(|start| (*start..*start + load.minutes.max(1)).contains(&minute));
        (runs, starts.contains(&minute))
    }
}

/// Moves those that may move, the largest first, to where least runs beside them. Gives the shift of each in
/// minutes, and the peak that is left.
pub(super) fn spread(facts: &Facts, loads: &[Load], movable: &[bool]) -> (Vec<u32>, Kib) {
    let mut calendar = Calendar::new(facts);
    let mut shifts = alloc::vec![0; loads.len()];
    let may = |index: usize| movable.get(index).copied().unwrap_or(false);
    for (index, load) in loads.iter().enumerate().filter(|(index, _)| !may(*index)) {
        let _ = index;
        calendar.add(load);
    }
    let mut order: Vec<usize> = (0..loads.len()).filter(|index| may(*index)).collect();
    order.sort_by(|a, b| loads[*b].need.cmp(&loads[*a].need).then(a.cmp(b)));
    for index in order {
        let load = &loads[index];
        let mut best = (calendar.height(load), 0, load.clone());
        for shift in 1..=load.schedule.latest_shift() {
            let Some(schedule) = load.schedule.shifted(shift) else { break };
            let moved = Load { schedule, ..load.clone() };
            let height = calendar.height(&moved);
            if height < best.0 {
                best = (height, shift, moved);
            }
        }
        shifts[index] = best.1;
        calendar.add(&best.2);
    }
    (shifts, calendar.peak().0)
}

fn length(year: i16, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(fields: [&str; 5], minutes: usize, need: u64) -> Load {
        let schedule = Schedule::parse(fields).unwrap();
        Load { schedule, offset_min: 0, minutes, need: Kib(need) }
    }

    #[test]
    fn a_month_begins_today_and_knows_its_calendar() {
        let mut facts = Facts::default();
        let day = Day { month: 2, day: 27, weekday: 2 };
        facts.record.today = Some(Today { year: 2024, day });
        let calendar = Calendar::new(&facts);
        assert_eq!(calendar.days[2], Day { month: 2, day: 29, weekday: 4 });
        assert_eq!(calendar.days[3], Day { month: 3, day: 1, weekday: 5 });
    }

    #[test]
    fn jobs_of_the_same_minute_add_up_and_can_be_spread() {
        let facts = Facts::default();
        let loads: Vec<Load> = (0..3).map(|_| load(["0", "3", "*", "*", "*"], 10, 100)).collect();
        let mut calendar = Calendar::new(&facts);
        loads.iter().for_each(|load| calendar.add(load));
        assert_eq!(calendar.peak(), (Kib(300), 180));
        let (shifts, peak) = spread(&facts, &loads, &[true; 3]);
        assert_eq!((shifts, peak), (alloc::vec![0, 10, 20], Kib(100)));
    }

    #[test]
    fn who_may_not_move_stays_and_the_others_go_around_it() {
        let facts = Facts::default();
        let loads = [
            load(["*", "*", "*", "*", "*"], 1, 50),
            load(["*/5", "*", "*", "*", "*"], 2, 80),
            load(["*/5", "*", "*", "*", "*"], 2, 70),
        ];
        let (shifts, peak) = spread(&facts, &loads, &[true; 3]);
        assert_eq!(shifts, [0, 0, 2]);
        assert_eq!(peak, Kib(130));
    }

    #[test]
    fn another_zones_times_are_moved_to_ours() {
        let calendar = Calendar::new(&Facts::default());
        let mut load = load(["0", "3", "*", "*", "*"], 1, 1);
        load.offset_min = -120;
        assert_eq!(calendar.starts(&load)[0], 60);
    }
}
