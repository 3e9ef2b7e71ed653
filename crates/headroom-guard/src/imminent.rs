//! A kill of the kernel's that is about to come: a zone has run out of memory, and until the kernel has chosen
//! and said so it takes it up to some tens of milliseconds.
//!
//! What tells of the kill itself comes late: `memory.events` is told of once in 10 ms (kernel/cgroup/cgroup.c,
//! `CGROUP_FILE_NOTIFY_MIN_INTV`) and has told of the empty zone then; a line of the log comes after the whole
//! report, at the pace of the slowest console. So for a moment the counters are looked at again and again.

use std::time::Duration;

use headroom_core::snapshot::Moment;

/// It comes within this, or not at all.
const WITHIN: Duration = Duration::from_millis(100);
/// How often the counters are looked at meanwhile.
const EVERY: Duration = Duration::from_micros(250);
/// A zone that runs out again and again, and where nobody is killed, is not looked at so closely before this
/// is over.
const REST: Duration = Duration::from_secs(1);

/// Whether one is awaited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Imminent {
    since: Option<Moment>,
    rests_from: Option<Moment>,
    kills: u64,
}

impl Imminent {
    /// Takes in a look: whether a zone ran out of memory since the one before, and all kills by now.
    pub(crate) fn note(&mut self, runs_out: bool, kills: u64, now: Moment) {
        let killed = std::mem::replace(&mut self.kills, kills) < kills;
        if self.since.is_some_and(|since| now.since(since) >= WITHIN) {
            (self.since, self.rests_from) = (None, Some(now));
        }
        if killed {
            (self.since, self.rests_from) = (None, None);
        } else if runs_out && self.rests_from.is_none_or(|from| now.since(from) >= REST) {
            self.since.get_or_insert(now);
        }
    }

    /// How long nothing needs to be looked at for its sake.
    pub(crate) const fn patience(&self) -> Duration {
        if self.since.is_some() { EVERY } else { Duration::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_zone_is_looked_at_closely_until_the_kernel_has_killed() {
        let mut imminent = Imminent::default();
        let mut now = Moment(1_000_000_000);
        imminent.note(false, 7, now);
        imminent.note(false, 7, now);
        assert_eq!(imminent.patience(), Duration::MAX);
        imminent.note(true, 7, now);
        assert_eq!(imminent.patience(), EVERY);
        now = now.after(EVERY);
        imminent.note(false, 8, now);
        assert_eq!(imminent.patience(), Duration::MAX, "that was it");
    }

    #[test]
    fn where_nobody_is_killed_it_is_given_up_and_not_begun_again_at_once() {
        let mut imminent = Imminent::default();
        let (mut now, mut close) = (Moment(1_000_000_000), 0);
        for _ in 0..1000 {
            imminent.note(true, 7, now);
            close += u32::from(imminent.patience() == EVERY);
            now = now.after(Duration::from_millis(10));
        }
        assert!((80..=110).contains(&close), "{close} of 1000 looks in ten seconds");
    }
}
