//! The end of a report: whom the kernel chose, whom it killed, or why it killed nobody.

use super::super::scan;
use super::Message;

/// The `oom-kill:` line (kernels since 5.0, el8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice<'a> {
    /// `CONSTRAINT_MEMCG`
    pub constraint: Option<&'a str>,
    /// The invoker's cpuset.
    pub cpuset: Option<&'a str>,
    /// The cgroup at its limit: more reliable than the constraint, which 5.2-rc2 printed wrongly.
    pub oom_memcg: Option<&'a str>,
    /// The chosen task's cgroup.
    pub task_memcg: Option<&'a str>,
    /// The chosen task; only when the line runs to its end, for a cut line falsifies it.
    pub task: Option<&'a str>,
    /// Its PID, likewise.
    pub pid: Option<u32>,
    /// Its user.
    pub uid: Option<u32>,
}

/// The announcement of kernels before 5.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced<'a> {
    /// The chosen task, in whose place a child may die.
    pub pid: u32,
    /// Its name.
    pub comm: &'a str,
    /// Whether a cgroup's limit was the reason.
    pub memcg: bool,
    /// Whether `vm.oom_kill_allocating_task` made the choice.
    pub allocating_task: bool,
}

/// The line that says who was killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Killed<'a> {
    /// The victim.
    pub pid: u32,
    /// Its name; empty when the line breaks off before it.
    pub comm: &'a str,
    /// Sizes in KiB, `None` where the kernel does not print them or the line is cut.
    pub total_vm: Option<u64>,
    /// Likewise.
    pub anon_rss: Option<u64>,
    /// Likewise.
    pub file_rss: Option<u64>,
    /// Likewise.
    pub shmem_rss: Option<u64>,
    /// Likewise.
    pub pgtables: Option<u64>,
    /// The user.
    pub uid: Option<u32>,
    /// The adjustment.
    pub oom_score_adj: Option<i32>,
    /// What the line says of the reason: a cgroup's limit, the whole machine, or nothing.
    pub memcg: Option<bool>,
    /// Whether `vm.oom_kill_allocating_task` made the choice.
    pub allocating_task: bool,
}

/// What the oom_reaper took back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaped<'a> {
    /// The victim.
    pub pid: u32,
    /// Its name.
    pub comm: &'a str,
}

pub(super) fn message(text: &str) -> Option<Message<'_>> {
    if let Some(rest) = text.strip_prefix("oom-kill:") {
        return Some(Message::Choice(choice(rest)));
    }
    if text.starts_with(",task=") || text.starts_with(",task_memcg=") {
        return Some(Message::ChoiceRest(choice(text)));
    }
    if let Some(rest) = text.strip_prefix("oom_reaper: reaped process ") {
        let (pid, rest) = scan::number(rest)?;
        let rest = rest.trim_start().strip_prefix('(')?;
        let comm = rest.rfind(')').map_or(rest, |end| &rest[..end]);
        return Some(Message::Reaped(Reaped { pid: u32::try_from(pid).ok()?, comm }));
    }
    if text.starts_with("Kernel panic - not syncing: ") {
        let compulsory = text.contains("panic_on_oom");
        let ours =
            compulsory || text.contains("deadlocked on memory") || text.contains("no killable");
        return ours.then_some(Message::Panic { compulsory });
    }
    if text.starts_with("Out of memory and no killable processes") {
        return Some(Message::NoKillable);
    }
    if let Some(rest) = text.strip_prefix("Tasks in ") {
        let (cgroup, _) = rest.split_once(" are going to be killed")?;
        return Some(Message::Group(cgroup));
    }
    let (scope, rest) = scope(text);
    if let Some(rest) = rest.strip_prefix("Killed process") {
        return killed(rest, scope).map(Message::Killed);
    }
    if let Some(rest) = rest.strip_prefix("OOM killed process ").filter(|_| scope.memcg.is_some()) {
        return killed_in_beancounter(rest, scope).map(Message::Killed);
    }
    let rest = rest.strip_prefix("Kill process ").or_else(|| rest.strip_prefix("kill process "))?;
    scope.memcg?;
    let (pid, rest) = scan::number(rest)?;
    let rest = rest.strip_prefix(" (")?;
    let end = rest.rfind(") score").or_else(|| rest.rfind(')'))?;
    Some(Message::Announced(Announced {
        pid: u32::try_from(pid).ok()?,
        comm: &rest[..end],
        memcg: scope.memcg == Some(true),
        allocating_task: scope.allocating_task,
    }))
}

#[derive(Clone, Copy, Default)]
struct Scope {
    memcg: Option<bool>,
    allocating_task: bool,
}

/// `Out of memory: `, `Memory cgroup out of memory: `, `Out of memory (oom_kill_allocating_task): `, and
/// OpenVZ's `Out of memory in UB 1234: `, whose beancounters are cgroups by another name.
fn scope(text: &str) -> (Scope, &str) {
    let (memcg, rest) = if let Some(rest) = text.strip_prefix("Memory cgroup out of memory") {
        (true, rest)
    } else if let Some(rest) = text.strip_prefix("Out of memory in UB") {
        (true, rest.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()))
    } else if let Some(rest) =
        text.strip_prefix("Out of memory").or_else(|| text.strip_prefix("Out of Memory"))
    {
        (false, rest)
    } else {
        return (Scope::default(), text);
    };
    let allocating = rest.strip_prefix(" (oom_kill_allocating_task)");
    let scope = Scope { memcg: Some(memcg), allocating_task: allocating.is_some() };
    let rest = allocating.unwrap_or(rest);
    match rest.strip_prefix(':') {
        Some(rest) => (scope, rest.trim_start()),
        None => (Scope::default(), text),
    }
}

fn killed(rest: &str, scope: Scope) -> Option<Killed<'_>> {
    let (pid, rest) = scan::number(rest.trim_start())?;
    let sizes_at = rest.find("total-vm").unwrap_or(rest.len());
    let (name, sizes) = rest.split_at(sizes_at);
    // el6 writes "Killed process 40738, UID 27, (mysqld) total-vm:…".
    let uid = scan::number_after(name, ", UID ").or_else(|| scan::number_after(sizes, "UID:"));
    let comm = name.find('(').and_then(|start| {
        let end = name.rfind(')').filter(|end| *end > start)?;
        name.get(start + 1..end)
    });
    let adj = sizes.split_once("oom_score_adj:").and_then(|(_, rest)| scan::signed(rest));
    Some(Killed {
        pid: u32::try_from(pid).ok()?,
        comm: comm.unwrap_or(""),
        total_vm: scan::kb_after(sizes, "total-vm:"),
        anon_rss: scan::kb_after(sizes, "anon-rss:"),
        file_rss: scan::kb_after(sizes, "file-rss:"),
        shmem_rss: scan::kb_after(sizes, "shmem-rss:"),
        pgtables: scan::kb_after(sizes, "pgtables:"),
        uid: uid.and_then(|uid| u32::try_from(uid).ok()),
        oom_score_adj: adj.and_then(|(adj, _)| i32::try_from(adj).ok()),
        memcg: scope.memcg,
        allocating_task: scope.allocating_task,
    })
}

/// OpenVZ's `2946 (npm) score 0 vm:1506164kB, rss:237752kB, swap:120052kB`.
fn killed_in_beancounter(rest: &str, scope: Scope) -> Option<Killed<'_>> {
    let (pid, rest) = scan::number(rest)?;
    let (name, sizes) = rest.strip_prefix(" (")?.rsplit_once(") score ")?;
    Some(Killed {
        pid: u32::try_from(pid).ok()?,
        comm: name,
        total_vm: scan::kb_after(sizes, " vm:"),
        anon_rss: scan::kb_after(sizes, " rss:"),
        memcg: scope.memcg,
        ..Killed::default()
    })
}

impl Killed<'_> {
    /// How many of the line's fields were read: of two ways to rejoin a wrapped line the better one
    /// has more.
    #[must_use]
    pub fn fields(&self) -> usize {
        [self.total_vm, self.anon_rss, self.file_rss, self.shmem_rss, self.pgtables]
            .iter()
            .filter(|size| size.is_some())
            .count()
            + usize::from(!self.comm.is_empty())
            + usize::from(self.oom_score_adj.is_some())
            + usize::from(self.uid.is_some())
    }
}

/// The fields of an `oom-kill:` line. Cgroup paths, cpusets and names may hold commas, so a value runs
/// to the next field that can follow it, not to the next comma.
fn choice(text: &str) -> Choice<'_> {
    const KEYS: [&str; 10] = [
        "constraint=",
        "nodemask=",
        "cpuset=",
        "mems_allowed=",
        "global_oom",
        "oom_memcg=",
        "task_memcg=",
        "task=",
        "pid=",
        "uid=",
    ];
    let starts = |key: &str| {
        if text.starts_with(key) {
            return Some(0);
        }
        text.match_indices(key)
            .map(|(at, _)| at)
            .find(|at| text.as_bytes().get(at.wrapping_sub(1)) == Some(&b','))
    };
    let value = |key: &str| {
        let from = starts(key)? + key.len();
        let end = KEYS.iter().filter_map(|next| starts(next)).filter(|at| *at > from).min();
        let value = text.get(from..end.map_or(text.len(), |end| end - 1))?;
        Some(value).filter(|value| !value.is_empty())
    };
    let number = |key| value(key).and_then(|v| v.parse().ok());
    // Only the last field's presence proves that the line was not cut within an earlier one.
    let uid: Option<u32> = number("uid=");
    Choice {
        constraint: value("constraint="),
        cpuset: value("cpuset="),
        oom_memcg: value("oom_memcg="),
        task_memcg: value("task_memcg="),
        task: value("task=").filter(|_| uid.is_some()),
        pid: number("pid=").filter(|_| uid.is_some()),
        uid,
    }
}
