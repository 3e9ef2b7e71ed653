//! A report that is being put together, and what each kind of message adds to it.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};

use super::super::event::{Ending, Event, Invoker, MemInfo, Position, Stamp, Usage, Victim, Wall};
use super::super::message::{
    Account, Announced, Choice, Columns, Invoked, Killed, MemLine, Row, Stats, Traced,
    UserspaceKill,
};
use super::super::rejoin::Line;
use super::TABLE_ROWS;
use crate::units::Kib;

/// Statistics of a cgroup that are kept; the kernel prints some sixty.
const MOST_STATS: usize = 256;

/// Zones that are kept: a big NUMA machine has some tens.
const MOST_ZONES: usize = 256;

/// Slab caches that are kept, the largest.
const MOST_SLABS: usize = 4;

/// Victims that are kept of one group kill.
const MOST_VICTIMS: usize = 4096;

/// Longest text of a field that is kept; a cgroup's path is at most `PATH_MAX`.
const LONGEST_FIELD: usize = 4096;

/// Two lines further apart than this belong to two reports, whatever else speaks for one: a table of
/// some thousand rows takes that long on a serial console.
const LONGEST_REPORT_US: u64 = 120_000_000;

/// A report in the making.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) event: Event,
    /// The parser's count of lines when it last grew.
    pub(super) last_line: u64,
    caller: Option<String>,
    stamp: Stamp,
    pub(super) columns: Option<Columns>,
    table_stamp: Stamp,
    rows: BTreeSet<u32>,
    pub(super) rows_dropped: bool,
    pub(super) table_seen: bool,
    /// Whether statistics lines to come are those of the cgroup at its limit.
    pub(super) in_stats: bool,
    /// Nothing proved yet that an OOM killer ran: a page allocation failure prints Mem-Info too.
    pub(super) tentative: bool,
    /// A newer report of the same stream began before this one had ended.
    pub(super) overtaken: bool,
    /// It is that newer report.
    pub(super) overtook: bool,
    pub(super) manual: bool,
    pub(super) elided: bool,
    pub(super) traced: Option<Traced>,
    /// What the kill line or the announcement says of the reason.
    pub(super) memcg_kill: Option<bool>,
    pub(super) oom_memcg: bool,
    pub(super) has_choice: bool,
    pub(super) buddy_kib: Option<u32>,
    pub(super) x86: bool,
    pub(super) unparsed: u64,
}

impl Open {
    pub(super) fn new(line: &Line) -> Self {
        let event = Event {
            first: line.at,
            last: line.at,
            stamp: line.record.stamp,
            host: line.record.host.clone(),
            ..Event::default()
        };
        Self {
            event,
            caller: line.record.caller.clone(),
            stamp: line.record.stamp,
            ..Self::default()
        }
    }

    pub(super) fn ended(&self) -> bool {
        self.event.ending.is_some()
    }

    /// Whether the line can come from the same kernel (and, where printk says so, the same task).
    pub(super) fn same_stream(&self, line: &Line) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        !differ(&self.event.host, &line.record.host)
            && !differ(&self.caller, &line.record.caller)
            && self.event.first.source == line.at.source
    }

    /// Whether the line is near enough in time to belong here.
    pub(super) fn near(&self, stamp: &Stamp, reach_us: u64) -> bool {
        distance_us(&self.stamp, stamp).is_none_or(|us| us <= reach_us)
    }

    pub(super) fn near_enough(&self, stamp: &Stamp) -> bool {
        self.near(stamp, LONGEST_REPORT_US)
    }

    pub(super) fn touch(&mut self, line: &Line, now: u64) {
        self.last_line = now;
        self.event.last = self.event.last.max(line.at);
        if line.record.stamp.is_known() {
            self.stamp = line.record.stamp;
        }
        if !self.event.stamp.is_known() {
            self.event.stamp = line.record.stamp;
        }
        if self.caller.is_none() {
            self.caller.clone_from(&line.record.caller);
        }
    }

    pub(super) fn invoked(&mut self, invoked: &Invoked<'_>, at: Position) {
        self.event.invoker = Some(Invoker {
            pid: None,
            comm: keep(invoked.comm),
            oom_score_adj: invoked.oom_score_adj,
        });
        self.event.gfp_mask = invoked.gfp_mask.map(keep);
        self.event.order = invoked.order;
        self.event.evidence.head = Some(at);
    }

    pub(super) fn memory(&mut self, line: MemLine<'_>, at: Position) {
        if line == MemLine::Title {
            self.event.evidence.mem_info.get_or_insert(at);
        }
        self.in_stats = false;
        let info = self.event.mem_info.get_or_insert_with(MemInfo::default);
        match line {
            MemLine::Title => {}
            MemLine::Counters(counters) => {
                for (key, value) in counters {
                    if info.counters.len() < MOST_STATS {
                        info.counters.entry(keep(key)).or_insert(value);
                    }
                }
            }
            MemLine::Zone(zone) => {
                if info.zones.len() < MOST_ZONES && info.zones.iter().all(|z| z.name != zone.name) {
                    if let Some(size) = zone.kernel_stack {
                        let sum = info.kernel_stack.unwrap_or_default();
                        info.kernel_stack = Some(sum.saturating_add(size));
                    }
                    info.zones.push(zone);
                }
            }
            MemLine::KernelStack(size) => {
                let sum = info.kernel_stack.unwrap_or_default();
                info.kernel_stack = Some(sum.saturating_add(size));
            }
            MemLine::Buddy(kib) => self.buddy_kib = self.buddy_kib.or(Some(kib)),
            MemLine::Hugepages(size) => {
                info.hugepages = Some(info.hugepages.unwrap_or_default().saturating_add(size));
            }
            MemLine::Slab(name, size) => {
                info.slabs.push((name.chars().take(64).collect(), size));
                info.slabs.sort_by_key(|(_, size)| core::cmp::Reverse(*size));
                info.slabs.truncate(MOST_SLABS);
            }
            MemLine::Ram(pages) => info.ram_pages = info.ram_pages.or(Some(pages)),
            MemLine::Reserved(pages) => info.reserved_pages = info.reserved_pages.or(Some(pages)),
            MemLine::SwapFree(size) => info.swap_free = info.swap_free.or(Some(size)),
            MemLine::SwapTotal(size) => info.swap_total = info.swap_total.or(Some(size)),
        }
    }

    pub(super) fn task_in(&mut self, task: &str, limit: &str) {
        self.event.cgroup = Some(keep(limit));
        self.event.task_cgroup = Some(keep(task));
    }

    pub(super) fn usage(&mut self, account: Account, usage: Usage, at: Position) {
        let memcg = &mut self.event.memcg;
        let slot = match account {
            Account::Memory => {
                self.event.evidence.usage.get_or_insert(at);
                &mut memcg.memory
            }
            Account::Swap => &mut memcg.swap,
            Account::MemoryAndSwap => &mut memcg.memory_and_swap,
            Account::Kmem => &mut memcg.kmem,
        };
        *slot = slot.or(Some(usage));
    }

    /// Whether nothing is known of an account yet.
    pub(super) fn lacks(&self, account: Account) -> bool {
        let memcg = &self.event.memcg;
        match account {
            Account::Memory => memcg.memory.is_none(),
            Account::Swap => memcg.swap.is_none(),
            Account::MemoryAndSwap => memcg.memory_and_swap.is_none(),
            Account::Kmem => memcg.kmem.is_none(),
        }
    }

    pub(super) fn stats_for(&mut self, stats: &Stats<'_>) {
        let cgroup = self.event.cgroup.get_or_insert_with(|| keep(stats.cgroup));
        // The children's follow their parent's (kernels before 5.2) and are no part of it.
        self.in_stats = cgroup == stats.cgroup;
        if self.in_stats {
            for (key, value) in &stats.values {
                self.stat(key, *value);
            }
        }
    }

    pub(super) fn stat(&mut self, key: &str, value: u64) {
        let stats = &mut self.event.memcg.stats;
        if stats.len() < MOST_STATS {
            stats.entry(keep(key)).or_insert(value);
        }
    }

    /// Takes the heading; `false` when it is that of another table.
    pub(super) fn table(&mut self, columns: &Columns, line: &Line) -> bool {
        if self.table_seen && !self.rows.is_empty() {
            return self.table_stamp == line.record.stamp && self.columns.as_ref() == Some(columns);
        }
        self.event.unknown_columns.clone_from(&columns.unknown);
        self.columns = Some(columns.clone());
        self.table_seen = true;
        self.table_stamp = line.record.stamp;
        self.event.evidence.table.get_or_insert(line.at);
        self.in_stats = false;
        self.tentative = false;
        true
    }

    pub(super) fn row(&mut self, row: &Row<'_>) {
        if self.columns.is_none() {
            self.columns = Columns::guess(row.rest);
        }
        let Some(task) = self.columns.as_ref().and_then(|columns| columns.read(row)) else {
            self.unparsed += 1;
            return;
        };
        if self.rows.len() >= TABLE_ROWS {
            self.rows_dropped = true;
        } else if self.rows.insert(row.pid) {
            self.event.tasks.push(task);
        }
    }

    pub(super) fn choice(&mut self, choice: &Choice<'_>, at: Position) {
        let event = &mut self.event;
        self.tentative = false;
        self.has_choice = true;
        self.in_stats = false;
        self.oom_memcg |= choice.oom_memcg.is_some();
        set(&mut event.constraint_name, choice.constraint);
        set(&mut event.cpuset, choice.cpuset);
        if let Some(cgroup) = choice.oom_memcg {
            event.cgroup = Some(keep(cgroup));
        }
        set(&mut event.task_cgroup, choice.task_memcg);
        event.chosen_pid = event.chosen_pid.or(choice.pid);
        event.evidence.choice.get_or_insert(at);
    }

    pub(super) fn announced(&mut self, announced: &Announced<'_>, at: Position) {
        self.tentative = false;
        self.memcg_kill = Some(announced.memcg);
        self.event.allocating_task |= announced.allocating_task;
        self.event.chosen_pid = Some(announced.pid);
        self.event.evidence.choice.get_or_insert(at);
    }

    pub(super) fn killed(&mut self, killed: &Killed<'_>, at: Position) {
        self.tentative = false;
        self.memcg_kill = self.memcg_kill.or(killed.memcg);
        self.event.allocating_task |= killed.allocating_task;
        self.event.ending = Some(Ending::Killed);
        self.event.evidence.end.get_or_insert(at);
        let victim = Victim {
            at,
            pid: Some(killed.pid),
            comm: keep(killed.comm),
            total_vm: killed.total_vm.map(Kib),
            anon_rss: killed.anon_rss.map(Kib),
            file_rss: killed.file_rss.map(Kib),
            shmem_rss: killed.shmem_rss.map(Kib),
            pgtables: killed.pgtables.map(Kib),
            uid: killed.uid,
            oom_score_adj: killed.oom_score_adj,
            reaped: false,
        };
        // A terminal may have broken the name in the table's row, the last thing on its line.
        let row = self.event.tasks.iter_mut().find(|task| Some(task.pid) == victim.pid);
        if let Some(row) = row.filter(|row| victim.comm.starts_with(&row.comm)) {
            row.comm.clone_from(&victim.comm);
        }
        let victims = &mut self.event.victims;
        if let Some(known) = victims.iter_mut().find(|known| known.pid == victim.pid) {
            merge(known, victim);
        } else if victims.len() < MOST_VICTIMS {
            victims.push(victim);
        } else {
            self.rows_dropped = true;
        }
    }

    pub(super) fn victim(&mut self, pid: u32) -> Option<&mut Victim> {
        self.event.victims.iter_mut().find(|victim| victim.pid == Some(pid))
    }

    /// A kill of which only the oom_reaper's line is left.
    pub(super) fn reaped_only(&mut self, pid: u32, comm: &str, at: Position) {
        self.tentative = false;
        self.event.ending = Some(Ending::Killed);
        self.event.evidence.end.get_or_insert(at);
        let victim =
            Victim { at, pid: Some(pid), comm: keep(comm), reaped: true, ..Victim::default() };
        self.event.victims.push(victim);
    }

    pub(super) fn userspace(&mut self, kill: &UserspaceKill<'_>, at: Position) {
        if let Some(known) = self.event.victims.first_mut() {
            // The cgroup's path says more than its unit's name, and a reason more than none.
            if kill.comm.len() > known.comm.len() {
                known.comm = keep(kill.comm);
            }
            return set(&mut self.event.reason, kill.reason);
        }
        self.event.killer = kill.killer;
        self.event.ending = Some(Ending::Killed);
        self.event.evidence.end.get_or_insert(at);
        self.event.reason = kill.reason.map(keep);
        self.event.victims.push(Victim {
            at,
            pid: kill.pid,
            comm: keep(kill.comm),
            anon_rss: kill.rss_kib.map(Kib),
            uid: kill.uid,
            ..Victim::default()
        });
    }
}

/// A second line on the same victim adds what the first did not say.
fn merge(known: &mut Victim, again: Victim) {
    if known.comm.is_empty() {
        known.comm = again.comm;
    }
    known.total_vm = known.total_vm.or(again.total_vm);
    known.anon_rss = known.anon_rss.or(again.anon_rss);
    known.file_rss = known.file_rss.or(again.file_rss);
    known.shmem_rss = known.shmem_rss.or(again.shmem_rss);
    known.pgtables = known.pgtables.or(again.pgtables);
    known.uid = known.uid.or(again.uid);
    known.oom_score_adj = known.oom_score_adj.or(again.oom_score_adj);
}

fn set(slot: &mut Option<String>, value: Option<&str>) {
    if slot.is_none() {
        *slot = value.map(keep);
    }
}

fn keep(text: &str) -> String {
    match text.char_indices().nth(LONGEST_FIELD) {
        Some((end, _)) => text[..end].to_string(),
        None => text.to_string(),
    }
}

/// How far apart two stamps are by the clock both have; the wall clock first, since an uptime alone
/// begins anew with every boot.
pub(super) fn distance_us(a: &Stamp, b: &Stamp) -> Option<u64> {
    if let (Some(a), Some(b)) = (a.wall, b.wall)
        && let Some(distance) = wall_distance_us(a, b)
    {
        return Some(distance);
    }
    Some(a.uptime_us?.abs_diff(b.uptime_us?))
}

fn wall_distance_us(a: Wall, b: Wall) -> Option<u64> {
    const DAY_US: u64 = 86_400_000_000;
    match (a, b) {
        (Wall::Unix(a), Wall::Unix(b)) => Some(a.abs_diff(b)),
        (Wall::TimeOfDay(a), Wall::TimeOfDay(b)) => {
            Some(a.abs_diff(b).min(DAY_US - a.abs_diff(b).min(DAY_US)))
        }
        (
            Wall::Civil { year: y1, month: m1, day: d1, time_us: t1, .. },
            Wall::Civil { year: y2, month: m2, day: d2, time_us: t2, .. },
        ) => {
            if (y1, m1, d1) == (y2, m2, d2) {
                return Some(t1.abs_diff(t2));
            }
            // Midnight may lie between; further apart than a day is far enough.
            let days = u64::from(m1.abs_diff(m2)) * 31 + u64::from(d1.abs_diff(d2));
            let around = DAY_US.saturating_sub(t1.max(t2)).saturating_add(t1.min(t2));
            Some(if days == 1 || d1 == 1 || d2 == 1 { around } else { days.saturating_mul(DAY_US) })
        }
        _ => None,
    }
}
