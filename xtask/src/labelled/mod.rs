//! `cargo xtask labelled`: incidents whose culprit is known, taken from the lab's storms, and what
//! `headroom explain` says of each.

mod cut;
mod table;

use std::path::PathBuf;

use crate::{Outcome, tree};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Labelled {
    /// Takes the storms out of what `cargo xtask lab run --keep` kept, and writes their rows
    Cut {
        /// The folder that was kept, one or more
        #[arg(required = true, value_name = "DIR")]
        kept: Vec<PathBuf>,
    },
    /// Explains every labelled incident and writes docs/labelled.md; fails if one is explained wrongly
    Table {
        /// Explain with this program instead of building one
        #[arg(long, value_name = "HEADROOM")]
        program: Option<PathBuf>,
    },
}

pub(crate) fn run(command: &Labelled) -> Outcome {
    match command {
        Labelled::Cut { kept } => cut::run(kept),
        Labelled::Table { program } => table::run(program.as_deref()),
    }
}

/// Where the incidents are.
fn folder() -> PathBuf {
    tree::root().join("crates/headroom-cli/tests/labelled")
}
