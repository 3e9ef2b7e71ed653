//! Puts lines together again that a mail client or a narrow terminal had wrapped.
//!
//! A line is held back only while its own grammar says that it is not finished, and only a line
//! without any prefix can finish it: a wrapped remainder has none, since the logger wrote one prefix.

use alloc::borrow::Cow;
use alloc::string::String;

use super::event::Position;
use super::message::{self, Columns, Message};
use super::prefix::{Origin, Record};

/// A line of the log, ready to be understood.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: Position,
    pub(super) record: Record<'static>,
    text: String,
}

impl Line {
    pub(super) fn new(at: Position, record: &Record<'_>, text: &str) -> Self {
        let record = Record {
            stamp: record.stamp,
            origin: record.origin.clone(),
            host: record.host.clone(),
            caller: record.caller.clone(),
            prefixed: record.prefixed,
            text: Cow::Borrowed(""),
        };
        Self { at, record, text: text.into() }
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
    let with = |separator: &str, rest: &str| {
        let mut text = String::with_capacity(held.text.len() + rest.len() + 1);
        text.push_str(held.text.trim_end_matches([' ', '\t']));
        text.push_str(separator);
        text.push_str(rest);
        Line { text, record: held.record.clone(), at: held.at }
    };
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
        Some(Message::Invoked(invoked)) => invoked.oom_score_adj.is_none(),
        Some(Message::Cpu(cpu)) => cpu.kernel.is_none(),
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
                || BEGINNINGS.iter().any(|start| text.starts_with(start))
        }
    }
}
