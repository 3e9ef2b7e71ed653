//! The kernel's own clock for what happens in it: an instance of ftrace, nobody else's
//! (Documentation/trace/ftrace.rst).

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const TRACING: &str = "/sys/kernel/tracing";

/// An instance, removed when it is dropped.
pub(super) struct Trace {
    folder: PathBuf,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Happened {
    /// When, in µs of the monotonic clock.
    pub(super) at_us: f64,
    /// Who ran then: in an interrupt whoever was interrupted.
    pub(super) by: String,
    /// What: the event's name.
    pub(super) what: String,
    /// Its fields, as the kernel prints them.
    fields: String,
}

impl Trace {
    /// Records these events (`oom/mark_victim`), each with a filter or an empty one.
    pub(super) fn of(events: &[(&str, &str)]) -> Result<Self> {
        if !Path::new(TRACING).join("instances").is_dir() {
            bail!("no {TRACING}: mount -t tracefs tracefs {TRACING}, as root");
        }
        let name = format!("headroom-bench-{}", std::process::id());
        let trace = Self { folder: Path::new(TRACING).join("instances").join(name) };
        fs::create_dir(&trace.folder).context("making an instance of ftrace (as root)")?;
        trace.write("trace_clock", "mono")?;
        trace.write("buffer_size_kb", "8192")?;
        for (event, filter) in events {
            if !filter.is_empty() {
                trace.write(&format!("events/{event}/filter"), filter)?;
            }
            trace.write(&format!("events/{event}/enable"), "1")?;
        }
        Ok(trace)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.join(file);
        let opened = OpenOptions::new().write(true).open(&path);
        let mut file = opened.with_context(|| format!("opening {}", path.display()))?;
        file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
    }

    /// What happened since this was last asked, in order.
    pub(super) fn take(&self) -> Result<Vec<Happened>> {
        let path = self.folder.join("trace");
        let lines = BufReader::new(File::open(&path).context("reading the trace")?).lines();
        let mut all: Vec<Happened> =
            lines.map_while(Result::ok).filter_map(|line| Happened::parse(&line)).collect();
        // Opened to be written anew it is emptied.
        File::create(&path).context("emptying the trace")?;
        all.sort_by(|a, b| a.at_us.total_cmp(&b.at_us));
        Ok(all)
    }

    /// A reader of what happens as it happens; it waits.
    pub(super) fn pipe(&self) -> Result<BufReader<File>> {
        let pipe =
            File::open(self.folder.join("trace_pipe")).context("opening the trace's pipe")?;
        Ok(BufReader::new(pipe))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        drop(self.write("tracing_on", "0"));
        drop(fs::remove_dir(&self.folder));
    }
}

impl Happened {
    /// `comm-PID [CPU] FLAGS SECONDS.MICROS: EVENT: FIELDS`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(": ")?;
        let seconds: f64 = before.rsplit(' ').next()?.parse().ok()?;
        let (what, fields) = after.split_once(": ")?;
        if line.starts_with('#') || what.contains(' ') {
            return None;
        }
        let task = before.split(" [").next()?.trim();
        let by = task.rsplit_once('-').map_or(task, |(comm, _)| comm).to_owned();
        Some(Self { at_us: seconds * 1e6, by, what: what.into(), fields: fields.into() })
    }

    /// A field's number, `pid=4711`.
    pub(super) fn number(&self, field: &str) -> Option<i64> {
        let start = format!("{field}=");
        let text = self.fields.split(' ').find_map(|word| word.strip_prefix(&start))?;
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_trace_is_understood() {
        let line = "   headroom-guard-77  [001] d..1. 6789.123456: signal_generate: sig=15 errno=0 \
                    code=0 comm=dd pid=4711 grp=1 res=0";
        let happened = Happened::parse(line).unwrap();
        assert_eq!(happened.what, "signal_generate");
        assert_eq!((happened.number("sig"), happened.number("pid")), (Some(15), Some(4711)));
        assert!((happened.at_us - 6_789_123_456.0).abs() < 1.0);
        assert_eq!(Happened::parse("# tracer: nop"), None);
    }
}
