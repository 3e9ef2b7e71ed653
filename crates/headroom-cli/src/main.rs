//! `headroom`, the command line: what was typed, which command that is, how it ends.

mod cmd;
mod compat;
mod input;
mod print;
mod setup;
mod systemctl;

use std::io::{self, ErrorKind};

use clap::{Parser, Subcommand};
use headroom_api::exit::Exit;

/// Keeps a Linux web node serving when memory runs out, and says why it ran out.
#[derive(Parser, Debug)]
#[command(
    name = "headroom",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 the answer is no, 2 failed, 64 wrong usage, 77 not allowed, 78 bad configuration.

Examples:
  headroom                       how much room this node has, and who would go next
  headroom top                   the same, live
  headroom guard --dry-run       what a guard would do here
  headroom explain kern.log      why memory ran out
  headroom history               what the guard did
  headroom protect -- php x.php  a job that must finish
  headroom service restart mysql until it answers again
  headroom settings              what is set, and what it may be"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Headroom per zone, the classes' totals, who would go next, the last incidents
    Status(cmd::status::StatusArgs),
    /// The kill order now, with class, rule and reason
    Rank(cmd::rank::RankArgs),
    /// The guard in the foreground
    Guard(cmd::guard::GuardArgs),
    Explain(cmd::explain::Args),
    /// Validate or show the policy, or ask which rule takes a process
    Policy(cmd::policy::PolicyArgs),
    /// Build the limited zone with systemd units: shows a diff, asks, can be undone
    Setup(cmd::setup::SetupArgs),
    /// The same as status, live; q ends it
    Top(cmd::top::TopArgs),
    /// Incidents and verdicts of the guard, what it measured, what jobs take
    History(cmd::history::HistoryArgs),
    /// Where messages about incidents go, and whether they arrive
    Notify(cmd::notify::NotifyArgs),
    /// Show settings or change them: in force at once
    Settings(cmd::settings::SettingsArgs),
    /// Run a command unkillable, within a budget
    Protect(cmd::protect::ProtectArgs),
    /// Restart or reload services of the shop, and wait until they answer
    Service(cmd::service::ServiceArgs),
    /// Have a service give memory back when the node is low
    Release(cmd::release::ReleaseArgs),
    /// Bearer tokens for the agent's TCP listener
    Token(cmd::token::TokenArgs),
    /// Man pages and completions, for whoever packages the program
    #[command(hide = true)]
    Generate(cmd::generate::GenerateArgs),
}

/// The whole command line, for what is made from its definition.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

fn main() -> Exit {
    if let Some(run) = compat::called_as() {
        return run();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return print::usage(&error),
    };
    match cli.command.unwrap_or_else(|| Command::Status(cmd::status::StatusArgs::plain())) {
        Command::Status(args) => cmd::status::run(&args),
        Command::Rank(args) => cmd::rank::run(&args),
        Command::Guard(args) => cmd::guard::run(args),
        Command::Explain(args) => finish(cmd::explain::run(&args)),
        Command::Policy(args) => cmd::policy::run(&args),
        Command::Setup(args) => cmd::setup::run(&args),
        Command::Top(args) => cmd::top::run(&args),
        Command::History(args) => cmd::history::run(&args),
        Command::Notify(args) => cmd::notify::run(&args),
        Command::Settings(args) => cmd::settings::run(&args),
        Command::Protect(args) => cmd::protect::run(args),
        Command::Service(args) => cmd::service::run(&args),
        Command::Release(args) => cmd::release::run(&args),
        Command::Token(args) => cmd::token::run(&args),
        Command::Generate(args) => cmd::generate::run(&args, command()),
    }
}

/// A reader that went away has what it wanted; any other failure to write is one.
fn finish(result: io::Result<Exit>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => print::failed(&format!("writing the answer: {error}")),
    }
}
