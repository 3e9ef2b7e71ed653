//! Passes over the parts of a large file that hold nothing of ours, without copying them.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;

use headroom_core::oomlog::needles::Search;
use headroom_sys::mapped;
use memchr::{memchr, memchr_iter, memrchr};

use super::progress::Progress;
use super::scan::{BEHIND, Care};
use super::timeline::Timeline;

/// How much is mapped at once: the pages count as ours while they are.
const WINDOW: usize = 16 * 1024 * 1024;

/// How much is searched before its lines are counted: small enough to stay in the processor's cache.
const CHUNK: usize = 128 * 1024;

/// Longest needle there is, in a line that is longer than a chunk.
const OVERLAP: usize = 64;

/// A file that can be passed over.
pub(super) struct Skim {
    file: File,
    length: u64,
    progress: Rc<Progress>,
}

/// Where reading goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landing {
    /// From the beginning of the file; a line begins here.
    pub(super) offset: u64,
    /// How many lines are before it.
    pub(super) lines: u64,
}

impl Skim {
    pub(super) fn new(file: File, length: u64, progress: Rc<Progress>) -> Self {
        Self { file, length, progress }
    }

    /// Whether there is so much after `offset` that passing over it is worth while.
    pub(super) fn is_worth_while(&self, offset: u64) -> bool {
        self.length.saturating_sub(offset) > 8 * u64::try_from(CHUNK).unwrap_or(0)
    }

    /// The file, to go on at another place.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Passes on to the lines before the next needle, or to the last lines of the file.
    ///
    /// # Errors
    /// The file cannot be mapped; it is to be read then.
    pub(super) fn pass(
        &self,
        from: Landing,
        search: &Search,
        care: &mut Care,
        timeline: &mut Timeline,
    ) -> io::Result<Landing> {
        let mut landing = from;
        let mut position = from.offset;
        while position < self.length {
            let left = usize::try_from(self.length - landing.offset).unwrap_or(usize::MAX);
            let looked = mapped::look_at(&self.file, landing.offset, left.min(WINDOW), |bytes| {
                timeline.sample(landing.lines + 1, bytes);
                let searched = usize::try_from(position - landing.offset).unwrap_or(0);
                look(bytes, searched, search, care)
            })?;
            let (counted, lines, flow) = match looked {
                ControlFlow::Break((start, lines)) => (start, lines, None),
                ControlFlow::Continue((start, lines, searched)) => (start, lines, Some(searched)),
            };
            let base = landing.offset;
            landing.offset += u64::try_from(counted).unwrap_or(0);
            landing.lines += lines;
            let Some(searched) = flow else { break };
            position = base + u64::try_from(searched).unwrap_or(0);
            self.progress.at(position);
        }
        Ok(landing)
    }
}

/// Searches a window from `at` on. Either way gives the start of a line, far enough before what was found
/// or where the search ended, and how many lines are before it in the window.
fn look(
    bytes: &[u8],
    mut at: usize,
    search: &Search,
    care: &mut Care,
) -> ControlFlow<(usize, u64), (usize, u64, usize)> {
    let (mut counted, mut lines) = (0, 0);
    let newlines =
        |part: &[u8]| u64::try_from(memchr_iter(b'\n', part).count()).unwrap_or(u64::MAX);
    while at < bytes.len() {
        let limit = bytes.len().min(at + CHUNK);
        let newline = memrchr(b'\n', &bytes[at..limit]).map(|newline| at + newline + 1);
        let end = newline.unwrap_or(limit);
        if let Some(needle) = search.first(&bytes[at..end], care.careful()) {
            let start = head_of(bytes, counted, at + needle);
            return ControlFlow::Break((start, lines + newlines(&bytes[counted..start])));
        }
        care.passed(end - at);
        let start = head_of(bytes, counted, end);
        lines += newlines(&bytes[counted..start]);
        counted = start;
        // A line longer than a chunk may have a needle at the border.
        let again = if newline.is_none() && limit < bytes.len() { OVERLAP } else { 0 };
        at = end - again;
    }
    ControlFlow::Continue((counted, lines, at))
}

/// The first whole line that begins within reach before a place.
fn head_of(bytes: &[u8], counted: usize, place: usize) -> usize {
    let reach = place.saturating_sub(BEHIND);
    if reach <= counted {
        return counted;
    }
    memchr(b'\n', &bytes[reach..place]).map_or(reach, |newline| reach + newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn pass(log: &[u8], from: Landing) -> Landing {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(log).unwrap();
        let length = u64::try_from(log.len()).unwrap();
        let skim = Skim::new(file, length, Rc::new(Progress::new("log", Some(length))));
        skim.pass(from, &Search::default(), &mut Care::default(), &mut Timeline::default()).unwrap()
    }

    #[test]
    fn it_lands_before_the_needle_on_a_lines_beginning() {
        let start = Landing { offset: 0, lines: 0 };
        for before in [0, 1, 1000, 5000, 12_345, 400_000] {
            let noise = b"just a line of noise\n".repeat(before);
            let mut log = noise.clone();
            log.extend_from_slice(b"a invoked oom-killer: gfp_mask=0x0\n");
            log.extend_from_slice(&b"more noise\n".repeat(20_000));
            let landing = pass(&log, start);
            let offset = usize::try_from(landing.offset).unwrap();
            assert!(offset <= noise.len() && noise.len() - offset <= BEHIND, "{before}: {offset}");
            let lines = memchr_iter(b'\n', &log[..offset]).count();
            assert_eq!(landing.lines, u64::try_from(lines).unwrap(), "{before}");
            assert!(offset == 0 || log[offset - 1] == b'\n');
        }
    }

    #[test]
    fn without_a_needle_it_lands_near_the_end() {
        let log = b"just a line of noise\n".repeat(2_000_000);
        let landing = pass(&log, Landing { offset: 21, lines: 1 });
        let left = log.len() - usize::try_from(landing.offset).unwrap();
        assert!(left <= BEHIND);
        assert_eq!(landing.lines * 21, landing.offset);
    }

    #[test]
    fn a_file_of_one_line_is_passed_over() {
        let log = vec![b'x'; 3_000_000];
        let landing = pass(&log, Landing { offset: 0, lines: 0 });
        assert_eq!(landing.lines, 0);
        let mut log = log;
        log.extend_from_slice(b" a invoked oom-killer: x");
        let landing = pass(&log, Landing { offset: 0, lines: 0 });
        assert!(landing.offset >= 2_900_000);
    }
}
