//! The task table (`dump_tasks` in `mm/oom_kill.c`): columns by the heading's names, never by place.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::event::Task;
use super::super::scan;
use super::Message;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Uid,
    Tgid,
    TotalVm,
    Rss,
    RssAnon,
    RssFile,
    RssShmem,
    PageTablePages,
    PageTableBytes,
    Swap,
    OomScoreAdj,
    Unknown,
}

/// The columns between the PID and the name, in the order of the heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    kinds: Vec<Column>,
    /// Names this parser has no use for.
    pub unknown: Vec<String>,
    /// Whether the heading ends in the name's column; a wrapped one goes on in the next line.
    pub complete: bool,
}

/// A row: the PID and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The PID in the brackets.
    pub pid: u32,
    /// The numbers and the name.
    pub rest: &'a str,
}

pub(super) fn message(text: &str) -> Option<Message<'_>> {
    if text.starts_with("Tasks state (memory values in") {
        return Some(Message::TableTitle);
    }
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    let inside = inside.trim();
    if inside == "pid" {
        return Some(Message::TableHead(columns(rest)));
    }
    let (pid, after) = scan::number(inside)?;
    // A row's first column is a number too; "[12345] text" is some other program's line.
    let first = rest.trim_start();
    let blank = [' ', '\t'];
    let numeric = rest.starts_with(blank)
        && scan::number(first).is_some_and(|(_, r)| r.is_empty() || r.starts_with(blank));
    (after.is_empty() && numeric).then_some(())?;
    Some(Message::Row(Row { pid: u32::try_from(pid).ok()?, rest: first }))
}

fn columns(text: &str) -> Columns {
    let mut columns = Columns::default();
    for name in text.split_whitespace() {
        if name == "name" {
            columns.complete = true;
            break;
        }
        let kind = match name {
            "uid" => Column::Uid,
            "tgid" => Column::Tgid,
            "total_vm" => Column::TotalVm,
            "rss" => Column::Rss,
            "rss_anon" => Column::RssAnon,
            "rss_file" => Column::RssFile,
            "rss_shmem" => Column::RssShmem,
            "nr_ptes" | "nr_pmds" | "nr_puds" => Column::PageTablePages,
            "pgtables_bytes" => Column::PageTableBytes,
            "swapents" => Column::Swap,
            "oom_score_adj" => Column::OomScoreAdj,
            other => {
                // el6's cpu and oom_adj are known and of no use.
                if !matches!(other, "cpu" | "oom_adj") {
                    columns.unknown.push(other.to_string());
                }
                Column::Unknown
            }
        };
        columns.kinds.push(kind);
    }
    columns
}

impl Columns {
    /// The columns a table without its heading most likely has, by how many numbers its rows begin
    /// with: 7 (kernels 3.10 and 4.15 to 6.7), 8 (4.4) and 10 (since 6.8).
    #[must_use]
    pub fn guess(row: &str) -> Option<Self> {
        let numbers = row
            .split_whitespace()
            .take_while(|word| scan::signed(word).is_some_and(|(_, r)| r.is_empty()));
        let heading = match numbers.count() {
            7 => "uid tgid total_vm rss pgtables_bytes swapents oom_score_adj name",
            8 => "uid tgid total_vm rss nr_ptes nr_pmds swapents oom_score_adj name",
            10 => {
                "uid tgid total_vm rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name"
            }
            _ => return None,
        };
        Some(columns(heading))
    }

    /// How many columns are known by name: of two ways to rejoin a wrapped heading the better one has
    /// more.
    #[must_use]
    pub fn known(&self) -> usize {
        self.kinds.len() - self.unknown.len()
    }

    /// How many words a row needs before it can have a name.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there are no columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Whether the row is long enough to have all its columns and a name.
    #[must_use]
    pub fn fits(&self, row: &Row<'_>) -> bool {
        row.rest.split_whitespace().nth(self.kinds.len()).is_some()
    }

    /// Reads a row; `None` when it is too short or a column holds no number.
    #[must_use]
    pub fn read(&self, row: &Row<'_>) -> Option<Task> {
        let mut task = Task { pid: row.pid, ..Task::default() };
        let mut rest = row.rest;
        for kind in &self.kinds {
            let (value, after) = scan::signed(rest.trim_start())?;
            if !after.starts_with([' ', '\t']) {
                return None;
            }
            rest = after;
            let positive = u64::try_from(value).ok();
            let small = u32::try_from(value).ok();
            match kind {
                Column::Uid => task.uid = small,
                Column::Tgid => task.tgid = small,
                Column::TotalVm => task.total_vm = positive,
                Column::Rss => task.rss = positive,
                Column::RssAnon => task.rss_anon = positive,
                Column::RssFile => task.rss_file = positive,
                Column::RssShmem => task.rss_shmem = positive,
                Column::PageTablePages => {
                    task.page_table_pages =
                        Some(task.page_table_pages.unwrap_or(0).saturating_add(positive?));
                }
                Column::PageTableBytes => task.page_table_bytes = positive,
                Column::Swap => task.swap = positive,
                Column::OomScoreAdj => task.oom_score_adj = i32::try_from(value).ok(),
                Column::Unknown => {}
            }
        }
        let name = rest.trim();
        (!name.is_empty()).then(|| {
            task.comm = name.chars().take(64).collect();
            task
        })
    }
}
