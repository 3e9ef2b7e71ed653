//! The numbers under which the loop's files are waited for.

/// SIGTERM, SIGINT, SIGHUP.
pub(crate) const SIGNAL: u64 = 0;
/// Somebody wants to see the state.
pub(crate) const BELL: u64 = 1;
/// Tasks stall for memory.
pub(crate) const PRESSURE: u64 = 2;
/// A zone's `memory.events`.
pub(crate) const ZONE: u64 = 3;
/// The proc connector: something happened to a process.
pub(crate) const BIRTH: u64 = 5;
/// The kernel's log.
pub(crate) const LOG: u64 = 6;
/// A victim's pidfd.
pub(crate) const VICTIM: u64 = 4;
