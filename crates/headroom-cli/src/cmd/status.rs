//! `headroom status`: the node on one screen.

use std::io;

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::guard::{Answer, Request, ask};
use headroom_api::paths;
use headroom_api::status::{Rank, Status};
use headroom_core::policy::Policy;
use headroom_guard::{load_policy, look_once};

use super::Common;
use crate::print::{self, Format};

/// What `status` takes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  headroom                        the same as headroom status
  headroom status --format json   for scripts
  headroom status | head -3       who guards, and the machine's headroom")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    common: Common,
}

impl StatusArgs {
    /// `headroom` alone.
    pub(crate) fn plain() -> Self {
        Self { common: Common::default() }
    }
}

/// Asks the guard, or looks for itself where none runs.
pub(crate) fn run(args: &StatusArgs) -> Exit {
    match (current(), args.common.format) {
        (Ok(status), Format::Json) => print::result_as_json(&status),
        (Ok(status), Format::Text) => print::result(&screen(&status, print::colour::is_on())),
        (Err(exit), _) => exit,
    }
}

/// The node as text.
pub(super) fn screen(status: &Status, colour: bool) -> String {
    let text = print::status::status(status);
    if colour { print::colour::status(&text, status) } else { text }
}

/// The node as it is now.
pub(super) fn current() -> Result<Status, Exit> {
    match ask_guard(&Request::Status)? {
        Some(Answer::Status(status)) => Ok(*status),
        Some(Answer::Refused { why } | Answer::Forbidden { why } | Answer::Wrong { why, .. }) => {
            Err(print::failed(&why))
        }
        Some(_) => Err(print::failed("the guard answered another question")),
        None => look("/").map(|(status, _)| status),
    }
}

/// Asks the running guard; `None` when there is none.
pub(super) fn ask_guard(request: &Request) -> Result<Option<Answer>, Exit> {
    let dir = paths::runtime_dir();
    match ask(&dir, request) {
        Ok(answer) => Ok(Some(answer)),
        Err(e)
            if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
        {
            Ok(None)
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(e) => {
            let socket = dir.join(paths::GUARD_SOCKET);
            Err(print::failed(&format!("{}: {e}; is the guard stuck?", socket.display())))
        }
    }
}

/// Looks at the node without a guard; no rank when there is no such zone.
pub(super) fn look(zone: &str) -> Result<(Status, Option<Rank>), Exit> {
    let root = paths::root();
    let policy = match load_policy(&root, None) {
        Ok(loaded) => loaded.with_settings(&paths::state_dir()).policy,
        Err(error) => {
            print::problem(&format!("policy: {error}; the built-in policy is shown"));
            Policy::built_in()
        }
    };
    look_once(&root, &policy, zone).map_err(|error| {
        let proc = paths::under(&root, "/proc");
        print::failed(&format!("{}: {error}; is /proc mounted?", proc.display()))
    })
}
