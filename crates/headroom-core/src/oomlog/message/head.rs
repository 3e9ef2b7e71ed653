//! The head of a report (`dump_header` in `mm/oom_kill.c`): who asked, on what kernel, for what.

use super::super::scan;
use super::Message;

/// The longest name the kernel keeps for a task (`TASK_COMM_LEN` less its end).
const COMM_LENGTH: usize = 15;

/// The `invoked oom-killer` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invoked<'a> {
    /// Whose allocation failed.
    pub comm: &'a str,
    /// `0x24000c0`
    pub gfp_mask: Option<&'a str>,
    /// Allocation order, -1 for a manual run.
    pub order: Option<i32>,
    /// The invoker's adjustment.
    pub oom_score_adj: Option<i32>,
}

/// The line that names the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuLine<'a> {
    /// The invoker's PID.
    pub pid: u32,
    /// Its name; a wrapped line may have lost it.
    pub comm: Option<&'a str>,
    /// The kernel's release.
    pub kernel: Option<&'a str>,
}

/// What a stack line tells about the constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traced {
    /// The page allocator was out of pages.
    PageAllocator,
    /// A memory cgroup was at its limit.
    Memcg,
    /// Somebody asked for it.
    Manual,
    /// A register of x86, whose pages have 4 KiB.
    X86,
}

pub(super) fn message(text: &str) -> Option<Message<'_>> {
    if let Some(at) = text.find(" invoked oom-killer") {
        return invoked(text, at).map(Message::Invoked);
    }
    if let Some((comm, rest)) = text.split_once(" cpuset=") {
        let (cpuset, _) = rest.split_once(" mems_allowed=")?;
        return Some(Message::Cpuset { comm: last_comm(comm), cpuset });
    }
    if text.starts_with("CPU: ") || text.starts_with("Pid: ") {
        return cpu(text).map(Message::Cpu);
    }
    if text.ends_with("Manual OOM execution") {
        return Some(Message::ManualRun);
    }
    if let Some(rest) = text.strip_prefix("oom_kill_process: ") {
        let (count, rest) = scan::number(rest)?;
        return rest.contains("suppressed").then_some(Message::Suppressed(count));
    }
    traced(text).map(Message::Trace)
}

fn invoked(text: &str, at: usize) -> Option<Invoked<'_>> {
    let (comm, fields) = text.split_at_checked(at)?;
    let comm = last_comm(comm);
    let gfp_mask = scan::between(fields, "gfp_mask=", ",").or_else(|| {
        fields
            .split_once("gfp_mask=")
            .or_else(|| fields.split_once(" gfp "))
            .map(|(_, rest)| rest.split([' ', ',']).next().unwrap_or(rest))
    });
    let number = |key: &str| {
        let (_, rest) = fields.split_once(key)?;
        scan::signed(rest).and_then(|(n, _)| i32::try_from(n).ok())
    };
    Some(Invoked {
        comm,
        gfp_mask: gfp_mask.map(|mask| mask.split('(').next().unwrap_or(mask)),
        order: number(" order="),
        oom_score_adj: number(" oom_score_adj="),
    })
    .filter(|invoked| !invoked.comm.is_empty())
}

/// The task's name at the end of what stands before it: all of it where it is short enough to be one,
/// else what follows the last thing that looks like a logger's punctuation.
fn last_comm(before: &str) -> &str {
    let before = before.trim();
    if before.len() <= COMM_LENGTH {
        return before;
    }
    let start = before
        .match_indices([']', ':', ' ', ';', '|'])
        .map(|(at, mark)| at + mark.len())
        .filter(|at| before.len() - at <= COMM_LENGTH && before.len() > *at)
        .min_by_key(|at| {
            // "tmux: server" must not become "server": prefer the longest that is no mere word of prose.
            let mark = before.as_bytes().get(at - 1);
            (mark == Some(&b' ') && !before[..at - 1].ends_with([':', ']', ';', '|']), *at)
        });
    start.map_or(before, |at| before[at..].trim())
}

fn cpu(text: &str) -> Option<CpuLine<'_>> {
    let pid = scan::number_after(text, "PID: ").or_else(|| scan::number_after(text, "Pid: "))?;
    let comm_at = text.find("Comm: ").or_else(|| text.find("comm: ")).map(|at| at + "Comm: ".len());
    let rest = comm_at.and_then(|at| text.get(at..)).unwrap_or("");
    let marks = [" Kdump: loaded", " Not tainted", " Tainted: ", " Not"];
    let end = marks.iter().filter_map(|mark| rest.find(mark)).min();
    let (comm, rest) = end.map_or((rest, ""), |end| rest.split_at(end));
    // The release is the first word that begins like one: "6.1.0-56-cloud-amd64".
    let kernel = rest.split_whitespace().find(|word| {
        scan::number(word)
            .is_some_and(|(major, rest)| (2..100).contains(&major) && rest.starts_with('.'))
    });
    Some(CpuLine {
        pid: u32::try_from(pid).ok()?,
        comm: Some(comm.trim()).filter(|c| !c.is_empty()),
        kernel,
    })
}

fn traced(text: &str) -> Option<Traced> {
    if text.contains("mem_cgroup_out_of_memory") || text.contains("mem_cgroup_oom") {
        return Some(Traced::Memcg);
    }
    if text.starts_with("RIP: ") || text.starts_with("EIP: ") {
        return Some(Traced::X86);
    }
    if text.contains("moom_callback") {
        return Some(Traced::Manual);
    }
    (text.contains("__alloc_pages")
        || text.contains("alloc_pages_nodemask")
        || text.contains("alloc_frozen_pages"))
    .then_some(Traced::PageAllocator)
}
