//! Asks of one process what its class depends on, and what its end would return.

use headroom_core::cgroup::Cgroup;
use headroom_core::decide::SMALLEST_JOB;
use headroom_core::fnv::Fnv;
use headroom_core::policy::{Class, Identity, Policy, Role, Slay};
use headroom_core::snapshot::{CommandLine, Pipes, Process, ProcessId};
use headroom_core::units::Kib;
use headroom_sys::proc::Proc;

use super::names::{Buffers, Names};
use crate::protect;

/// What a process is by its relations.
pub(super) struct Relations {
    /// Its parent, when that is in the table.
    pub(super) parent: Option<Process>,
    pub(super) session: i32,
    /// It was examined before.
    pub(super) was_examined: bool,
    /// It has another name than when it was last examined, so the command line known then is old.
    pub(super) renamed: bool,
}

/// By whose word and within which bounds a process is examined.
pub(super) struct Kin<'a> {
    pub(super) relations: &'a Relations,
    pub(super) granted: &'a [ProcessId],
    /// Its command line must not be read now ...
    pub(super) hasty: bool,
    /// ... and its cgroup neither.
    pub(super) blind: bool,
    /// Who reads what may have to be waited for; else it is read here.
    pub(super) names: Option<&'a Names>,
}

/// Asks everything that a class depends on. What cannot be read stays unknown to the rules. Says also
/// whether it has to be looked at again, since its cgroup was not to be had.
pub(super) fn examine(
    proc: &mut Proc,
    process: Process,
    policy: &Policy,
    kin: &Kin<'_>,
) -> (Process, bool) {
    let pid = process.id.pid;
    let (mut exe, mut parent_exe, mut buffers) = ([0; 512], [0; 512], Buffers::new());
    let lengths = match kin.names {
        _ if kin.blind => None,
        Some(names) => names.ask(pid, !kin.hasty, &mut buffers),
        None => Some(buffers.read(proc, pid, !kin.hasty)),
    };
    let read = lengths.unwrap_or_default();
    let uid = proc.status(pid).map(|s| s.uid_effective).unwrap_or(process.uid);
    let parent_uid = proc.status(process.parent).ok().map(|s| s.uid_effective);
    let known = process.command;
    let cmdline = if kin.hasty || lengths.is_none() {
        Some(known.as_bytes()).filter(|known| !known.is_empty() && !kin.relations.renamed)
    } else {
        read.command.map(|len| &buffers.command[..len])
    };
    let exe = proc.exe(pid, &mut exe).ok().map(|(path, _)| path);
    let cgroup = read.cgroup.map(|len| &buffers.cgroup[..len]);
    let parent_exe = proc.exe(process.parent, &mut parent_exe).ok().map(|(path, _)| path);
    let who = Identity {
        uid,
        comm: process.comm.as_bytes(),
        exe,
        cmdline,
        cgroup,
        parent_uid,
        parent_exe,
    };
    let parent = kin.relations.parent.as_ref().map(|parent| parent.comm.as_bytes());
    let (class, rule) = match kin.like(&process, uid, lengths.is_some()) {
        Some(like) => (like.class, like.rule),
        None => policy.classify_child_of(parent, &who),
    };
    let slay = policy.rule(rule).map(|rule| rule.slay).unwrap_or_default();
    let process = Process {
        family: match slay {
            Slay::Unit if lengths.is_none() => kin.near(&process).map_or(0, |near| near.family),
            Slay::Unit => unit_family(cgroup.unwrap_or_default()),
            Slay::Process | Slay::Session => session_family(kin.relations.session),
        },
        slay_family: slay != Slay::Process,
        is_worker: who.role() == Some(Role::PhpFpmWorker),
        uid,
        command: CommandLine::new(cmdline.unwrap_or_default()),
        class,
        rule,
        oom_score_adj: proc.oom_score_adj(pid).ok(),
        cgroup: match cgroup {
            None if lengths.is_none() => {
                kin.near(&process).map_or_else(Cgroup::default, |n| n.cgroup)
            }
            cgroup => Cgroup::of(cgroup.unwrap_or_default()),
        },
        pipes: match class {
            Class::Expendable => proc.pipes(pid).unwrap_or_default(),
            _ => Pipes::default(),
        },
        zones: match cgroup {
            None if lengths.is_none() => kin.near(&process).map_or(0, |near| near.zones),
            cgroup => zones_of(cgroup.unwrap_or_default(), policy),
        },
        ..process
    };
    let protected = protect::is_protected(proc, &process, kin.relations.parent, kin.granted);
    (Process { protected, ..process }, lengths.is_none())
}

/// A child that an expendable has forked and that runs the same program still, where whatever makes it another
/// is heard: it is what its parent is, and nothing needs to be read of it. Half of what a fork bomb is made of.
pub(super) fn forked(process: Process, parent: Option<&Process>, session: i32) -> Option<Process> {
    let parent = parent.filter(|parent| {
        parent.class == Class::Expendable && parent.comm == process.comm && !parent.is_worker
    })?;
    let is_of_unit = parent.family & OF_UNIT != 0;
    Some(Process {
        family: if is_of_unit { parent.family } else { session_family(session) },
        slay_family: parent.slay_family,
        uid: parent.uid,
        command: parent.command,
        class: parent.class,
        rule: parent.rule,
        oom_score_adj: parent.oom_score_adj,
        cgroup: parent.cgroup,
        pipes: parent.pipes,
        zones: parent.zones,
        protected: parent.protected,
        ..process
    })
}

impl Kin<'_> {
    /// Who it is in one cgroup with, most likely: itself as it was last seen, else its parent.
    fn near<'p>(&'p self, process: &'p Process) -> Option<&'p Process> {
        let Relations { parent, was_examined, .. } = self.relations;
        if *was_examined { Some(process) } else { parent.as_ref() }
    }

    /// Where its cgroup cannot be read: whose class it has. That is its own, known from before; that of
    /// the job it was started by; or that of the service whose worker it is, forked and not another program.
    fn like<'p>(&'p self, process: &'p Process, uid: u32, was_read: bool) -> Option<&'p Process> {
        let Relations { parent, was_examined, renamed, .. } = self.relations;
        if was_read {
            return None;
        }
        if *was_examined && !renamed {
            return Some(process).filter(|known| known.uid == uid);
        }
        let is_like = |parent: &&Process| {
            (parent.uid == uid && parent.class == Class::Expendable)
                || (!was_examined && parent.comm == process.comm)
        };
        parent.as_ref().filter(is_like)
    }
}

fn zones_of(cgroup: &[u8], policy: &Policy) -> u8 {
    let mut bits = 0;
    for (bit, zone) in policy.zones.iter().enumerate().take(8) {
        bits |= u8::from(zone.holds(cgroup)) << bit;
    }
    bits
}

/// A session that the kernel names; what has none of its own belongs together with nobody.
fn session_family(session: i32) -> u64 {
    u64::try_from(session).ok().filter(|session| *session > 1).unwrap_or(0)
}

/// The bit that no session's number has.
const OF_UNIT: u64 = 1 << 63;

/// A cgroup by its path, apart from all sessions' numbers.
fn unit_family(cgroup: &[u8]) -> u64 {
    Fnv::of(cgroup) | OF_UNIT
}

/// What its end would return: only asked of those whose end may be considered.
pub(super) fn weigh(proc: &mut Proc, process: Process, swap: bool) -> Process {
    if !(process.class.may_be_slain() || process.is_worker) {
        return process;
    }
    let pid = process.id.pid;
    // Who was protected since it was last examined must not be chosen now.
    let process = protect::at_weighing(proc, process);
    let own = proc.statm(pid).map_or(process.rss, |m| m.resident.saturating_sub(m.shared));
    let swapped = if swap { proc.status(pid).map_or(Kib::ZERO, |s| s.swap) } else { Kib::ZERO };
    Process { gives_back: own.saturating_add(swapped), ..process }
}

/// Whether it is frozen, or was sent SIGSTOP by the guard and is still in the kernel, as one is for long that waits
/// for memory there: its state says neither. And whether it has to go on to end. What is large is asked itself,
/// since others may have frozen or thawed it; what is small is as its unit is.
pub(super) fn look_whether_waiting(
    proc: &mut Proc,
    process: Process,
    state: u8,
    (frozen, stopped): (&[Cgroup], &[ProcessId]),
) -> Process {
    if process.class != Class::Expendable {
        return process;
    }
    let pid = process.id.pid;
    let was_stopped = stopped.contains(&process.id);
    let was_frozen = frozen.contains(&process.cgroup);
    let is_frozen = match state {
        b'S' if process.cgroup.is_unit() && process.gives_back >= SMALLEST_JOB => {
            proc.is_frozen(pid).unwrap_or(false)
        }
        // In the middle of a call into the kernel: it stands still after that.
        b'S' | b'D' | b'R' => was_frozen,
        _ => false,
    };
    let paused = process.paused || is_frozen;
    if !paused && !was_stopped {
        return process;
    }
    let status = proc.status(pid).unwrap_or_default();
    let paused = paused || status.stop_pending;
    Process { paused, asked_to_end: paused && status.end_pending, ..process }
}
