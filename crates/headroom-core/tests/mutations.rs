//! Damages real reports in every way a log is damaged, and reads them all the same: no panic, nothing
//! that grows without bound, no answer about lines that are not there.
//!
//! The damage is drawn from a fixed seed, so that a failure comes again; `HEADROOM_MUTATIONS` sets how
//! many variants of each report are read. The fuzz target (`fuzz/`) runs the same function on libFuzzer's
//! inputs.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use std::fs;
use std::path::Path;

use headroom_core::oomlog::{Parser, Position};

#[path = "fuzz/oomlog.rs"]
mod oomlog;
#[path = "fuzz/random.rs"]
mod random;

use oomlog::explain;
use random::Random;

#[test]
fn a_damaged_report_is_read_as_far_as_it_goes() {
    let reports = reports();
    let variants =
        std::env::var("HEADROOM_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let mut random = Random(0x5eed);
    for report in &reports {
        for _ in 0..variants {
            let mut log = report.clone();
            for _ in 0..=random.below(4) {
                damage(&mut log, &reports, &mut random);
            }
            explain(&log);
        }
    }
}

#[test]
fn every_prefix_of_a_line_is_harmless() {
    for report in reports() {
        let mut parser = Parser::new();
        for line in report.split(|b| *b == b'\n').filter(|line| line.len() < 400) {
            for end in 0..line.len() {
                parser.feed(&line[..end], Position { source: 0, line: 1 });
            }
            while parser.next_event().is_some() {}
        }
    }
}

fn reports() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("the fixtures").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    let logs = paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "log"));
    logs.map(|path| fs::read(path).expect("a fixture")).collect()
}

/// One of the ways a log is damaged.
fn damage(log: &mut Vec<u8>, reports: &[Vec<u8>], random: &mut Random) {
    let newlines: Vec<usize> =
        log.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1).collect();
    let line = |random: &mut Random| {
        newlines.get(random.below(newlines.len().max(1))).copied().unwrap_or(0)
    };
    let at = random.below(log.len().max(1)).min(log.len());
    match random.below(11) {
        // Cut off at either end.
        0 => log.truncate(at),
        1 => drop(log.drain(..at)),
        // Bytes that are none of the text's.
        2 => {
            for _ in 0..8 {
                let (at, byte) = (random.below(log.len().max(1)), random.byte());
                if let Some(slot) = log.get_mut(at) {
                    *slot = byte;
                }
            }
        }
        // Lines lost, pasted twice, or out of order.
        3 | 4 => {
            let (a, b) = (line(random), line(random));
            let part = log[a.min(b)..a.max(b)].to_vec();
            let to = line(random);
            drop(log.splice(to..to, part));
        }
        5 => {
            let (a, b) = (line(random), line(random));
            drop(log.drain(a.min(b)..a.max(b).min(a.min(b) + 2000)));
        }
        // Another report's lines between.
        6 => {
            let other = &reports[random.below(reports.len())];
            let mixed: Vec<&[u8]> = log
                .split_inclusive(|b| *b == b'\n')
                .zip(other.split_inclusive(|b| *b == b'\n'))
                .flat_map(|(a, b)| [a, b])
                .collect();
            *log = mixed.concat();
        }
        // Wrapped by a mail client or a narrow terminal.
        7 => {
            let width = 20 + random.below(90);
            *log = log
                .split(|b| *b == b'\n')
                .flat_map(|line| line.chunks(width))
                .collect::<Vec<_>>()
                .join(&b'\n');
        }
        // Numbers no kernel prints.
        8 => {
            let number: &[u8] =
                [&b"99999999999999999999"[..], b"-1", b"18446744073709551615", b"0"]
                    [random.below(4)];
            if let Some(digit) = log[at..].iter().position(u8::is_ascii_digit) {
                drop(log.splice(at + digit..=at + digit, number.iter().copied()));
            }
        }
        // One line without an end.
        9 => log.retain(|b| *b != b'\n'),
        // Characters of several bytes.
        _ => drop(log.splice(at..at, "\u{a0}ü\u{202e}八".bytes())),
    }
}
