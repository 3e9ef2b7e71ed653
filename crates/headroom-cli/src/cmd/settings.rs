//! `headroom settings`: what is set, and setting it. Also `hypernode-systemctl settings`.
//!
//! Through the agent where one runs, since that writes down who changed what; else through the guard,
//! which root may ask; and where neither runs root's word is kept for the guard that comes.

use clap::Args;
use clap::builder::PossibleValuesParser;
use headroom_api::exit::Exit;
use headroom_api::guard::{Answer, Request};
use headroom_api::paths;
use headroom_api::settings::{Change, Settings, describe};
use headroom_core::settings as registry;
use headroom_guard::{load_policy, read_settings, write_settings};
use serde_json::json;

use super::Common;
use super::agent::{body_of, try_agent};
use super::status::ask_guard;
use crate::print::{self, Format};

/// The words that are no names.
const VERBS: [&str; 4] = ["list", "get", "set", "reset"];

/// What `settings` takes.
#[derive(Args, Debug)]
#[command(
    override_usage = "headroom settings [list]
       headroom settings get NAME
       headroom settings set NAME VALUE
       headroom settings reset NAME
       headroom settings NAME [VALUE | --value VALUE]",
    after_help = after_help()
)]
pub(crate) struct SettingsArgs {
    /// A setting, or list, get, set or reset
    #[arg(value_name = "NAME", hide_possible_values = true, value_parser = words())]
    first: Option<String>,
    /// The setting, or its new value
    #[arg(value_name = "VALUE", hide = true, allow_negative_numbers = true)]
    rest: Vec<String>,
    /// The new value
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    value: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// What is to be done.
enum Wish<'a> {
    List,
    Get(&'a str),
    Set(&'a str, &'a str),
    Reset(&'a str),
}

fn words() -> PossibleValuesParser {
    let names = registry::all().into_iter().map(|setting| setting.name);
    let words: Vec<String> = VERBS.iter().map(ToString::to_string).chain(names).collect();
    PossibleValuesParser::new(words)
}

fn after_help() -> String {
    let mut help = String::from("Settings:\n");
    for setting in registry::all() {
        let allowed = setting.kind.allowed();
        help += &format!("  {}  ({allowed})\n      {}\n", setting.name, setting.help);
    }
    help + "
Examples:
  headroom settings                                          all of them
  headroom settings permissive_memory_management True        allow short peaks
  headroom settings permissive_memory_management --value False
  headroom settings set strict.floor 12%
  headroom settings reset strict.floor                       as the policy files have it"
}

/// Shows or sets.
pub(crate) fn run(args: &SettingsArgs) -> Exit {
    let wish = match wish_of(args) {
        Ok(wish) => wish,
        Err(why) => {
            print::problem(&format!("{why}; see headroom settings --help"));
            return Exit::Usage;
        }
    };
    let done = match wish {
        Wish::List => all().map(|all| list(&all, args.common.format)),
        Wish::Get(name) => all().and_then(|all| get(&all, name, args.common.format)),
        Wish::Set(name, value) => change(name, Some(value), args.common.format),
        Wish::Reset(name) => change(name, None, args.common.format),
    };
    done.unwrap_or_else(|exit| exit)
}

fn wish_of(args: &SettingsArgs) -> Result<Wish<'_>, String> {
    let first = args.first.as_deref();
    let rest: Vec<&str> = args.rest.iter().map(String::as_str).collect();
    let value = args.value.as_deref();
    match (first, &rest[..], value.as_ref()) {
        (None | Some("list"), [], None) => Ok(Wish::List),
        (Some("get"), [name], None) => Ok(Wish::Get(name)),
        (Some("reset"), [name], None) => Ok(Wish::Reset(name)),
        (Some("set"), [name, value], None) | (Some("set"), [name], Some(value)) => {
            Ok(Wish::Set(name, value))
        }
        (Some("get" | "reset"), [], None) => Err("which setting?".into()),
        (Some("set"), [] | [_], None) => Err("set takes a name and a value".into()),
        (Some(verb), ..) if VERBS.contains(&verb) => Err("too many words".into()),
        (Some(name), [], None) => Ok(Wish::Get(name)),
        (Some(name), [value], None) | (Some(name), [], Some(value)) => Ok(Wish::Set(name, value)),
        _ => Err("a name and one value are enough".into()),
    }
}

fn list(all: &Settings, format: Format) -> Exit {
    match format {
        Format::Json => print::result_as_json(all),
        Format::Text => print::result(&print::settings::list(all)),
    }
}

fn get(all: &Settings, name: &str, format: Format) -> Result<Exit, Exit> {
    known(name)?;
    let Some(setting) = all.settings.iter().find(|setting| setting.name == name) else {
        return Err(print::failed(&format!(
            "the agent does not know {name}; do the versions match?"
        )));
    };
    Ok(match format {
        Format::Json => print::result_as_json(setting),
        Format::Text => print::result(&format!("{}\n", print::settings::value(&setting.value))),
    })
}

/// Refuses what is no setting before anybody is asked.
fn known(name: &str) -> Result<registry::Setting, Exit> {
    registry::find(name).map_err(|why| {
        print::problem(&why);
        Exit::Usage
    })
}

fn change(name: &str, value: Option<&str>, format: Format) -> Result<Exit, Exit> {
    let setting = known(name)?;
    if let Some(value) = value {
        setting.parse(value).map_err(|why| {
            print::problem(&format!("{name}: {why}"));
            Exit::Usage
        })?;
    }
    let change = Change::from([(name.to_owned(), value.map(ToOwned::to_owned))]);
    let (all, remark) = match try_agent("PATCH", "/v1/settings", Some(&json!(change)))? {
        Some(response) => (body_of(&response)?, None),
        None => match ask_guard(&Request::Change { change: change.clone() })? {
            Some(answer) => {
                (of_guard(answer)?, Some("the agent does not run: nobody wrote down who did this"))
            }
            None => (keep(&change)?, None),
        },
    };
    let Some(setting) = all.settings.iter().find(|setting| setting.name == name) else {
        return Err(print::failed(&format!(
            "there is no {name} in the answer; do the versions match?"
        )));
    };
    if let Some(remark) = remark {
        print::problem(remark);
    }
    if setting.in_force == Some(false) {
        print::problem("no guard runs: the value is kept for the next one");
    }
    Ok(match format {
        Format::Json => print::result_as_json(setting),
        Format::Text => print::result(&print::settings::changed(setting)),
    })
}

/// All settings, from whoever is there to know them.
fn all() -> Result<Settings, Exit> {
    if let Some(response) = try_agent("GET", "/v1/settings", None)? {
        return body_of(&response);
    }
    if let Some(answer) = ask_guard(&Request::Settings)? {
        return of_guard(answer);
    }
    let state_dir = paths::state_dir();
    let loaded = load_policy(&paths::root(), None).map_err(|error| {
        print::problem(&format!("policy: {error}"));
        Exit::BadConfiguration
    })?;
    let loaded = loaded.with_settings(&state_dir);
    if let Some(why) = &loaded.settings_problem {
        print::problem(why);
    }
    Ok(describe(&loaded.policy, &loaded.chosen, Some(false)))
}

fn of_guard(answer: Answer) -> Result<Settings, Exit> {
    match answer {
        Answer::Settings(all) => Ok(all),
        Answer::Wrong { name, why } => {
            print::problem(&format!("{name}: {why}"));
            Err(Exit::Usage)
        }
        Answer::Forbidden { .. } => {
            print::problem(
                "the agent does not run, and the guard takes root's word alone; \
                            systemctl start headroom-agent",
            );
            Err(Exit::NotAllowed)
        }
        Answer::Refused { why } => Err(print::failed(&why)),
        _ => Err(print::failed("the guard answered another question")),
    }
}

/// Keeps a change for the guard that comes: what the running one would do.
fn keep(change: &Change) -> Result<Settings, Exit> {
    let state_dir = paths::state_dir();
    let mut chosen = read_settings(&state_dir).map_err(|why| print::failed(&why))?;
    for (name, value) in change {
        chosen.set(name, value.as_deref()).map_err(|why| print::failed(&why))?;
    }
    let policy = chosen.check_on(&[]).map_err(|(name, why)| {
        print::problem(&format!("{name}: {why}"));
        Exit::Usage
    })?;
    write_settings(&state_dir, &chosen).map_err(|error| {
        let dir = state_dir.display();
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                print::problem(&format!(
                    "{dir}: {error}; neither agent nor guard runs, and only root can \
                                         keep a setting then"
                ));
                Exit::NotAllowed
            }
            _ => print::failed(&format!("{dir}: {error}; has a guard run here?")),
        }
    })?;
    Ok(describe(&policy, &chosen, Some(false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SettingsArgs,
    }

    fn read(line: &str) -> String {
        let words = ["settings"].into_iter().chain(line.split_whitespace());
        match Line::try_parse_from(words) {
            Err(_) => "refused".into(),
            Ok(line) => match wish_of(&line.args) {
                Ok(Wish::List) => "list".into(),
                Ok(Wish::Get(name)) => format!("get {name}"),
                Ok(Wish::Set(name, value)) => format!("{name} = {value}"),
                Ok(Wish::Reset(name)) => format!("reset {name}"),
                Err(why) => why,
            },
        }
    }

    #[test]
    fn every_way_to_say_it_is_understood() {
        assert_eq!(read(""), "list");
        assert_eq!(read("list"), "list");
        assert_eq!(read("get strict.floor"), "get strict.floor");
        assert_eq!(read("strict.floor"), "get strict.floor");
        assert_eq!(read("reset strict.floor"), "reset strict.floor");
        for line in [
            "set strict.floor 5%",
            "strict.floor 5%",
            "strict.floor --value 5%",
            "strict.floor --value=5%",
            "--value 5% strict.floor",
            "set strict.floor --value 5%",
        ] {
            assert_eq!(read(line), "strict.floor = 5%", "{line}");
        }
        assert_eq!(
            read("strict.refaults -1"),
            "strict.refaults = -1",
            "refused by what it is, later"
        );
    }

    #[test]
    fn what_is_too_little_or_too_much_is_said() {
        assert_eq!(read("get"), "which setting?");
        assert_eq!(read("set strict.floor"), "set takes a name and a value");
        assert_eq!(read("strict.floor 1 2"), "a name and one value are enough");
        assert_eq!(read("strict.floor 1 --value 2"), "a name and one value are enough");
        assert_eq!(read("list x"), "too many words");
        assert_eq!(read("strict.flor 5%"), "refused");
    }

    #[test]
    fn the_help_lists_every_setting_with_what_is_allowed() {
        let help = after_help();
        for setting in registry::all() {
            assert!(help.contains(&format!("{}  ({})", setting.name, setting.kind.allowed())));
        }
        assert!(help.contains("permissive_memory_management  (true or false)"));
    }
}
