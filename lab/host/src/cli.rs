//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Machine, Policy};

/// A real Debian node in an emulator, a storm in it, and what came of the shop.
#[derive(Debug, Parser)]
#[command(name = "headroom-lab", bin_name = "cargo xtask lab", after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  cargo xtask lab run --scenario runaway --guard headroom
  cargo xtask lab run --scenario stack --guard headroom --policy permissive --keep /tmp/stack
  cargo xtask lab run --scenario runaway --guard earlyoom --swap-mib 1024
  cargo xtask lab matrix --scenarios runaway,stack --guards none,earlyoom-tuned,headroom --runs 3
  cargo xtask lab advise no-swap tmpfs-heavy
  cargo xtask lab report
  cargo xtask lab tour
  cargo xtask lab tour --only protect,release --keep /tmp/tour

The node's clock counts its instructions, so figures do not depend on this machine. A run takes 3 to 6
minutes of a core; the image is built once and cached (HEADROOM_LAB_CACHE, else the user's cache).";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One storm under one guard; prints one score line, exits 2 when the node never got through
    Run(RunArgs),
    /// Many storms, two at a time, kept in docs/lab-results.jsonl; goes on where it stopped
    Matrix(MatrixArgs),
    /// The node as a shop's developer meets it over ssh; writes docs/tour.md, exits 2 when a step failed
    Tour(TourArgs),
    /// What `headroom advise` finds on nodes that are set up wrongly, beside the measured truth; writes
    /// its part of docs/advise-results.md
    Advise(AdviseArgs),
    /// Writes docs/lab-results.md from the kept rows
    Report,
    /// Builds the node's image, if it is not in the cache
    Image,
    /// Lists the scenarios and the guards
    List,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What happens; `list` shows all
    #[arg(long)]
    pub(crate) scenario: String,
    /// Who guards the node; `list` shows all
    #[arg(long)]
    pub(crate) guard: String,
    /// Headroom's thresholds
    #[arg(long, value_enum, default_value = "strict")]
    pub(crate) policy: Policy,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// The build under test [default: the package of this tree, built now]
    #[arg(long, value_name = "DEB")]
    pub(crate) package: Option<PathBuf>,
    /// Keep the run's logs here
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TourArgs {
    /// Only the steps whose names contain one of these, separated by commas; the document is left alone
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub(crate) only: Option<Vec<String>>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// The build under test [default: the package of this tree, built now]
    #[arg(long, value_name = "DEB")]
    pub(crate) package: Option<PathBuf>,
    /// Keep the node's logs and tour.json here
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MatrixArgs {
    /// Scenarios, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "runaway,stack")]
    pub(crate) scenarios: Vec<String>,
    /// Guards, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "none,earlyoom,earlyoom-tuned,mglru,headroom"
    )]
    pub(crate) guards: Vec<String>,
    /// Headroom's thresholds, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "strict,permissive")]
    pub(crate) policies: Vec<Policy>,
    /// Runs of each cell
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
    /// Nodes at a time; each takes one core
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// The build under test [default: the package of this tree, built now]
    #[arg(long, value_name = "DEB")]
    pub(crate) package: Option<PathBuf>,
    /// Keep the runs' logs in folders here
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AdviseArgs {
    /// Folders of lab/image/run/misconfigured [default: all of them]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// So many of them one after the other on one node
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) at_a_time: u32,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// The build under test [default: the package of this tree, built now]
    #[arg(long, value_name = "DEB")]
    pub(crate) package: Option<PathBuf>,
    /// Keep the nodes' logs in folders here
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}
