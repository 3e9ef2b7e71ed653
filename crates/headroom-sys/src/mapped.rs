//! A part of a file as memory, for searching it without copying it (mmap(2)).
//!
//! A log can be cut short while it is read (logrotate's `copytruncate`), and the pages beyond its new
//! end then answer with SIGBUS. Here they read as zeros instead.

use std::fs::File;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The window that is mapped just now, for the handler of SIGBUS; empty when none is.
static BEGIN: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// One window at a time: the handler knows of one.
static ONE: Mutex<()> = Mutex::new(());

/// Shows a part of a file to `look`: `length` bytes from `offset` on, which must lie within the file.
///
/// Other programs may write to the file meanwhile, so `look` is to search and to count, and to take
/// nothing it sees for lasting: what matters is read again.
///
/// # Errors
/// The file cannot be mapped: a pipe, a device, a file of /proc; or no handler can be installed.
pub fn look_at<T>(
    file: &File,
    offset: u64,
    length: usize,
    look: impl FnOnce(&[u8]) -> T,
) -> io::Result<T> {
    static HANDLER: OnceLock<bool> = OnceLock::new();
    if length == 0 {
        return Ok(look(&[]));
    }
    if !HANDLER.get_or_init(handle_bus_errors) {
        return Err(io::Error::other("SIGBUS cannot be handled"));
    }
    let page = rustix::param::page_size();
    let within = usize::try_from(offset % u64::try_from(page).map_err(io::Error::other)?)
        .map_err(io::Error::other)?;
    let whole = within.checked_add(length).ok_or_else(|| io::Error::other("too long a window"))?;
    let from = offset - u64::try_from(within).map_err(io::Error::other)?;
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: no address is asked for, so that nothing of ours is replaced, and the pages can be read
    // only.
    let address =
        unsafe { mmap(ptr::null_mut(), whole, ProtFlags::READ, MapFlags::PRIVATE, file, from) }?;
    let window = Window { address, whole };
    PAGE.store(page, Ordering::Relaxed);
    BEGIN.store(address.expose_provenance(), Ordering::Relaxed);
    END.store(address.addr() + whole, Ordering::Release);
    // SAFETY: the window stays mapped and readable as long as `window` lives, which outlives `look`:
    // where the file no longer has the pages, the handler puts zeros in their place. That another program
    // changes bytes under the reference cannot be ruled out; `look` searches bytes and must expect
    // any value at any of them.
    let bytes = unsafe { std::slice::from_raw_parts(address.cast::<u8>().add(within), length) };
    let found = look(bytes);
    drop(window);
    Ok(found)
}

/// Unmaps when it goes, also when `look` panics.
struct Window {
    address: *mut core::ffi::c_void,
    whole: usize,
}

impl Drop for Window {
    fn drop(&mut self) {
        END.store(0, Ordering::Release);
        BEGIN.store(0, Ordering::Relaxed);
        // SAFETY: this is what mmap gave us, no reference into it is left, and it is unmapped once.
        // That it cannot fail for a mapping of our own is the kernel's word.
        let _ = unsafe { munmap(self.address, self.whole) };
    }
}

/// Has SIGBUS within the window answered by zeros. `false` when that cannot be had.
fn handle_bus_errors() -> bool {
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_bus_error;
    // SAFETY: a zeroed sigaction is a valid one, whose fields are then set.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: `action` is valid and outlives the call, the old one is not asked for, and the handler does
    // nothing but what signal-safety(7) allows.
    unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) == 0 }
}

extern "C" fn on_bus_error(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo, which for SIGBUS has an address.
    let address = unsafe { (*info).si_addr() }.addr();
    let (begin, end) = (BEGIN.load(Ordering::Relaxed), END.load(Ordering::Acquire));
    let page = PAGE.load(Ordering::Relaxed);
    if begin <= address && address < end {
        let from = address - address % page.max(1);
        // SAFETY: the page lies within our own mapping, nobody writes to it, and mmap is but a system call.
        let zeros = unsafe {
            libc::mmap(
                ptr::with_exposed_provenance_mut(from),
                page,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if zeros != libc::MAP_FAILED {
            return;
        }
    }
    // Somebody else's: the instruction is tried again, and ends the program as it would have.
    // SAFETY: setting the default action is allowed in a handler.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn any_part_of_a_file_is_shown() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let file = file(&bytes);
        for (offset, length) in [(0, 40_000), (1, 10), (4095, 2), (4096, 4096), (39_999, 1), (7, 0)]
        {
            let from = usize::try_from(offset).unwrap();
            let same = look_at(&file, offset, length, |seen| seen == &bytes[from..from + length]);
            assert!(same.unwrap(), "{length} bytes from {offset}");
        }
    }

    #[test]
    fn a_file_cut_short_meanwhile_reads_as_zeros() {
        let file = file(&[b'x'; 64 * 1024]);
        let (kept, gone) = look_at(&file, 0, 64 * 1024, |seen| {
            file.set_len(10).unwrap();
            let count = |bytes: &[u8], byte| bytes.iter().filter(|b| **b == byte).count();
            (count(&seen[..10], b'x'), count(&seen[10..], 0))
        })
        .unwrap();
        assert_eq!((kept, gone), (10, 64 * 1024 - 10));
    }

    #[test]
    fn what_cannot_be_mapped_is_an_error() {
        let file = File::open("/proc/self/stat").unwrap();
        assert!(look_at(&file, 0, 10, <[u8]>::len).is_err());
    }
}
