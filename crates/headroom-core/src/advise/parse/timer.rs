//! Timers of systemd that go by the calendar (`systemd.timer(5)`, `systemd.time(7)`), and what they start.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::crontab::Job;
use super::schedule::Schedule;
use super::{Said, Unread, numbered};

/// A timer with its service, as far as they matter here; later files win as drop-ins do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timer {
    /// Its name, `NAME.timer`.
    pub name: String,
    /// `OnCalendar=`, each as written.
    pub calendars: Vec<Said<String>>,
    /// `Unit=`, where it is not the service of the same name.
    pub unit: Option<String>,
    /// Whether `RandomizedDelaySec=` spreads its starts already.
    pub is_spread: bool,
}

/// What a service starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// `ExecStart=` without the signs before its program.
    pub exec: Vec<String>,
    /// `User=`
    pub user: Option<String>,
}

/// Lines of one section as keys and values with their numbers.
fn settings<'a>(text: &'a str, wanted: &'a str) -> impl Iterator<Item = (usize, &'a str, &'a str)> {
    let mut section = "";
    numbered(text).filter_map(move |(number, line)| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default();
            return None;
        }
        if section != wanted || line.starts_with(['#', ';']) {
            return None;
        }
        let (key, value) = line.split_once('=')?;
        Some((number, key.trim(), value.trim()))
    })
}

impl Timer {
    /// The service it starts.
    #[must_use]
    pub fn service(&self) -> String {
        let own = || format!("{}.service", self.name.trim_end_matches(".timer"));
        self.unit.clone().unwrap_or_else(own)
    }

    /// Adds what a file says.
    pub fn read(&mut self, path: &str, text: &str) {
        for (number, key, value) in settings(text, "Timer") {
            match (key, value) {
                ("OnCalendar", "") => self.calendars.clear(),
                ("OnCalendar", _) => {
                    self.calendars.push(Said::new(value.to_string(), format!("{path}:{number}")));
                }
                ("Unit", _) => self.unit = Some(value.to_string()).filter(|unit| !unit.is_empty()),
                // A few seconds spread nothing.
                ("RandomizedDelaySec", _) => {
                    let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
                    let number: u64 = digits.parse().unwrap_or(0);
                    let is_seconds = matches!(value[digits.len()..].trim(), "" | "s" | "sec");
                    self.is_spread = number >= if is_seconds { 60 } else { 1 };
                }
                _ => {}
            }
        }
    }

    /// The jobs it is: one for each time that stands in it. Where it spreads its starts by itself there is none.
    pub fn jobs(&self, service: &Service, unread: &mut Vec<Unread>) -> Vec<Job> {
        if self.is_spread || service.exec.is_empty() {
            return Vec::new();
        }
        let mut jobs = Vec::new();
        for said in &self.calendars {
            match calendar(&said.value) {
                Ok((schedule, zone)) => jobs.push(Job {
                    at: said.at.clone(),
                    user: service.user.clone().unwrap_or_else(|| "root".to_string()),
                    schedule: Some(schedule),
                    when: said.value.clone(),
                    command: service.exec.join("; "),
                    zone,
                    names_user: false,
                    timer: Some(self.name.clone()),
                }),
                Err(why) => unread.push(Unread { source: said.at.clone(), why }),
            }
        }
        jobs
    }
}

impl Service {
    /// Adds what a file says.
    pub fn read(&mut self, text: &str) {
        for (_, key, value) in settings(text, "Service") {
            match (key, value) {
                ("ExecStart", "") => self.exec.clear(),
                ("ExecStart", _) => {
                    self.exec.push(value.trim_start_matches(['@', '-', ':', '+', '!']).to_string());
                }
                ("User", _) => self.user = Some(value.to_string()).filter(|user| !user.is_empty()),
                _ => {}
            }
        }
    }
}

/// Short words, written out.
fn written_out(word: &str) -> Option<&'static str> {
    Some(match word {
        "minutely" => "*-*-* *:*:00",
        "hourly" => "*-*-* *:00:00",
        "daily" => "*-*-* 00:00:00",
        "weekly" => "Mon *-*-* 00:00:00",
        "monthly" => "*-*-01 00:00:00",
        "quarterly" => "*-01,04,07,10-01 00:00:00",
        "semiannually" | "semi-annually" => "*-01,07-01 00:00:00",
        "yearly" | "annually" => "*-01-01 00:00:00",
        _ => return None,
    })
}

/// The parts of an expression: weekdays, date, time and zone.
fn parts(text: &str) -> Result<[&str; 4], String> {
    let text = written_out(text.trim()).unwrap_or_else(|| text.trim());
    let (mut weekday, mut date, mut time, mut zone) = ("*", "*-*-*", "00:00:00", "");
    for word in text.split_whitespace() {
        let starts_as_zone = word == "UTC" || word.contains('/') && !word.contains([':', '*']);
        if word.contains(':') {
            time = word;
        } else if starts_as_zone && !word.starts_with(|c: char| c.is_ascii_digit()) {
            zone = word;
        } else if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            weekday = word;
        } else if word.contains('-') {
            date = word;
        } else {
            return Err(format!("OnCalendar: not understood: {word}"));
        }
    }
    Ok([weekday, date, time, zone])
}

/// One field as cron would write it.
fn as_cron(field: &str, most: u8) -> String {
    let one = |part: &str| {
        let part = part.replace("..", "-");
        match part.split_once('/') {
            Some((from, step)) if from != "*" && !from.contains('-') => {
                format!("{from}-{most}/{step}")
            }
            _ => part,
        }
    };
    field.split(',').map(one).collect::<Vec<_>>().join(",")
}

/// The minutes an expression stands for, and the zone it names. Seconds are left out.
///
/// # Errors
/// What of it is not understood; `~` and single years are not.
pub fn calendar(text: &str) -> Result<(Schedule, Option<String>), String> {
    let [weekday, date, time, zone] = parts(text)?;
    let mut time = time.split(':');
    let (hour, minute) = (time.next().unwrap_or("*"), time.next().unwrap_or("*"));
    let mut date = date.rsplitn(3, '-');
    let (day, month) = (date.next().unwrap_or("*"), date.next().unwrap_or("*"));
    if date.next().is_some_and(|year| year != "*") {
        return Err(format!("OnCalendar: of single years: {text}"));
    }
    // Names of weekdays may be whole words, and a comma may stand between ranges.
    let short = |name: &str| name.get(..3).unwrap_or(name).to_ascii_lowercase();
    let ranges = weekday.split(',').filter(|part| !part.is_empty());
    let weekdays: Vec<String> = ranges
        .map(|part| match part.split_once("..") {
            // A week that begins on Monday ends on Sunday, which cron counts as 0 and as 7.
            Some((from, to)) if short(to) == "sun" => format!("{}-sat,sun", short(from)),
            Some((from, to)) => format!("{}-{}", short(from), short(to)),
            None => short(part),
        })
        .collect();
    let weekdays = weekdays.join(",");
    let schedule = Schedule::parse([
        &as_cron(minute, 59),
        &as_cron(hour, 23),
        &as_cron(day, 31),
        &as_cron(month, 12),
        &weekdays,
    ])
    .map_err(|why| format!("OnCalendar: {why}"))?;
    // Here a day must be both, where cron takes either.
    Ok((schedule.with_both_days(), Some(zone.to_string()).filter(|zone| !zone.is_empty())))
}

/// An expression with another minute.
#[must_use]
pub fn with_minute(text: &str, schedule: &Schedule) -> String {
    let Ok([weekday, date, time, zone]) = parts(text) else { return text.to_string() };
    let field = schedule.minute_field();
    // As systemd writes steps and ranges.
    let field = match field.split_once('/') {
        Some(("*", step)) => format!("0/{step}"),
        Some((range, step)) => format!("{}/{step}", range.split('-').next().unwrap_or("0")),
        None => field,
    };
    let hour = time.split(':').next().unwrap_or("*");
    let second = time.split(':').nth(2).unwrap_or("00");
    let width = if field.len() == 1 && field != "*" { "0" } else { "" };
    let words = [weekday, date, &format!("{hour}:{width}{field}:{second}"), zone];
    let words = words.iter().filter(|word| !word.is_empty() && **word != "*");
    words.copied().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::parse::schedule::Day;

    fn starts(text: &str) -> Vec<u32> {
        calendar(text).unwrap().0.starts().collect()
    }

    #[test]
    fn expressions_of_the_manual_are_read() {
        assert_eq!(starts("daily"), [0]);
        assert_eq!(starts("*-*-* 03:30:00"), [210]);
        assert_eq!(starts("03:30"), [210]);
        assert_eq!(starts("*:0/15").len(), 96);
        assert_eq!(
            starts("*-*-* 8..18:05"),
            (8..=18).map(|hour| hour * 60 + 5).collect::<Vec<_>>()
        );
        assert_eq!(starts("minutely").len(), 1440);
        let (schedule, zone) = calendar("Mon..Fri *-*-* 02:00 Europe/Amsterdam").unwrap();
        assert_eq!(zone.as_deref(), Some("Europe/Amsterdam"));
        let day = |day, weekday| Day { month: 6, day, weekday };
        assert!(schedule.falls_on(day(1, 1)) && !schedule.falls_on(day(6, 6)));
        assert!(calendar("Sat..Sun 04:00").unwrap().0.falls_on(day(7, 0)));
        // The first of a month only when it is a Monday.
        let (schedule, _) = calendar("Monday *-*-01 00:00:00").unwrap();
        assert!(!schedule.falls_on(day(1, 2)) && !schedule.falls_on(day(8, 1)));
        assert!(schedule.falls_on(day(1, 1)));
        for wrong in ["2031-01-01 00:00", "*-*~1 00:00", "soon-ish 5", "25:00"] {
            assert!(calendar(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn another_minute_is_written_as_systemd_would() {
        let moved = |text: &str, minutes| {
            let (schedule, _) = calendar(text).unwrap();
            with_minute(text, &schedule.shifted(minutes).unwrap())
        };
        assert_eq!(moved("daily", 5), "*-*-* 00:05:00");
        assert_eq!(moved("Mon..Fri 03:00", 20), "Mon..Fri *-*-* 03:20:00");
        assert_eq!(moved("*:0/15", 4), "*-*-* *:4/15:00");
    }

    #[test]
    fn drop_ins_take_times_back_and_a_timer_that_spreads_itself_is_left_alone() {
        let mut timer = Timer { name: "shop.timer".into(), ..Timer::default() };
        timer.read("/t", "[Timer]\nOnCalendar=daily\n[Install]\nOnCalendar=x\n");
        timer.read("/d", "[Timer]\nOnCalendar=\nOnCalendar=hourly\nOnCalendar=never\n");
        let mut service = Service::default();
        service.read("[Service]\nUser=app\nExecStart=-/usr/bin/php cron.php\n");
        let mut unread = Vec::new();
        let jobs = timer.jobs(&service, &mut unread);
        assert_eq!((jobs.len(), unread.len()), (1, 1));
        assert_eq!((jobs[0].at.as_str(), jobs[0].user.as_str()), ("/d:3", "app"));
        assert_eq!(jobs[0].shell(), "/usr/bin/php cron.php");
        assert!(jobs[0].is_locked());
        timer.read("/d", "[Timer]\nRandomizedDelaySec=1h\n");
        assert_eq!(timer.jobs(&service, &mut unread), []);
        assert_eq!(timer.service(), "shop.service");
    }
}
