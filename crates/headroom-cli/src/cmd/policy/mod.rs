//! `headroom policy`: is it good, what is in force, which rule takes whom.

mod replay;
mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use headroom_api::exit::Exit;
use headroom_api::paths;
use headroom_core::policy::{BUILT_IN, Class, Policy, Thresholds};
use headroom_guard::{Loaded, PolicyError, load_policy};

use crate::print;

/// What `policy` takes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  headroom policy check                    the files under /etc/headroom
  headroom policy check --policy new.toml  a file before it is put there
  headroom policy show                     what is in force
  headroom policy show --built-in          the built-in policy with its explanations
  headroom policy test 4711                which rule takes this process, and why
  headroom policy replay --permissive      what the other set would have done in the last storms")]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Validate; says file, line and what to write instead
    Check {
        /// This file instead of those under /etc/headroom
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Print the effective policy
    Show {
        /// This file instead of those under /etc/headroom
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// The text of the built-in policy
        #[arg(long)]
        built_in: bool,
    },
    /// Say which rule takes a process or a command, and why no earlier one does
    Test(test::TestArgs),
    /// Run a recorded storm through another policy and say what would have been done
    Replay(replay::ReplayArgs),
}

/// Validates or shows.
pub(crate) fn run(args: &PolicyArgs) -> Exit {
    match &args.verb {
        Verb::Check { policy } => match load(policy.as_ref()) {
            Ok(loaded) if loaded.files.is_empty() => {
                print::result("good: no file of its own, the built-in policy is in force\n")
            }
            Ok(loaded) => {
                let files: Vec<_> = loaded.files.iter().map(|f| f.display().to_string()).collect();
                print::result(&format!("good: {}\n", files.join(", ")))
            }
            Err(error) => bad(&error),
        },
        Verb::Test(args) => test::run(args),
        Verb::Replay(args) => replay::run(args),
        Verb::Show { built_in: true, .. } => print::result(BUILT_IN),
        Verb::Show { policy, .. } => match load(policy.as_ref()) {
            // A file that was named is shown alone, what is in force with what was set.
            Ok(loaded) if policy.is_some() => print::result(&show(&loaded)),
            Ok(loaded) => print::result(&show(&loaded.with_settings(&paths::state_dir()))),
            Err(error) => bad(&error),
        },
    }
}

fn load(policy: Option<&PathBuf>) -> Result<Loaded, PolicyError> {
    load_policy(&paths::root(), policy.map(PathBuf::as_path))
}

fn bad(error: &PolicyError) -> Exit {
    print::problem(&error.to_string());
    match error {
        PolicyError::Unreadable { .. } => Exit::Failed,
        PolicyError::Wrong(_) => Exit::BadConfiguration,
    }
}

fn show(loaded: &Loaded) -> String {
    let Loaded { policy, files, .. } = loaded;
    let mut lines = vec!["# built-in policy".to_string()];
    lines.extend(files.iter().map(|f| format!("# with {} on it", f.display())));
    lines.push(format!("permissive_memory_management = {}", policy.permissive_memory_management));
    for (name, set) in [("strict", &policy.strict), ("permissive", &policy.permissive)] {
        lines.push(String::new());
        lines.push(format!("[{name}]"));
        lines.extend(Thresholds::lines(set));
    }
    lines.push("\n[class]".into());
    for class in Class::ALL {
        let score = policy.score(class, None);
        let quote = if score.to_string() == "keep" { "\"" } else { "" };
        lines.push(format!("{class} = {quote}{score}{quote}"));
    }
    lines.push("\n[setup]".into());
    lines.extend(policy.setup.lines());
    lines.push("\n[journal]".into());
    lines.extend(policy.journal.lines());
    for zone in &policy.zones {
        lines.push(format!("\n[[zone]]\ncgroup = \"{}\"", zone.cgroup));
    }
    lines.push("\n# rules in the order they are asked".into());
    lines.extend(rule_lines(policy));
    lines.join("\n") + "\n"
}

fn rule_lines(policy: &Policy) -> impl Iterator<Item = String> {
    (1..).zip(&policy.rules).map(|(n, rule)| format!("# {n:>2}. {:<11} {}", rule.class, rule.name))
}
