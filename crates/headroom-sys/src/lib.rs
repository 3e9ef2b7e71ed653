//! The one room of Headroom that may be unsafe: what the kernel shows and what it is told.
//!
//! Readers take the root of the tree they read, so that a captured tree reads like the running
//! one. What is marked "hot" allocates nothing once its reader has been constructed: the guard
//! calls it when there is no memory left. What is gone, what is forbidden and what is malformed
//! are three different answers ([`ReadError`]).

pub mod caller;
pub mod cgroup;
pub mod connector;
pub mod error;
pub mod file;
pub mod footprint;
pub mod kmsg;
pub mod mapped;
pub mod notify;
pub mod own;
pub mod peer;
pub mod proc;
pub mod process;
pub mod psi;
pub mod signals;
pub mod sockets;
pub mod terminal;
pub mod wait;

mod lines;
mod text;

pub use error::ReadError;
