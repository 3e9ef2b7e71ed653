//! Once the start is over: its memory is given back, and what relief needs is gone through once, so
//! that it is there, locked, when nothing can be read from a disk any more.

use std::time::Duration;

use headroom_api::trial::Held;
use headroom_core::action::Action;
use headroom_core::decide::{State, decide};
use headroom_core::policy::{Class, Policy};
use headroom_core::snapshot::{Memory, Moment, Process, ProcessId, Snapshot};
use headroom_core::units::Kib;
use headroom_sys::footprint;
use headroom_sys::own;
use headroom_sys::process::Target;
use headroom_sys::wait::{Interest, Waiter};

use crate::act::Hands;
use crate::sense::Senses;
use crate::table::Whom;
use crate::tokens::VICTIM;
use crate::trial::Trials;

/// After this long the loop goes its way and the first lines of the log are written.
const SETTLED: Duration = Duration::from_secs(3);

/// Whether the memory was given back that the start took, or the policy when it was read anew.
#[derive(Debug)]
pub(crate) struct Settling {
    /// When to do so; `None` when it is done, or memory is not locked anyway.
    due: Option<Moment>,
    is_locked: bool,
}

impl Settling {
    /// A guard that has just started, its memory locked or not.
    pub(crate) fn new(locked: bool) -> Self {
        let mut settling = Self { due: None, is_locked: locked };
        settling.again();
        settling
    }

    /// Much was allocated once more that is not needed any longer.
    pub(crate) fn again(&mut self) {
        self.due = self.is_locked.then(|| own::now().after(SETTLED));
    }

    /// Called in a calm moment: gives back, locks again, rehearses. Once.
    pub(crate) fn settle(&mut self, stage: Stage<'_>) {
        if self.due.is_none_or(|due| stage.senses.snapshot.at < due) {
            return;
        }
        self.due = None;
        // What is locked cannot be given back. Where it cannot be, it stays as it was.
        if own::unlock_memory().is_ok() {
            let _more_stays = footprint::give_back();
            let _said_at_the_start = own::lock_memory();
            own::touch_stack();
        }
        stage.rehearse();
    }
}

/// What a rehearsal goes through.
pub(crate) struct Stage<'a> {
    pub(crate) senses: &'a mut Senses,
    pub(crate) hands: &'a mut Hands,
    pub(crate) trials: &'a mut Trials,
    pub(crate) waiter: &'a Waiter,
    pub(crate) policy: &'a Policy,
}

impl Stage<'_> {
    /// Goes the way from a storm to a signal, without a storm and without a signal that does anything.
    fn rehearse(self) {
        let Self { senses, hands, trials, waiter, policy } = self;
        let pid = own::own_pid();
        let Ok(stat) = senses.proc.stat(pid) else { return };
        let id = ProcessId { pid, start_ticks: stat.start_ticks };
        let process = Process { id, class: Class::Expendable, ..Process::default() };
        let _chosen = decide_in_a_storm(policy);
        let _what_is_missing_is_said_elsewhere = senses.scan(policy, Whom::WhoMayGo);
        senses.rehearse(policy, &process);
        hands.rehearse(&mut senses.proc, &senses.snapshot, &process);
        // Once with one to look at, once as it is.
        let held = Held { connected: true, ..Held::stopped(id, own::now()) };
        trials.look(&mut senses.proc, [held].iter(), &mut senses.snapshot);
        trials.look(&mut senses.proc, hands.on_trial(), &mut senses.snapshot);
        trials.ask_who_serves([held].iter(), &senses.snapshot);
        let proc = &mut senses.proc;
        let _no_connection = proc.has_connection(pid);
        let _runs = proc.doing(pid);
        if let Ok(target) = Target::open(proc, id) {
            let _nobody_waits = waiter.add(&target, Interest::Readable, VICTIM);
            hands.reap(&target);
            let _not_ended = target.has_ended();
        }
    }
}

/// Decides about a node that is made up: everything is used up, and one process may go. Says whether
/// it would have gone.
fn decide_in_a_storm(policy: &Policy) -> bool {
    let mut chosen = false;
    let mut actions = Vec::with_capacity(8);
    let mut state = State::new(0, 0);
    let total = Kib::from_mib(1024);
    let process = Process {
        id: ProcessId { pid: i32::MAX, start_ticks: 1 },
        class: Class::Expendable,
        rss: total.percent(50),
        gives_back: total.percent(50),
        ..Process::default()
    };
    let mut snapshot = Snapshot {
        memory: Memory { total, ..Memory::default() },
        processes: vec![process],
        ..Snapshot::default()
    };
    // The second look has a rate to go by, the third follows the signal.
    for second in 1..=3 {
        snapshot.at = Moment(second * 1_000_000_000);
        (snapshot.scanned, snapshot.scanned_all) = (snapshot.at, snapshot.at);
        decide(&mut state, &snapshot, policy, &mut actions);
        chosen |= actions.iter().any(|a| matches!(a, Action::Relieve(v) if v.process.is_some()));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held;
    use std::path::Path;

    /// Everything that a rehearsal goes through.
    struct Guard {
        senses: Senses,
        hands: Hands,
        trials: Trials,
        waiter: Waiter,
        policy: Policy,
    }

    impl Guard {
        fn new() -> Self {
            let policy = Policy::built_in();
            Self {
                senses: Senses::open(Path::new("/"), &policy).unwrap(),
                hands: Hands::new(false, held::Held::nowhere()),
                trials: Trials::new("/nowhere".into(), None, Path::new("/")),
                waiter: Waiter::new(4).unwrap(),
                policy,
            }
        }

        fn stage(&mut self) -> Stage<'_> {
            let Self { senses, hands, trials, waiter, policy } = self;
            Stage { senses, hands, trials, waiter, policy }
        }
    }

    #[test]
    fn a_rehearsal_goes_as_far_as_a_signal_and_ends_nobody() {
        assert!(decide_in_a_storm(&Policy::built_in()));
        let mut guard = Guard::new();
        guard.stage().rehearse();
        let waited_for = guard.waiter.wait(Some(Duration::ZERO)).ok().map(Iterator::count);
        assert_eq!(waited_for, Some(0), "nothing of it is left to wait for");
        assert_eq!(guard.hands.on_trial().count(), 0, "nobody is held");
        assert_eq!(guard.senses.proc.ready().count(), 0, "nobody is held ready");
        assert!(guard.senses.snapshot.trials.is_empty());
    }

    #[test]
    fn memory_is_settled_once_and_not_at_the_start() {
        let mut guard = Guard::new();
        let mut settling = Settling::new(true);
        settling.settle(guard.stage());
        assert!(settling.due.is_some());
        guard.senses.snapshot.at = own::now().after(SETTLED);
        settling.settle(guard.stage());
        assert!(settling.due.is_none());
        settling.again();
        assert!(settling.due.is_some());
    }
}
