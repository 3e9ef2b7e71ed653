//! The same reports in every form a logger, a tool or a person hands them on in: each must read as the
//! report itself does.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

mod printed;
mod rows;
mod wrapped;

use headroom_core::oomlog::{Event, Evidence, Parser, Position, Stamp, Wall};

use crate::printed::{BEGAN_S, Printed, printed};
use crate::rows::{FORMS, WITHOUT_WALL};
use crate::wrapped::{broken, quoted_printable, worded};

fn read(log: &str) -> Vec<Event> {
    let mut parser = Parser::new();
    for (line, number) in log.lines().zip(1..) {
        parser.feed(line.as_bytes(), Position { source: 0, line: number });
    }
    parser.finish();
    let mut events: Vec<Event> = std::iter::from_fn(|| parser.next_event()).collect();
    events.sort_by_key(|event| event.first);
    events
}

/// The event without what depends on the form: where and when its lines stand.
fn essence(mut event: Event) -> Event {
    event.first = Position::default();
    event.last = Position::default();
    event.stamp = Stamp::default();
    event.host = None;
    event.evidence = Evidence::default();
    for victim in &mut event.victims {
        victim.at = Position::default();
    }
    event
}

const REPORTS: [&str; 5] = [
    "6.1-memcg2-dmesg.log",
    "6.1-global-dmesg.log",
    "6.1-memcg2-oomgroup-dmesg.log",
    "6.18-memcg1-dmesg.log",
    "manual-4.4-limited-slice.log",
];

#[test]
fn a_report_reads_the_same_in_every_form() {
    let mut wrong = Vec::new();
    for report in REPORTS {
        let lines = printed(report);
        let bare: Vec<String> = lines.iter().map(Printed::dmesg).collect();
        let expected: Vec<Event> = read(&bare.join("\n")).into_iter().map(essence).collect();
        assert_eq!(expected.len(), 1, "{report}");
        for (name, form) in FORMS {
            let log: Vec<String> = lines.iter().map(form).collect();
            let found: Vec<Event> = read(&log.join("\n")).into_iter().map(essence).collect();
            if found != expected {
                wrong.push(format!("{name}: {report}: {}", difference(&found, &expected)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn difference(found: &[Event], expected: &[Event]) -> String {
    let ([found], [expected]) = (found, expected) else {
        return format!("{} events", found.len());
    };
    let mut parts = Vec::new();
    let mut check = |name: &str, same: bool, what: String| {
        if !same {
            parts.push(format!("{name} {what}"));
        }
    };
    check("invoker", found.invoker == expected.invoker, format!("{:?}", found.invoker));
    check("kernel", found.kernel == expected.kernel, format!("{:?}", found.kernel));
    check("cgroup", found.cgroup == expected.cgroup, format!("{:?}", found.cgroup));
    check("memcg", found.memcg == expected.memcg, format!("{:?}", found.memcg));
    check("mem_info", found.mem_info == expected.mem_info, format!("{:?}", found.mem_info));
    check("tasks", found.tasks == expected.tasks, format!("{}", found.tasks.len()));
    check("victims", found.victims == expected.victims, format!("{:?}", found.victims));
    check("missing", found.missing == expected.missing, format!("{:?}", found.missing));
    check("page", found.page_kib == expected.page_kib, format!("{:?}", found.page_kib));
    if parts.is_empty() { "elsewhere".into() } else { parts.join("; ").chars().take(300).collect() }
}

type Damage = (&'static str, fn(&str) -> String);

#[test]
fn a_wrapped_report_is_put_together() {
    let forms: &[Damage] = &[
        ("a mail client", |line| worded(line, 72)),
        ("a mail client that quotes", |line| {
            worded(line, 70)
                .lines()
                .map(|l| format!("> {l}\n"))
                .collect::<String>()
                .trim_end()
                .into()
        }),
        ("a raw mail", quoted_printable),
    ];
    let terminals: &[Damage] = &[
        ("a terminal of 80", |line| broken(line, 80)),
        ("a terminal of 100", |line| broken(line, 100)),
        ("a terminal of 132", |line| broken(line, 132)),
    ];
    let mut wrong = Vec::new();
    for report in REPORTS {
        let lines = printed(report);
        let bare: Vec<String> = lines.iter().map(Printed::dmesg).collect();
        let expected: Vec<Event> = read(&bare.join("\n")).into_iter().map(essence).collect();
        for (name, form) in forms.iter().chain(terminals) {
            let log: Vec<String> = bare.iter().map(|line| form(line)).collect();
            let found: Vec<Event> = read(&log.join("\n")).into_iter().map(essence).collect();
            let bad = difference(&found, &expected);
            if bad != "elsewhere" {
                wrong.push(format!("{name}: {report}: {bad}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_time_of_every_form_is_kept() {
    let lines = printed("6.1-memcg2-dmesg.log");
    let second_of_day = 22 * 3600 + 20 * 60 + 23;
    let mut wrong = Vec::new();
    for (name, form) in FORMS {
        let log: Vec<String> = lines.iter().map(form).collect();
        let events = read(&log.join("\n"));
        let stamp = events.first().map(|event| event.stamp).unwrap_or_default();
        let right = match stamp.wall {
            Some(Wall::Unix(us)) => us / 1_000_000 == i64::try_from(BEGAN_S).expect("a time"),
            Some(Wall::Civil { year, month, day, time_us, .. }) => {
                (month, day, time_us / 1_000_000) == (11, 23, second_of_day)
                    && year.is_none_or(|year| year == 2026)
            }
            Some(Wall::TimeOfDay(us)) => us / 1_000_000 == second_of_day,
            None => WITHOUT_WALL.contains(name),
        };
        if !right && !WITHOUT_WALL[48..].contains(name) {
            wrong.push(format!("{name}: {stamp:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_minute_and_what_follows_it_are_a_time() {
    let log = "[Nov23 22:20] usb 1-1: new device\n\
        [  +2.500000] php invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n\
        [  +0.250000] Out of memory: Killed process 5 (a) total-vm:8kB, anon-rss:4kB\n";
    let events = read(log);
    let time_us = (22 * 3600 + 20 * 60) * 1_000_000 + 2_500_000;
    let expected = Wall::Civil { year: None, month: 11, day: 23, time_us, offset_s: None };
    assert_eq!(events.first().map(|event| event.stamp.wall), Some(Some(expected)));
}

/// What a logger makes of a tag and a text.
type Tagged = fn(&str, &str) -> String;

#[test]
fn the_daemons_kills_are_found_in_every_logs_form() {
    let kills = [
        ("earlyoom", "sending SIGTERM to process 4711 uid 33 \"php\": badness 872, VmRSS 410 MiB"),
        ("systemd-oomd", "Killed /system.slice/x.service due to memory pressure for /system.slice"),
        ("systemd-oomd", "Marked /system.slice/x.service for killing due to memory used (5)"),
        ("headroom-guard", "headroom-guard: slay php (452) with SIGTERM: over the floor"),
    ];
    let forms: [(&str, Tagged); 9] = [
        ("rsyslog", |tag, text| format!("Nov 23 22:20:23 web1 {tag}[7]: {text}")),
        ("ISO", |tag, text| format!("2026-11-23T22:20:23.043143+00:00 web1 {tag}[7]: {text}")),
        ("RFC 5424", |tag, text| format!("<30>1 2026-11-23T22:20:23Z web1 {tag} 7 - - {text}")),
        ("short-monotonic", |tag, text| format!("[   23.157011] web1 {tag}[7]: {text}")),
        ("short-full", |tag, text| format!("Mon 2026-11-23 22:20:23 UTC web1 {tag}[7]: {text}")),
        ("with-unit", |tag, text| {
            format!("Mon 2026-11-23 22:20:23 UTC web1 {tag}.service[7]: {text}")
        }),
        ("without a host", |tag, text| format!("Nov 23 22:20:23 {tag}[7]: {text}")),
        ("grep", |tag, text| format!("syslog.1:12:Nov 23 22:20:23 web1 {tag}[7]: {text}")),
        ("json", |tag, text| {
            let text = text.replace('"', "\\\"");
            format!("{{\"MESSAGE\":\"{text}\",\"SYSLOG_IDENTIFIER\":\"{tag}\"}}")
        }),
    ];
    for (tag, text) in kills {
        for (name, form) in &forms {
            let events = read(&form(tag, text));
            assert_eq!(events.len(), 1, "{name}: {text}");
            assert_ne!(events[0].killer, headroom_core::oomlog::Killer::Kernel, "{name}: {text}");
        }
    }
}
