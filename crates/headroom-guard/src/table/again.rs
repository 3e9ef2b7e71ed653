//! Who is examined once more at a scan, though it is known already.

use std::time::Duration;

use headroom_core::snapshot::{Moment, Process};
use headroom_sys::proc::Stat;

use super::Memo;

/// For this long after its first sight a process is examined at most scans.
const YOUNG: Duration = Duration::from_secs(5);
/// The young are not examined more often than this; where births are heard, each time after twice as long, since
/// of a thousand that begin within seconds the guard would examine nothing else.
const AGAIN: Duration = Duration::from_millis(100);
/// So many are examined once more in one scan where births are heard, be it that they are young or have another
/// name, or that something could not be read: whatever makes them another is told. What is left can wait in a
/// fork bomb, of which the guard would see nothing else.
const AGAIN_AT_ONCE: usize = 16;
/// Everybody is examined this often, where no more than so many are due in one scan, beside one in eight.
const NOW_AND_THEN: Duration = Duration::from_secs(30);
/// The same where births are heard: what is left is whom somebody moved to another cgroup. Each costs two
/// wake-ups, its own and that of the thread that reads names.
const NOW_AND_THEN_HEARD: Duration = Duration::from_secs(300);
const DUE_AT_ONCE: usize = 64;
/// Who is older than this is not young, however short a time ago the guard saw it first.
const GROWN_UP: Duration = Duration::from_secs(15);

/// What is left to be examined once more at one scan, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Again {
    heard: bool,
    all: bool,
    left: usize,
    due_left: usize,
    /// Whoever was left over last time has the first turn: from this pid on.
    from: i32,
    /// The first one that is left over this time.
    left_over: i32,
}

impl Again {
    /// Begins a scan of so many that were known: of all, or of those who may go.
    pub(super) fn begin(&mut self, heard: bool, all: bool, known: usize) {
        let left = if heard { AGAIN_AT_ONCE } else { usize::MAX };
        let due_left = DUE_AT_ONCE + known / 8;
        *self = Self { heard, all, left, due_left, from: self.left_over, left_over: 0 };
    }

    /// Whether this one is examined once more; they come by their pids. Whoever has another name and is left over
    /// is to keep the one it was examined by.
    pub(super) fn is_due(
        &mut self,
        process: &Process,
        stat: &Stat,
        memo: Memo,
        nameless: bool,
        now: Moment,
    ) -> bool {
        let is_another = process.comm != stat.comm;
        if nameless || is_another || self.is_young(process, memo, now) {
            if self.left > 0 && process.id.pid >= self.from {
                self.left -= 1;
                return true;
            }
            if self.left == 0 && self.left_over == 0 {
                self.left_over = process.id.pid;
            }
        }
        self.all && self.takes_its_turn(memo, now)
    }

    fn is_young(&self, process: &Process, memo: Memo, now: Moment) -> bool {
        let seen_for = now.since(memo.first_seen);
        let is_young = seen_for < YOUNG && process.age(now) < GROWN_UP;
        let again = if self.heard { AGAIN.max(seen_for / 2) } else { AGAIN };
        is_young && now.since(memo.examined) >= again
    }

    /// Whether it is among those who are examined now and then.
    fn takes_its_turn(&mut self, memo: Memo, now: Moment) -> bool {
        let every = if self.heard { NOW_AND_THEN_HEARD } else { NOW_AND_THEN };
        let takes = self.due_left > 0 && now.since(memo.examined) >= every;
        self.due_left -= usize::from(takes);
        takes
    }
}

#[cfg(test)]
mod tests {
    use headroom_core::snapshot::ProcessId;

    use super::*;

    const BEGAN: Moment = Moment(1_000_000_000);

    fn known(pid: i32) -> (Process, Memo) {
        let id = ProcessId { pid, start_ticks: 1 };
        let memo = Memo { first_seen: BEGAN, examined: BEGAN, nameless: false };
        (Process { id, ..Process::default() }, memo)
    }

    /// How often each is examined in so many scans, each 120 ms.
    fn examined(
        known: &mut [(Process, Memo)],
        scans: u64,
        heard: bool,
        nameless: bool,
    ) -> Vec<u32> {
        let mut again = Again::default();
        let mut counts = vec![0; known.len()];
        for scan in 1..=scans {
            let now = BEGAN.after(Duration::from_millis(120) * u32::try_from(scan).unwrap());
            again.begin(heard, false, known.len());
            let before = counts.iter().sum::<u32>();
            for ((process, memo), count) in known.iter_mut().zip(&mut counts) {
                let stat = Stat { comm: process.comm, ..Stat::default() };
                if again.is_due(process, &stat, *memo, nameless, now) {
                    (memo.examined, *count) = (now, *count + 1);
                }
            }
            let at_once = counts.iter().sum::<u32>() - before;
            assert!(!heard || at_once <= 16, "{at_once} at once");
        }
        counts
    }

    #[test]
    fn the_young_are_examined_ever_less_often_where_births_are_heard() {
        assert_eq!(examined(&mut [known(1)], 80, false, false), [41], "each 120 ms for 5 s");
        assert_eq!(examined(&mut [known(1)], 80, true, false), [6], "ever later");
    }

    #[test]
    fn of_very_many_each_is_examined_again_in_its_turn() {
        for nameless in [false, true] {
            let mut many: Vec<_> = (1..=100).map(known).collect();
            let counts = examined(&mut many, 20, true, nameless);
            assert!(counts.iter().all(|count| *count >= 2), "{counts:?}");
        }
    }

    #[test]
    fn another_name_is_a_reason_and_a_long_time_is_at_a_scan_of_all() {
        let (process, memo) = known(1);
        let late = BEGAN.after(Duration::from_secs(400));
        let memo = Memo { examined: late, ..memo };
        let mut again = Again::default();
        again.begin(true, true, 1);
        let stat = Stat { comm: process.comm, ..Stat::default() };
        assert!(!again.is_due(&process, &stat, memo, false, late));
        let renamed = Stat { comm: headroom_core::snapshot::Comm::new(b"php"), ..stat };
        assert!(again.is_due(&process, &renamed, memo, false, late));
        let later = late.after(NOW_AND_THEN_HEARD);
        assert!(again.is_due(&process, &stat, memo, false, later));
        again.begin(true, false, 1);
        assert!(
            !again.is_due(&process, &stat, memo, false, later),
            "before a choice nobody waits for that"
        );
    }
}
