//! Finds the lines worth feeding at the speed of a plain search.
//!
//! Each pass over a large log costs about as much as reading it, so one must do: for `oom`, which every
//! kernel report has on its first line, every kill line of kernels since 5.4 (`oom_score_adj:`), and the
//! lines of all daemons. What only a report with its head cut off or held back can begin with is looked
//! for where heads are lost: in the first part of a log, and after an event (the kernel prints no more
//! than ten heads in five seconds, and kills all the same).

use memchr::memmem::Finder;

/// On every event's first line but for reports that lost theirs.
const ALWAYS: &str = "oom";

/// On lines that can be the first one left of an event.
const CAREFULLY: [&str; 5] =
    ["Killed ", "ut of memory", "ut of Memory", "Tasks state (", "ending SIG"];

/// A search prepared once for many blocks.
#[derive(Debug)]
pub struct Search {
    always: Finder<'static>,
    carefully: [Finder<'static>; CAREFULLY.len()],
}

impl Default for Search {
    fn default() -> Self {
        Self { always: Finder::new(ALWAYS), carefully: CAREFULLY.map(Finder::new) }
    }
}

impl Search {
    /// Where the first needle begins; `careful` looks for what is left of cut reports as well.
    #[must_use]
    pub fn first(&self, block: &[u8], careful: bool) -> Option<usize> {
        let mut best = None;
        // Each search need only look as far as the best one so far.
        if careful {
            for finder in &self.carefully {
                best = finder.find(&block[..best.unwrap_or(block.len())]).or(best);
            }
        }
        let reach = &block[..best.unwrap_or(block.len())];
        self.always.find_iter(reach).find(|at| means_it(&block[*at..])).or(best)
    }
}

/// Whether `oom` is more than a part of "room": the words of the kernel, of Meta's oomd, of nohang (whose
/// search for a victim says `oom_score`), and a daemon's tag on a line that tells of a kill.
fn means_it(from: &[u8]) -> bool {
    let rest = from.get(3..).unwrap_or(&[]);
    let tells = |words: &[&[u8]]| {
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        words.iter().any(|word| memchr::memmem::find(line, word).is_some())
    };
    let begins = |words: &[&[u8]]| words.iter().any(|word| rest.starts_with(word));
    match rest.first() {
        Some(b'-') if begins(&[b"-guard[", b"-guard: "]) => tells(&[b": slay "]),
        Some(b'-') => begins(&[b"-kill"]),
        Some(b'_') => begins(&[
            b"_score_adj ",
            b"_score_adj=",
            b"_score_adj:",
            b"_score (",
            b"_kill_process: ",
            b"_reaper: reaped",
        ]),
        Some(b'd') if begins(&[b"d kill:", b"d killed "]) => true,
        // The journal's formats may have the message before the tag, or on another line.
        Some(b'd') if begins(&[b"d\"", b"d\n"]) => true,
        Some(b'd') if begins(&[b"d[", b"d:", b"d.service["]) => tells(&[b"Killed /", b"Marked /"]),
        Some(b'[' | b':' | b'.') => tells(&[b"sending SIG", b"illing process"]),
        Some(b'"' | b'\n') => true,
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
            "Out of memory: Killed process 7 (a) total-vm:8kB, pgtables:4kB oom_score_adj:0",
            "systemd-oomd[1]: Killed /a due to",
            "systemd-oomd[1]: Marked /a for killing due to",
            "systemd[1]: x.service: systemd-oomd killed 7 process(es) in this unit.",
            "{\"MESSAGE\":\"Killed /a due to\",\"SYSLOG_IDENTIFIER\":\"systemd-oomd\"}",
            "earlyoom[1]: Killing process 7 a",
            "earlyoom[1]: sending SIGTERM to process 7",
            "oomd kill: 1 2 3 /a 4",
            "headroom-guard[433]: headroom-guard: slay php (452) with SIGTERM: a reason",
            "nohang[1]: Found 9 tasks with non-zero oom_score (except init and self) in 2ms",
            "[ pid ] uid tgid total_vm rss nr_ptes swapents oom_score_adj name",
        ] {
            assert!(found(text, false), "{text}");
        }
        for text in [
            "no room for bloom",
            "earlyoom[1]: mem avail: 1 of 2 MiB",
            "systemd-oomd[1]: Considered 6",
            "killed by KILL signal",
        ] {
            assert!(!found(text, true), "{text}");
        }
        for text in ["Out of memory and no killable processes...", "Killed process 7 (a)"] {
            assert!(found(text, true) && !found(text, false), "{text}");
        }
    }
}
