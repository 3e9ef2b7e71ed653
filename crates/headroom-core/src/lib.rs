//! The pure core of Headroom.
//!
//! Nothing here reads a file, asks a clock or sends a signal: what was sensed comes in as an
//! argument, what is to be done goes out as a value. `no_std` makes that a matter of compilation
//! and not of discipline.
#![no_std]

extern crate alloc;

pub mod action;
pub mod advise;
pub mod cgroup;
pub mod decide;
pub mod diagnose;
pub mod fnv;
pub mod oomlog;
pub mod otherlog;
pub mod policy;
pub mod redact;
pub mod replay;
pub mod sample;
pub mod settings;
pub mod setup;
pub mod snapshot;
pub mod text;
pub mod units;
pub mod words;
