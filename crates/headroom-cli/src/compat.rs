//! The platform's own names, links to `headroom`, told apart by what the program was called.

use std::path::PathBuf;

use headroom_api::exit::Exit;

use crate::{cmd, systemctl};

/// What a name does.
type Run = fn() -> Exit;

/// A name, and what it does. A line each.
const NAMES: [(&str, Run); 4] = [
    (systemctl::NAME, systemctl::run),
    ("hypernode-oom-protect", cmd::protect::as_oom_protect),
    ("hypernode-servicectl", cmd::service::as_servicectl),
    ("release_mysql_cached_memory", cmd::release::as_release_mysql_cached_memory),
];

/// What to run when the program was called by one of those names.
pub(crate) fn called_as() -> Option<Run> {
    let called = std::env::args_os().next().map(PathBuf::from)?;
    let name = called.file_name()?;
    NAMES.iter().find(|(known, _)| name == *known).map(|(_, run)| *run)
}
