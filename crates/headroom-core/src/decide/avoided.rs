//! Processes that relief leaves alone for a while, so that the others have their turn.

use core::time::Duration;

use crate::snapshot::{Moment, ProcessId};

/// Kept at once; of more the one that may be asked soonest makes room.
const MOST: usize = 16;

/// Who is not chosen, and until when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Avoided([Option<(ProcessId, Moment)>; MOST]);

impl Avoided {
    /// Leaves a process alone for this long.
    pub(super) fn add(&mut self, id: ProcessId, now: Moment, time: Duration) {
        // Its own place, else a free one, else that of who may be asked soonest.
        let place = self.0.iter_mut().min_by_key(|entry| match entry {
            Some((known, _)) if *known == id => (0, Moment::default()),
            None => (1, Moment::default()),
            Some((_, until)) => (2, *until),
        });
        place.into_iter().for_each(|entry| *entry = Some((id, now.after(time))));
    }

    /// Whether a process is to be left alone now.
    pub(super) fn holds(&self, id: ProcessId, now: Moment) -> bool {
        self.0.iter().flatten().any(|(known, until)| *known == id && now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(pid: i32) -> ProcessId {
        ProcessId { pid, start_ticks: 7 }
    }

    #[test]
    fn each_is_left_alone_for_its_time_and_the_soonest_makes_room() {
        let mut avoided = Avoided::default();
        let now = Moment(1_000);
        avoided.add(id(1), now, Duration::MAX);
        for pid in 2..40 {
            avoided.add(id(pid), now, Duration::from_secs(5));
        }
        assert!(avoided.holds(id(1), now) && avoided.holds(id(39), now));
        assert!(!avoided.holds(ProcessId { start_ticks: 8, ..id(39) }, now), "another of that pid");
        let later = now.after(Duration::from_secs(5));
        assert!(!avoided.holds(id(39), later) && avoided.holds(id(1), later));
        assert_eq!((1..40).filter(|pid| avoided.holds(id(*pid), now)).count(), MOST);
    }
}
