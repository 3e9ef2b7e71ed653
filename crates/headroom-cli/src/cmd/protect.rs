//! `headroom protect`: asks for protection, then becomes the command. Its exit status, its signals and its
//! pid are the command's, since it is the same process.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use clap::Args;
use headroom_api::agent::{self, AgentError};
use headroom_api::exit::Exit;
use headroom_api::guard::{self, Request};
use headroom_api::paths;
use headroom_api::protect::Granted;
use headroom_core::units::Kib;
use headroom_sys::ReadError;
use headroom_sys::own::{NEVER_KILL, own_pid, set_own_oom_score_adj};
use headroom_sys::proc::Proc;

use crate::print;

/// The agent decides at once.
const PATIENCE: Duration = Duration::from_secs(15);

/// What `protect` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "The command and all that it starts are neither slain nor paused, and the kernel takes everything
else first. That adds no memory: what it takes is taken from others, so agent.toml limits how much may be
unkillable, how many jobs a user may have, and for how long ([protect]). Refused: exit code 1, and the
command is not run. 126: the command cannot be run, 127: there is none of that name.

Examples:
  headroom protect -- php bin/magento catalog:images:resize
  headroom protect --or-unprotected ./nightly-import.sh
  hypernode-oom-protect php /data/web/memory_hungry_script.php"
)]
pub(crate) struct ProtectArgs {
    /// Run the command all the same, with a warning, when it may not be protected
    #[arg(long)]
    or_unprotected: bool,
    /// The command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    command: Vec<OsString>,
}

/// Protects, then runs the command in this process's place.
pub(crate) fn run(args: ProtectArgs) -> Exit {
    match protect() {
        Ok(()) => {}
        Err((_, why)) if args.or_unprotected => {
            print::problem(&format!("running unprotected: {why}"));
        }
        Err((exit, why)) => {
            print::problem(&why);
            return exit;
        }
    }
    become_command(&args.command)
}

/// `hypernode-oom-protect CMD…`. The platform's never refuses, so here a refusal is a warning.
pub(crate) fn as_oom_protect() -> Exit {
    let command: Vec<OsString> = std::env::args_os().skip(1).collect();
    let asks_for = |names: &[&str]| command.len() == 1 && names.iter().any(|n| command[0] == *n);
    if command.is_empty() || asks_for(&["-h", "--help"]) {
        let usage = "usage: hypernode-oom-protect CMD...\n\nRuns CMD unkillable (oom_score_adj -1000); see \
                     headroom protect --help.\n";
        if command.is_empty() {
            print::bare_problem(usage.trim_end());
            return Exit::Usage;
        }
        return print::result(usage);
    }
    if asks_for(&["--version"]) {
        return print::result(&format!("hypernode-oom-protect {}\n", env!("CARGO_PKG_VERSION")));
    }
    run(ProtectArgs { or_unprotected: true, command })
}

/// Asks the agent; where none runs and this process may, it protects itself.
fn protect() -> Result<(), (Exit, String)> {
    let answer = agent::ask(&paths::runtime_dir(), "POST", "/v1/protect", None, PATIENCE);
    let (exit, why) = match answer {
        Ok(response) if response.is_success() => {
            if let Ok(granted) = response.json::<Granted>() {
                for warning in granted.warnings {
                    print::problem(&format!("{warning} (budget {})", Kib(granted.budget_kib)));
                }
            }
            return Ok(());
        }
        // The agent knows the budget; nobody goes round it.
        Ok(response) if response.status == 409 => {
            return Err((Exit::No, format!("not protected: {}", response.detail())));
        }
        Ok(response) if matches!(response.status, 401 | 403) => {
            (Exit::NotAllowed, response.detail())
        }
        Ok(response) => (Exit::Failed, response.detail()),
        Err(AgentError::NotRunning) => (Exit::NotAllowed, AgentError::NotRunning.to_string()),
        Err(error) => (Exit::Failed, error.to_string()),
    };
    protect_itself().map_err(|error| match error {
        ReadError::Forbidden => {
            (exit, format!("{why}; and without it only root with CAP_SYS_RESOURCE can protect"))
        }
        error => (Exit::Failed, format!("{why}; and its own oom_score_adj: {error}")),
    })
}

fn protect_itself() -> Result<(), ReadError> {
    let mut proc = Proc::open(&paths::root())?;
    set_own_oom_score_adj(&mut proc, NEVER_KILL)?;
    // So that `status` shows it, and what it starts as another user is known to be meant.
    let (pid, start_ticks) = (own_pid(), proc.stat(own_pid())?.start_ticks);
    let request = Request::Protect { pid, start_ticks, budget_kib: None };
    let _no_guard_runs = guard::ask(&paths::runtime_dir(), &request);
    Ok(())
}

fn become_command(command: &[OsString]) -> Exit {
    let Some((program, arguments)) = command.split_first() else { return Exit::Usage };
    let error = Command::new(program).args(arguments).exec();
    print::problem(&format!("{}: {error}", program.to_string_lossy()));
    if error.kind() == ErrorKind::NotFound { Exit::NoCommand } else { Exit::CannotRun }
}
