//! `headroom notify`: where messages about incidents go, and a test of it.

use std::time::Duration;

use clap::{Args, Subcommand};
use headroom_api::agent::AgentError;
use headroom_api::exit::Exit;
use headroom_api::notice::{Outlets, Tested};
use serde_json::json;

use super::Common;
use super::agent::{agent, body_of, try_agent_for};
use crate::print::{self, Format};

/// How long a test is waited for: a mail server may take its time.
const PATIENCE: Duration = Duration::from_secs(300);

/// What `notify` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Channels stand in /etc/headroom/agent.toml, under [notify]; see docs/notify.md.

Examples:
  headroom notify list
  headroom notify test            a message to everybody who would get one
  headroom notify test pager      by the channel of that name alone

Exit codes of test: 0 everything was taken, 1 there is nobody to tell, 2 something was not taken."
)]
pub(crate) struct NotifyArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Where messages go, what waits, and what went wrong
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Send a test message at once and say what came of it
    Test {
        /// The channel's name; all of them unless given
        channel: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// Lists or tests.
pub(crate) fn run(args: &NotifyArgs) -> Exit {
    let done = match &args.verb {
        None => list(args.common.format),
        Some(Verb::List { common }) => list(common.format),
        Some(Verb::Test { channel, common }) => test(channel.as_deref(), common.format),
    };
    done.unwrap_or_else(|exit| exit)
}

fn list(format: Format) -> Result<Exit, Exit> {
    let outlets: Outlets = body_of(&agent("GET", "/v1/notify", None)?)?;
    let printed = match format {
        Format::Json => print::result_as_json(&outlets),
        Format::Text => print::result(&print::notify::list(&outlets)),
    };
    Ok(if printed == Exit::Done && outlets.outlets.is_empty() { Exit::No } else { printed })
}

fn test(channel: Option<&str>, format: Format) -> Result<Exit, Exit> {
    let body = channel.map_or_else(|| json!({}), |name| json!({ "channel": name }));
    let response = try_agent_for(PATIENCE, "POST", "/v1/notify/test", Some(&body))?
        .ok_or_else(|| print::failed(&AgentError::NotRunning.to_string()))?;
    let tested: Tested = body_of(&response)?;
    let printed = match format {
        Format::Json => print::result_as_json(&tested),
        Format::Text => print::result(&print::notify::tested(&tested)),
    };
    Ok(match printed {
        Exit::Done if tested.tests.is_empty() => Exit::No,
        Exit::Done if tested.tests.iter().any(|test| !test.delivered) => Exit::Failed,
        printed => printed,
    })
}
