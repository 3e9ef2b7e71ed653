//! The kernel's choice, computed again from its own table (`oom_badness` in `mm/oom_kill.c`).
//!
//! What changed over the years, by commit:
//!
//! | kernel | change |
//! |---|---|
//! | before 2.6.36 | address space, CPU time, niceness and more (not computed here); el6 has the newer one |
//! | 2.6.36 | thousandths of RAM and swap, plus `oom_score_adj`; root less 30 (a63d83f427fb) |
//! | 2.6.39 | page tables count (f755a042d82b) |
//! | 3.5 | pages instead of thousandths (a7f638f999ff) |
//! | 3.14 | root less 3 % of its own instead of all memory (778c14affaf9, backported by some) |
//! | 4.17 | root is nobody special (d46078b28889) |
//! | 5.9 | negative scores stay negative; until then whoever may die has 1 at least (9066e5cfb73c) |

use alloc::vec::Vec;

use super::release::Release;
use crate::oomlog::{Constraint, Event, Killer, Part, Task, Victim};
use crate::units::Kib;

/// What root's processes get off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RootBonus {
    Nothing,
    OfItsOwn,
    OfAll,
}

/// How the kernel of a report counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rules {
    /// In thousandths of everything, rounded down, instead of pages.
    thousandths: bool,
    /// Nobody who may die has less than 1.
    clamped: bool,
    root: RootBonus,
}

/// How badly a process asks to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Badness {
    /// In the kernel's own unit of that time: pages, or thousandths before 3.5.
    points: i128,
    /// Thousandths of what there is to allocate: what the kernel prints as `score`; `None` where that
    /// whole is unknown.
    pub thousandths: Option<i64>,
}

/// A process with its place in the kill order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate<'e> {
    /// The row of the table.
    pub task: &'e Task,
    /// Its score.
    pub badness: Badness,
}

/// How many pages there are to allocate, and whether that is certain.
#[derive(Clone, Copy, Debug)]
struct Total {
    pages: u64,
    certain: bool,
}

/// A task's score as that kernel computed it. `None` for one that may not be killed, and where the
/// report does not suffice.
#[must_use]
pub fn badness(task: &Task, event: &Event) -> Option<Badness> {
    let rules = possible_rules(event);
    score(task, event, total(event), rules.first()?)
}

/// Everybody who may be killed, the first to die first; `None` when the table does not decide it: rows
/// are missing, the kernel is too old, nodes or a setting took part in the choice, or a daemon chose.
#[must_use]
pub fn kill_order(event: &Event) -> Option<Vec<Candidate<'_>>> {
    if !decides(event) {
        return None;
    }
    order_by(event, total(event), possible_rules(event).first()?)
}

/// Who would have been next, after `gone`.
#[must_use]
pub fn next_in_line<'e>(event: &'e Event, gone: &[u32], most: usize) -> Vec<Candidate<'e>> {
    let order = kill_order(event).unwrap_or_default();
    let stays = |candidate: &Candidate<'_>| {
        let task = candidate.task;
        !gone.contains(&task.pid) && !task.tgid.is_some_and(|tgid| gone.contains(&tgid))
    };
    order.into_iter().filter(stays).take(most).collect()
}

/// Whether the victim is a task with the most points, as far as the table decides it.
#[must_use]
pub fn expected(event: &Event, pid: u32) -> Option<bool> {
    if !decides(event) {
        return None;
    }
    // Before 5.1 a child could die in place of the one that was chosen.
    let chosen = event.chosen_pid.unwrap_or(pid);
    // A thread of the process may stand in the table for it.
    let row = event.tasks.iter().find(|t| t.pid == chosen || t.tgid == Some(chosen))?;
    let total = total(event);
    let mut verdicts = possible_rules(event).into_iter().map(|rules| {
        let order = order_by(event, total, &rules)?;
        let most = order.first()?;
        let own = score(row, event, total, &rules);
        let is_first = own.is_some_and(|own| own.points >= most.badness.points);
        // Equal adjustments weigh the same whatever the whole is.
        let weighed = total.is_some_and(|total| total.certain)
            || row.oom_score_adj == most.task.oom_score_adj;
        (is_first || weighed).then_some(is_first)
    });
    let first = verdicts.next()??;
    // Where it is not known which rules that kernel had, they must agree.
    verdicts.all(|other| other == Some(first)).then_some(first)
}

/// The same for one victim of an event: only the first of a group was chosen by points.
#[must_use]
pub fn expected_victim(event: &Event, victim: &Victim) -> Option<bool> {
    let first = event.victims.first().is_some_and(|first| first.pid == victim.pid);
    victim.pid.filter(|_| first).and_then(|pid| expected(event, pid))
}

/// Whether the choice was made by points, over rows that are all there.
fn decides(event: &Event) -> bool {
    let by_points =
        matches!(event.constraint, Some(Constraint::None | Constraint::Memcg | Constraint::Manual));
    if event.killer != Killer::Kernel || event.allocating_task || !by_points || event.interleaved {
        return false;
    }
    // A report that breaks off may break off within its table.
    if event.ending.is_none() {
        return false;
    }
    let rows_missing =
        event.missing.iter().any(|part| matches!(part, Part::Tasks | Part::Rows | Part::Elided));
    // el6's table has no swap, which its badness counts.
    let swap =
        event.mem_info.as_ref().and_then(|info| info.swap_total).is_some_and(|swap| swap.0 > 0);
    let swap_unseen = swap && event.tasks.iter().all(|task| task.swap.is_none());
    !(rows_missing || swap_unseen || event.tasks.is_empty())
}

fn order_by<'e>(
    event: &'e Event,
    total: Option<Total>,
    rules: &Rules,
) -> Option<Vec<Candidate<'e>>> {
    // Without the whole an adjustment has no weight that could be computed.
    let adjusted = event.tasks.iter().any(|task| !matches!(task.oom_score_adj, Some(0 | -1000)));
    if total.is_none() && (adjusted || rules.thousandths) {
        return None;
    }
    let candidate =
        |task: &'e Task| Some(Candidate { task, badness: score(task, event, total, rules)? });
    let mut order: Vec<Candidate<'e>> = event.tasks.iter().filter_map(candidate).collect();
    order.sort_by_key(|candidate| core::cmp::Reverse(candidate.badness.points));
    Some(order)
}

fn score(task: &Task, event: &Event, total: Option<Total>, rules: &Rules) -> Option<Badness> {
    let adj = i128::from(task.oom_score_adj?);
    if adj <= -1000 || task.tgid == Some(1) {
        return None;
    }
    let page_bytes = event.page_size_kib() * 1024;
    let tables =
        task.page_table_pages.or_else(|| task.page_table_bytes.map(|bytes| bytes / page_bytes));
    let held = i128::from(task.rss?)
        + i128::from(task.swap.unwrap_or(0))
        + i128::from(tables.unwrap_or(0));
    let whole = total.map_or(0, |total| i128::from(total.pages));
    let root = task.uid == Some(0);
    if rules.thousandths {
        let mut points = (held * 1000).checked_div(whole)?;
        if root && rules.root != RootBonus::Nothing {
            points -= 30;
        }
        let points = (points + adj).clamp(0, 1000);
        return Some(Badness { points, thousandths: i64::try_from(points).ok() });
    }
    let (mut points, mut adj) = (held, adj);
    match rules.root {
        RootBonus::OfItsOwn if root => points -= points * 3 / 100,
        RootBonus::OfAll if root => adj -= 30,
        _ => {}
    }
    points += adj * (whole / 1000);
    if rules.clamped {
        points = points.max(1);
    }
    let certain = total.is_some_and(|total| total.certain);
    let thousandths = (points * 1000).checked_div(whole).filter(|_| certain);
    Some(Badness { points, thousandths: thousandths.and_then(|n| i64::try_from(n).ok()) })
}

/// The rules of the report's kernel; more than one where the report does not say which, none where
/// that kernel's were other ones altogether.
fn possible_rules(event: &Event) -> Vec<Rules> {
    let any = |has: fn(&Task) -> bool| event.tasks.iter().any(has);
    if !any(|task| task.oom_score_adj.is_some()) {
        return Vec::new();
    }
    let pages = |root| Rules { thousandths: false, clamped: true, root };
    let Some(release) = event.kernel.as_deref().and_then(Release::parse) else {
        // The table's columns tell its age: page tables in bytes since 4.15, in pages since 3.10.
        return if any(|task| task.page_table_bytes.is_some()) {
            [Rules { clamped: false, ..pages(RootBonus::Nothing) }, pages(RootBonus::OfItsOwn)]
                .into()
        } else if any(|task| task.page_table_pages.is_some()) {
            [pages(RootBonus::OfItsOwn), pages(RootBonus::OfAll)].into()
        } else {
            Vec::new()
        };
    };
    if release < Release::new(3, 5) {
        // el6 calls itself 2.6.32 and computes as 2.6.36 does: its table has the column.
        return [Rules { thousandths: true, clamped: true, root: RootBonus::OfAll }].into();
    }
    // The bonus is CAP_SYS_ADMIN's, which root in a container does not have.
    let contained = event.cgroup.as_deref().is_some_and(is_container);
    if release < Release::new(3, 14) && !contained {
        return [pages(RootBonus::OfAll), pages(RootBonus::OfItsOwn)].into();
    }
    if release < Release::new(4, 17) {
        let root = if contained { RootBonus::Nothing } else { RootBonus::OfItsOwn };
        return [pages(root)].into();
    }
    [Rules { clamped: release < Release::new(5, 9), ..pages(RootBonus::Nothing) }].into()
}

/// Whether a cgroup is a container's, by where the runtimes put them.
fn is_container(cgroup: &str) -> bool {
    const RUNTIMES: [&str; 7] =
        ["docker", "kubepods", "containerd", "crio", "libpod", "/lxc", "machine.slice"];
    RUNTIMES.iter().any(|runtime| cgroup.contains(runtime))
}

/// What there is to allocate: RAM and swap, or the cgroup's limit and what it may swap.
fn total(event: &Event) -> Option<Total> {
    let pages = |size: Kib| size.0 / event.page_size_kib();
    if event.constraint == Some(Constraint::Memcg) {
        let limit = event.memcg.memory.and_then(|memory| memory.limit)?;
        let both = event.memcg.memory_and_swap.and_then(|both| both.limit);
        let swap = event.memcg.swap.and_then(|swap| swap.limit);
        let whole = both.unwrap_or_else(|| limit.saturating_add(swap.unwrap_or_default()));
        // Where the cgroup may swap without limit, the machine's swap counts, which is not in the report.
        // But if nobody had anything in it, there was none to be had: it is used before anybody is killed.
        let swapless = event.tasks.iter().all(|task| task.swap == Some(0));
        let said = event.memcg.memory_and_swap.is_some() || event.memcg.swap.is_some();
        let certain = both.is_some() || swap.is_some() || !said || swapless;
        return Some(Total { pages: pages(whole), certain });
    }
    let info = event.mem_info.as_ref()?;
    let ram = info.ram_pages?.saturating_sub(info.reserved_pages.unwrap_or(0));
    let whole = ram.saturating_add(pages(info.swap_total.unwrap_or_default()));
    Some(Total { pages: whole, certain: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oomlog::MemInfo;
    use alloc::string::ToString;

    fn event(kernel: &str, tasks: &[(u32, u32, u64, i32)]) -> Event {
        let task = |(pid, uid, rss, adj): &(u32, u32, u64, i32)| Task {
            pid: *pid,
            tgid: Some(*pid),
            uid: Some(*uid),
            rss: Some(*rss),
            swap: Some(0),
            oom_score_adj: Some(*adj),
            ..Task::default()
        };
        Event {
            kernel: Some(kernel.to_string()),
            constraint: Some(Constraint::None),
            mem_info: Some(MemInfo { ram_pages: Some(100_000), ..MemInfo::default() }),
            tasks: tasks.iter().map(task).collect(),
            ending: Some(crate::oomlog::Ending::Killed),
            ..Event::default()
        }
    }

    fn first(kernel: &str, tasks: &[(u32, u32, u64, i32)]) -> u32 {
        kill_order(&event(kernel, tasks)).unwrap().first().unwrap().task.pid
    }

    #[test]
    fn roots_bonus_went_away_with_4_17() {
        // Root holds 2 % more than the other: less with the bonus, more without.
        let tasks = [(10, 0, 20_400, 0), (11, 1000, 20_000, 0)];
        assert_eq!(first("4.16.0", &tasks), 11);
        assert_eq!(first("4.17.0", &tasks), 10);
    }

    #[test]
    fn between_3_5_and_3_14_the_bonus_is_one_of_two_and_both_must_agree() {
        // 3 % of all memory is 3000 pages; 3 % of its own is 660.
        let tasks = [(10, 0, 22_000, 0), (11, 1000, 20_000, 0)];
        assert_eq!(expected(&event("3.10.0-957.el7", &tasks), 11), None);
        let clear = [(10, 0, 40_000, 0), (11, 1000, 20_000, 0)];
        assert_eq!(expected(&event("3.10.0-957.el7", &clear), 10), Some(true));
    }

    #[test]
    fn old_heuristics_are_unknown_and_el6_is_not_old() {
        let mut old = event("2.6.32", &[(10, 0, 5, 0)]);
        old.tasks[0].oom_score_adj = None;
        assert!(kill_order(&old).is_none());
        assert_eq!(badness(&old.tasks[0], &old), None);
        let el6 = event("2.6.32-642.el6.x86_64", &[(10, 1000, 50_000, 0)]);
        assert_eq!(badness(&el6.tasks[0], &el6).unwrap().thousandths, Some(500));
    }

    #[test]
    fn an_adjustment_counts_thousandths_of_everything() {
        let tasks = [(10, 1000, 30_000, 0), (11, 1000, 1_000, 300), (12, 1000, 90_000, -1000)];
        assert_eq!(first("6.1.0", &tasks), 11);
        let event = event("6.1.0", &tasks);
        let scores: Vec<_> =
            event.tasks.iter().map(|t| badness(t, &event).and_then(|b| b.thousandths)).collect();
        assert_eq!(scores, [Some(300), Some(310), None]);
    }

    #[test]
    fn scores_below_nothing_were_1_until_5_9() {
        let tasks = [(10, 0, 30_000, -900), (11, 0, 20_000, -900)];
        assert_eq!(expected(&event("5.8.0", &tasks), 11), Some(true), "both have 1");
        assert_eq!(expected(&event("5.9.0", &tasks), 11), Some(false));
    }

    #[test]
    fn the_next_in_line_is_whoever_is_left() {
        let tasks = [(10, 33, 30_000, 0), (11, 33, 20_000, 0), (12, 33, 10_000, 0)];
        let event = event("6.1.0", &tasks);
        let next: Vec<u32> = next_in_line(&event, &[10], 5).iter().map(|c| c.task.pid).collect();
        assert_eq!(next, [11, 12]);
    }

    #[test]
    fn a_cgroup_that_may_swap_without_limit_leaves_adjustments_unweighed() {
        use crate::oomlog::{Memcg, Usage};
        let usage = |limit| Usage { usage: Kib(0), limit, failcnt: None };
        let mut event = event("6.1.0", &[(10, 33, 30_000, 0), (11, 33, 1_000, 500)]);
        event.constraint = Some(Constraint::Memcg);
        event.memcg = Memcg {
            memory: Some(usage(Some(Kib(400_000)))),
            swap: Some(usage(None)),
            ..Memcg::default()
        };
        assert_eq!(expected(&event, 10), Some(false), "nothing was swapped out: there was no swap");
        event.tasks[0].swap = Some(1);
        assert_eq!(expected(&event, 11), Some(true), "more swap only adds to it");
        assert_eq!(expected(&event, 10), None);
    }
}
