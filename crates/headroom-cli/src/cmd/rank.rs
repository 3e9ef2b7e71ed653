//! `headroom rank`: who would go, in what order and why.

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::guard::{Answer, Request};

use super::Common;
use super::status::{ask_guard, look};
use crate::print::{self, Format};

/// What `rank` takes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  headroom rank
  headroom rank --zone limited.slice
  headroom rank --format json | jq '.rank[0].pid'")]
pub(crate) struct RankArgs {
    /// The zone: a cgroup of the policy, or / for the machine
    #[arg(long, value_name = "ZONE", default_value = "/")]
    zone: String,
    #[command(flatten)]
    common: Common,
}

/// Asks the guard, or looks for itself where none runs.
pub(crate) fn run(args: &RankArgs) -> Exit {
    let rank = match ask_guard(&Request::Rank { zone: args.zone.clone() }) {
        Ok(Some(Answer::Rank(rank))) => rank,
        Ok(Some(Answer::Refused { why } | Answer::Forbidden { why })) => {
            return print::failed(&why);
        }
        Ok(Some(_)) => {
            return print::failed("the guard answered another question");
        }
        Ok(None) => match look(&args.zone) {
            Ok((_, Some(rank))) => rank,
            Ok((_, None)) => {
                return print::failed(&format!("no zone \"{}\"; see headroom status", args.zone));
            }
            Err(exit) => return exit,
        },
        Err(exit) => return exit,
    };
    let printed = match args.common.format {
        Format::Json => print::result_as_json(&rank),
        Format::Text => print::result(&print::status::rank(&rank)),
    };
    if printed == Exit::Done && rank.rank.is_empty() { Exit::No } else { printed }
}
