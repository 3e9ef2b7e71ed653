//! Puts lines together again that a mail client or a narrow terminal had wrapped.
//!
//! A line is held back only while its own grammar says that it is not finished, and only a line
//! without any prefix can finish it: a wrapped remainder has none, since the logger wrote one prefix.

use alloc::borrow::Cow;
use alloc::string::String;

use super::event::Position;
use super::message::{self, Columns, Message};
use super::prefix::{Origin, Record};

/// How a line may have been cut from what follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cut {
    /// At a blank, if at all.
    #[default]
    AtBlank,
    /// Anywhere: it is as wide as a terminal, or a raw mail's mark says that it goes on.
    Anywhere,
}

impl Cut {
    pub(super) fn of(line: &str) -> Self {
        const TERMINALS: [usize; 6] = [80, 100, 120, 132, 160, 200];
        let line = line.trim_end_matches(['\r', '\n']);
        let soft = line.ends_with('=') && line.len() > 60;
        let wide = line.len() <= 4 * TERMINALS[5] && TERMINALS.contains(&line.chars().count());
        if soft || wide { Self::Anywhere } else { Self::AtBlank }
    }
}

/// A line of the log, ready to be understood.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: Position,
    pub(super) record: Record<'static>,
    text: String,
    cut: Cut,
}

impl Line {
    pub(super) fn new(at: Position, record: &Record<'_>, text: &str) -> Self {
        let record = Record {
            stamp: record.stamp,
            relative: record.relative,
            origin: record.origin.clone(),
            host: record.host.clone(),
            caller: record.caller.clone(),
            prefixed: record.prefixed,
            text: Cow::Borrowed(""),
        };
        Self { at, record, text: text.into(), cut: Cut::default() }
    }

    pub(super) fn cut(self, cut: Cut) -> Self {
        Self { cut, ..self }
    }

    pub(super) fn message(&self) -> Option<Message<'_>> {
        message::recognise(&self.record, &self.text)
    }
}

/// Longest joined line: a kernel line has at most 1 KiB (`LOG_LINE_MAX`).
const LONGEST: usize = 4096;

/// Lines one message can have been wrapped into.
const MOST_PIECES: u8 = 8;

/// Holds the line that is not finished, if there is one.
#[derive(Debug, Default)]
pub(super) struct Rejoiner {
    pending: Option<Line>,
    pieces: u8,
    /// The stamp of a prefix whose text had been wrapped away from it altogether.
    bare_prefix: Option<Record<'static>>,
}

impl Rejoiner {
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Takes a line and gives back those that are now finished: the one held back, and this one.
    pub(super) fn push(&mut self, mut line: Line, columns: Option<&Columns>) -> [Option<Line>; 2] {
        let inherited = self.bare_prefix.take();
        if line.record.prefixed && line.text.trim().is_empty() {
            self.bare_prefix = Some(line.record);
            return [self.pending.take(), None];
        }
        if let Some(record) = inherited.filter(|_| !line.record.prefixed) {
            line.record = record;
        }
        let held = match self.pending.take() {
            Some(held) if self.continues(&held, &line) => {
                self.pieces += 1;
                line = join(held, &line);
                None
            }
            held => {
                self.pieces = 0;
                held
            }
        };
        if unfinished(&line, columns) {
            self.pending = Some(line);
            return [held, None];
        }
        [held, Some(line)]
    }

    pub(super) fn finish(&mut self) -> Option<Line> {
        self.pending.take()
    }

    fn continues(&self, held: &Line, line: &Line) -> bool {
        if line.record.prefixed || line.text.trim().is_empty() {
            return false;
        }
        if self.pieces >= MOST_PIECES || held.text.len() + line.text.len() > LONGEST {
            return false;
        }
        // A log without any prefixes: a kill line of an old kernel ends in a size and lacks nothing.
        if !held.record.prefixed
            && matches!(held.message(), Some(Message::Killed(_)))
            && held.text.trim_end().ends_with("kB")
        {
            return false;
        }
        // Since 5.2 each value has a line of its own, which may lack a prefix too.
        if let Some(Message::StatsFor(stats)) = held.message()
            && stats.values.is_empty()
        {
            let first = line.text.split_whitespace().next().unwrap_or("");
            return first.contains(':') && first.ends_with("KB");
        }
        !begins_a_message(line)
    }
}

/// Whether the line can only be a message of its own.
fn begins_a_message(line: &Line) -> bool {
    !matches!(
        line.message(),
        None | Some(
            Message::Stat(..)
                | Message::Memory(message::MemLine::Counters(_))
                | Message::ChoiceRest(_)
        ) | Some(Message::Trace(_))
    )
}

fn join(held: Line, rest: &Line) -> Line {
    let with = |separator: &str, text: &str| {
        let mut joined = String::with_capacity(held.text.len() + separator.len() + text.len());
        joined.push_str(if separator.is_empty() {
            &held.text
        } else {
            held.text.trim_end_matches([' ', '\t'])
        });
        joined.push_str(separator);
        joined.push_str(text);
        Line { text: joined, record: held.record.clone(), at: held.at, cut: rest.cut }
    };
    if held.cut == Cut::Anywhere {
        return with("", &rest.text);
    }
    // `oom-kill:` has no blanks to wrap at: whatever broke it, broke it anywhere.
    if held.text.trim_start().starts_with("oom-kill:") {
        return with("", &rest.text);
    }
    let spaced = with(" ", rest.text.trim_start());
    let closed = with("", &rest.text);
    // Broken at a blank or within a word: what reads better tells.
    let sense = |line: &Line| match line.message() {
        Some(Message::Killed(killed)) => killed.fields(),
        Some(Message::TableHead(columns)) => columns.known(),
        Some(Message::Invoked(invoked)) => {
            usize::from(invoked.order.is_some()) + usize::from(invoked.oom_score_adj.is_some())
        }
        Some(Message::TaskIn { .. } | Message::Usage(..)) => 1,
        _ => 0,
    };
    if sense(&closed) > sense(&spaced) { closed } else { spaced }
}

/// Whether the message's own grammar says that something must follow.
fn unfinished(line: &Line, columns: Option<&Columns>) -> bool {
    if matches!(line.record.origin, Origin::Program(_)) {
        return false;
    }
    let text = line.text.trim();
    match line.message() {
        // As wide as a terminal: whatever it is, more of it may follow.
        Some(_) if line.cut == Cut::Anywhere && line.record.prefixed => true,
        Some(Message::Invoked(invoked)) => invoked.oom_score_adj.is_none(),
        // The build's number follows the release.
        Some(Message::Cpu(cpu)) => cpu.kernel.is_none() || !text.contains(" #"),
        Some(Message::Usage(_, usage)) => usage.failcnt.is_none(),
        Some(Message::TaskIn { .. } | Message::Cpuset { .. }) => line.record.prefixed,
        Some(Message::StatsFor(_)) => line.record.prefixed,
        Some(Message::Killed(killed)) => killed.oom_score_adj.is_none(),
        Some(Message::Choice(choice)) => choice.uid.is_none(),
        Some(Message::TableHead(head)) => !head.complete,
        Some(Message::Row(row)) => columns.is_some_and(|columns| !columns.fits(&row)),
        Some(Message::Memory(message::MemLine::Zone(zone))) => zone.managed.is_none(),
        Some(_) => false,
        None => {
            const BEGINNINGS: [&str; 10] = [
                "Task in ",
                "Tasks in ",
                "Memory cgroup stats for ",
                "memory: usage ",
                "memory+swap: usage ",
                "swap: usage ",
                "kmem: usage ",
                "Out of memory:",
                "Memory cgroup out of memory",
                "Tasks state",
            ];
            // A node's line whose kernel_stack has not come yet.
            (text.starts_with("Node ") && text.contains(" active_anon:"))
                || text.ends_with(" invoked")
                || text.contains("hugepages_total=")
                || BEGINNINGS
                    .iter()
                    .any(|start| text.starts_with(start) || text == start.trim_end())
        }
    }
}
