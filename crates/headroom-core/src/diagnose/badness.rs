//! The kernel's choice, computed again from its own table (`oom_badness` in `mm/oom_kill.c`).

use crate::oomlog::{Constraint, Event, Killer, Task, Victim};
use crate::units::Kib;

/// How many pages a task counts for, adjustment included; `None` for one that may not be killed.
///
/// Since 2.6.36: resident pages, plus swap, plus page tables (those since 3.8), plus `oom_score_adj`
/// thousandths of what there is to allocate. Until 4.17 root's processes got 3 % off.
#[must_use]
pub fn badness(task: &Task, event: &Event, total_pages: u64) -> Option<i128> {
    let adj = i128::from(task.oom_score_adj.unwrap_or(0));
    if adj == -1000 || task.tgid == Some(1) {
        return None;
    }
    let page_bytes = event.page_size_kib() * 1024;
    let tables =
        task.page_table_pages.or_else(|| task.page_table_bytes.map(|bytes| bytes / page_bytes));
    let mut points = i128::from(task.rss?)
        + i128::from(task.swap.unwrap_or(0))
        + i128::from(tables.unwrap_or(0));
    if task.uid == Some(0) && root_has_a_bonus(event) {
        points -= points * 3 / 100;
    }
    Some(points + adj * i128::from(total_pages) / 1000)
}

/// Whether the victim is the task with the most points. `None` when the table does not decide it:
/// rows are missing, nodes or a setting took part in the choice, or a daemon made it.
#[must_use]
pub fn expected(event: &Event, pid: u32) -> Option<bool> {
    let by_points =
        matches!(event.constraint, Some(Constraint::None | Constraint::Memcg | Constraint::Manual));
    if event.killer != Killer::Kernel || event.allocating_task || !by_points || event.interleaved {
        return None;
    }
    let rows_missing = event.missing.iter().any(|part| {
        use crate::oomlog::Part;
        matches!(part, Part::Tasks | Part::Rows | Part::Elided)
    });
    // el6's table has no swap, which its badness counts.
    let swap =
        event.mem_info.as_ref().and_then(|info| info.swap_total).is_some_and(|swap| swap.0 > 0);
    if swap && event.tasks.iter().all(|task| task.swap.is_none()) {
        return None;
    }
    let total = total_pages(event);
    // Without the total the adjustment has no weight that could be computed.
    let adjusted = event.tasks.iter().any(|task| !matches!(task.oom_score_adj, Some(0 | -1000)));
    if rows_missing || event.tasks.is_empty() || (total.is_none() && adjusted) {
        return None;
    }
    // Before 5.1 a child could die in place of the one that was chosen.
    let chosen = event.chosen_pid.unwrap_or(pid);
    let points = |task: &Task| badness(task, event, total.unwrap_or(0));
    // A thread of the process may stand in the table for it.
    let row = event.tasks.iter().find(|t| t.pid == chosen || t.tgid == Some(chosen))?;
    let most = event.tasks.iter().filter_map(points).max()?;
    Some(points(row).is_some_and(|own| own >= most))
}

/// The same for one victim of an event: only the first of a group was chosen by points.
#[must_use]
pub fn expected_victim(event: &Event, victim: &Victim) -> Option<bool> {
    let first = event.victims.first().is_some_and(|first| first.pid == victim.pid);
    victim.pid.filter(|_| first).and_then(|pid| expected(event, pid))
}

/// What there is to allocate: RAM and swap, or the cgroup's limit.
fn total_pages(event: &Event) -> Option<u64> {
    let pages = |size: Kib| size.0 / event.page_size_kib();
    if event.constraint == Some(Constraint::Memcg) {
        let limit = event.memcg.memory.and_then(|memory| memory.limit)?;
        let swap = event.memcg.swap.and_then(|swap| swap.limit).unwrap_or_default();
        let both = event.memcg.memory_and_swap.and_then(|both| both.limit);
        return Some(pages(both.unwrap_or(limit.saturating_add(swap))));
    }
    let info = event.mem_info.as_ref()?;
    let ram = info.ram_pages?.saturating_sub(info.reserved_pages.unwrap_or(0));
    Some(ram.saturating_add(pages(info.swap_total.unwrap_or_default())))
}

/// Whether the kernel is older than 4.17, which took root's bonus away (d46078b28889).
fn root_has_a_bonus(event: &Event) -> bool {
    let mut numbers =
        event.kernel.as_deref().unwrap_or("").split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (4, 17),
        _ => event.tasks.iter().any(|task| task.page_table_pages.is_some()),
    }
}
