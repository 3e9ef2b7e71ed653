//! Headroom's reflex: senses, decides, acts and records, in one small synchronous loop.
//!
//! A library as well as a program, so that `headroom guard` and `headroom status` on a node without a
//! running guard use the very same senses.

mod abilities;
mod act;
mod birth;
mod desk;
#[cfg(test)]
mod faults;
mod freezer;
mod held;
mod imminent;
mod options;
mod peers;
mod policy_files;
mod protect;
mod ready;
mod record;
mod say;
mod sense;
mod serve;
mod settings_file;
mod settle;
mod start;
mod table;
mod tokens;
mod trial;
mod view;
mod watch;
mod zone_kills;

pub use abilities::Abilities;
pub use options::Options;
pub use policy_files::{Loaded, PolicyError, load_policy, uid_of};
pub use say::say;
pub use settings_file::{read as read_settings, write as write_settings};
pub use start::{run, thaw};
pub use view::look_once;

/// The version all of this says it is.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");
