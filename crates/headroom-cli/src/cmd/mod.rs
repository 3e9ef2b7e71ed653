//! The subcommands, a file each: what one takes, and what it does.

pub(crate) mod agent;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod guard;
pub(crate) mod history;
pub(crate) mod notify;
pub(crate) mod policy;
pub(crate) mod protect;
pub(crate) mod rank;
pub(crate) mod release;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod top;

use clap::Args;

use crate::print::Format;

/// What every command takes.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Common {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}
