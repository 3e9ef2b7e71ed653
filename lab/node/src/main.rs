//! The one program of the lab inside the node: `direct` runs the scenario that the kernel command line
//! names, `probe` asks the shop for its page, `visit` sends visitors to a site.

mod advise;
mod apply;
mod arguments;
mod clock;
mod cron;
mod director;
mod guard;
mod http;
mod jobs;
mod meter;
mod probe;
mod processes;
mod results;
mod services;
mod shell;
mod tour;
mod visit;
mod window;

use std::process::ExitCode;

/// What went wrong is said to the host in words; nobody handles it further.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["direct"] => director::run(),
        ["probe", rate, from_ns, storm_ns, until_ns] => {
            probe::run(rate, from_ns, storm_ns, until_ns)
        }
        ["visit", port, path, visitors, seconds] => visit::run(port, path, visitors, seconds),
        _ => Err("usage: lab-node direct | probe RATE FROM_NS STORM_NS UNTIL_NS | visit PORT PATH VISITORS SECONDS".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            results::say(&format!("{}{error}", lab_facts::FAILED));
            ExitCode::FAILURE
        }
    }
}
