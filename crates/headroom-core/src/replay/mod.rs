//! A storm once more: a recorded or a made-up one, run through the real `decide` under any policy.
//!
//! What a process took is known by how long it had run, so that one that is paused here takes it later
//! and one that is slain here never does. What is left for others follows from that. The model is
//! simple, and where it leaves the record it can only guess ([`Actor::is_beyond_record`]):
//!
//! - a slain process ends a moment after its signal and returns what a kill of it was reckoned to;
//! - a paused one holds what it has, and goes on from there;
//! - one that the record saw slain, and that is spared here, goes on as another of its kind did that
//!   ended by itself; where there was none it grows on as it did in its last second;
//! - stall, refaults and the kernel's kills stay as they were recorded.

mod actor;
mod ground;
mod record;
mod world;

pub use actor::{Actor, Path, Temper, Then};
pub use ground::{Ground, Point};
pub use record::{Done, DoneWhat, Recording};
pub use world::{Deed, World};

use alloc::vec::Vec;

/// All that happens in a storm, whatever is done about it.
#[derive(Clone, Debug, Default)]
pub struct Storm {
    /// The node without the actors.
    pub ground: Ground,
    /// The processes that may be slain or paused, and others whose growth matters.
    pub actors: Vec<Actor>,
}
