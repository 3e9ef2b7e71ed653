//! The kinds of finding, and the names scripts know them by.

/// What is concluded, in the order in which equally sure ones are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Asked for by hand.
    ManualRun,
    /// A node restriction, not the machine, was full.
    NodesFull,
    /// Free memory was in pieces.
    HighOrder,
    /// A zone was exhausted while another had room.
    ZoneFull,
    /// A daemon in user space made the choice.
    DaemonKill,
    /// A process or program that grows from event to event.
    Leak,
    /// The database grew from event to event.
    DatabaseGrew,
    /// Slab caches and other memory of the kernel.
    KernelMemory,
    /// Memory the report's own figures do not account for.
    UnaccountedMemory,
    /// Huge pages set aside.
    HugePages,
    /// Page tables.
    PageTables,
    /// tmpfs or shared memory.
    SharedMemory,
    /// One process outgrew everything else.
    RunawayProcess,
    /// A pool with more workers than fit.
    ManyWorkers,
    /// Jobs that ran at once.
    StackedJobs,
    /// Many processes of one program at once.
    ProcessBurst,
    /// More processes of one program than anybody starts on purpose.
    ForkBomb,
    /// The database takes most of what there is.
    DatabaseTooLarge,
    /// The limit is below the steady load.
    LimitTooSmall,
    /// Many services, none of which stands out.
    NobodyStandsOut,
    /// Much of the memory could not be had by killing.
    UnkillableShare,
    /// Nobody could be killed.
    NoKillable,
    /// The machine was told to panic.
    PanicOnOom,
    /// The database is next in line.
    DatabaseUnprotected,
    /// A unit was stopped because one of its processes was killed.
    UnitStopped,
    /// Adjustments outweighed sizes.
    WrongVictim,
    /// A setting made the choice.
    AllocatingTask,
    /// The same time of day on other days.
    RepeatsDaily,
    /// The same program killed again and again.
    RepeatVictim,
    /// Far more visitors or crawlers than usual.
    TrafficPeak,
    /// A long query ran then.
    SlowQuery,
    /// All workers of a pool were busy.
    WorkersExhausted,
    /// Software changed shortly before.
    RecentChange,
    /// The page cache was squeezed to nothing before the kill.
    Thrashing,
    /// Swap was full.
    SwapFull,
    /// There is no swap.
    NoSwap,
    /// The log does not suffice.
    NotEnough,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 37] = [
        Self::ManualRun,
        Self::NodesFull,
        Self::HighOrder,
        Self::ZoneFull,
        Self::DaemonKill,
        Self::Leak,
        Self::DatabaseGrew,
        Self::KernelMemory,
        Self::UnaccountedMemory,
        Self::HugePages,
        Self::PageTables,
        Self::SharedMemory,
        Self::RunawayProcess,
        Self::ManyWorkers,
        Self::StackedJobs,
        Self::ProcessBurst,
        Self::ForkBomb,
        Self::DatabaseTooLarge,
        Self::LimitTooSmall,
        Self::NobodyStandsOut,
        Self::UnkillableShare,
        Self::NoKillable,
        Self::PanicOnOom,
        Self::DatabaseUnprotected,
        Self::UnitStopped,
        Self::WrongVictim,
        Self::AllocatingTask,
        Self::RepeatsDaily,
        Self::RepeatVictim,
        Self::TrafficPeak,
        Self::SlowQuery,
        Self::WorkersExhausted,
        Self::RecentChange,
        Self::Thrashing,
        Self::SwapFull,
        Self::NoSwap,
        Self::NotEnough,
    ];

    /// The kind's name for scripts; never changed once released.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::ManualRun => "manual-run",
            Self::NodesFull => "nodes-full",
            Self::HighOrder => "high-order",
            Self::ZoneFull => "zone-full",
            Self::DaemonKill => "daemon-kill",
            Self::Leak => "leak",
            Self::DatabaseGrew => "database-grew",
            Self::KernelMemory => "kernel-memory",
            Self::UnaccountedMemory => "unaccounted-memory",
            Self::HugePages => "huge-pages",
            Self::PageTables => "page-tables",
            Self::SharedMemory => "shared-memory",
            Self::RunawayProcess => "runaway-process",
            Self::ManyWorkers => "many-workers",
            Self::StackedJobs => "stacked-jobs",
            Self::ProcessBurst => "process-burst",
            Self::ForkBomb => "fork-bomb",
            Self::DatabaseTooLarge => "database-too-large",
            Self::LimitTooSmall => "limit-too-small",
            Self::NobodyStandsOut => "nobody-stands-out",
            Self::UnkillableShare => "unkillable-share",
            Self::NoKillable => "no-killable",
            Self::PanicOnOom => "panic-on-oom",
            Self::DatabaseUnprotected => "database-unprotected",
            Self::UnitStopped => "unit-stopped",
            Self::WrongVictim => "wrong-victim",
            Self::AllocatingTask => "allocating-task",
            Self::RepeatsDaily => "repeats-daily",
            Self::RepeatVictim => "repeat-victim",
            Self::TrafficPeak => "traffic-peak",
            Self::SlowQuery => "slow-query",
            Self::WorkersExhausted => "workers-exhausted",
            Self::RecentChange => "recent-change",
            Self::Thrashing => "thrashing",
            Self::SwapFull => "swap-full",
            Self::NoSwap => "no-swap",
            Self::NotEnough => "not-enough",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kebab_case_and_each_is_one_kinds() {
        let mut ids = Kind::ALL.map(Kind::id);
        assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
