//! Freezes units, on a thread of its own: the kernel has everybody who changes cgroups wait for each other, also
//! while one of them waits for memory. The hands wait for a few milliseconds at the most and stop the job
//! by SIGSTOP if it takes longer; what was frozen too late is thawed again at once.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use headroom_core::snapshot::ProcessId;
use headroom_sys::own;
use headroom_sys::proc::Proc;

pub(crate) use units::{Units, thaw_left};

#[cfg(test)]
pub(crate) mod tests;
mod units;

/// The hands wait no longer than this.
const PATIENCE: Duration = Duration::from_millis(15);
/// Thaws that can be asked for at once.
const MOST_THAWS: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Asked(ProcessId),
    /// It is being done; nobody waits for it any more when the flag is set.
    Doing {
        forsaken: bool,
    },
    Done(bool),
}

#[derive(Debug)]
struct Desk {
    state: State,
    /// Whose units are to be thawed: that is never given up.
    thaws: Vec<ProcessId>,
    thawing: bool,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    asked: Condvar,
    answered: Condvar,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The freezing thread's other end.
#[derive(Debug)]
pub(crate) struct Freezer(Arc<Shared>);

impl Freezer {
    /// Starts the thread; it runs for as long as the program.
    pub(crate) fn start(root: &Path, mut units: Units) -> io::Result<Self> {
        let mut proc =
            Proc::open_for_files(root).map_err(|error| io::Error::other(error.to_string()))?;
        let desk =
            Desk { state: State::Free, thaws: Vec::with_capacity(MOST_THAWS), thawing: false };
        let shared = Arc::new(Shared {
            desk: Mutex::new(desk),
            asked: Condvar::new(),
            answered: Condvar::new(),
        });
        let of_thread = Arc::clone(&shared);
        let run = move || {
            // As the loop, which asks: it always comes back to wait.
            let _as_it_is_without_the_right = own::run_in_real_time();
            let mut thaws = Vec::with_capacity(MOST_THAWS);
            loop {
                do_one(&of_thread, &mut thaws, &mut |order| match order {
                    Order::Freeze(id) => units.freeze(&mut proc, id),
                    Order::Thaw(id) => {
                        units.thaw(id);
                        true
                    }
                });
            }
        };
        thread::Builder::new().name("freezer".into()).stack_size(256 * 1024).spawn(run)?;
        Ok(Self(shared))
    }

    /// Freezes the unit of a process; false when that cannot be done, or not in time. Never allocates.
    pub(crate) fn freeze(&self, id: ProcessId) -> bool {
        let Shared { asked, answered, .. } = &*self.0;
        let mut desk = self.0.desk();
        // What is to be thawed comes first, and who hangs in the kernel does nothing more.
        if desk.state != State::Free {
            return false;
        }
        desk.state = State::Asked(id);
        asked.notify_one();
        let until = Instant::now() + PATIENCE;
        loop {
            if let State::Done(frozen) = desk.state {
                desk.state = State::Free;
                return frozen;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                desk.state = match desk.state {
                    State::Doing { .. } => State::Doing { forsaken: true },
                    _ => State::Free,
                };
                return false;
            }
            desk = answered.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Thaws the unit that was frozen for this process, as soon as that can be done; false when there is no
    /// room to ask. Never allocates.
    pub(crate) fn thaw(&self, id: ProcessId) -> bool {
        let mut desk = self.0.desk();
        if desk.thaws.len() == MOST_THAWS {
            return false;
        }
        desk.thaws.push(id);
        self.0.asked.notify_one();
        true
    }

    /// Waits until all has been thawed that was to be, at most this long.
    pub(crate) fn settle(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut desk = self.0.desk();
        while !desk.thaws.is_empty() || desk.thawing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.answered.wait_timeout(desk, left);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Freeze(ProcessId),
    Thaw(ProcessId),
}

/// Waits for orders and carries them out. Who goes on does so first.
fn do_one(shared: &Shared, thaws: &mut Vec<ProcessId>, carry_out: &mut dyn FnMut(Order) -> bool) {
    let mut desk = shared.desk();
    while desk.thaws.is_empty() && !matches!(desk.state, State::Asked(_)) {
        desk = shared.asked.wait(desk).unwrap_or_else(PoisonError::into_inner);
    }
    if !desk.thaws.is_empty() {
        std::mem::swap(&mut desk.thaws, thaws);
        desk.thawing = true;
        drop(desk);
        thaws.drain(..).for_each(|id| {
            carry_out(Order::Thaw(id));
        });
        shared.desk().thawing = false;
        shared.answered.notify_one();
        return;
    }
    let State::Asked(id) = desk.state else { return };
    desk.state = State::Doing { forsaken: false };
    drop(desk);
    let frozen = carry_out(Order::Freeze(id));
    let mut desk = shared.desk();
    if desk.state == (State::Doing { forsaken: true }) {
        // Free only when that is undone, so that it cannot undo a later one.
        drop(desk);
        if frozen {
            carry_out(Order::Thaw(id));
        }
        shared.desk().state = State::Free;
        return;
    }
    desk.state = State::Done(frozen);
    shared.answered.notify_one();
}
