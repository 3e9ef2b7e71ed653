//! The kernel's OOM reports, from its log: what tells why memory ran out, and the only word about kills
//! that happen where no guard acts.

use std::fs;
use std::path::Path;

use headroom_api::paths;
use headroom_core::oomlog::{Event, Parser, Position};
use headroom_sys::kmsg::{KernelLog, Record};

/// A report is over when nothing of it came for so long: its lines are written in one go.
const SILENCE_MS: i64 = 2_000;

/// Records that are read at a time, so that a flood does not keep others waiting.
const AT_ONCE: usize = 20_000;

/// One report with its place in the log.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) event: Event,
    /// When, in milliseconds since 1970.
    pub(super) unix_ms: i64,
    /// The number of its last record, by which it is known again.
    pub(super) sequence: i64,
}

/// The log as it is followed.
pub(super) struct Kernel {
    log: Option<KernelLog>,
    parser: Parser,
    /// Which boot its numbers count from.
    pub(super) boot: String,
    /// When it began, in milliseconds since 1970.
    boot_ms: i64,
    last_ms: i64,
}

impl Kernel {
    /// Opens the log at its oldest record: what was told already is known by its number. Where it
    /// cannot be read the reason comes back, and nothing will be found.
    pub(super) fn open(root: &Path, now_ms: i64) -> (Self, Option<String>) {
        let read = |path: &str| fs::read_to_string(paths::under(root, path)).unwrap_or_default();
        let uptime = read("/proc/uptime");
        let (log, problem) = match KernelLog::open_from_start(root) {
            Ok(log) => (Some(log), None),
            Err(refused) => (
                None,
                Some(format!(
                    "{refused}; incidents are told from the guard's verdicts alone, and kills outside \
                     of them are not"
                )),
            ),
        };
        let kernel = Self {
            log,
            parser: Parser::new(),
            boot: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            boot_ms: now_ms - millis(&uptime).unwrap_or(0),
            last_ms: 0,
        };
        (kernel, problem)
    }

    /// The reports that have come in since.
    pub(super) fn poll(&mut self, now_ms: i64) -> Vec<Report> {
        if let Some(mut log) = self.log.take() {
            for _ in 0..AT_ONCE {
                match log.next_record() {
                    Ok(Some(record)) => self.feed(&record, now_ms),
                    Ok(None) => break,
                    // One of another form; the next can be read.
                    Err(_) => {}
                }
            }
            self.log = Some(log);
        }
        self.finished(now_ms)
    }

    /// Takes a record, if it is the kernel's own: a program that writes to the log is not believed.
    fn feed(&mut self, record: &Record<'_>, now_ms: i64) {
        if record.facility != 0 {
            return;
        }
        let mut line =
            format!("{},{},{},-;", record.level, record.sequence, record.micros).into_bytes();
        line.extend_from_slice(record.text);
        self.parser.feed(&line, Position { source: 0, line: record.sequence });
        self.last_ms = now_ms;
    }

    fn finished(&mut self, now_ms: i64) -> Vec<Report> {
        if !self.parser.is_idle() && (now_ms - self.last_ms).abs() >= SILENCE_MS {
            self.parser.finish();
        }
        let mut reports = Vec::new();
        while let Some(event) = self.parser.next_event() {
            let uptime = event.stamp.uptime_us.and_then(|us| i64::try_from(us / 1000).ok());
            let unix_ms = uptime.map_or(now_ms, |uptime| self.boot_ms + uptime);
            let sequence = i64::try_from(event.last.line).unwrap_or(i64::MAX);
            // A head without a kill is a report that was suppressed or cut: nobody died of it.
            if !event.victims.is_empty() || event.ending.is_some() {
                reports.push(Report { event, unix_ms, sequence });
            }
        }
        reports
    }
}

/// `/proc/uptime`: seconds with hundredths.
fn millis(uptime: &str) -> Option<i64> {
    let (seconds, hundredths) = uptime.split_whitespace().next()?.split_once('.')?;
    Some(seconds.parse::<i64>().ok()? * 1000 + hundredths.parse::<i64>().ok()? * 10)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A report as the kernel (6.1) writes it, in records of its log.
    const REPORT: &str = "\
php invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=1000
CPU: 0 PID: 4711 Comm: php Not tainted 6.1.0-18-amd64 #1
memory: usage 524288kB, limit 524288kB, failcnt 312
Memory cgroup stats for /limited.slice:
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[   4711]  1000  4711   180000   120000   1100000        0          1000 php
[   4801]   110  4801    80000     9000    300000        0          -999 mariadbd
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/limited.slice,task_memcg=/limited.slice,task=php,pid=4711,uid=1000
Memory cgroup out of memory: Killed process 4711 (php) total-vm:720000kB, anon-rss:478000kB, file-rss:2000kB, shmem-rss:0kB, UID:1000 pgtables:1100kB oom_score_adj:1000
";

    /// A followed log that has no device.
    pub(in super::super) fn followed(boot_ms: i64) -> Kernel {
        Kernel { log: None, parser: Parser::new(), boot: "boot".into(), boot_ms, last_ms: 0 }
    }

    /// Writes the report into the log, `uptime_s` after boot, from record `sequence` on.
    pub(in super::super) fn write(kernel: &mut Kernel, sequence: u64, uptime_s: u64, now_ms: i64) {
        for (number, text) in (sequence..).zip(REPORT.lines()) {
            let micros = uptime_s * 1_000_000 + number;
            let text = text.as_bytes();
            let record = Record { level: 4, facility: 0, sequence: number, micros, text };
            kernel.feed(&record, now_ms);
        }
    }

    #[test]
    fn a_report_is_found_once_its_lines_stop() {
        let mut kernel = followed(1_000_000);
        write(&mut kernel, 10, 50, 1_050_000);
        let mut found = kernel.finished(1_050_500);
        found.extend(kernel.finished(1_053_000));
        let [report] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(report.unix_ms, 1_050_000);
        assert_eq!(report.sequence, 19);
        assert_eq!(report.event.victims[0].comm, "php");
        assert!(kernel.finished(1_060_000).is_empty());
    }

    #[test]
    fn a_programs_words_are_not_the_kernels() {
        let mut kernel = followed(0);
        let text = b"Out of memory: Killed process 1 (init) total-vm:1kB, anon-rss:1kB";
        let record = Record { level: 4, facility: 1, sequence: 1, micros: 1, text };
        kernel.feed(&record, 0);
        assert!(kernel.finished(10_000).is_empty());
    }

    #[test]
    fn a_captured_tree_has_no_log_and_that_is_said() {
        let root = tempfile::tempdir().unwrap();
        let (mut kernel, problem) = Kernel::open(root.path(), 0);
        assert!(problem.unwrap().contains("from the guard's verdicts alone"));
        assert!(kernel.poll(0).is_empty());
    }

    #[test]
    fn the_uptime_is_read_to_its_hundredths() {
        assert_eq!(millis("8446136.02 1.00\n"), Some(8_446_136_020));
        assert_eq!(millis(""), None);
    }
}
