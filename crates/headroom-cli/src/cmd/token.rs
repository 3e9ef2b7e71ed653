//! `headroom token`: bearer tokens for the agent's TCP listener.

use clap::{Args, Subcommand, ValueEnum};
use headroom_api::exit::Exit;
use headroom_api::tokens::{NewToken, TokenWanted, Tokens};
use serde_json::json;

use super::Common;
use super::agent::{agent, body_of};
use crate::print::{self, Format};

/// What `token` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "A token is shown once, when it is made; only its hash is kept. Root alone makes, lists and removes them.

Examples:
  headroom token add deploy --right settings --right read > token
  headroom token list
  headroom token remove deploy"
)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Make a token and print it
    Add {
        /// Its name, for the logbook: letters, digits and any of - _ . @
        name: String,
        /// What it may do; all of it when none is named
        #[arg(long = "right", value_enum, value_name = "RIGHT")]
        rights: Vec<Right>,
        #[command(flatten)]
        common: Common,
    },
    /// All tokens, without what they are
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Remove a token: it counts no more
    Remove {
        /// Its name
        name: String,
    },
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Right {
    /// See everything but command lines
    Read,
    /// Change settings
    Settings,
    /// Restart and reload services
    Services,
    /// Make jobs unkillable
    Protect,
    /// Have memory given back
    Release,
}

impl Right {
    fn name(self) -> Option<String> {
        self.to_possible_value().map(|value| value.get_name().to_owned())
    }
}

/// Makes, lists or removes.
pub(crate) fn run(args: &TokenArgs) -> Exit {
    let done = match &args.verb {
        Verb::Add { name, rights, common } => add(name, rights, common.format),
        Verb::List { common } => list(common.format),
        Verb::Remove { name } => remove(name),
    };
    done.unwrap_or_else(|exit| exit)
}

fn add(name: &str, rights: &[Right], format: Format) -> Result<Exit, Exit> {
    let rights = rights.iter().filter_map(|right| right.name()).collect();
    let wanted = TokenWanted { name: name.to_owned(), rights };
    let response = agent("POST", "/v1/tokens", Some(&json!(wanted)))?;
    let made: NewToken = body_of(&response)?;
    Ok(match format {
        Format::Json => print::result_as_json(&made),
        Format::Text => print::result(&format!("{}\n", made.token)),
    })
}

fn list(format: Format) -> Result<Exit, Exit> {
    let tokens: Tokens = body_of(&agent("GET", "/v1/tokens", None)?)?;
    Ok(match format {
        Format::Json => print::result_as_json(&tokens),
        Format::Text => print::result(&print::settings::tokens(&tokens)),
    })
}

fn remove(name: &str) -> Result<Exit, Exit> {
    // Whatever is no letter of a token's name is none of a token's path either.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        print::problem("there is no token of that name; see headroom token list");
        return Err(Exit::Usage);
    }
    agent("DELETE", &format!("/v1/tokens/{name}"), None)?;
    Ok(Exit::Done)
}
