//! Reads what other logs say around the time memory ran out; never fails.
//!
//! A log's [`Format`] is told by its first lines, whatever it is called. A [`Reader`] is fed one line at a
//! time and yields [`Entry`]s, each with its stamp as the log has it; the caller turns that into a moment
//! and offers it to a [`Collector`], which keeps what lies near an incident and forgets the rest, so that
//! a log of any size takes little memory. A file a format; each is ignorant of the others.

mod access;
mod collect;
mod deploys;
mod entry;
mod format;
mod monolog;
mod mysql;
mod packages;
mod php;
mod syslog;
mod time;
mod traffic;
mod web;

pub use access::{Request, request};
pub use collect::{Collector, Noted};
pub use entry::{Entry, What};
pub use format::{Format, Reader};
pub use traffic::{Peak, Traffic};
