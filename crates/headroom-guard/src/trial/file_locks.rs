//! Who waits for whose file lock, read by a thread: the kernel has everybody who locks a file wait for whoever
//! reads `/proc/locks`, and the reader for all processors (fs/locks.c `locks_start`), which takes
//! milliseconds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use headroom_core::snapshot::Moment;
use headroom_sys::own;
use headroom_sys::proc::Proc;

use crate::desk::Desk;

/// From one reading to the next.
const EVERY: Duration = Duration::from_millis(250);
/// Pairs that are kept.
const MOST: usize = 128;

/// One that holds a lock, and one that waits for it.
pub(super) type Pair = (i32, i32);

/// What was read last.
#[derive(Debug, Default)]
struct Latest {
    wanted: bool,
    /// When the last reading began.
    began: Moment,
    pairs: Vec<Pair>,
}

/// The readers' other end.
#[derive(Debug)]
pub(super) struct FileLocks(Arc<Desk<Latest>>);

impl FileLocks {
    /// Starts the reader of the `/proc` under this root; it runs for as long as the program.
    pub(super) fn start(root: &Path) -> io::Result<Self> {
        let mut proc =
            Proc::open_for_files(root).map_err(|error| io::Error::other(error.to_string()))?;
        let latest = Latest { pairs: Vec::with_capacity(MOST), ..Latest::default() };
        let desk = Arc::new(Desk::new(latest));
        let of_reader = Arc::clone(&desk);
        let run = move || {
            let mut found = Vec::with_capacity(MOST);
            loop {
                read_one(&of_reader, &mut proc, &mut found);
            }
        };
        thread::Builder::new().name("file-locks".into()).stack_size(256 * 1024).spawn(run)?;
        Ok(Self(desk))
    }

    /// What was read last, each pair with when that reading began; asks for another one where that is old.
    /// Never waits for one, never allocates.
    pub(super) fn latest(&self, now: Moment, mut f: impl FnMut(Moment, Pair)) {
        let mut latest = self.0.at();
        if now.since(latest.began) >= EVERY && !latest.wanted {
            latest.wanted = true;
            self.0.ring();
        }
        latest.pairs.iter().for_each(|pair| f(latest.began, *pair));
    }
}

fn read_one(desk: &Desk<Latest>, proc: &mut Proc, found: &mut Vec<Pair>) {
    drop(desk.wait_for(|latest| latest.wanted));
    let began = own::now();
    found.clear();
    let _no_file_locks = proc.lock_waiters(&mut |holder, waiter| {
        if found.len() < MOST {
            found.push((holder, waiter));
        }
    });
    let mut latest = desk.at();
    (latest.began, latest.wanted) = (began, false);
    std::mem::swap(&mut latest.pairs, found);
}
