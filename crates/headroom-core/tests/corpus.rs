//! Reads every report of the corpus and compares it with its rows in INDEX.tsv and EVENTS.tsv.
//!
//! The corpus lies beside the checkout (`../shared/corpus`, or where HEADROOM_CORPUS points); where
//! it is absent the part of it that is in `tests/data` stands in. One line a file goes to stdout:
//! `cargo test -p headroom-core --test corpus -- --nocapture`.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]
#![expect(clippy::print_stdout, reason = "a line a file is what `--nocapture` is asked for")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use headroom_core::oomlog::{Ending, Event, Killer, Parser, Position};

#[test]
fn every_report_of_the_corpus_reads_as_its_row_says() {
    let corpus = corpus();
    println!("corpus: {}", if corpus.is_some() { "found" } else { "absent, reading the fixtures" });
    let folder = corpus.unwrap_or_else(fixtures);
    assert_eq!(compare(&folder), Vec::<String>::new());
}

#[test]
fn every_fixture_in_the_tree_reads_as_its_row_says() {
    assert_eq!(compare(&fixtures()), Vec::<String>::new());
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("HEADROOM_CORPUS").map_or_else(beside, PathBuf::from);
    folder.join("INDEX.tsv").exists().then_some(folder)
}

/// Compares every file with its rows and gives back what differs.
fn compare(folder: &Path) -> Vec<String> {
    let index = fs::read_to_string(folder.join("INDEX.tsv")).expect("an index");
    let rows = fs::read_to_string(folder.join("EVENTS.tsv")).expect("events");
    let rows: Vec<Vec<&str>> =
        rows.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let (mut wrong, mut files, mut right) = (Vec::new(), 0, 0);
    for line in index.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, _, kernel, _, _, invocations, _, events, ..] = fields[..] else {
            panic!("a bad row: {line}")
        };
        let log = fs::read(folder.join(file)).expect("a file of the index");
        let found = read(&log);
        let mut problems = Vec::new();
        let heads = found.iter().filter(|event| event.evidence.head.is_some()).count();
        if heads.to_string() != invocations {
            problems.push(format!("{heads} heads, not {invocations}"));
        }
        compare_index(kernel, events, &found, &log, &mut problems);
        let own: Vec<_> = rows.iter().filter(|row| row[0] == file).collect();
        for (row, event) in own.iter().zip(&found) {
            compare_row(row, event, &mut problems);
        }
        files += 1;
        right += usize::from(problems.is_empty());
        println!(
            "{} {file} {}",
            if problems.is_empty() { "ok   " } else { "WRONG" },
            problems.join("; ")
        );
        wrong.extend(problems.into_iter().map(|problem| format!("{file}: {problem}")));
    }
    println!("{right} of {files} files as their rows say");
    assert!(files > 0, "an empty index");
    wrong
}

fn read(log: &[u8]) -> Vec<Event> {
    let mut parser = Parser::new();
    for (line, number) in log.split_inclusive(|b| *b == b'\n').zip(1..) {
        parser.feed(line, Position { source: 0, line: number });
    }
    parser.finish();
    let mut events: Vec<Event> = std::iter::from_fn(|| parser.next_event()).collect();
    events.sort_by_key(|event| event.first);
    events
}

/// `#1 report invoker=sed kill=6576(mysqld) anon-rss=20629004 memcg=- complete=yes ; #2 …`
fn compare_index(
    kernel: &str,
    events: &str,
    found: &[Event],
    log: &[u8],
    problems: &mut Vec<String>,
) {
    let expected: Vec<&str> = events.split(" ; #").filter(|event| *event != "-").collect();
    if expected.len() != found.len() {
        problems.push(format!("{} events, not {}", found.len(), expected.len()));
        return;
    }
    let release = kernel.split_whitespace().next().unwrap_or("-");
    for (text, event) in expected.iter().zip(found) {
        let part = |from: &str, to: &str| {
            text.split_once(from)
                .and_then(|(_, rest)| rest.split_once(to))
                .map_or("", |(part, _)| part)
        };
        let invoker = part("invoker=", " kill=");
        let ours = event.invoker.as_ref().map_or("-", |i| i.comm.as_str());
        if invoker != ours && !text.contains(" by=") {
            problems.push(format!("invoker {ours:?}, not {invoker:?}"));
        }
        compare_cgroup(part(" memcg=", " complete="), event, log, problems);
        let complete = text.split_once("complete=").map_or("", |(_, rest)| rest);
        if complete != "n/a" && event.complete != complete.starts_with("yes") {
            problems
                .push(format!("complete {} ({:?}), not {complete}", event.complete, event.missing));
        }
        if let Some(ours) = &event.kernel {
            // A row may leave out what a builder appended to the release.
            if !ours.starts_with(release) {
                problems.push(format!("kernel {ours}, not {release}"));
            }
        }
        let kill = part(" kill=", " memcg=");
        let victims: Vec<&str> = kill
            .split_once(" anon-rss=")
            .map_or(vec![], |(victims, _)| victims.split(',').collect());
        let first = event
            .victims
            .first()
            .map(|v| format!("{}({})", v.pid.map_or("-".into(), |p| p.to_string()), v.comm));
        match victims.first() {
            Some(victim) if first.as_deref() != Some(victim) => {
                problems.push(format!("victim {first:?}, not {victim}"))
            }
            None if first.is_some() => problems.push(format!("a victim {first:?} of {kill}")),
            _ => {}
        }
        if victims.len() > 1 && victims.len() != event.victims.len() {
            problems.push(format!("{} victims, not {}", event.victims.len(), victims.len()));
        }
        let panics = kill.contains("panic");
        if event.panicked != panics && !text.contains("panic line cut") {
            problems.push(format!("panicked {}", event.panicked));
        }
    }
}

/// The cgroup must be the row's. Where a mail client had cut the path in two the row has its first
/// piece only, and where the row has none the log may name it in its statistics.
fn compare_cgroup(expected: &str, event: &Event, log: &[u8], problems: &mut Vec<String>) {
    let ours = event.cgroup.as_deref().unwrap_or("-");
    let log = String::from_utf8_lossy(log);
    let named = log.contains(&format!("Memory cgroup stats for {ours}:"));
    let wrapped = ours.starts_with(expected) && log.lines().any(|line| line.ends_with(expected));
    if ours != expected && !(named && (expected == "-" || wrapped)) {
        problems.push(format!("cgroup {ours}, not {expected}"));
    }
}

/// `file event kind invoking_comm killed_pid killed_comm killed_anon_rss_kB memcg constraint end complete`
fn compare_row(row: &[&str], event: &Event, problems: &mut Vec<String>) {
    let [_, number, kind, _, pids, comms, sizes, _, constraint, end, ..] = row[..] else {
        panic!("a bad row: {row:?}")
    };
    let ours = match (event.killer, &event.evidence.head) {
        (Killer::Kernel, Some(_)) => "report",
        (Killer::Kernel, None) => "headless",
        _ => "userspace",
    };
    if ours != kind {
        problems.push(format!("#{number} is {ours}, not {kind}"));
    }
    let split = |text: &'_ str| -> Vec<String> {
        text.split('|').filter(|_| text != "-" || kind == "userspace").map(String::from).collect()
    };
    let show = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let expected: BTreeSet<Vec<String>> = split(pids)
        .into_iter()
        .zip(split(comms))
        .zip(split(sizes).into_iter().chain(std::iter::repeat("-".into())))
        .map(|((pid, comm), size)| vec![pid, comm, size])
        .collect();
    let found: BTreeSet<Vec<String>> = event
        .victims
        .iter()
        .map(|victim| {
            let size = victim.anon_rss.map(|size| size.0.to_string());
            vec![show(victim.pid.map(|pid| pid.to_string())), victim.comm.clone(), show(size)]
        })
        .collect();
    if expected != found {
        problems.push(format!("#{number} victims {found:?}, not {expected:?}"));
    }
    if found.len() != event.victims.len() {
        problems.push(format!("#{number} has a victim twice"));
    }
    if constraint.starts_with("CONSTRAINT_") && event.constraint_name.as_deref() != Some(constraint)
    {
        problems
            .push(format!("#{number} constraint {:?}, not {constraint}", event.constraint_name));
    }
    let ending = match event.ending {
        Some(Ending::Killed) => "kill",
        Some(Ending::NoKillable) if event.panicked => "no killable, panic",
        Some(Ending::NoKillable) => "no killable",
        Some(Ending::PanicOnOom) => "panic_on_oom",
        None => "-",
    };
    if ending != end {
        problems.push(format!("#{number} ends in {ending}, not {end}"));
    }
}
