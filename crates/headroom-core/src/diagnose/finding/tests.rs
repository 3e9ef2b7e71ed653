//! Findings by what they need to be told, and the order that no single one's file decides. Whole
//! incidents with a known culprit are in `crates/headroom-cli/tests/labelled`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::diagnose::Near;
use crate::oomlog::{Ending, Killer, MemInfo, Memcg, Usage, Victim, Zone};
use crate::otherlog::{Entry, Peak, What};

/// A node of 1000 MiB without swap, a process a row: name, MiB, oom_score_adj.
fn node(tasks: &[(&str, u64, i32)]) -> Event {
    let counters = [("active_anon", 0), ("active_file", 1000), ("free", 5000)];
    let info = MemInfo {
        counters: counters.iter().map(|(name, pages)| ((*name).into(), *pages)).collect(),
        ram_pages: Some(256_000),
        swap_total: Some(Kib::ZERO),
        ..MemInfo::default()
    };
    let task = |(pid, (comm, mib, adj)): (u32, &(&str, u64, i32))| Task {
        pid,
        tgid: Some(pid),
        uid: Some(1000),
        rss: Some(mib * 256),
        swap: Some(0),
        oom_score_adj: Some(*adj),
        comm: (*comm).to_string(),
        ..Task::default()
    };
    Event {
        kernel: Some("6.1.0".to_string()),
        constraint: Some(Constraint::None),
        order: Some(0),
        mem_info: Some(info),
        tasks: (100..).zip(tasks).map(task).collect(),
        ending: Some(Ending::Killed),
        complete: true,
        ..Event::default()
    }
}

fn killed(mut event: Event, pid: u32) -> Event {
    let task = event.tasks.iter().find(|task| task.pid == pid).unwrap();
    let victim = Victim {
        pid: Some(pid),
        comm: task.comm.clone(),
        anon_rss: task.rss.map(|pages| event.pages(pages)),
        oom_score_adj: task.oom_score_adj,
        ..Victim::default()
    };
    event.victims.push(victim);
    event
}

fn of(event: &Event) -> Vec<Finding> {
    of_all(&[event], &[event], &Context::default())
}

fn of_all(events: &[&Event], history: &[&Event], context: &Context<'_>) -> Vec<Finding> {
    let kind = IncidentKind::Incidental;
    findings(&Case { events, kind, history, context, repeats: None })
}

fn kinds(list: &[Finding]) -> Vec<Kind> {
    list.iter().map(|finding| finding.kind).collect()
}

fn entry(what: What, lasted_us: u64) -> Entry {
    Entry {
        at: Position { source: 1, line: 7 },
        stamp: crate::oomlog::Stamp::default(),
        lasted_us: Some(lasted_us),
        what,
        text: String::new(),
    }
}

fn near(entry: &Entry, distance_us: i64) -> Near<'_> {
    Near { entry, at_us: 0, distance_us, running: None, times: 1 }
}

#[test]
fn a_steady_database_is_not_to_blame_for_what_came_on_top() {
    let jobs = node(&[
        ("mariadbd", 600, 0),
        ("php", 60, 0),
        ("php", 60, 0),
        ("php", 60, 0),
        ("cron", 1, 0),
        ("cron", 1, 0),
        ("cron", 1, 0),
        ("cron", 1, 0),
    ]);
    let found = of(&killed(jobs, 100));
    assert_eq!(found[0].kind, Kind::StackedJobs);
    let blamed = found.iter().find(|f| f.kind == Kind::DatabaseTooLarge);
    assert!(blamed.is_none_or(|finding| finding.confidence == Confidence::Low));
    assert!(kinds(&found).contains(&Kind::DatabaseUnprotected));
}

#[test]
fn a_protected_database_that_died_last_is_not_called_unprotected() {
    let event = node(&[("mariadbd", 300, -999), ("php", 600, -1000)]);
    let found = of(&killed(event, 100));
    assert_eq!(found[0].kind, Kind::UnkillableShare);
    assert_eq!(found[0].group.as_deref(), Some("php"));
    assert!(!kinds(&found).contains(&Kind::DatabaseUnprotected));
}

#[test]
fn whoever_invoked_the_killer_is_not_thereby_a_suspect() {
    let mut event = node(&[("nginx", 5, 0), ("php", 700, 0), ("mariadbd", 200, 0)]);
    event.invoker =
        Some(crate::oomlog::Invoker { comm: "nginx".to_string(), ..Default::default() });
    let found = of(&killed(event, 101));
    assert_eq!(found[0].group.as_deref(), Some("php"));
    assert!(found.iter().all(|finding| finding.group.as_deref() != Some("nginx")));
}

#[test]
fn a_pool_that_does_not_fit_is_told_the_number_that_would() {
    let mut tasks = [("php-fpm8.2", 20, 0); 40].to_vec();
    tasks.push(("mariadbd", 150, 0));
    let found = of(&node(&tasks));
    assert_eq!(found[0].kind, Kind::ManyWorkers);
    assert!(found[0].advice[0].starts_with("lower pm.max_children to "), "{:?}", found[0].advice);
    let fit: u64 = found[0].advice[0].rsplit(' ').next().unwrap().parse().unwrap();
    assert!((25..40).contains(&fit));
    assert_eq!(found[0].saves, Some(Kib::from_mib(20 * (40 - fit))));
}

#[test]
fn what_is_swapped_out_was_taken_as_well() {
    let mut event = node(&[("python3", 100, 0), ("php", 150, 0), ("mariadbd", 300, 0)]);
    event.tasks[0].swap = Some(600 * 256);
    let found = of(&event);
    assert_eq!((found[0].kind, found[0].group.as_deref()), (Kind::RunawayProcess, Some("python")));
    assert!(found[0].title.contains("600 MiB in swap"), "{}", found[0].title);
}

#[test]
fn a_setting_or_a_panic_is_said_beside_the_culprit() {
    let mut event = node(&[("php", 800, 0), ("nginx", 5, 0)]);
    event.allocating_task = true;
    let found = kinds(&of(&killed(event, 101)));
    assert_eq!(found[0], Kind::RunawayProcess);
    assert!(found.contains(&Kind::AllocatingTask));
    let mut panic = node(&[("php", 800, 0)]);
    (panic.ending, panic.panicked) = (Some(Ending::PanicOnOom), true);
    assert!(kinds(&of(&panic)).contains(&Kind::PanicOnOom));
}

#[test]
fn swap_is_missing_full_or_was_thrashed_without() {
    let mut event = node(&[("php", 800, 0)]);
    assert!(kinds(&of(&event)).contains(&Kind::Thrashing), "4 MiB of page cache are nothing");
    let info = event.mem_info.as_mut().unwrap();
    info.counters.insert("active_file".to_string(), 30_000);
    assert!(kinds(&of(&event)).contains(&Kind::NoSwap));
    let info = event.mem_info.as_mut().unwrap();
    (info.swap_total, info.swap_free) = (Some(Kib::from_mib(512)), Some(Kib(100)));
    assert!(kinds(&of(&event)).contains(&Kind::SwapFull));
}

#[test]
fn page_tables_of_a_crowd_are_a_suspect_of_their_own() {
    let mut event = node(&[("postgres", 20, 0); 20]);
    event.mem_info.as_mut().unwrap().counters.insert("pagetables".to_string(), 90_000);
    assert_eq!(of(&event)[0].kind, Kind::PageTables);
}

#[test]
fn a_zone_that_is_full_beside_one_with_room_is_told() {
    let zone = |name: &str, free, min| Zone {
        name: name.to_string(),
        free: Some(Kib::from_mib(free)),
        min: Some(Kib::from_mib(min)),
        ..Zone::default()
    };
    let mut event = node(&[("php", 300, 0)]);
    event.mem_info.as_mut().unwrap().zones = [zone("Normal", 1, 4), zone("HighMem", 400, 1)].into();
    assert_eq!(of(&event)[0].kind, Kind::ZoneFull);
    event.order = Some(2);
    assert_eq!(of(&event)[0].kind, Kind::HighOrder);
}

#[test]
fn a_victim_that_held_little_is_called_the_wrong_one() {
    let event = node(&[("php", 700, -1000), ("sshd", 5, 0)]);
    assert!(kinds(&of(&killed(event, 101))).contains(&Kind::WrongVictim));
    let right = node(&[("php", 700, 0), ("sshd", 5, 0)]);
    assert!(!kinds(&of(&killed(right, 100))).contains(&Kind::WrongVictim));
}

#[test]
fn one_that_dies_again_and_again_is_told_so() {
    let events: Vec<Event> =
        (0..4).map(|_| killed(node(&[("node", 300, 0), ("php", 280, 0)]), 100)).collect();
    let history: Vec<&Event> = events.iter().collect();
    let found = of_all(&history[3..], &history, &Context::default());
    let again = found.iter().find(|finding| finding.kind == Kind::RepeatVictim).unwrap();
    assert_eq!(again.group.as_deref(), Some("node"));
    assert!(!kinds(&of(history[0])).contains(&Kind::RepeatVictim));
}

#[test]
fn a_leak_needs_the_same_process_to_grow_three_times() {
    let seen = |hour: u64, mib: u64| {
        let mut event = node(&[("searchd", mib, 0), ("php", 300, 0)]);
        event.stamp.uptime_us = Some(hour * 3_600_000_000);
        event
    };
    let events = [seen(1, 200), seen(5, 350), seen(9, 500)];
    let history: Vec<&Event> = events.iter().collect();
    let found = of_all(&history[2..], &history, &Context::default());
    assert_eq!((found[0].kind, found[0].group.as_deref()), (Kind::Leak, Some("searchd")));
    assert!(!kinds(&of_all(&history[1..2], &history, &Context::default())).contains(&Kind::Leak));
    // The same within seconds is one process running away.
    let storm = [seen(1, 200), seen(1, 350), seen(1, 500)];
    let history: Vec<&Event> = storm.iter().collect();
    assert_eq!(of_all(&history, &history, &Context::default())[0].kind, Kind::RunawayProcess);
}

#[test]
fn a_limit_nobody_in_particular_fills_is_too_small() {
    let tasks: Vec<(&str, u64, i32)> =
        [("node", 60, 0), ("searchd", 55, 0), ("celery", 50, 0), ("nginx", 10, 0)].into();
    let mut event = node(&tasks);
    event.constraint = Some(Constraint::Memcg);
    event.cgroup = Some("/system.slice/shop.service".to_string());
    let limit = Some(Kib::from_mib(180));
    event.memcg = Memcg {
        memory: Some(Usage { usage: Kib::from_mib(180), limit, failcnt: Some(5000) }),
        ..Memcg::default()
    };
    event.mem_info = None;
    let found = of(&event);
    assert_eq!(found[0].kind, Kind::LimitTooSmall);
    assert_eq!(found[0].group.as_deref(), Some("shop.service"));
    assert!(found[0].advice[1].contains("MemoryMax=240M"), "{:?}", found[0].advice);
}

#[test]
fn another_guards_kill_is_named_with_its_victim() {
    let event = Event {
        killer: Killer::SystemdOomd,
        victims: [Victim { comm: "/system.slice/job.service".into(), ..Victim::default() }].into(),
        ..Event::default()
    };
    let found = of(&event);
    assert_eq!(found[0].kind, Kind::DaemonKill);
    assert!(found[0].title.contains("job.service"));
}

#[test]
fn a_log_without_a_table_says_that_it_does_not_suffice() {
    let found = of(&Event { missing: [crate::oomlog::Part::Tasks].into(), ..Event::default() });
    assert_eq!(kinds(&found), [Kind::NotEnough]);
    assert!(found[0].advice.iter().any(|line| line.contains("the task table")));
}

#[test]
fn what_only_lies_near_is_never_surer_than_likely() {
    let peak = Peak {
        requests: 600,
        minutes: 5,
        usual_a_minute: Some(12),
        failed: 0,
        bots: 500,
        bot: Some("GPTBot".to_string()),
        paths: [("/search".to_string(), 400)].into(),
        by_minute: Vec::new(),
    };
    let query = What::Query {
        examined: Some(2_000_000),
        disk_tables: false,
        statement: "SELECT 1".to_string(),
    };
    let exhausted = What::WorkersExhausted {
        pool: "www".to_string(),
        setting: "pm.max_children".to_string(),
        limit: Some(40),
    };
    let package = What::Package { action: "upgrade php".to_string() };
    let unit = What::UnitKilled { unit: "php8.2-fpm.service".to_string(), ended: true };
    let entries: Vec<Entry> = [What::Requests(peak), query, exhausted, package, unit]
        .into_iter()
        .map(|what| entry(what, 42_000_000))
        .collect();
    let context = Context { near: entries.iter().map(|entry| near(entry, 0)).collect() };
    let event = killed(node(&[("php", 700, 0), ("mariadbd", 200, -1000)]), 100);
    let found = of_all(&[&event], &[&event], &context);
    assert_eq!(found[0].kind, Kind::RunawayProcess, "the report comes before its surroundings");
    for kind in [Kind::TrafficPeak, Kind::SlowQuery, Kind::WorkersExhausted, Kind::RecentChange] {
        let finding = found.iter().find(|finding| finding.kind == kind).unwrap();
        assert!(finding.confidence > Confidence::High, "{kind:?}");
        assert_eq!(finding.evidence, [Position { source: 1, line: 7 }]);
    }
    // That a unit ended with it is systemd's own word.
    let unit = found.iter().find(|finding| finding.kind == Kind::UnitStopped).unwrap();
    assert_eq!(unit.confidence, Confidence::High);
}

#[test]
fn a_job_that_overlaps_itself_is_told_how_not_to() {
    let cron = |line| {
        let what = What::CronStarted {
            user: "app".to_string(),
            pid: Some(100),
            command: "php import.php".to_string(),
        };
        Entry { at: Position { source: 1, line }, ..entry(what, 0) }
    };
    let entries: Vec<Entry> = (1..=3).map(cron).collect();
    let running = crate::diagnose::Running { pid: 100, rss: Kib::from_mib(200), waits: false };
    let context = Context {
        near: entries.iter().map(|e| Near { running: Some(running), ..near(e, -1) }).collect(),
    };
    let event = node(&[("php", 200, 0), ("php", 200, 0), ("php", 200, 0), ("mariadbd", 300, 0)]);
    let found = of_all(&[&event], &[&event], &context);
    assert_eq!((found[0].kind, found[0].confidence), (Kind::StackedJobs, Confidence::High));
    assert!(found[0].advice.iter().any(|line| line.contains("flock -n")));
    assert_eq!(found[0].evidence.len(), 3);
}

#[test]
fn the_same_hour_on_other_days_is_told() {
    let repeats = Repeats {
        days: 5,
        time_of_day_s: 3 * 3600 + 12 * 60,
        others: [Position { source: 0, line: 9 }].into(),
    };
    let event = node(&[("php", 700, 0)]);
    let case = Case {
        events: &[&event],
        kind: IncidentKind::Incidental,
        history: &[&event],
        context: &Context::default(),
        repeats: Some(&repeats),
    };
    let found = findings(&case);
    let daily = found.iter().find(|finding| finding.kind == Kind::RepeatsDaily).unwrap();
    assert_eq!(daily.title, "It happened on 5 days at about 03:12");
}

#[test]
fn every_finding_has_advice_and_no_kind_is_told_twice() {
    for event in [
        node(&[("php", 700, 0)]),
        node(&[("mariadbd", 900, 0)]),
        node(&[("convert", 50, 0); 16]),
        node(&[("bash", 2, 0); 300]),
        node(&[("a", 90, 0), ("b", 90, 0), ("c", 90, 0), ("d", 90, 0), ("e", 90, 0), ("f", 90, 0)]),
        Event::default(),
    ] {
        let found = of(&event);
        assert!(!found.is_empty());
        for finding in &found {
            assert!(!finding.advice.is_empty() && !finding.title.is_empty(), "{finding:?}");
        }
        let mut kinds = kinds(&found);
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), found.len());
    }
}
