//! The sentences of findings: a title that states the fact, and advice that can be followed.
//!
//! The first line of each advice also ends the answer's third line, so it is short.

mod beside;
mod culprits;
mod outcome;
mod signs;
mod surroundings;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub(crate) use beside::*;
pub(crate) use culprits::*;
pub(crate) use outcome::*;
pub(crate) use signs::*;
pub(crate) use surroundings::*;

/// Lines that hold no figure.
fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}
