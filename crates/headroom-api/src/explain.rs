//! `headroom explain --format json`, version 1: fields may be added, never renamed or dropped.
//!
//! Sizes are KiB, times RFC 3339 with offset, unknown is `null`.

use serde::{Deserialize, Serialize};

/// The version this form has.
pub const VERSION: u32 = 1;

/// Everything `explain` has to say about the logs it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// [`VERSION`].
    pub version: u32,
    /// Incidents, the oldest first.
    pub incidents: Vec<Incident>,
    /// What was seen and could not be used.
    pub skipped: Skipped,
}

/// Events closer than 60 s to one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The first event's time (or place) and the first victim.
    pub id: String,
    /// Whether it is one of many.
    pub kind: IncidentKind,
    /// When it began.
    pub first: Option<String>,
    /// When its last event was.
    pub last: Option<String>,
    /// Its events in the order of their first lines.
    pub events: Vec<Event>,
    /// Who held the memory, the largest first.
    pub holders: Vec<Holder>,
    /// What no process explains, the largest first; empty where the report does not tell.
    pub not_in_processes: Vec<NotInProcesses>,
    /// Who would have been killed next, by the kernel's own arithmetic; empty where it is not known.
    pub next: Vec<Next>,
    /// What else was logged around that time, in the order of time. Near is not a cause.
    pub context: Vec<Context>,
    /// What is to be concluded, the one that answers first.
    pub findings: Vec<Finding>,
}

/// A use of memory that stands in no process's resident size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotInProcesses {
    /// `shared_memory`, `slab_unreclaimable`, `slab_reclaimable`, `huge_pages`, `page_tables`,
    /// `kernel_stacks`, `kernel_other`, `page_cache`, `free` or `unaccounted`.
    pub what: String,
    /// How much.
    pub size_kib: u64,
    /// Its part of the limit or of the machine's RAM, 0 to 1.
    pub share: f64,
}

/// A process that would have been killed next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the kernel's own")]
pub struct Next {
    pub pid: u32,
    pub comm: String,
    pub rss_kib: Option<u64>,
    pub oom_score_adj: Option<i32>,
    /// Thousandths of what there is to allocate, adjustment included.
    pub badness: Option<i64>,
}

/// `structural` when kills came at the policy's rate or came back within the hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum IncidentKind {
    Incidental,
    Structural,
}

/// One run of an OOM killer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Wall-clock time of the first line.
    pub time: Option<String>,
    /// Seconds since boot of the first line.
    pub uptime_s: Option<f64>,
    /// Where it begins.
    pub source: Source,
    /// The host the log names.
    pub host: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// Whose allocation failed: not thereby the culprit.
    pub invoker: Option<Invoker>,
    /// As printed.
    pub gfp_mask: Option<String>,
    /// Allocation order; -1 for a manual run.
    pub order: Option<i32>,
    /// Why a choice had to be made.
    pub constraint: Option<Constraint>,
    /// The constraint as the kernel printed it.
    pub constraint_name: Option<String>,
    /// Who killed.
    pub killer: Killer,
    /// What a killer in user space gave as its reason.
    pub reason: Option<String>,
    /// The cgroup at its limit.
    pub cgroup: Option<String>,
    /// The chosen task's cgroup.
    pub task_cgroup: Option<String>,
    /// What was charged to it.
    pub usage_kib: Option<u64>,
    /// Its limit.
    pub limit_kib: Option<u64>,
    /// The machine's memory, in a report on the whole machine.
    pub ram_kib: Option<u64>,
    /// Swap not in use, likewise.
    pub swap_free_kib: Option<u64>,
    /// All swap, likewise.
    pub swap_total_kib: Option<u64>,
    /// Size of a page; `null` when 4 KiB had to be assumed.
    pub page_kib: Option<u32>,
    /// The task table.
    pub tasks: Vec<Task>,
    /// Whom the kernel killed.
    pub victims: Vec<Victim>,
    /// How it ended: `killed`, `no_killable`, `panic_on_oom`, or `null` when the log does not say.
    pub ending: Option<Ending>,
    /// Whether the machine panicked.
    pub panicked: bool,
    /// Whether `memory.oom.group` had a whole cgroup killed.
    pub group_kill: bool,
    /// Whether another report's lines stood between this one's.
    pub interleaved: bool,
    /// Reports left out just before this one, by the log's own account.
    pub suppressed: u64,
    /// Whether the log has the report from head to end.
    pub complete: bool,
    /// What is missing of it.
    pub missing: Vec<String>,
}

/// A place in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file as it was named, `-` for standard input.
    pub file: String,
    /// The line, from 1 up; `null` in a source without lines.
    pub line: Option<u64>,
}

/// The task whose allocation failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the kernel's own")]
pub struct Invoker {
    pub pid: Option<u32>,
    pub comm: String,
    pub oom_score_adj: Option<i32>,
}

/// Why the kernel had to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the kernel's own")]
pub enum Constraint {
    None,
    Memcg,
    Cpuset,
    MemoryPolicy,
    Manual,
}

/// Who killed; `other` is nohang or Meta's oomd, named in [`Event::reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the programs' own")]
pub enum Killer {
    Kernel,
    Headroom,
    Earlyoom,
    SystemdOomd,
    Other,
}

/// How a report ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "see `Event::ending`")]
pub enum Ending {
    Killed,
    NoKillable,
    PanicOnOom,
}

/// A row of the task table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the kernel's own")]
pub struct Task {
    pub pid: u32,
    pub uid: Option<u32>,
    pub tgid: Option<u32>,
    pub total_vm_kib: Option<u64>,
    pub rss_kib: Option<u64>,
    pub pgtables_kib: Option<u64>,
    pub swap_kib: Option<u64>,
    pub oom_score_adj: Option<i32>,
    pub comm: String,
    /// Thousandths of what there is to allocate, as that kernel counted them; `null` for a process that may
    /// not be killed, and where the report does not suffice.
    pub badness: Option<i64>,
}

/// A process that was killed, or a cgroup whose path is then its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the kernel's own")]
pub struct Victim {
    pub pid: Option<u32>,
    pub comm: String,
    pub total_vm_kib: Option<u64>,
    pub anon_rss_kib: Option<u64>,
    pub file_rss_kib: Option<u64>,
    pub shmem_rss_kib: Option<u64>,
    pub pgtables_kib: Option<u64>,
    pub uid: Option<u32>,
    pub oom_score_adj: Option<i32>,
    /// Whether the oom_reaper took its memory back.
    pub reaped: bool,
    /// Whether the kernel's own arithmetic gives this choice; `null` when the table does not suffice.
    pub expected: Option<bool>,
}

/// A service with all its processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// The name its processes share, without version.
    pub group: String,
    /// How many there are.
    pub processes: u64,
    /// What they hold; pages they share are counted once a process.
    pub rss_kib: u64,
    /// What they have in swap.
    pub swap_kib: Option<u64>,
    /// Their page tables, which are not in `rss_kib`.
    pub pgtables_kib: Option<u64>,
    /// Shared memory they map, which is in `rss_kib` (kernels since 6.8).
    pub shared_kib: Option<u64>,
    /// Their part of the limit or of the machine's RAM, 0 to 1; of what all processes held where neither
    /// is known.
    pub share: f64,
    /// Whether all of them have an oom_score_adj of -1000.
    pub unkillable: bool,
}

/// An entry of another log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// When it was logged.
    pub time: Option<String>,
    /// How far from the incident: negative before its first event, positive after its last, 0 while it
    /// lasted.
    pub distance_s: Option<f64>,
    /// `file:line`.
    pub source: String,
    /// What it says, in short.
    pub what: String,
    /// The entry itself.
    pub text: String,
}

/// A conclusion with what speaks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of finding, for scripts.
    pub id: String,
    /// Whom it is about: a holder's `group`, a unit, `kernel`, `tmpfs`.
    pub group: Option<String>,
    /// The conclusion in one sentence.
    pub title: String,
    /// The lines it rests on, `file:line`.
    pub evidence: Vec<String>,
    /// What to do.
    pub advice: Vec<String>,
    /// What following the advice would save.
    pub saves_kib: Option<u64>,
    /// How sure it is.
    pub confidence: Confidence,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Confidence {
    High,
    Medium,
    Low,
}

/// What was seen and could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Reports that are cut at either end.
    pub truncated_reports: u64,
    /// Lines within a report that could not be understood.
    pub unparsed_lines: u64,
}
