//! A scenario as the run disk has it, and what became of its jobs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use lab_facts::setting;

use crate::Outcome;

/// Jobs leave NAME.started and NAME.finished here.
const MARKS: &str = "/run/lab/jobs";

/// One folder of /lab/scenarios.
pub(crate) struct Scenario {
    /// Commands for the application user's crontab, without their times.
    pub(crate) crontab: Vec<String>,
    /// A program that root runs when the storm starts.
    pub(crate) action: Option<String>,
    /// How many jobs there are to finish.
    pub(crate) jobs: u32,
}

impl Scenario {
    /// Reads the scenario called `name` and makes the folder for the marks of its jobs.
    pub(crate) fn read(name: &str) -> Outcome<Self> {
        let folder = format!("/lab/scenarios/{name}");
        let about = fs::read_to_string(format!("{folder}/about"))?;
        let crontab = fs::read_to_string(format!("{folder}/crontab")).unwrap_or_default();
        let action = format!("{folder}/action");
        make_folder()?;
        Ok(Self {
            crontab: crontab.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect(),
            action: fs::exists(&action)?.then_some(action),
            jobs: setting(&about, "jobs").and_then(|jobs| jobs.parse().ok()).unwrap_or(0),
        })
    }
}

/// Makes the folder for the marks, in which jobs of any user may leave theirs.
pub(crate) fn make_folder() -> Outcome {
    fs::create_dir_all(MARKS)?;
    fs::set_permissions(MARKS, fs::Permissions::from_mode(0o1777))?;
    Ok(())
}

/// What the marks say.
#[derive(Default)]
pub(crate) struct Marks {
    pub(crate) started: u32,
    pub(crate) finished: u32,
    /// When the last one finished, on the wall's clock.
    pub(crate) last_finish: Option<Duration>,
}

/// Counts the marks that the jobs left.
pub(crate) fn marks() -> Marks {
    let mut marks = Marks::default();
    for entry in fs::read_dir(MARKS).into_iter().flatten().flatten() {
        let name = entry.file_name();
        match name.to_str().and_then(|name| name.rsplit_once('.')) {
            Some((_, "started")) => marks.started += 1,
            Some((_, "finished")) => {
                marks.finished += 1;
                let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
                let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                marks.last_finish = marks.last_finish.max(modified);
            }
            _ => {}
        }
    }
    marks
}
