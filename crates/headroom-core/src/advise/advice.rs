//! One advice: what speaks for it, what it gives back, how it is followed and checked.

use alloc::string::String;
use alloc::vec::Vec;

pub use crate::diagnose::Confidence;
use crate::units::Kib;

/// Declares the kinds with their ids, which scripts lean on.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident => $id:literal,)+) => {
        /// What is advised. Ids may be added, never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// Its name for scripts.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }
        }
    };
}

kinds! {
    /// The database may take more than there is.
    MysqlOverCommitted => "mysql-over-committed",
    /// Its buffer pool is larger than what it could ever hold.
    MysqlPoolLargerThanData => "mysql-pool-larger-than-data",
    /// Temporary tables may grow large in memory.
    MysqlTempTables => "mysql-temp-tables",
    /// The performance schema costs more than a small node should pay for it.
    MysqlPerformanceSchema => "mysql-performance-schema",
    /// More PHP workers may run than fit.
    FpmOverCommitted => "fpm-over-committed",
    /// Workers are kept that have nothing to do.
    FpmIdleWorkers => "fpm-idle-workers",
    /// Workers live for ever and grow.
    FpmNeverRecycled => "fpm-never-recycled",
    /// Redis or Valkey has no limit, or its fork no room.
    RedisUnbounded => "redis-unbounded",
    /// A search engine's heap is larger than it needs or than fits.
    JvmHeapTooLarge => "jvm-heap-too-large",
    /// Varnish's storage is larger than fits.
    VarnishStorageTooLarge => "varnish-storage-too-large",
    /// Node processes may grow to V8's own default.
    NodeUnbounded => "node-unbounded",
    /// Files in a tmpfs.
    TmpfsHeavy => "tmpfs-heavy",
    /// Huge pages that are set aside and not used.
    HugepagesUnused => "hugepages-unused",
    /// The kernel's own caches that it cannot drop.
    SlabHeavy => "slab-heavy",
    /// A second shop on the node.
    StagingShop => "staging-shop",
    /// Jobs that run beside each other.
    CronsOverlap => "crons-overlap",
    /// A job that runs beside itself.
    CronOverlapsItself => "cron-overlaps-itself",
    /// Jobs that all start in the same minute.
    CronsSameMinute => "crons-same-minute",
    /// An import that is done in one piece.
    ImportTooLarge => "import-too-large",
    /// Images that take much memory to decode.
    ImageTooLarge => "image-too-large",
    /// No swap, or too little.
    NoSwap => "no-swap",
    /// A kernel setting that hurts here.
    VmSetting => "vm-setting",
    /// Pressure is not measured.
    PsiOff => "psi-off",
    /// The node still runs on cgroup v1.
    CgroupV1 => "cgroup-v1",
    /// The kernel lacks what Headroom would use.
    KernelTooOld => "kernel-too-old",
    /// Limits of units that contradict each other.
    LimitsContradict => "limits-contradict",
    /// The plan does not carry the demand.
    PlanTooSmall => "plan-too-small",
}

/// What following an advice may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Nothing anybody would notice.
    Low,
    /// It wants a restart, or a look at the graphs afterwards.
    Medium,
    /// It can cost visitors or data when it is done wrongly.
    High,
}

/// Where something was read, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// A file with its line, or what else was looked at.
    pub source: String,
    /// What stands there, with its figures.
    pub what: String,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it is about.
    pub kind: Kind,
    /// One sentence.
    pub title: String,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// Memory that comes back at once and stays.
    pub saves: Option<Kib>,
    /// Memory by which the highest demand falls.
    pub cuts_peak: Option<Kib>,
    /// What it may break.
    pub risk: Risk,
    /// The command or the lines of configuration, ready to copy.
    pub command: String,
    /// How to see afterwards that it worked.
    pub check: String,
    /// How sure it is.
    pub confidence: Confidence,
}

impl Advice {
    /// One of that kind with nothing in it yet.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            title: String::new(),
            evidence: Vec::new(),
            saves: None,
            cuts_peak: None,
            risk: Risk::Low,
            command: String::new(),
            check: String::new(),
            confidence: Confidence::Medium,
        }
    }

    /// Adds what was read somewhere.
    pub fn because(&mut self, source: impl Into<String>, what: impl Into<String>) {
        self.evidence.push(Evidence { source: source.into(), what: what.into() });
    }

    /// What it gives back, at once or at the peak: what it is ranked by.
    #[must_use]
    pub fn gives(&self) -> Kib {
        self.saves.max(self.cuts_peak).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advice_is_ranked_by_the_larger_of_what_it_gives() {
        let advice =
            Advice { saves: Some(Kib(3)), cuts_peak: Some(Kib(7)), ..Advice::of(Kind::TmpfsHeavy) };
        assert_eq!((advice.gives(), advice.kind.id()), (Kib(7), "tmpfs-heavy"));
        assert_eq!(Advice::of(Kind::PsiOff).gives(), Kib::ZERO);
    }
}
