//! Who need not be looked at before a choice: what is read then is what a storm waits for.

use std::time::Duration;

use headroom_core::snapshot::{Moment, Process, Snapshot};
use headroom_core::units::Kib;

use super::LEAST_ROOM;

/// So many of the largest who may go are looked at, and so many of the others in turn.
pub(super) const LARGEST: usize = 512;
pub(super) const IN_TURN: usize = 128;
/// Who is paused stands still, and who has less than this ...
const SMALL: Kib = Kib::from_mib(2);
/// ... at this age, as the shell above a job does.
const SMALL_FOR: Duration = Duration::from_secs(2);
/// Who stands still is looked at this often.
const STANDS_STILL: Duration = Duration::from_millis(250);

/// Whose turn it is among very many.
#[derive(Debug)]
pub(super) struct Turns {
    /// Room to find the largest in.
    sizes: Vec<u64>,
    /// Up to which pid those who are not of the largest have had their turn.
    after: i32,
    /// When those who stand still are looked at again.
    still_again: Moment,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { sizes: Vec::with_capacity(LEAST_ROOM), after: 0, still_again: Moment::default() }
    }

    /// Somebody was stopped or let go on: all are looked at next.
    pub(super) fn look_at_all(&mut self) {
        self.still_again = Moment::default();
    }

    /// Who need not be looked at before a choice.
    pub(super) fn next(&mut self, snapshot: &Snapshot, now: Moment) -> Passed {
        let still = (now < self.still_again).then_some(now);
        if still.is_none() {
            self.still_again = now.after(STANDS_STILL);
        }
        let who_may_go = || snapshot.processes.iter().filter(|p| p.class.may_be_slain());
        self.sizes.clear();
        self.sizes.extend(who_may_go().map(|p| p.gives_back.0));
        let leaner = self.sizes.len().saturating_sub(LARGEST);
        if leaner <= IN_TURN {
            return Passed::Others { leaner_than: Kib::ZERO, turn: (0, 0), still };
        }
        let leaner_than = Kib(*self.sizes.select_nth_unstable(leaner).1);
        let after = self.after;
        let mut turn = who_may_go().filter(|p| p.gives_back < leaner_than && p.id.pid > after);
        let last = turn.by_ref().take(IN_TURN).last().map_or(0, |p| p.id.pid);
        // After the last of them it is the first one's turn again.
        self.after = turn.next().map_or(0, |_| last);
        Passed::Others { leaner_than, turn: (after, last), still }
    }
}

/// Who of those that are known is not looked at before a choice.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passed {
    /// All are looked at.
    Nobody,
    /// Those who may not go, and of very many who may the lean ones whose turn it is not.
    Others {
        /// Those are lean.
        leaner_than: Kib,
        /// After which pid, and up to which, they have their turn.
        turn: (i32, i32),
        /// Now, where those who stand still are not looked at either.
        still: Option<Moment>,
    },
}

impl Passed {
    pub(super) fn passes(self, process: &Process) -> bool {
        let Self::Others { leaner_than, turn: (after, last), still } = self else { return false };
        if process.is_worker {
            return false;
        }
        let pid = process.id.pid;
        let is_lean = process.gives_back < leaner_than && !(after < pid && pid <= last);
        let stands_still = still.is_some_and(|now| {
            process.paused || (process.gives_back < SMALL && process.age(now) >= SMALL_FOR)
        });
        !process.class.may_be_slain() || is_lean || stands_still
    }
}
