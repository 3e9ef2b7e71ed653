//! `hypernode-systemctl`: the platform's own name for the settings, a link to `headroom`.

use clap::{Parser, Subcommand};
use headroom_api::exit::Exit;

use crate::{cmd, print};

/// The name it is called by.
pub(crate) const NAME: &str = "hypernode-systemctl";

/// Shows and changes this node's settings.
#[derive(Parser, Debug)]
#[command(name = NAME, version, propagate_version = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// All settings, or one, or its new value
    Settings(cmd::settings::SettingsArgs),
}

/// Does what was typed.
pub(crate) fn run() -> Exit {
    match Line::try_parse() {
        Ok(Line { command: Command::Settings(args) }) => cmd::settings::run(&args),
        Err(error) => print::usage(&error),
    }
}
