//! What is to be done, with its reasons: the values `decide` returns and the guard carries out.

use core::time::Duration;

use crate::snapshot::{Process, ProcessId, ZoneIndex};
use crate::units::Kib;

/// Why relief began (`contract`: `history`'s `trigger`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The kernel's OOM killer killed at the policy's rate.
    Kills,
    /// Headroom is used up.
    Floor,
    /// Headroom will be used up within the horizon at the present rate.
    Horizon,
    /// Tasks wait for memory that is evicted and read again.
    Thrashing,
    /// Jobs wait that an earlier guard, which was killed, had wait.
    TakenOver,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Kills, Self::Floor, Self::Horizon, Self::Thrashing, Self::TakenOver];

    /// Its name in the journal and every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kills => "kills",
            Self::Floor => "floor",
            Self::Horizon => "horizon",
            Self::Thrashing => "thrashing",
            Self::TakenOver => "taken-over",
        }
    }
}

/// A zone as it stood when something was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The zone's limit; the machine's is its RAM.
    pub limit: Kib,
    /// What could still be taken in it, reclaim of caches included, and the share of the free swap
    /// that the policy counts.
    pub available: Kib,
    /// How much of `available` is swap.
    pub swap_counted: Kib,
    /// All swap that is free.
    pub swap_free: Kib,
    /// What is never handed out to expendables.
    pub floor: Kib,
    /// How fast `available` falls, in KiB a second; 0 when it does not.
    pub falling_kib_s: u64,
    /// Kernel OOM kills in the last second.
    pub kills: u32,
    /// Share of the last second in which some task stalled for memory, in per cent.
    pub stall_percent: Option<u8>,
    /// Evicted pages that were read again, a second; from swap too.
    pub refaults: Option<u64>,
}

impl Measured {
    /// Memory that can still be handed out without hurting an essential process.
    #[must_use]
    pub const fn headroom(&self) -> Kib {
        self.available.saturating_sub(self.floor)
    }
}

/// Why a paused process goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// There is room for it, or it must not be paused.
    Room,
    /// It holds a lock, or may; it is asked again soon.
    Lock,
    /// Somebody waits for what it may hold.
    Waited,
    /// Its owner asked it to end, for which it has to run.
    Ended,
}

impl Because {
    /// Its name in the journal and every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Lock => "lock",
            Self::Waited => "waited-for",
            Self::Ended => "asked-to-end",
        }
    }
}

/// How a job is made to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// SIGSTOP to it and to those that work together with it.
    #[default]
    Stop,
    /// Its unit is frozen as a whole (`cgroup.freeze`), where that holds nothing else.
    Freeze,
}

impl Way {
    /// Its name in the journal and every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Freeze => "freeze",
        }
    }
}

/// What a verdict does to its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relief {
    /// SIGTERM: there is time to end in order.
    Terminate,
    /// SIGKILL, then `process_mrelease(2)`.
    Kill,
    /// SIGKILL to it and to all of its family: many small ones that only together give back enough, or
    /// a rule that asks for it.
    KillFamily {
        /// How many they are.
        members: u32,
        /// What they give back together.
        gives_back: Kib,
    },
    /// SIGKILL to a worker far above its siblings, when nothing expendable is left: one request is lost,
    /// and its master starts another worker.
    Trim {
        /// What a worker of the leanest pool has.
        usual: Kib,
    },
    /// It waits for its turn, stopped or frozen.
    Pause {
        /// What it is expected to take yet.
        need: Kib,
        /// What is left for it.
        room: Kib,
        /// How it is made to wait.
        way: Way,
    },
    /// Let it go on (SIGCONT, or its unit is thawed), and whoever was made to wait with it.
    Thaw {
        /// How long it waited.
        waited: Duration,
        /// Why now.
        because: Because,
    },
    /// Nothing: no process in the zone may be slain and would give back enough.
    Nothing,
    /// Nothing for a while: one end after another gave nothing back.
    Useless {
        /// How many in a row.
        ends: u32,
    },
}

/// One decision with its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The incident it belongs to.
    pub incident: u64,
    /// The zone that is short.
    pub zone: ZoneIndex,
    /// Why now.
    pub trigger: Trigger,
    /// The zone's state.
    pub measured: Measured,
    /// What is done.
    pub relief: Relief,
    /// To whom; `None` when there is nobody.
    pub process: Option<Process>,
    /// How old the process was.
    pub age: Duration,
    /// A SIGKILL that follows a SIGTERM that did not help in time.
    pub escalated: bool,
}

/// What came of a verdict (`contract`: `history`'s `outcome`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ended.
    Gone,
    /// It had ended by itself before the signal was sent.
    Vanished,
    /// The kernel refused the signal.
    Refused,
    /// It was signalled and would not end in time (uninterruptible sleep); another is chosen.
    Stuck,
}

impl Ending {
    /// Its name in the journal and every output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Vanished => "vanished",
            Self::Refused => "refused",
            Self::Stuck => "failed",
        }
    }
}

/// A verdict's end, with the zone before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The incident it belongs to.
    pub incident: u64,
    /// The zone that was short.
    pub zone: ZoneIndex,
    /// The process as it was when it was chosen.
    pub process: Process,
    /// What was to come back, its family's with it where that ended too.
    pub gives_back: Kib,
    /// What became of it.
    pub ending: Ending,
    /// From the first signal to the process's end.
    pub took: Duration,
    /// Available memory when it was chosen.
    pub available_before: Kib,
    /// Available memory when its own had come back.
    pub available_after: Kib,
}

/// One thing for the guard to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Scan the processes and decide again at once: what is known of them is too old to choose by.
    Scan,
    /// The same, of those who may go and whoever is new alone: the others are not chosen from.
    ScanToChoose,
    /// Write `oom_score_adj`.
    SetScore {
        /// Whose.
        id: ProcessId,
        /// The value.
        value: i16,
    },
    /// A storm began: open an incident.
    Open {
        /// Its number, counted since the guard's first start.
        incident: u64,
        /// Where.
        zone: ZoneIndex,
        /// Why.
        trigger: Trigger,
        /// The zone's state.
        measured: Measured,
    },
    /// Carry out a verdict.
    Relieve(Verdict),
    /// SIGKILL to one more of a family whose end was decided.
    EndToo {
        /// Whom.
        id: ProcessId,
    },
    /// Stop one more that works together with a job which waits, or is about to.
    StopToo {
        /// Whom.
        id: ProcessId,
        /// The job with which it goes on.
        with: ProcessId,
    },
    /// A job that waited has ended, or somebody else let it go on: those who wait with it do not have to.
    LetGo {
        /// The job.
        id: ProcessId,
    },
    /// Say what came of one.
    Tell(Outcome),
    /// The storm is over.
    Close {
        /// Its number.
        incident: u64,
        /// How long it lasted.
        lasted: Duration,
        /// How many processes were slain in it.
        slain: u32,
        /// How many the kernel killed in it.
        kernel_kills: u32,
    },
}

/// What the guard reports back about a victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The signal was sent.
    Signalled,
    /// It was gone before.
    Vanished,
    /// The kernel said no.
    Refused,
    /// It is stopped, and connected to something behind which it could hold a lock.
    OnTrial,
    /// Its pidfd says that it has ended.
    Ended,
}

impl Action {
    /// The incident it belongs to. `None` for what is done alone, and neither recorded nor told of.
    pub const fn incident_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Open { incident, .. } | Self::Close { incident, .. } => Some(incident),
            Self::Relieve(verdict) => Some(&mut verdict.incident),
            Self::Tell(outcome) => Some(&mut outcome.incident),
            Self::Scan
            | Self::ScanToChoose
            | Self::SetScore { .. }
            | Self::EndToo { .. }
            | Self::StopToo { .. }
            | Self::LetGo { .. } => None,
        }
    }

    /// Whether the processes are to be scanned, and decided about once more.
    #[must_use]
    pub const fn is_scan(&self) -> bool {
        matches!(self, Self::Scan | Self::ScanToChoose)
    }
}
