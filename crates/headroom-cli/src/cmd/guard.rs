//! `headroom guard`: the guard in the foreground.

use std::path::PathBuf;

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::paths;
use headroom_guard::Options;

/// What `guard` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "No file is needed: the built-in policy stands in. Without the rights to end other users'
processes it says so and runs dry.

Examples:
  headroom guard --dry-run        say what would be done on this machine
  sudo headroom guard             guard it until Ctrl-C
  systemctl start headroom-guard  guard it for good, where the package is installed"
)]
pub(crate) struct GuardArgs {
    /// Say what would be done, do nothing
    #[arg(long)]
    dry_run: bool,
    /// This policy instead of /etc/headroom/policy.toml and policy.d/*.toml
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the journal is kept
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Where the socket is
    #[arg(long, value_name = "DIR")]
    runtime_dir: Option<PathBuf>,
}

/// Guards until a signal ends it.
pub(crate) fn run(args: GuardArgs) -> Exit {
    headroom_guard::run(&Options {
        dry_run: args.dry_run,
        policy: args.policy,
        state_dir: args.state_dir.unwrap_or_else(paths::state_dir),
        runtime_dir: args.runtime_dir.unwrap_or_else(paths::runtime_dir),
        root: paths::root(),
    })
}
