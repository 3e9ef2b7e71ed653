//! Headroom's memory and mouth: reads the guard's journal, keeps a store, and answers over HTTP on a
//! Unix socket. The guard does not notice whether it runs.

mod allow;
mod config;
mod follow;
mod guard;
mod holders;
mod http;
mod mysql;
mod notify;
mod options;
mod protect;
mod random;
mod release;
mod run;
mod say;
mod services;
mod settings;
mod state;
mod store;
#[cfg(test)]
mod testing;
mod upkeep;

pub use http::openapi;
pub use options::Options;
pub use run::run;
pub use say::say;

/// The version all of this says it is.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");
