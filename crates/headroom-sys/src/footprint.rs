//! Giving back what only the start needed, before all that stays is locked.
//!
//! Reading a policy goes through code and heap that the loop never sees again. Locked, it would be
//! there for good: some 2 MiB of a node that has little.
//!
//! Where one page of a file is touched the kernel maps those around it too, 64 KiB of a mapping at a time
//! (mm/memory.c `do_fault_around`), and a program's hot code lies scattered. Parts of a mapping that differ
//! in a flag are mapped each for itself, so every other window is given one that changes nothing else.

use std::fs;

use rustix::mm::{Advice, madvise};

use crate::error::ReadError;
use crate::own::STACK;

/// As much of a file is mapped where one page of it is touched.
const WINDOW: usize = 16 * 1024;
const PAGE: usize = 4096;
/// Blocks of so many bytes and more are large.
#[cfg(target_env = "gnu")]
const LARGE: i32 = 8 * 1024;

/// One mapping of this process, as `/proc/self/smaps` describes it (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapping {
    start: usize,
    len: usize,
    /// It is a file's and cannot be written.
    is_read_only_file: bool,
    /// Pages of it that are no longer the file's: relocated, or written before it was made read-only.
    own_kib: u64,
    /// The first thread's stack.
    is_stack: bool,
}

/// Has each larger block be mapped for itself from here on: room that is kept for a storm then takes no page
/// before it is used, and what only the start needs goes back as a whole. Call it before anything else.
pub fn map_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes two numbers and may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        // Without room at the heap's end, which would be given to large blocks first.
        libc::mallopt(libc::M_TOP_PAD, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}

/// Drops from memory the pages of programs and libraries that can be read again from their files,
/// and unused heap. What is used again comes back by itself, from the page cache: call it once, before
/// memory is locked, and go through what must never wait for a disk afterwards.
///
/// # Errors
/// When `/proc/self/smaps` cannot be read: nothing is given back then, which does no harm.
pub fn give_back() -> Result<(), ReadError> {
    let smaps = fs::read_to_string("/proc/self/smaps").map_err(|error| {
        rustix::io::Errno::from_io_error(&error).map_or(ReadError::Gone, ReadError::from)
    })?;
    for mapping in mappings(&smaps).filter(|m| m.is_read_only_file && m.own_kib == 0) {
        let start = core::ptr::without_provenance_mut(mapping.start);
        // SAFETY: none of its pages differs from the file behind it, as the kernel has just said, and
        // none can come to differ, since it is not writable: each is read from the file again when it
        // is next touched. Code that is running is such a page like any other.
        let _nothing_is_lost = unsafe { madvise(start, mapping.len, Advice::LinuxDontNeed) };
        part(&mapping);
    }
    if let Some(stack) = mappings(&smaps).find(|m| m.is_stack) {
        give_back_stack(&stack);
    }
    drop(smaps);
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) may be called at any time, by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
    Ok(())
}

/// Parts a mapping into windows, each of which is mapped for itself.
fn part(mapping: &Mapping) {
    let end = mapping.start + mapping.len;
    for start in (mapping.start.next_multiple_of(2 * WINDOW)..end).step_by(2 * WINDOW) {
        let len = WINDOW.min(end - start);
        let start = core::ptr::without_provenance_mut(start);
        // SAFETY: it lies within a mapping of this process, as the kernel has just said, and the advice
        // changes none of its bytes: it is left out of a core dump, as the pages of files are anyway.
        let _in_larger_parts_then = unsafe { madvise(start, len, Advice::LinuxDontDump) };
    }
}

/// Drops what the start used of the stack and nobody uses now. Of another thread's nothing is known.
#[inline(never)]
fn give_back_stack(stack: &Mapping) {
    let here = 0u8;
    let here = core::ptr::from_ref(&here).addr();
    let unused = here.checked_sub(stack.start).and_then(|below| below.checked_sub(STACK));
    if let Some(unused) = unused.filter(|_| here < stack.start + stack.len) {
        let start = core::ptr::without_provenance_mut(stack.start);
        // SAFETY: `here` shows that this thread runs on this very stack, which grows down: what lies
        // further below than this call's frame, the red zone and a handler's frame included in `STACK`, is
        // in no use.
        let _it_stays = unsafe { madvise(start, unused / PAGE * PAGE, Advice::LinuxDontNeed) };
    }
}

/// The mappings of smaps' text, each a line of addresses followed by lines of figures.
fn mappings(smaps: &str) -> impl Iterator<Item = Mapping> {
    let mut lines = smaps.lines().peekable();
    std::iter::from_fn(move || {
        let mut mapping = loop {
            if let Some(mapping) = mapping(lines.next()?) {
                break mapping;
            }
        };
        // Until it is said that nothing is its own, everything may be.
        mapping.own_kib = u64::MAX;
        while let Some(line) = lines.next_if(|line| self::mapping(line).is_none()) {
            let figure = line.strip_prefix("Anonymous:").map(str::trim_start);
            if let Some(kib) = figure.and_then(|text| text.strip_suffix(" kB")?.parse().ok()) {
                mapping.own_kib = kib;
            }
        }
        Some(mapping)
    })
}

/// `START-END PERMISSIONS OFFSET DEVICE INODE PATH`.
fn mapping(line: &str) -> Option<Mapping> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let permissions = words.next()?;
    let (inode, path) = (words.nth(2)?, words.next());
    let is_file = inode != "0" && path.is_some_and(|path| path.starts_with('/'));
    let is_private = permissions.starts_with('r') && permissions.ends_with('p');
    Some(Mapping {
        start,
        len: end.checked_sub(start)?,
        is_read_only_file: is_file && is_private && !permissions.contains('w'),
        own_kib: 0,
        is_stack: path == Some("[stack]"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
55d0c8a4a000-55d0c8a82000 r-xp 00000000 fe:00 326279                     /usr/sbin/headroom-guard
Size:                224 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
7f9de9be4000-7f9de9be8000 r--p 001cf000 fe:00 326279                     /usr/lib/libc.so.6
Anonymous:            16 kB
7f9de9be8000-7f9de9bea000 rw-p 001d3000 fe:00 326279                     /usr/lib/libc.so.6
Anonymous:             0 kB
562ce07ac000-562ce081f000 rw-p 00000000 00:00 0                          [heap]
Anonymous:           184 kB
7f9de9c28000-7f9de9c2a000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
7f9de9c2a000-7f9de9c2b000 r--s 00000000 fe:00 9                          /shared
Anonymous:             0 kB
";

    #[test]
    fn only_unchanged_pages_of_files_that_nobody_writes_are_given_back() {
        let all: Vec<_> = mappings(SMAPS).collect();
        let mut given = all.iter().filter(|m| m.is_read_only_file && m.own_kib == 0);
        assert_eq!(all.len(), 6);
        assert_eq!(given.next().map(|m| (m.start, m.len)), Some((0x55d0_c8a4_a000, 0x38000)));
        assert_eq!(given.next(), None);
    }

    #[test]
    fn a_mapping_of_which_the_kernel_does_not_say_what_is_its_own_is_kept() {
        let text =
            "55d0c8a4a000-55d0c8a82000 r-xp 00000000 fe:00 326279 /usr/sbin/headroom-guard\n";
        assert_eq!(mappings(text).map(|m| m.own_kib).collect::<Vec<_>>(), [u64::MAX]);
    }

    #[test]
    fn a_process_goes_on_without_what_it_gave_back() {
        let before: Vec<u64> = (0..1000).map(|n| n * n).collect();
        give_back().unwrap();
        assert_eq!(before.iter().sum::<u64>(), 332_833_500);
        assert!(format!("{before:?}").ends_with("998001]"));
    }
}
