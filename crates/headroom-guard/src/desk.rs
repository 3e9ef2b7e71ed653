//! What lies between the loop and a thread that finds something out for it, and how that is woken.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// It, and the bell on it.
#[derive(Debug, Default)]
pub(crate) struct Desk<T> {
    on_it: Mutex<T>,
    bell: Condvar,
}

impl<T> Desk<T> {
    /// A desk with this on it.
    pub(crate) const fn new(on_it: T) -> Self {
        Self { on_it: Mutex::new(on_it), bell: Condvar::new() }
    }

    /// Goes to it. A thread that ended there left it as it is.
    pub(crate) fn at(&self) -> MutexGuard<'_, T> {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless somebody else is there.
    pub(crate) fn if_free(&self) -> Option<MutexGuard<'_, T>> {
        self.on_it.try_lock().ok()
    }

    /// Wakes the thread that waits.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until what lies there is as `wanted` says.
    pub(crate) fn wait_for(&self, wanted: impl Fn(&T) -> bool) -> MutexGuard<'_, T> {
        let mut on_it = self.at();
        while !wanted(&on_it) {
            on_it = self.bell.wait(on_it).unwrap_or_else(PoisonError::into_inner);
        }
        on_it
    }
}
