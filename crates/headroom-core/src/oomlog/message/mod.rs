//! What one line of an OOM report means, without regard to the lines around it.

mod head;
mod kill;
mod memcg;
mod memory;
mod table;
mod userspace;

pub use head::{CpuLine, Invoked, Traced};
pub use kill::{Announced, Choice, Killed, Reaped};
pub use memcg::{Account, Stats};
pub use memory::MemLine;
pub use table::{Columns, Row};
pub use userspace::UserspaceKill;

use super::event::Usage;
use super::prefix::{Origin, Record};

/// A line understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a> {
    /// `php-fpm invoked oom-killer: …`
    Invoked(Invoked<'a>),
    /// `php-fpm cpuset=/ mems_allowed=0`
    Cpuset {
        /// The invoker.
        comm: &'a str,
        /// Its cpuset.
        cpuset: &'a str,
    },
    /// `CPU: 0 PID: 480 Comm: python3 Not tainted 6.1.0 #1`
    Cpu(CpuLine<'a>),
    /// A line of the stack that shows why memory was wanted.
    Trace(Traced),
    /// `sysrq: Manual OOM execution`
    ManualRun,
    /// `oom_kill_process: 9 callbacks suppressed`
    Suppressed(u64),
    /// A line of the `Mem-Info:` block.
    Memory(MemLine<'a>),
    /// `Task in /a killed as a result of limit of /b`
    TaskIn {
        /// The cgroup of the task.
        task: &'a str,
        /// The cgroup at its limit.
        limit: &'a str,
    },
    /// `memory: usage 980kB, limit 980kB, failcnt 4152239`
    Usage(Account, Usage),
    /// `Memory cgroup stats for /a:`
    StatsFor(Stats<'a>),
    /// `anon 83562496`
    Stat(&'a str, u64),
    /// `Tasks state (memory values in pages):`
    TableTitle,
    /// The task table's column heading.
    TableHead(Columns),
    /// A row of it.
    Row(Row<'a>),
    /// `oom-kill:constraint=…`
    Choice(Choice<'a>),
    /// What another CPU's lines had cut off from an `oom-kill:` line.
    ChoiceRest(Choice<'a>),
    /// `Out of memory: Kill process 40738 (mysqld) score 16 or sacrifice child`
    Announced(Announced<'a>),
    /// `Killed process 480 (python3) total-vm:…`
    Killed(Killed<'a>),
    /// `oom_reaper: reaped process 480 (python3), now …`
    Reaped(Reaped<'a>),
    /// `Tasks in /a are going to be killed due to memory.oom.group set`
    Group(&'a str),
    /// `Out of memory and no killable processes...`
    NoKillable,
    /// A panic because of memory; `compulsory` when `vm.panic_on_oom` asked for it.
    Panic {
        /// Whether the setting, and not a deadlock, was the reason.
        compulsory: bool,
    },
    /// A kill by a daemon.
    Userspace(UserspaceKill<'a>),
    /// earlyoom says that it did not do what it had said.
    DryRun,
    /// nohang looks for a victim.
    NohangSearch,
    /// Whom nohang has chosen.
    NohangVictim {
        /// The process.
        pid: u32,
        /// Its name.
        comm: &'a str,
    },
    /// nohang's signal to whom it had chosen.
    NohangSignal,
    /// A mark of whoever copied the log: something was left out here.
    Elided,
}

/// Says what a line means; `None` for the many that are none of ours.
#[must_use]
pub fn recognise<'a>(record: &'a Record<'_>, text: &'a str) -> Option<Message<'a>> {
    let text = text.trim();
    match &record.origin {
        Origin::Program(tag) if tag == "systemd-journald" => {
            let missed = text.starts_with("Missed ") && text.ends_with(" kernel messages");
            missed.then_some(Message::Elided)
        }
        Origin::Program(tag) => userspace::message(Some(tag), text),
        // Without a tag the daemon is known by its words alone.
        Origin::Unknown => kernel(text).or_else(|| userspace::message(None, text)),
        Origin::Kernel => kernel(text).or_else(|| userspace::oomd(text).map(Message::Userspace)),
    }
}

fn kernel(text: &str) -> Option<Message<'_>> {
    kill::message(text)
        .or_else(|| table::message(text))
        .or_else(|| head::message(text))
        .or_else(|| memcg::message(text))
        .or_else(|| memory::message(text).map(Message::Memory))
        .or_else(|| elided(text).then_some(Message::Elided))
}

/// `...`, `[...]`, `<snip>`, grep's `--`: what people and tools leave where lines are gone, and printk
/// where a console was too slow.
fn elided(text: &str) -> bool {
    if text.starts_with("** ") && text.contains(" printk messages dropped **") {
        return true;
    }
    if text == "..." || text == "--" || text == "\u{2026}" {
        return true;
    }
    let inner = text
        .strip_prefix(['[', '<', '('])
        .and_then(|inner| inner.strip_suffix([']', '>', ')']))
        .map(str::trim);
    matches!(
        inner,
        Some("..." | "…" | "snip" | "trim" | "cut" | "trimmed" | "snipped" | "skip" | "removed")
    )
}

#[cfg(test)]
mod tests;
