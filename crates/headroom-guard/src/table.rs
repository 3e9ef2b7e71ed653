//! Every process with memory of its own, classed once and looked at again when it may have changed.
//!
//! A process is forked as root, becomes another user later and execs after that; whoever keeps the
//! class seen at the fork misses every cron job. So the young are examined again and again, the old
//! when their name changes, and all now and then.

use std::time::Duration;

use headroom_core::action::Report;
use headroom_core::cgroup::Cgroup;
use headroom_core::policy::{Class, Policy};
use headroom_core::snapshot::{Moment, Process, ProcessId, Snapshot};
use headroom_core::units::Kib;
use headroom_sys::ReadError;
use headroom_sys::own;
use headroom_sys::proc::{MOST_READY, Proc, Stat};

use crate::protect;
use again::Again;
use examine::{Kin, Relations, examine, forked, look_whether_waiting, weigh};
pub(crate) use names::Names;
use passed::{Passed, Turns};

mod again;
mod examine;
mod names;
mod passed;
#[cfg(test)]
mod tests;

/// Before a choice whoever is new is looked at for this long at the most: the next look goes on with them.
const NEWCOMERS: Duration = Duration::from_millis(10);
/// While memory is short this many command lines are read in a scan ...
const NAMES: u32 = 8;
/// ... and after a process took this long to look at ...
const LONG: Duration = Duration::from_millis(20);
/// ... none for this long.
const NOT_AGAIN: Duration = Duration::from_secs(10);
/// ... after one that could not be read in time, for this long ...
const MISSED: Duration = Duration::from_secs(1);
/// ... and while memory is not short for this long: a process that is starting on a busy machine may hold its
/// own lock for some milliseconds, and whoever is born meanwhile is to be classed all the same.
const MISSED_AT_EASE: Duration = Duration::from_millis(25);
/// The kernel's threads are asked this often whether they still are, where births are heard: the number of one that
/// ended is given away again only after all others were.
const THREADS: Duration = Duration::from_secs(60);
/// When the table is this full, in per cent, those that have ended are looked for ...
const FULL: usize = 75;
/// ... so many entries at each birth.
const LOOKED_AT: usize = 4;
/// Room for this many processes is kept at the least.
const LEAST_ROOM: usize = 1024;

/// `PF_EXITING` (include/linux/sched.h): it is on its way out.
const PF_EXITING: u32 = 0x4;

/// Whom a scan looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Everybody.
    All,
    /// Those who may go, and whoever is new: all that a choice is made from. The others stay as they were,
    /// which is known of them as long as births are heard; where those are not, everybody is looked at.
    WhoMayGo,
}

/// What is remembered of a process beside what the snapshot says.
#[derive(Clone, Copy, Debug, Default)]
struct Memo {
    first_seen: Moment,
    examined: Moment,
    /// Its command line was not read, for haste.
    nameless: bool,
}

/// The table's own buffers; the processes themselves live in the snapshot, sorted by their pids.
#[derive(Debug)]
pub(crate) struct Table {
    pids: Vec<i32>,
    /// Threads of the kernel's, and when all of them were last asked whether they still are.
    threads: Vec<i32>,
    threads_asked: Moment,
    turns: Turns,
    memos: Vec<Memo>,
    next_processes: Vec<Process>,
    next_memos: Vec<Memo>,
    /// Memory is short: few command lines are read. The kernel reads them under the process's mmap lock
    /// (fs/proc/base.c, mm/memory.c `access_remote_vm`), which that process may hold for seconds while it
    /// waits for memory itself; everything else that is read here takes no such lock.
    hasty: bool,
    /// Who reads what may have to be waited for; without it that is read here.
    names: Option<Names>,
    /// Command lines that may yet be read before the next look.
    names_left: u32,
    /// After one that took long none is read before this.
    names_again: Moment,
    /// From which pid on those that have ended are looked for next.
    look_from: i32,
    again: Again,
    /// Entries of /proc that could not be understood in the last scan.
    pub(crate) malformed: u32,
    /// Processes that could not be read for want of rights in the last scan.
    pub(crate) forbidden: u32,
    /// The units that the guard has frozen.
    pub(crate) frozen: Vec<Cgroup>,
    /// Whom the guard has stopped.
    pub(crate) stopped: Vec<ProcessId>,
    /// Who was protected by a request.
    pub(crate) granted: Vec<ProcessId>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            pids: Vec::with_capacity(LEAST_ROOM),
            threads: Vec::with_capacity(LEAST_ROOM),
            threads_asked: Moment::default(),
            turns: Turns::new(),
            memos: Vec::with_capacity(LEAST_ROOM),
            next_processes: Vec::with_capacity(LEAST_ROOM),
            next_memos: Vec::with_capacity(LEAST_ROOM),
            hasty: false,
            names: None,
            names_left: 0,
            names_again: Moment::default(),
            look_from: 0,
            again: Again::default(),
            malformed: 0,
            forbidden: 0,
            frozen: Vec::with_capacity(headroom_api::trial::MOST_HELD),
            stopped: Vec::with_capacity(headroom_api::trial::MOST_HELD),
            granted: Vec::with_capacity(protect::MOST),
        }
    }

    /// Forgets what was classed, so that the next scan classes all by a new policy.
    pub(crate) fn forget_classes(&mut self) {
        for memo in &mut self.memos {
            memo.examined = Moment::default();
            memo.first_seen = Moment::default();
        }
    }

    /// Somebody was stopped or let go on: the next scan looks at who stands still as well.
    pub(crate) fn look_at_all(&mut self) {
        self.turns.look_at_all();
    }

    /// Takes in that a process carries a new value.
    pub(crate) fn note_score(snapshot: &mut Snapshot, id: ProcessId, value: i16) {
        if let Ok(at) = place(snapshot, id.pid)
            && let Some(process) = snapshot.processes.get_mut(at).filter(|p| p.id == id)
        {
            process.oom_score_adj = Some(value);
        }
    }

    /// What is known of a process, when it is in the table.
    pub(crate) fn of(snapshot: &Snapshot, id: ProcessId) -> Option<Process> {
        let at = place(snapshot, id.pid).ok()?;
        snapshot.processes.get(at).filter(|p| p.id == id).copied()
    }

    /// The value a process carries, when it is in the table.
    pub(crate) fn score(snapshot: &Snapshot, id: ProcessId) -> Option<i16> {
        let at = place(snapshot, id.pid).ok()?;
        snapshot.processes.get(at).filter(|p| p.id == id)?.oom_score_adj
    }

    /// It was sent SIGKILL and is on its way out, which shows at the next scan.
    pub(crate) fn note_ending(snapshot: &mut Snapshot, id: ProcessId) {
        let process = place(snapshot, id.pid).ok().and_then(|at| snapshot.processes.get_mut(at));
        if let Some(process) = process.filter(|process| process.id == id) {
            process.ending = true;
        }
    }

    /// The zones a process is in, as far as it is in the table.
    pub(crate) fn zones_of(snapshot: &Snapshot, pid: i32) -> u8 {
        at_pid(&snapshot.processes, pid).map_or(0, |process| process.zones)
    }

    /// Examines this one process alone and returns it as it is now; `None` when it is gone or a
    /// thread of the kernel's. Never allocates: where the table is full it waits for the next scan.
    ///
    /// What its end would return is not asked: that is for the scan that comes before each choice.
    pub(crate) fn examine_one(
        &mut self,
        proc: &mut Proc,
        snapshot: &mut Snapshot,
        policy: &Policy,
        pid: i32,
        now: Moment,
    ) -> Option<Process> {
        let stat = match proc.stat(pid) {
            Ok(stat) if stat.is_kernel_thread() => return None,
            Ok(stat) => stat,
            Err(ReadError::Gone) => {
                self.forget(snapshot, pid);
                return None;
            }
            Err(_) => return None,
        };
        let id = ProcessId { pid, start_ticks: stat.start_ticks };
        let place = place(snapshot, pid);
        let before = place.ok().and_then(|at| {
            let process = snapshot.processes.get(at).filter(|p| p.id == id)?;
            Some((*process, *self.memos.get(at)?))
        });
        let (process, memo) = before.unwrap_or((
            Process { id, ..Process::default() },
            Memo { first_seen: now, examined: now, nameless: false },
        ));
        let parent = at_pid(&snapshot.processes, stat.parent).copied();
        let renamed = process.comm != stat.comm;
        let process = updated(process, &stat);
        let relations =
            Relations { parent, session: stat.session, was_examined: before.is_some(), renamed };
        let (process, nameless) = self.examine(proc, process, policy, &relations);
        let memo = Memo { examined: now, nameless, ..memo };
        snapshot.nameless |= nameless;
        match place {
            Ok(at) => {
                snapshot.processes.get_mut(at).into_iter().for_each(|p| *p = process);
                self.memos.get_mut(at).into_iter().for_each(|m| *m = memo);
            }
            // New pids are mostly the highest, so that next to nothing has to move.
            Err(at) if has_room(&snapshot.processes) && has_room(&self.memos) => {
                snapshot.processes.insert(at, process);
                self.memos.insert(at, memo);
            }
            Err(_) => {}
        }
        Some(process)
    }

    /// Looks once more at whom a verdict is about, right before it is carried out: what the kernel told and
    /// was lost, or is not read yet, must cost nobody's life. Its command line is not read again, which may
    /// make the guard wait. Says why it may not go, if it may not.
    pub(crate) fn look_again(
        &self,
        proc: &mut Proc,
        snapshot: &Snapshot,
        policy: &Policy,
        process: &Process,
        trims: bool,
    ) -> Option<Report> {
        let stat = match proc.stat(process.id.pid) {
            Ok(stat) if stat.start_ticks == process.id.start_ticks => stat,
            Ok(_) | Err(ReadError::Gone) => return Some(Report::Vanished),
            // What cannot be read now is known from the scan.
            Err(_) => return None,
        };
        let parent = at_pid(&snapshot.processes, stat.parent).copied();
        let (session, granted) = (stat.session, &self.granted);
        let relations = Relations { parent, session, was_examined: true, renamed: false };
        let names = self.names.as_ref();
        let kin = Kin { relations: &relations, granted, hasty: true, blind: false, names };
        let (now, _) = examine(proc, updated(*process, &stat), policy, &kin);
        let may_go = now.may_be_slain() || (trims && now.is_worker);
        (!may_go).then_some(Report::Refused)
    }

    /// Has others read from now on what may have to be waited for.
    pub(crate) fn read_beside(&mut self, names: Names) {
        self.names = Some(names);
    }

    /// Takes in whether memory is short, as each look finds it.
    pub(crate) const fn set_hasty(&mut self, hasty: bool) {
        self.hasty = hasty;
        self.names_left = if hasty { NAMES } else { u32::MAX };
    }

    /// Examines a process, at a scan or at its birth, and says whether its command line was left out for
    /// haste. One that took long is the last for a while.
    fn examine(
        &mut self,
        proc: &mut Proc,
        process: Process,
        policy: &Policy,
        relations: &Relations,
    ) -> (Process, bool) {
        let began = own::now();
        let blind = began < self.names_again;
        let nameless = blind || (self.hasty && self.names_left == 0);
        self.names_left = self.names_left.saturating_sub(1);
        let kin = Kin {
            relations,
            granted: &self.granted,
            hasty: nameless,
            blind,
            names: self.names.as_ref(),
        };
        let (examined, missed) = examine(proc, process, policy, &kin);
        let ended = own::now();
        if !blind && missed {
            self.names_again = ended.after(if self.hasty { MISSED } else { MISSED_AT_EASE });
        } else if self.hasty && ended.since(began) > LONG {
            self.names_again = ended.after(NOT_AGAIN);
        }
        let nameless = nameless || missed;
        (examined, nameless)
    }

    /// Where the table gets full, takes out some that have ended: births come faster than scans.
    pub(crate) fn make_room(&mut self, proc: &mut Proc, snapshot: &mut Snapshot) {
        if snapshot.processes.len() * 100 < snapshot.processes.capacity() * FULL {
            return;
        }
        for _ in 0..LOOKED_AT {
            let Some((process, _)) = self.next_from(snapshot, self.look_from) else {
                self.look_from = 0;
                return;
            };
            let pid = process.id.pid;
            self.look_from = pid.saturating_add(1);
            if matches!(proc.stat(pid), Err(ReadError::Gone)) {
                self.forget(snapshot, pid);
            }
        }
    }

    /// Takes a process out that has ended.
    fn forget(&mut self, snapshot: &mut Snapshot, pid: i32) {
        if let Ok(at) = place(snapshot, pid) {
            snapshot.processes.remove(at);
            self.memos.remove(at);
        }
    }

    /// The first process from this pid on, and when it was last examined.
    pub(crate) fn next_from(&self, snapshot: &Snapshot, pid: i32) -> Option<(Process, Moment)> {
        let at = place(snapshot, pid).unwrap_or_else(|at| at);
        Some((*snapshot.processes.get(at)?, self.memos.get(at)?.examined))
    }

    /// Looks at those alone who are held ready, of whom nothing has to be opened, and says whether one of
    /// them may go. The others stay as the last scan left them.
    pub(crate) fn scan_ready(
        &mut self,
        proc: &mut Proc,
        snapshot: &mut Snapshot,
        now: Moment,
    ) -> bool {
        let mut ready = [None; MOST_READY];
        ready.iter_mut().zip(proc.ready()).for_each(|(place, id)| *place = Some(id));
        let swap = snapshot.memory.swap_total > Kib::ZERO;
        let mut may_go = false;
        for id in ready.into_iter().flatten() {
            let stat = proc.stat(id.pid);
            if stat == Err(ReadError::Gone) {
                self.forget(snapshot, id.pid);
            }
            let of_id = place(snapshot, id.pid).ok().and_then(|at| snapshot.processes.get_mut(at));
            let (Ok(stat), Some(process)) = (stat, of_id.filter(|p| p.id == id)) else { continue };
            if stat.start_ticks == id.start_ticks {
                *process = weigh(proc, updated(*process, &stat), swap);
                may_go |= process.may_be_slain() && !process.ending;
            }
        }
        if may_go {
            snapshot.scanned = now;
        }
        may_go
    }

    /// Scans processes into `snapshot`. Allocates only when there are more than ever before.
    pub(crate) fn scan(
        &mut self,
        proc: &mut Proc,
        snapshot: &mut Snapshot,
        policy: &Policy,
        whom: Whom,
        now: Moment,
    ) -> Result<(), ReadError> {
        let heard = snapshot.births_heard;
        let all = whom == Whom::All || !heard;
        let began = own::now();
        self.pids.clear();
        let pids = &mut self.pids;
        proc.each_pid(&mut |pid| pids.push(pid))?;
        self.pids.sort_unstable();
        self.next_processes.clear();
        self.next_memos.clear();
        let passed = if all { Passed::Nobody } else { self.turns.next(snapshot, now, self.hasty) };
        let asks_threads = !heard || now.since(self.threads_asked) >= THREADS;
        if all && asks_threads {
            self.threads.clear();
            self.threads_asked = now;
        }
        let known_threads = self.threads.len();
        if all {
            (self.malformed, self.forbidden) = (0, 0);
        }
        self.again.begin(heard, all, snapshot.processes.len());
        let swap = snapshot.memory.swap_total > Kib::ZERO;
        let mut known = 0;
        for at in 0..self.pids.len() {
            let pid = self.pids[at];
            while snapshot.processes.get(known).is_some_and(|p| p.id.pid < pid) {
                known += 1;
            }
            let of_pid = snapshot.processes.get(known).filter(|p| p.id.pid == pid);
            let passes = match of_pid {
                Some(process) => passed.passes(process),
                // Of many who are new the rest waits for the next look.
                None => {
                    let is_thread = || self.threads[..known_threads].binary_search(&pid).is_ok();
                    is_thread() || (!all && own::now().since(began) > NEWCOMERS)
                }
            };
            if passes {
                if let (Some(process), Some(memo)) = (of_pid, self.memos.get(known)) {
                    self.next_processes.push(*process);
                    self.next_memos.push(*memo);
                }
                continue;
            }
            let stat = match proc.stat(pid) {
                Ok(stat) if stat.is_kernel_thread() => {
                    if all {
                        self.threads.push(pid);
                    }
                    continue;
                }
                Ok(stat) => stat,
                Err(ReadError::Gone) => continue,
                Err(ReadError::Forbidden) => {
                    self.forbidden += u32::from(all);
                    continue;
                }
                Err(_) => {
                    self.malformed += u32::from(all);
                    continue;
                }
            };
            let id = ProcessId { pid, start_ticks: stat.start_ticks };
            let before = of_pid.filter(|p| p.id == id);
            let memo = before.and_then(|_| self.memos.get(known)).copied();
            let memo = memo.unwrap_or(Memo {
                first_seen: now,
                examined: Moment::default(),
                nameless: false,
            });
            let is_known = before.is_some_and(|p| {
                let nameless = memo.nameless && self.names_left > 0;
                !self.again.is_due(p, &stat, memo, nameless, now)
            });
            let (process, memo) = match before {
                // Whoever has another name and is left over keeps the old one until it is examined.
                Some(p) if is_known => (Process { comm: p.comm, ..updated(*p, &stat) }, memo),
                before => {
                    let fresh = Process { id, ..before.copied().unwrap_or_default() };
                    let is_new = before.is_none();
                    let parent = at_pid(&self.next_processes, stat.parent)
                        .or_else(|| at_pid(&snapshot.processes, stat.parent))
                        .copied();
                    let renamed = before.is_some_and(|before| before.comm != stat.comm);
                    let process = updated(fresh, &stat);
                    let relations = Relations {
                        parent,
                        session: stat.session,
                        was_examined: memo.examined != Moment::default(),
                        renamed,
                    };
                    let inherits = (is_new && heard)
                        .then(|| forked(process, parent.as_ref(), stat.session))
                        .flatten();
                    let (process, nameless) = match inherits {
                        Some(process) => (process, false),
                        None => self.examine(proc, process, policy, &relations),
                    };
                    (process, Memo { examined: now, nameless, ..memo })
                }
            };
            let process = weigh(proc, process, swap);
            let process =
                look_whether_waiting(proc, process, stat.state, (&self.frozen, &self.stopped));
            self.next_processes.push(process);
            self.next_memos.push(memo);
        }
        self.threads.sort_unstable();
        std::mem::swap(&mut snapshot.processes, &mut self.next_processes);
        std::mem::swap(&mut self.memos, &mut self.next_memos);
        snapshot.scanned = now;
        if all {
            snapshot.nameless = self.memos.iter().any(|memo| memo.nameless);
            snapshot.scanned_all = now;
        }
        Ok(())
    }
}

/// The process of that pid.
fn at_pid(processes: &[Process], pid: i32) -> Option<&Process> {
    let at = processes.binary_search_by_key(&pid, |p| p.id.pid).ok()?;
    processes.get(at)
}

/// Where the process of that pid stands in the table, or would.
fn place(snapshot: &Snapshot, pid: i32) -> Result<usize, usize> {
    snapshot.processes.binary_search_by_key(&pid, |p| p.id.pid)
}

const fn has_room<T>(table: &Vec<T>) -> bool {
    table.len() < table.capacity()
}

/// What every scan brings anew.
fn updated(process: Process, stat: &Stat) -> Process {
    Process {
        parent: stat.parent,
        comm: stat.comm,
        rss: stat.rss,
        ending: stat.is_zombie() || stat.flags & PF_EXITING != 0,
        paused: stat.is_stopped(),
        in_foreground: stat.in_foreground,
        ..process
    }
}

/// The totals of one class.
pub(crate) fn class_total(processes: &[Process], class: Class) -> (u64, Kib) {
    processes
        .iter()
        .filter(|p| p.class == class)
        .fold((0, Kib::ZERO), |(count, rss), p| (count + 1, rss.saturating_add(p.rss)))
}
