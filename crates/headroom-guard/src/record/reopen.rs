//! What could not be opened at the start is tried again, less and less often: a disk that was full, or not
//! there yet, costs the records of that time and no more.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// First after this ...
const FIRST: Duration = Duration::from_secs(2);
/// ... then after twice as long each time, up to this.
const SLOWEST: Duration = Duration::from_secs(300);

/// When what is missing is tried again, and where it lies.
pub(super) struct Reopening {
    pub(super) state_dir: PathBuf,
    wait: Duration,
    due: Option<Instant>,
}

impl Reopening {
    pub(super) const fn new(state_dir: PathBuf) -> Self {
        Self { state_dir, wait: FIRST, due: None }
    }

    /// When to try next, while something is missing.
    pub(super) fn due(&mut self, is_missing: bool) -> Option<Instant> {
        if !is_missing {
            self.due = None;
            return None;
        }
        Some(*self.due.get_or_insert_with(|| Instant::now() + self.wait))
    }

    /// Whether it is time; the next time is later.
    pub(super) fn is_time(&mut self, now: Instant) -> bool {
        let is_time = self.due.take_if(|due| *due <= now).is_some();
        if is_time {
            self.wait = (self.wait * 2).min(SLOWEST);
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_less_and_less_often_and_never_when_nothing_is_missing() {
        let mut reopening = Reopening::new(PathBuf::new());
        assert_eq!(reopening.due(false), None);
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..10 {
            let due = reopening.due(true).unwrap();
            assert!(!reopening.is_time(due.checked_sub(Duration::from_millis(1)).unwrap()));
            assert!(reopening.is_time(due));
            waits.push(due.saturating_duration_since(now));
            now = Instant::now();
        }
        assert!(waits.is_sorted_by_key(|wait| wait.as_secs()), "{waits:?}");
        assert!(waits[0] >= FIRST && waits[9] <= SLOWEST + FIRST, "{waits:?}");
    }
}
