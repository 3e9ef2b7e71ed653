//! `headroom service`: services of the shop are restarted or reloaded, until they answer.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use headroom_api::agent::ask;
use headroom_api::exit::Exit;
use headroom_api::paths;
use headroom_api::service::{Outcomes, Services, VERSION};

use super::Common;
use super::agent::{agent, body_of, refused};
use crate::print::{self, Format};

/// A database that writes its pages back first takes minutes.
const PATIENCE: Duration = Duration::from_secs(900);

/// What `service` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Which services there are stands in agent.toml ([services]); who may, in its [allow].
Exit codes: 0 they answer again, 1 one does not, 2 failed, 77 not allowed.

Examples:
  headroom service list
  headroom service restart mysql
  headroom service reload php8.2-fpm nginx
  hypernode-servicectl restart mysql"
)]
pub(crate) struct ServiceArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The services that may be restarted or reloaded
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Stop and start them, and wait until they answer
    Restart(Names),
    /// Have them read their configuration again
    Reload(Names),
}

#[derive(Args, Debug)]
struct Names {
    /// Services or units: mysql, php-fpm, php8.2-fpm
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Does what was typed.
pub(crate) fn run(args: &ServiceArgs) -> Exit {
    match &args.command {
        Command::List { common } => list(common.format),
        Command::Restart(names) => act("restart", &names.names, names.common.format),
        Command::Reload(names) => act("reload", &names.names, names.common.format),
    }
}

/// Manages this node's services.
#[derive(Parser, Debug)]
#[command(
    name = "hypernode-servicectl",
    version,
    after_help = "Examples:
  hypernode-servicectl                    the services there are
  hypernode-servicectl restart mysql
  hypernode-servicectl reload nginx php8.2-fpm"
)]
struct Line {
    /// restart, reload or list
    action: Option<String>,
    /// The services
    service: Vec<String>,
}

/// `hypernode-servicectl [-h] [--version] [action] [service ...]`.
pub(crate) fn as_servicectl() -> Exit {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => return print::usage(&error),
    };
    match (line.action.as_deref(), line.service.as_slice()) {
        (None | Some("list"), []) => list(Format::Text),
        (Some(action @ ("restart" | "reload")), services @ [_, ..]) => {
            act(action, services, Format::Text)
        }
        (Some("restart" | "reload"), []) => {
            print::problem("which service? hypernode-servicectl list shows them");
            Exit::Usage
        }
        (action, _) => {
            let action = action.unwrap_or_default();
            print::problem(&format!(
                "\"{action}\" is no action; there are restart, reload and list"
            ));
            Exit::Usage
        }
    }
}

fn list(format: Format) -> Exit {
    let services: Services = match agent("GET", "/v1/services", None).and_then(|r| body_of(&r)) {
        Ok(services) => services,
        Err(exit) => return exit,
    };
    match format {
        Format::Json => print::result_as_json(&services),
        Format::Text => print::result(&print::service::list(&services)),
    }
}

/// One after the other; the first that is refused ends it, one that does not answer does not.
fn act(action: &str, names: &[String], format: Format) -> Exit {
    let mut all = Outcomes { version: VERSION, outcomes: Vec::new() };
    let mut end = Exit::Done;
    for name in names {
        let path = format!("/v1/services/{}/{action}", encoded(name));
        let response = match ask(&paths::runtime_dir(), "POST", &path, None, PATIENCE) {
            Ok(response) => response,
            Err(error) => {
                end = print::failed(&error.to_string());
                break;
            }
        };
        if !response.is_success() {
            end = refused(&response);
            break;
        }
        let outcomes: Outcomes = match body_of(&response) {
            Ok(outcomes) => outcomes,
            Err(exit) => return exit,
        };
        for outcome in &outcomes.outcomes {
            if outcome.result != "done" {
                end = Exit::Failed;
            } else if !outcome.is_good() && end == Exit::Done {
                end = Exit::No;
            }
            if format == Format::Text {
                let _ = print::result(&print::service::outcome(outcome));
            }
        }
        all.outcomes.extend(outcomes.outcomes);
    }
    if format == Format::Json {
        let printed = print::result_as_json(&all);
        return if printed == Exit::Done { end } else { printed };
    }
    end
}

/// A name as a part of a path (RFC 3986).
fn encoded(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@".contains(&b);
    name.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
