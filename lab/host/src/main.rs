//! `headroom-lab`: builds the lab's node, boots it, lets a storm loose and keeps the score.
//! Called through `cargo xtask lab`.

mod advise;
mod cache;
mod cli;
mod hash;
mod image;
mod kills;
mod matrix;
mod needs;
mod places;
mod progress;
mod qemu;
mod report;
mod rows;
mod run;
mod score;
mod settings;
mod tour;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;

use crate::cli::{Cli, Command, RunArgs};
use crate::needs::CannotRun;
use crate::run::Lab;
use crate::settings::{Run, WrongUsage};

/// The exit codes of the lab; those that all of Headroom has in common.
enum Exit {
    Done = 0,
    Failed = 2,
    /// The command line was wrong (EX_USAGE).
    Usage = 64,
    /// Not root, or a package that is needed cannot be installed.
    NotAllowed = 77,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help that cannot be printed leaves nothing else to do.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Done } as u8);
        }
    };
    let exit = match dispatch(cli.command) {
        Ok(()) => Exit::Done,
        Err(error) => {
            progress::say(&format!("{error:#}"));
            exit_of(&error)
        }
    };
    ExitCode::from(exit as u8)
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if error.is::<CannotRun>() {
        Exit::NotAllowed
    } else if error.is::<WrongUsage>() {
        Exit::Usage
    } else {
        Exit::Failed
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Run(arguments) => run_one(&arguments),
        Command::Matrix(arguments) => matrix::run(&arguments),
        Command::Tour(arguments) => tour::run(&arguments),
        Command::Advise(arguments) => advise::run(&arguments),
        Command::Report => {
            report::write()?;
            advise::table::write()
        }
        Command::Image => {
            needs::ensure()?;
            progress::say(&format!("the image is {}", image::image()?.hash));
            Ok(())
        }
        Command::List => list(),
    }
}

fn run_one(arguments: &RunArgs) -> Result<()> {
    let run =
        Run::new(&arguments.scenario, &arguments.guard, arguments.policy, &arguments.machine)?;
    let lab = Lab::open(std::slice::from_ref(&run), arguments.package.as_deref())?;
    let scratch = tempfile::tempdir()?;
    let keep = arguments.keep.as_deref().unwrap_or(scratch.path());
    match lab.run(&run, keep)? {
        Some(score) => Ok(writeln!(io::stdout(), "{}", serde_json::to_string(&score)?)?),
        None => bail!("the node never got through"),
    }
}

fn list() -> Result<()> {
    let mut out = io::stdout().lock();
    for kind in ["scenario", "guard"] {
        for name in settings::names(kind)? {
            let text = settings::about(kind, &name)?;
            writeln!(out, "{kind:<9} {name:<15} {text}")?;
        }
    }
    Ok(())
}
