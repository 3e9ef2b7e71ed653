//! The project's own commands.

mod api;
mod bench;
mod corpus;
mod deb;
#[cfg(test)]
mod dependencies;
mod docs;
mod generate_log;
mod lab;
mod labelled;
mod needs;
mod steps;
mod test;
mod tree;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  cargo xtask test                 all checks, then one storm in the lab; what CI runs
  cargo xtask test --no-lab        the checks alone, in a few minutes
  cargo xtask api                  the platform's client and schemathesis against the agent
  cargo xtask deb                  target/debian/headroom_VERSION_amd64.deb
  cargo xtask deb-check            the package installed, upgraded, removed and purged
  cargo xtask man && man -l target/man/headroom.1
  cargo xtask corpus               every report of the corpus against its tables
  cargo xtask labelled table       whom explain names in incidents whose culprit is known
  cargo xtask bench explain        how fast a large log is read, into docs/benchmarks.md
  cargo xtask lab run --scenario runaway --guard headroom
  cargo xtask lab --help           all about the lab";

#[derive(Debug, Subcommand)]
enum Command {
    /// Formatting, clippy, tests and documentation of both workspaces, then one storm in the lab
    Test {
        /// Leave the storm out
        #[arg(long)]
        no_lab: bool,
    },
    /// A real node, real storms, and the score: builds, boots, probes
    #[command(disable_help_flag = true)]
    Lab {
        /// Passed on to the lab's own workspace
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Reads every report of the corpus and prints what differs from its tables; fails if anything does
    Corpus(corpus::Args),
    /// Incidents whose culprit is known: taken from the lab's storms, and explained
    Labelled {
        #[command(subcommand)]
        command: labelled::Labelled,
    },
    /// Measures something and writes its section of docs/benchmarks.md
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
    },
    /// The agent's API: the platform's public client and schemathesis against it
    Api {
        #[command(subcommand)]
        part: Option<api::Part>,
    },
    /// Makes a large kern.log of firewall noise with an OOM event in every 100 MiB
    GenerateLog(generate_log::Args),
    /// Builds the Debian package and prints its path
    Deb {
        /// Take the programs from this folder instead of building them
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Builds the package and tries it: lintian, then install, upgrade, remove and purge on a Debian of
    /// its own (as root, with mmdebstrap)
    DebCheck {
        /// Take the programs from this folder instead of building them
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Writes the pages of the manual and prints where
    Man,
    /// Writes the completions of bash, zsh and fish and prints where
    Completions,
}

/// The command line was wrong (sysexits(3)).
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help that cannot be printed leaves nothing else to do.
            drop(error.print());
            return if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match cli.command {
        Command::Test { no_lab } => test::run(no_lab),
        Command::Lab { arguments } => lab::run(&arguments),
        Command::Corpus(args) => corpus::run(&args),
        Command::Labelled { command } => labelled::run(&command),
        Command::Bench { bench } => bench::run(&bench),
        Command::Deb { from } => deb::run(from.as_deref()).and_then(tell),
        Command::DebCheck { from } => deb::check(from.as_deref()),
        Command::Man => docs::man().and_then(tell),
        Command::Completions => docs::completions().and_then(tell),
        Command::Api { part } => api::run(part),
        Command::GenerateLog(args) => generate_log::run(&args),
    };
    outcome.unwrap_or_else(|error: anyhow::Error| {
        say(&format!("error: {error:#}"));
        ExitCode::from(2)
    })
}

/// Prints the path of what was made.
fn tell(path: PathBuf) -> Outcome {
    writeln!(io::stdout(), "{}", path.display())?;
    Ok(ExitCode::SUCCESS)
}

/// Says one line on standard error.
fn say(text: &str) {
    // With standard error closed there is nobody to tell.
    drop(writeln!(io::stderr(), "{text}"));
}

/// How a command of the project ends: its exit code, or why it could not be run.
type Outcome = Result<ExitCode>;
