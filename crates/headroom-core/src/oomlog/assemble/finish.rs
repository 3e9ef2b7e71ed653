//! Says of a finished report what its parts mean together, and what is missing.

use alloc::vec::Vec;

use super::super::event::{Constraint, Ending, Event, Killer, Part};
use super::super::message::Traced;
use super::report::Open;

/// Closes a report; `None` when it turned out to be none.
pub(super) fn finish(open: Open) -> Option<Event> {
    if open.tentative {
        return None;
    }
    let constraint = constraint(&open);
    let page_kib = page_kib(&open);
    let missing = missing(&open, constraint, page_kib);
    let mut event = open.event;
    event.constraint = constraint;
    event.page_kib = page_kib;
    let fatal = [Part::Head, Part::Kill, Part::Sizes, Part::Elided, Part::MemInfo, Part::Usage];
    event.complete = !event.interleaved && !missing.iter().any(|part| fatal.contains(part));
    event.missing = missing;
    Some(event)
}

/// The constraint, from the most reliable sign to the least.
fn constraint(open: &Open) -> Option<Constraint> {
    let event = &open.event;
    if event.killer != Killer::Kernel {
        return None;
    }
    if event.order == Some(-1) || open.manual || open.traced == Some(Traced::Manual) {
        return Some(Constraint::Manual);
    }
    // 5.2-rc2 prints CONSTRAINT_NONE for a cgroup's limit; `oom_memcg=` is there all the same.
    if open.oom_memcg || open.memcg_kill == Some(true) || event.memcg.memory.is_some() {
        return Some(Constraint::Memcg);
    }
    match event.constraint_name.as_deref() {
        Some("CONSTRAINT_NONE") => return Some(Constraint::None),
        Some("CONSTRAINT_MEMCG") => return Some(Constraint::Memcg),
        Some("CONSTRAINT_CPUSET") => return Some(Constraint::Cpuset),
        Some("CONSTRAINT_MEMORY_POLICY") => return Some(Constraint::MemoryPolicy),
        Some(_) => return None,
        None => {}
    }
    if event.cgroup.is_some() || open.traced == Some(Traced::Memcg) {
        return Some(Constraint::Memcg);
    }
    let machine = open.memcg_kill == Some(false)
        || open.traced == Some(Traced::PageAllocator)
        || event.mem_info.is_some()
        || event.panicked;
    machine.then_some(Constraint::None)
}

/// The page size: the buddy lists' smallest block, else what makes the victim's row fit its kill line.
fn page_kib(open: &Open) -> Option<u32> {
    open.buddy_kib.filter(|kib| kib.is_power_of_two()).or_else(|| from_victim(&open.event)).or_else(
        || {
            if open.x86 {
                return Some(4);
            }
            let kernel = open.event.kernel.as_deref()?;
            ["x86_64", "amd64", "i686", "i386", "s390x"]
                .iter()
                .any(|arch| kernel.contains(arch))
                .then_some(4)
        },
    )
}

fn from_victim(event: &Event) -> Option<u32> {
    event.victims.iter().find_map(|victim| {
        let pages = event.tasks.iter().find(|task| Some(task.pid) == victim.pid)?.total_vm?;
        let size = victim.total_vm?.0;
        let kib = size.checked_div(pages)?;
        (size == pages.checked_mul(kib)? && [4, 8, 16, 64].contains(&kib))
            .then(|| u32::try_from(kib).ok())?
    })
}

fn missing(open: &Open, constraint: Option<Constraint>, page_kib: Option<u32>) -> Vec<Part> {
    let event = &open.event;
    if event.killer != Killer::Kernel {
        return Vec::new();
    }
    let in_cgroup = constraint == Some(Constraint::Memcg);
    let parts = [
        (Part::Head, event.evidence.head.is_none() || event.gfp_mask.is_none()),
        (Part::MemInfo, !in_cgroup && event.mem_info.is_none()),
        (Part::Usage, in_cgroup && event.memcg.memory.is_none()),
        (Part::Tasks, event.tasks.is_empty() && !open.table_seen),
        (Part::Rows, open.rows_dropped),
        (Part::Kill, event.ending.is_none()),
        (
            Part::Sizes,
            event.ending == Some(Ending::Killed)
                && event.victims.iter().all(|v| v.anon_rss.is_none()),
        ),
        (Part::Elided, open.elided),
        (Part::PageSize, page_kib.is_none() && !event.tasks.is_empty()),
    ];
    parts.into_iter().filter_map(|(part, gone)| gone.then_some(part)).collect()
}
