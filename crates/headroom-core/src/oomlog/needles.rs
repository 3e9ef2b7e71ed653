//! Finds the lines worth feeding at the speed of a plain search.
//!
//! Each pass over a large log costs about as much as reading it, so two must do: one for `oom`, which
//! every kernel report and three of the daemons have, and one for `Killed `, which stands in the kill
//! lines that come without a report. What only a report with its head cut off can begin with is
//! looked for where heads are cut off: at the start of a log, and after an event.

use memchr::memmem::Finder;

/// On every event's first line but for reports that lost theirs.
const ALWAYS: [&str; 2] = ["oom", "Killed "];

/// On lines that can be the first one left of an event.
const CAREFULLY: [&str; 3] = ["ut of memory", "Tasks state (", "ending SIG"];

/// A search prepared once for many blocks.
#[derive(Debug)]
pub struct Search {
    always: [Finder<'static>; ALWAYS.len()],
    carefully: [Finder<'static>; CAREFULLY.len()],
}

impl Default for Search {
    fn default() -> Self {
        Self { always: ALWAYS.map(Finder::new), carefully: CAREFULLY.map(Finder::new) }
    }
}

impl Search {
    /// Where the first needle begins; `careful` looks for what is left of cut reports as well.
    #[must_use]
    pub fn first(&self, block: &[u8], careful: bool) -> Option<usize> {
        let [oom, killed] = &self.always;
        let mut best = killed.find(block);
        // Each search need only look as far as the best one so far.
        if careful {
            for finder in &self.carefully {
                best = finder.find(&block[..best.unwrap_or(block.len())]).or(best);
            }
        }
        let reach = &block[..best.unwrap_or(block.len())];
        oom.find_iter(reach).find(|at| means_it(&block[*at..])).or(best)
    }
}

/// Whether `oom` is more than a part of "room": the words of the kernel, of Meta's oomd, of nohang (whose
/// search for a victim says `oom_score`), and earlyoom's tag on a line that sends a signal.
fn means_it(from: &[u8]) -> bool {
    let rest = from.get(3..).unwrap_or(&[]);
    match rest.first() {
        Some(b'-') if rest.starts_with(b"-guard[") || rest.starts_with(b"-guard: ") => {
            let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
            memchr::memmem::find(line, b": slay ").is_some()
        }
        Some(b'-') => rest.starts_with(b"-kill"),
        Some(b'_') => [
            &b"_score_adj "[..],
            b"_score_adj=",
            b"_score (",
            b"_kill_process: ",
            b"_reaper: reaped",
        ]
        .iter()
        .any(|word| rest.starts_with(word)),
        Some(b'd') => rest.starts_with(b"d kill:"),
        Some(b'[' | b':' | b'"') => {
            let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
            memchr::memmem::find(line, b"sending SIG").is_some()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_an_event_is_found_and_little_else() {
        let search = Search::default();
        let found = |text: &str, careful| search.first(text.as_bytes(), careful).is_some();
        for text in [
            "a invoked oom-killer: gfp_mask=0xd0",
            "oom-kill:constraint=CONSTRAINT_NONE",
            "Killed process 7 (a)",
            "systemd-oomd[1]: Killed /a due to",
            "earlyoom[1]: sending SIGTERM to process 7",
            "oomd kill: 1 2 3 /a 4",
            "headroom-guard[433]: headroom-guard: slay php (452) with SIGTERM: a reason",
            "nohang[1]: Found 9 tasks with non-zero oom_score (except init and self) in 2ms",
            "[ pid ] uid tgid total_vm rss nr_ptes swapents oom_score_adj name",
        ] {
            assert!(found(text, false), "{text}");
        }
        for text in
            ["no room for bloom", "earlyoom[1]: mem avail: 1 of 2 MiB", "killed by KILL signal"]
        {
            assert!(!found(text, true), "{text}");
        }
        assert!(found("Out of memory and no killable processes...", true));
    }
}
