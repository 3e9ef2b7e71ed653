//! From one release to the next: a file's time stamp, which outlives the agent, touched before anything
//! is done, so that what goes wrong is not tried again each minute.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The time stamp of one service.
#[derive(Clone, Debug)]
pub(super) struct Cooldown(PathBuf);

impl Cooldown {
    pub(super) fn of(service: &str, state_dir: &Path) -> Self {
        Self(state_dir.join(format!("release-{service}-cooldown")))
    }

    /// Whether it was touched in the last so much time. A stamp in the future is none: a clock that was
    /// set back must not forbid releases until it is reached again.
    pub(super) fn is_on(&self, time: Duration, now: SystemTime) -> bool {
        let touched = std::fs::metadata(&self.0).and_then(|m| m.modified()).ok();
        touched.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age < time)
    }

    /// Touches it.
    pub(super) fn touch(&self) -> io::Result<()> {
        let file: File =
            OpenOptions::new().create(true).truncate(false).write(true).open(&self.0)?;
        file.set_modified(SystemTime::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_keeps_the_next_away_for_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let cooldown = Cooldown::of("mysql", dir.path());
        let now = SystemTime::now();
        assert!(!cooldown.is_on(Duration::from_secs(1800), now));
        cooldown.touch().unwrap();
        let later = |seconds| SystemTime::now() + Duration::from_secs(seconds);
        assert!(cooldown.is_on(Duration::from_secs(1800), later(1000)));
        assert!(!cooldown.is_on(Duration::from_secs(1800), later(1801)));
        assert!(!cooldown.is_on(Duration::from_secs(1800), now - Duration::from_secs(60)));
    }
}
