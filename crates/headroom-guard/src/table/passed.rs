//! Who need not be looked at before a choice: what is read then is what a storm waits for.

use std::time::Duration;

use headroom_core::snapshot::{Moment, Process, Snapshot};
use headroom_core::units::Kib;

use super::LEAST_ROOM;

/// So many of the largest who may go are looked at, and so many of the others in turn.
pub(super) const LARGEST: usize = 512;
pub(super) const IN_TURN: usize = 128;
/// Who has less than this ...
const SMALL: Kib = Kib::from_mib(2);
/// ... at this age stands still, as the shell above a job does.
const SMALL_FOR: Duration = Duration::from_secs(2);
/// Of those who stand still some have their turn at each scan: all of them within this. Looking at all of them at once
/// would keep the shop from its processor for milliseconds.
const STANDS_STILL: Duration = Duration::from_secs(1);
/// The same while memory is short.
const STANDS_STILL_IN_HASTE: Duration = Duration::from_millis(250);

/// Whose turn it is among very many.
#[derive(Debug)]
pub(super) struct Turns {
    /// Room to find the largest in.
    sizes: Vec<u64>,
    /// Up to which pid those who are not of the largest have had their turn.
    after: i32,
    /// Up to which pid those who stand still have had their turn, and when the last of them had it.
    still: (i32, Moment),
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { sizes: Vec::with_capacity(LEAST_ROOM), after: 0, still: (0, Moment::default()) }
    }

    /// Somebody was stopped or let go on: all are looked at next.
    pub(super) fn look_at_all(&mut self) {
        self.still = (0, Moment::default());
    }

    /// Who need not be looked at before a choice; `hasty` while memory is short.
    pub(super) fn next(&mut self, snapshot: &Snapshot, now: Moment, hasty: bool) -> Passed {
        let still = self.next_still(snapshot, now, hasty);
        let who_may_go = || snapshot.processes.iter().filter(|p| p.class.may_be_slain());
        self.sizes.clear();
        self.sizes.extend(who_may_go().map(|p| p.gives_back.0));
        let leaner = self.sizes.len().saturating_sub(LARGEST);
        if leaner <= IN_TURN {
            return Passed::Others { leaner_than: Kib::ZERO, turn: (0, 0), still };
        }
        let leaner_than = Kib(*self.sizes.select_nth_unstable(leaner).1);
        let is_lean = |p: &Process| p.class.may_be_slain() && p.gives_back < leaner_than;
        let (turn, after) = in_turn(&snapshot.processes, is_lean, self.after, IN_TURN);
        self.after = after;
        Passed::Others { leaner_than, turn, still }
    }

    /// Whose turn it is of those who stand still: as many as keep all of them within the time.
    fn next_still(&mut self, snapshot: &Snapshot, now: Moment, hasty: bool) -> Still {
        let (after, last_time) = self.still;
        let within = if hasty { STANDS_STILL_IN_HASTE } else { STANDS_STILL };
        let since = now.since(last_time).min(within);
        let is_still = |p: &Process| stands_still(p, now);
        let count = snapshot.processes.iter().filter(|p| is_still(p)).count();
        let (turn, after) = if since == within {
            ((0, i32::MAX), 0)
        } else {
            let share = count as u128 * since.as_micros();
            let at_once = usize::try_from(share.div_ceil(within.as_micros())).unwrap_or(count);
            in_turn(&snapshot.processes, is_still, after, at_once)
        };
        self.still = (after, now);
        Still { now, turn }
    }
}

/// Pids after the first, up to the second and no further.
type Turn = (i32, i32);

/// The turn of so many of those after a pid, and after which pid the next one begins: after the last of them all it is
/// the first one's again.
fn in_turn(
    processes: &[Process],
    is_one: impl Fn(&Process) -> bool,
    after: i32,
    at_once: usize,
) -> (Turn, i32) {
    let mut those = processes.iter().filter(|p| p.id.pid > after && is_one(p)).map(|p| p.id.pid);
    let last = those.by_ref().take(at_once).last().unwrap_or(after);
    ((after, last), those.next().map_or(0, |_| last))
}

const fn is_in(turn: Turn, pid: i32) -> bool {
    turn.0 < pid && pid <= turn.1
}

/// Who is paused stands still, and who is small and not young.
fn stands_still(process: &Process, now: Moment) -> bool {
    process.class.may_be_slain()
        && !process.is_worker
        && (process.paused || (process.gives_back < SMALL && process.age(now) >= SMALL_FOR))
}

/// Those who stand still: who of them is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Still {
    now: Moment,
    turn: Turn,
}

/// Who of those that are known is not looked at before a choice.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passed {
    /// All are looked at.
    Nobody,
    /// Those who may not go, those who stand still and of very many who may go the lean ones, except whose turn it is.
    Others {
        /// Those are lean.
        leaner_than: Kib,
        /// Whose turn it is of them.
        turn: Turn,
        /// Those who stand still.
        still: Still,
    },
}

impl Passed {
    pub(super) fn passes(self, process: &Process) -> bool {
        let Self::Others { leaner_than, turn, still } = self else { return false };
        if process.is_worker {
            return false;
        }
        let pid = process.id.pid;
        let is_lean = process.gives_back < leaner_than && !is_in(turn, pid);
        let is_still = stands_still(process, still.now) && !is_in(still.turn, pid);
        !process.class.may_be_slain() || is_lean || is_still
    }
}
