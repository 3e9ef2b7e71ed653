//! Finds the report a message belongs to, or begins one.
//!
//! The kernel dumps one report at a time (`oom_lock`), but a log may hold several at once: from two
//! hosts, from callers told apart by printk, from kernels whose cgroups had a lock each, or because the
//! end of one was lost. A line that names a task or a cgroup goes to the report that knows it; any
//! other goes to the newest that has not ended, never to one that has.

use super::super::event::{Killer, Victim};
use super::super::message::{Account, Killed, MemLine, Message, UserspaceKill};
use super::super::rejoin::Line;
use super::absorb::absorb;
use super::report::{Open, distance_us};
use super::{Parser, begins_headless};

/// Within this much of a group kill's first victim all further kill lines are the same kill's.
const GROUP_KILL_US: u64 = 10_000_000;

/// Two reports whose heads are closer than this may be interleaved.
const INTERLEAVED_US: u64 = 1_000_000;

impl Parser {
    pub(super) fn route(&mut self, line: &Line, message: Message<'_>) {
        let target = match &message {
            Message::Invoked(_) => {
                let overtook = self.overtake(line);
                let mut open = Open::new(line);
                open.overtook = overtook;
                Some(self.begin(open))
            }
            Message::ManualRun | Message::Suppressed(_) | Message::NohangSearch => {
                return self.hint(&message);
            }
            Message::NohangVictim { pid, comm } => {
                self.nohang_victim = Some((*pid, comm.chars().take(64).collect()));
                return;
            }
            Message::NohangSignal => {
                let Some((pid, comm)) = self.nohang_victim.clone() else { return };
                let kill = UserspaceKill {
                    killer: Killer::Nohang,
                    pid: Some(pid),
                    comm: &comm,
                    uid: None,
                    rss_kib: None,
                    reason: None,
                };
                return self.route(line, Message::Userspace(kill));
            }
            Message::Cpuset { comm, .. } => self.find(line, |open| {
                open.event.cpuset.is_none()
                    && open.event.invoker.as_ref().is_some_and(|i| ends_in(&i.comm, comm))
            }),
            Message::Cpu(cpu) => self.find(line, |open| {
                open.event.invoker.as_ref().is_some_and(|i| {
                    i.pid.is_none() && cpu.comm.is_none_or(|c| ends_in(&i.comm, c))
                })
            }),
            Message::Killed(killed) => self.report_of_kill(line, killed),
            Message::Reaped(reaped) => {
                let known = self.open.iter_mut().rposition(|open| {
                    open.victim(reaped.pid).is_some() && open.event.first.source == line.at.source
                });
                known.or_else(|| self.find(line, |open| open.event.chosen_pid == Some(reaped.pid)))
            }
            Message::Choice(choice) => self
                .again(line, |open| open.has_choice && open.event.chosen_pid == choice.pid)
                .or_else(|| self.find(line, |open| !open.has_choice)),
            Message::Announced(announced) => self
                .again(line, |open| open.event.chosen_pid == Some(announced.pid))
                .or_else(|| {
                    self.find(line, |open| {
                        open.event.chosen_pid.is_none_or(|pid| pid == announced.pid)
                    })
                }),
            Message::TableHead(_) => self.lacking(line, |open| !open.table_seen),
            Message::Usage(account, _) => self.lacking(line, |open| open.lacks(*account)),
            Message::TaskIn { .. } => self.lacking(line, |open| open.event.cgroup.is_none()),
            Message::Group(_) | Message::Panic { .. } => self.recent(line),
            Message::Userspace(kill) => Some(self.daemon_kill(line, kill)),
            Message::DryRun => {
                // What was taken for a kill was none.
                let last = self.open.iter().rposition(|open| {
                    open.event.killer == Killer::Earlyoom && open.same_stream(line)
                });
                return drop(last.and_then(|at| self.open.remove(at)));
            }
            _ => self.current(line),
        };
        let known = target.and_then(|at| self.open.get(at));
        let foreign = match (known, &message) {
            (Some(open), Message::Usage(account, _)) => open.overtaken || !open.lacks(*account),
            // A report is on a cgroup or on the machine, not on both.
            (Some(open), Message::Memory(MemLine::Title)) => {
                open.overtaken || !open.lacks(Account::Memory)
            }
            (Some(open), _) => open.overtaken,
            (None, Message::TableTitle) => true,
            (None, message) => begins_headless(message),
        };
        if foreign {
            self.tangled(line);
        }
        let target = target.or_else(|| self.headless(line, &message));
        let Some(open) = target.and_then(|at| self.open.get_mut(at)) else { return };
        open.touch(line, self.counts.lines);
        let other_table = absorb(open, line, message);
        if let Some(message) = other_table {
            self.tangled(line);
            // The head of the report this table belongs to was lost.
            let mut open = Open::new(line);
            open.touch(line, self.counts.lines);
            absorb(&mut open, line, message);
            self.begin(open);
        }
    }

    /// The newest report that has not ended and that the line can belong to.
    fn current(&self, line: &Line) -> Option<usize> {
        self.find(line, |open| !open.overtaken)
    }

    /// Likewise, among those that `fits` holds for; reports overtaken by a newer one come last.
    fn find(&self, line: &Line, fits: impl Fn(&Open) -> bool) -> Option<usize> {
        let find = |overtaken: bool| {
            self.open.iter().rposition(|open| {
                open.overtaken == overtaken
                    && !open.ended()
                    && open.same_stream(line)
                    && open.near_enough(&line.record.stamp)
                    && fits(open)
            })
        };
        find(false).or_else(|| find(true))
    }

    /// The newest report that lacks what the line brings, one overtaken just now if need be; else the
    /// newest.
    fn lacking(&self, line: &Line, lacks: impl Fn(&Open) -> bool) -> Option<usize> {
        let current = self.current(line);
        if current.and_then(|at| self.open.get(at)).is_some_and(&lacks) {
            return current;
        }
        let near = |open: &Open| open.near(&line.record.stamp, INTERLEAVED_US);
        self.find(line, |open| open.overtaken && near(open) && lacks(open)).or(current)
    }

    /// Two reports turned out to stand in one another: whose lines are whose is a guess.
    fn tangled(&mut self, line: &Line) {
        if !self.open.iter().any(|open| open.overtaken && open.same_stream(line)) {
            return;
        }
        for open in &mut self.open {
            let concerned = open.overtaken || open.overtook;
            if concerned && open.same_stream(line) && open.near(&line.record.stamp, INTERLEAVED_US)
            {
                open.event.interleaved = true;
            }
        }
    }

    /// The newest report the line can belong to, ended or not.
    fn recent(&self, line: &Line) -> Option<usize> {
        self.open.iter().rposition(|open| {
            open.same_stream(line) && open.near(&line.record.stamp, GROUP_KILL_US)
        })
    }

    /// The report that had this very line before: people paste lines twice.
    fn again(&self, line: &Line, same: impl Fn(&Open) -> bool) -> Option<usize> {
        self.open.iter().rposition(|open| {
            open.same_stream(line)
                && open.near(&line.record.stamp, 0)
                && same(open)
                && (!open.ended() || line.record.stamp.uptime_us.is_some())
        })
    }

    fn report_of_kill(&mut self, line: &Line, killed: &Killed<'_>) -> Option<usize> {
        let stamp = line.record.stamp;
        let same_kill = |open: &mut Open| {
            let group = open.event.group_kill;
            let reach = if group { GROUP_KILL_US } else { 0 };
            let near = open.same_stream(line) && open.near(&stamp, reach);
            let known = open.victim(killed.pid);
            near && known.is_some_and(|victim| {
                group
                    || victim.total_vm.map(|k| k.0) == killed.total_vm
                        && victim.anon_rss.map(|k| k.0) == killed.anon_rss
            })
        };
        if let Some(at) = self.open.iter_mut().rposition(same_kill) {
            return Some(at);
        }
        self.find(line, |open| open.event.chosen_pid == Some(killed.pid))
            .or_else(|| {
                self.open.iter().rposition(|open| {
                    open.event.group_kill
                        && open.ended()
                        && open.same_stream(line)
                        && open.near(&stamp, GROUP_KILL_US)
                })
            })
            .or_else(|| self.current(line))
            .or_else(|| self.find(line, |_| true))
    }

    /// earlyoom sends SIGTERM and then SIGKILL, systemd tells of systemd-oomd's kill too: one kill, one
    /// event.
    fn daemon_kill(&mut self, line: &Line, kill: &UserspaceKill<'_>) -> usize {
        let same = |victim: &Victim| match kill.pid {
            Some(_) => victim.pid == kill.pid && victim.comm == kill.comm,
            None => names_unit(&victim.comm, kill.comm) || names_unit(kill.comm, &victim.comm),
        };
        let known = self.open.iter().rposition(|open| {
            open.event.killer == kill.killer
                && open.event.victims.iter().any(same)
                && distance_us(&open.event.stamp, &line.record.stamp)
                    .is_some_and(|us| us < 60_000_000)
        });
        known.unwrap_or_else(|| self.begin(Open::new(line)))
    }

    /// Begins a report whose head is gone, if the message can be part of one.
    fn headless(&mut self, line: &Line, message: &Message<'_>) -> Option<usize> {
        let certain = begins_headless(message);
        let possible = matches!(
            message,
            Message::Memory(MemLine::Title)
                | Message::TaskIn { .. }
                | Message::Usage(..)
                | Message::StatsFor(_)
                | Message::Row(_)
                | Message::TableTitle
        );
        (certain || possible).then(|| {
            let mut open = Open::new(line);
            open.tentative = !certain;
            self.begin(open)
        })
    }

    /// A new report begins: the unfinished ones of its stream are marked, or closed if they are older.
    /// Whether any was marked.
    fn overtake(&mut self, line: &Line) -> bool {
        let mut marked = false;
        let mut at = 0;
        while let Some(open) = self.open.get_mut(at) {
            if open.ended() || !open.same_stream(line) {
                at += 1;
                continue;
            }
            let young = open.event.invoker.is_some()
                && !open.table_seen
                && open.near(&line.record.stamp, INTERLEAVED_US);
            if young && !open.overtaken {
                open.overtaken = true;
                marked = true;
                at += 1;
            } else if let Some(open) = self.open.remove(at) {
                self.close(open);
            }
        }
        marked
    }

    fn hint(&mut self, message: &Message<'_>) {
        self.hints.since = self.counts.lines;
        match message {
            Message::ManualRun => self.hints.manual = true,
            Message::NohangSearch => self.hints.search = true,
            Message::Suppressed(count) => {
                self.hints.suppressed = self.hints.suppressed.saturating_add(*count)
            }
            _ => {}
        }
    }
}

/// Whether a cgroup is the one of this unit.
fn names_unit(cgroup: &str, unit: &str) -> bool {
    !unit.contains('/') && cgroup.strip_suffix(unit).is_some_and(|slices| slices.ends_with('/'))
}

/// Whether a name read behind a prefix of unknown form can be this one.
fn ends_in(read: &str, comm: &str) -> bool {
    read.strip_suffix(comm)
        .is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}
