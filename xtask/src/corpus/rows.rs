//! INDEX.tsv and EVENTS.tsv: what is in each report, by people who read it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The two tables, file by file.
#[derive(Debug)]
pub(super) struct Rows {
    files: Vec<File>,
}

/// What is in one file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    /// The kernel's release, without what the row adds to it.
    pub(super) kernel: Option<String>,
    /// `none`, `memcg; group`, `panic (no killable; panic line cut)` …
    pub(super) constraint: String,
    /// How many `invoked oom-killer` lines it has.
    pub(super) invocations: usize,
    /// Whether INDEX.tsv knows that the panic's own line is missing.
    pub(super) panic_cut: bool,
    /// How many events INDEX.tsv counts.
    pub(super) counted: usize,
    pub(super) events: Vec<Row>,
}

/// One event, `-` where there is none of it.
#[derive(Debug)]
pub(super) struct Row {
    /// `report`, `headless` or `userspace`.
    pub(super) kind: String,
    pub(super) invoker: String,
    /// PID, name and anonymous memory in kB of each that was killed.
    pub(super) victims: Vec<[String; 3]>,
    pub(super) cgroup: String,
    /// As the kernel prints it, or what the row says in words.
    pub(super) constraint: String,
    pub(super) end: String,
    pub(super) complete: String,
}

impl Rows {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let table = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let (index, events) = (table("INDEX.tsv")?, table("EVENTS.tsv")?);
        let mut files = index.lines().skip(1).map(file).collect::<Result<Vec<File>>>()?;
        for line in events.lines().skip(1) {
            let (name, row) = row(line)?;
            let Some(file) = files.iter_mut().find(|file| file.name == name) else {
                bail!("EVENTS.tsv: {name} is not in INDEX.tsv");
            };
            file.events.push(row);
        }
        // The reports made for the corpus itself stand in INDEX.tsv alone.
        for (file, line) in files.iter_mut().zip(index.lines().skip(1)) {
            if file.events.is_empty() {
                file.events = line.split('\t').nth(7).map(told).unwrap_or_default();
            }
        }
        Ok(Self { files })
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }
}

/// `file source kernel constraint prefix_style invocations killed_lines events note`
fn file(line: &str) -> Result<File> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, _, kernel, constraint, _, invocations, _, events, ..] = fields[..] else {
        bail!("INDEX.tsv: a row of {} fields: {line}", fields.len());
    };
    let kernel = kernel.split_whitespace().next().filter(|kernel| *kernel != "-");
    Ok(File {
        name: name.to_owned(),
        kernel: kernel.map(str::to_owned),
        constraint: constraint.to_owned(),
        invocations: invocations.parse().with_context(|| format!("INDEX.tsv: {line}"))?,
        panic_cut: constraint.contains("panic line cut"),
        counted: events.split(" ; ").filter(|event| event.starts_with('#')).count(),
        events: Vec::new(),
    })
}

/// `#1 report invoker=sh kill=7(php),8(sh) anon-rss=40,4 memcg=/a complete=yes ; #2 …`
fn told(events: &str) -> Vec<Row> {
    let events = events.split(" ; ").filter(|event| event.starts_with('#'));
    events
        .map(|text| {
            let part = |from: &str, to: &str| {
                let rest = text.split_once(from).map_or("-", |(_, rest)| rest);
                rest.split_once(to).map_or(rest, |(part, _)| part).to_owned()
            };
            let (invoker, kill) = (part("invoker=", " kill="), part(" kill=", " memcg="));
            let (killed, sizes) = kill.split_once(" anon-rss=").unwrap_or(("", ""));
            let victims = killed.split(',').zip(sizes.split(',')).filter_map(|(killed, size)| {
                let (pid, comm) = killed.strip_suffix(')')?.split_once('(')?;
                Some([pid, comm, size].map(str::to_owned))
            });
            let victims: Vec<_> = victims.collect();
            Row {
                kind: if invoker == "-" { "headless" } else { "report" }.to_owned(),
                invoker,
                end: if victims.is_empty() { kill } else { "kill".to_owned() },
                victims,
                cgroup: part(" memcg=", " complete="),
                constraint: "-".to_owned(),
                complete: part(" complete=", " ("),
            }
        })
        .collect()
}

/// `file event kind invoking_comm killed_pid killed_comm killed_anon_rss_kB memcg constraint_in_log end
/// complete`; several victims stand between `|`.
fn row(line: &str) -> Result<(&str, Row)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, _, kind, invoker, pids, comms, sizes, cgroup, constraint, end, complete] =
        fields[..]
    else {
        bail!("EVENTS.tsv: a row of {} fields: {line}", fields.len());
    };
    let mut victims: Vec<[String; 3]> = Vec::new();
    let (mut pids, mut sizes) = (pids.split('|'), sizes.split('|'));
    for comm in comms.split('|') {
        let next = |values: &mut std::str::Split<'_, char>| values.next().unwrap_or("-").to_owned();
        let victim = [next(&mut pids), comm.to_owned(), next(&mut sizes)];
        // One killed line pasted twice is one victim.
        if comm != "-" && !victims.contains(&victim) {
            victims.push(victim);
        }
    }
    let row = Row {
        kind: kind.to_owned(),
        invoker: invoker.to_owned(),
        victims,
        cgroup: cgroup.to_owned(),
        constraint: constraint.to_owned(),
        end: end.to_owned(),
        complete: complete.to_owned(),
    };
    Ok((name, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_kill_has_each_victim_once() {
        let line =
            "a.log\t1\theadless\t-\t6|7|6\tx|y|x\t1|2|1\t/a\tCONSTRAINT_MEMCG\tkill\ttruncated";
        let (name, row) = row(line).unwrap();
        assert_eq!(name, "a.log");
        assert_eq!(row.victims, [["6", "x", "1"], ["7", "y", "2"]]);
    }

    #[test]
    fn a_report_told_in_the_index_alone_has_a_row_too() {
        let text = "#1 report invoker=- kill=7(php),8(sh) anon-rss=40,4 memcg=/a complete=no";
        let rows = told(text);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].victims, [["7", "php", "40"], ["8", "sh", "4"]]);
        assert_eq!([&rows[0].kind, &rows[0].cgroup, &rows[0].complete], ["headless", "/a", "no"]);
        assert!(told("-").is_empty());
    }

    #[test]
    fn a_row_that_is_too_short_is_an_error() {
        assert!(row("a.log\t1").is_err());
        assert!(file("a.log").is_err());
    }
}
