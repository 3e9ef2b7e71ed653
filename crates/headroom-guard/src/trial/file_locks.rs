//! Who waits for whose file lock, read by a thread: the kernel has everybody who locks a file wait for whoever
//! reads `/proc/locks`, and the reader for all processors (fs/locks.c `locks_start`), which takes
//! milliseconds.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use headroom_core::snapshot::Moment;
use headroom_sys::own;
use headroom_sys::proc::Proc;

/// From one reading to the next.
const EVERY: Duration = Duration::from_millis(250);
/// Pairs that are kept.
const MOST: usize = 128;

/// One that holds a lock, and one that waits for it.
pub(super) type Pair = (i32, i32);

#[derive(Debug, Default)]
struct Desk {
    wanted: bool,
    /// When the last reading began.
    began: Moment,
    pairs: Vec<Pair>,
}

#[derive(Debug, Default)]
struct Shared {
    desk: Mutex<Desk>,
    wanted: Condvar,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The readers' other end.
#[derive(Debug)]
pub(super) struct FileLocks(Arc<Shared>);

impl FileLocks {
    /// Starts the reader of the `/proc` under this root; it runs for as long as the program.
    pub(super) fn start(root: &Path) -> io::Result<Self> {
        let mut proc =
            Proc::open_for_files(root).map_err(|error| io::Error::other(error.to_string()))?;
        let shared = Arc::new(Shared::default());
        shared.desk().pairs.reserve(MOST);
        let of_reader = Arc::clone(&shared);
        let run = move || {
            let mut found = Vec::with_capacity(MOST);
            loop {
                read_one(&of_reader, &mut proc, &mut found);
            }
        };
        thread::Builder::new().name("file-locks".into()).stack_size(256 * 1024).spawn(run)?;
        Ok(Self(shared))
    }

    /// What was read last, each pair with when that reading began; asks for another one where that is old.
    /// Never waits for one, never allocates.
    pub(super) fn latest(&self, now: Moment, mut f: impl FnMut(Moment, Pair)) {
        let mut desk = self.0.desk();
        if now.since(desk.began) >= EVERY && !desk.wanted {
            desk.wanted = true;
            self.0.wanted.notify_one();
        }
        desk.pairs.iter().for_each(|pair| f(desk.began, *pair));
    }
}

fn read_one(shared: &Shared, proc: &mut Proc, found: &mut Vec<Pair>) {
    let mut desk = shared.desk();
    while !desk.wanted {
        desk = shared.wanted.wait(desk).unwrap_or_else(PoisonError::into_inner);
    }
    drop(desk);
    let began = own::now();
    found.clear();
    let _no_file_locks = proc.lock_waiters(&mut |holder, waiter| {
        if found.len() < MOST {
            found.push((holder, waiter));
        }
    });
    let mut desk = shared.desk();
    (desk.began, desk.wanted) = (began, false);
    std::mem::swap(&mut desk.pairs, found);
}
