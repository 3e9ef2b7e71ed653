//! The hands of `headroom advise`: a file a source, each of which reads what it can and says what it could
//! not. Nothing here decides; the core's `advise` room does.

mod caches;
mod cron;
mod cronlog;
mod fpm;
pub(crate) mod images;
mod mysql;
mod node;
mod processes;
mod program;
mod record;
mod root;
mod sites;
mod timers;
mod tmpfs;
mod units;

use std::path::{Path, PathBuf};

use headroom_api::paths;
use headroom_core::advise::Facts;
use headroom_core::advise::parse::Unread;
use headroom_core::advise::parse::plans;

pub(crate) use root::Root;

/// An administrator's own catalogue of plans.
pub(crate) const PLANS: &str = "/etc/headroom/plans.toml";

/// What to look at beyond what is always looked at.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Images, unless they are left out.
    pub(crate) images: Option<images::Search>,
    /// The database's socket.
    pub(crate) socket: Option<PathBuf>,
    /// Where the journal is kept, instead of its own place.
    pub(crate) state_dir: Option<PathBuf>,
    /// Plans that were read already.
    pub(crate) plans: Option<Vec<plans::Plan>>,
}

/// Looks at everything.
pub(crate) fn gather(root: &Root, wanted: Wanted) -> Facts {
    let mut unread = Vec::new();
    let node = node::gather(root);
    let processes = processes::gather(root, &mut unread);
    let (mysql, databases) = mysql::gather(root, &processes, wanted.socket.as_deref(), &mut unread);
    let fpm = fpm::gather(root, &processes, &mut unread);
    let redis = caches::redis(root, &processes, &mut unread);
    let engines = caches::engines(root, &processes);
    let units = units::gather(root, node.ram, &mut unread);
    let varnish = caches::varnish(root, &processes, &units);
    let tmpfs = tmpfs::gather(root);
    let sites = sites::gather(root);
    let runs = cronlog::gather(root, &mut unread);
    let record = record::gather(&state_dir(root, wanted.state_dir), node.ram, &mut unread);
    let jobs = cron::gather(root, &processes, &runs, &record.jobs, &mut unread);
    let images = match &wanted.images {
        Some(search) => images::gather(root, &sites, search, &mut unread),
        None => headroom_core::advise::facts::Images::default(),
    };
    let plans = wanted.plans.unwrap_or_else(|| catalogue(root, &mut unread));
    Facts {
        node,
        processes,
        mysql,
        fpm,
        redis,
        engines,
        varnish,
        tmpfs,
        units,
        sites,
        databases,
        jobs,
        runs,
        images,
        record,
        plans,
        unread,
    }
}

fn state_dir(root: &Root, named: Option<PathBuf>) -> PathBuf {
    named.unwrap_or_else(|| {
        if root.is_live() {
            paths::state_dir()
        } else {
            paths::under(root.path(), paths::STATE_DIR)
        }
    })
}

/// The administrator's catalogue, else the one that is shipped.
fn catalogue(root: &Root, unread: &mut Vec<Unread>) -> Vec<plans::Plan> {
    match root.maybe(PLANS).map(|text| plans::plans(&text)) {
        Some(Ok(plans)) => return plans,
        Some(Err(why)) => {
            unread.push(Unread::file(PLANS, format!("{why}; the shipped catalogue is used")));
        }
        None => {}
    }
    plans::plans(plans::SHIPPED).unwrap_or_default()
}

/// Reads a catalogue that was named.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn plans_of(path: &Path) -> Result<Vec<plans::Plan>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: {}", path.display(), root::explained(&error)))?;
    plans::plans(&text).map_err(|why| format!("{}: {why}", path.display()))
}
