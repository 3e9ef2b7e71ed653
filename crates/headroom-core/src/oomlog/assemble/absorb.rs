//! What each kind of message does to the report it belongs to.

use super::super::event::Ending;
use super::super::message::{Message, Traced};
use super::super::rejoin::Line;
use super::report::Open;

/// Adds a message to its report; gives it back when it is the heading of another report's table.
pub(super) fn absorb<'a>(
    open: &mut Open,
    line: &Line,
    message: Message<'a>,
) -> Option<Message<'a>> {
    let at = line.at;
    if open.overtaken {
        open.event.interleaved = true;
    }
    match message {
        Message::Invoked(invoked) => open.invoked(&invoked, at),
        Message::Cpuset { cpuset, .. } => open.event.cpuset = Some(cpuset.into()),
        Message::Cpu(cpu) => {
            if let Some(invoker) = &mut open.event.invoker {
                invoker.pid = Some(cpu.pid);
                // Behind a prefix of unknown form the name's beginning was a guess; here it is none.
                if let Some(comm) = cpu.comm {
                    invoker.comm = comm.chars().take(64).collect();
                }
            }
            open.event.kernel = cpu.kernel.map(Into::into);
        }
        Message::Trace(Traced::X86) => open.x86 = true,
        Message::Trace(traced) => open.traced = open.traced.or(Some(traced)),
        Message::Memory(memory) => open.memory(memory, at),
        Message::TaskIn { task, limit } => open.task_in(task, limit),
        Message::Usage(account, usage) => open.usage(account, usage, at),
        Message::StatsFor(stats) => open.stats_for(&stats),
        Message::Stat(key, value) if open.in_stats => open.stat(key, value),
        Message::TableTitle => open.in_stats = false,
        Message::TableHead(columns) => {
            if !open.table(&columns, line) {
                return Some(Message::TableHead(columns));
            }
        }
        Message::Row(row) => open.row(&row),
        Message::Choice(choice) => open.choice(&choice, at),
        Message::ChoiceRest(rest) if open.has_choice => open.choice(&rest, at),
        Message::Announced(announced) => open.announced(&announced, at),
        Message::Killed(killed) => open.killed(&killed, at),
        Message::Reaped(reaped) => match open.victim(reaped.pid) {
            Some(victim) => victim.reaped = true,
            None => open.reaped_only(reaped.pid, reaped.comm, at),
        },
        Message::Group(_) => {
            open.event.group_kill = true;
            open.tentative = false;
        }
        Message::NoKillable => {
            open.event.ending = Some(Ending::NoKillable);
            open.event.evidence.end.get_or_insert(at);
            open.tentative = false;
        }
        Message::Panic { compulsory } => {
            let ending = if compulsory { Ending::PanicOnOom } else { Ending::NoKillable };
            open.event.ending.get_or_insert(ending);
            open.event.panicked = true;
            open.event.evidence.end.get_or_insert(at);
            open.tentative = false;
        }
        Message::Userspace(kill) => open.userspace(&kill, at),
        Message::Elided => open.elided = true,
        Message::Stat(..)
        | Message::NohangVictim { .. }
        | Message::NohangSearch
        | Message::NohangSignal
        | Message::ChoiceRest(_)
        | Message::DryRun
        | Message::ManualRun
        | Message::Suppressed(_) => {}
    }
    None
}
