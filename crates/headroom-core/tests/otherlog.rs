//! Damages other programs' logs and reads them as every format there is: no panic, nothing that grows
//! without bound. The damage is drawn from a fixed seed; `HEADROOM_MUTATIONS` sets how much of it.

#![expect(clippy::tests_outside_test_module, reason = "an integration test is one as a whole")]

use std::fs;
use std::path::{Path, PathBuf};

use headroom_core::oomlog::Position;
use headroom_core::otherlog::{Collector, Entry, Format, Reader, request};

const FORMATS: [Format; 8] = [
    Format::MysqlSlow,
    Format::Php,
    Format::Monolog,
    Format::WebErrors,
    Format::Access,
    Format::Packages,
    Format::Deploys,
    Format::Syslog,
];

fn logs() -> Vec<Vec<u8>> {
    let labelled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../headroom-cli/tests/labelled");
    let files =
        |folder: PathBuf| fs::read_dir(folder).expect("a folder").map(|e| e.expect("one").path());
    let folders = ["crons-with-other-logs", "crawler-rush"].map(|name| labelled.join(name));
    let mut paths: Vec<PathBuf> = folders.into_iter().flat_map(files).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a log")).collect()
}

fn entries(format: Format, log: &[u8]) -> Vec<Entry> {
    let (mut reader, mut out) = (Reader::new(format), Vec::new());
    for (line, number) in log.split(|b| *b == b'\n').zip(1..) {
        reader.feed(line, Position { source: 0, line: number }, &mut out);
        if let Ok(line) = std::str::from_utf8(line) {
            let _: Option<_> = request(line);
        }
    }
    reader.finish(&mut out);
    out
}

#[test]
fn each_log_is_known_by_its_lines_and_read_as_what_it_is() {
    let found: Vec<(Option<Format>, bool)> = logs()
        .iter()
        .map(|log| {
            let format = Format::of(log.split(|b| *b == b'\n'));
            let read = format.is_some_and(|format| !entries(format, log).is_empty());
            (format, read || format == Some(Format::Access))
        })
        .collect();
    // In the order of the names: access.log, kern.log, php-slow.log, php8.2-fpm.log; dpkg.log,
    // exception.log, kern.log, mysql-slow.log, syslog.
    let expected = [
        Some(Format::Access),
        None,
        Some(Format::Php),
        Some(Format::Php),
        Some(Format::Packages),
        Some(Format::Monolog),
        None,
        Some(Format::MysqlSlow),
        Some(Format::Syslog),
    ];
    assert_eq!(found, expected.map(|format| (format, format.is_some())));
}

#[test]
fn a_damaged_log_is_read_as_far_as_it_goes() {
    let variants =
        std::env::var("HEADROOM_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let mut state = 0x5eed_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).expect("a length")).expect("below it")
    };
    for log in logs() {
        // The head of a log says all there is to its format.
        let log = &log[..log.len().min(8 * 1024)];
        for _ in 0..variants {
            let mut damaged = log.to_vec();
            for _ in 0..=random(6) {
                let at = random(damaged.len());
                match random(5) {
                    0 => damaged.truncate(at),
                    1 => drop(damaged.drain(..at)),
                    2 => drop(damaged.splice(at..at, *b"99999999999999999999")),
                    3 => drop(damaged.splice(at..at, "ü\u{202e}八\n[".bytes())),
                    _ => {
                        if let Some(byte) = damaged.get_mut(at) {
                            *byte = u8::try_from(random(256)).expect("a byte");
                        }
                    }
                }
            }
            for format in FORMATS {
                let found = entries(format, &damaged);
                assert!(found.len() <= damaged.len() / 8 + 1, "more entries than lines could hold");
                let mut collector = Collector::new(&[(0, 0)]);
                for entry in &found {
                    assert!(entry.text.len() < 4096);
                    collector.note(entry, i64::MIN);
                    collector.note(entry, i64::MAX);
                    collector.note(entry, 0);
                }
                assert!(collector.finish().len() <= 3 * found.len());
            }
        }
    }
}
