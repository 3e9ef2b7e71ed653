//! What is known of a node. Everything may be missing: what could not be read is `None` or empty, never 0.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::parse::cronlog::Run;
use super::parse::crontab::Job;
use super::parse::fpm::{Ini, Pool};
use super::parse::mycnf::{Flavour, Options};
use super::parse::plans::Plan;
use super::parse::redis::Instance;
use super::parse::schedule::Day;
use super::parse::units::UnitLimits;
use super::parse::webserver::Site;
use super::parse::{Said, Unread};
use crate::units::Kib;

/// The whole node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The machine and its kernel.
    pub node: Node,
    /// Processes that run.
    pub processes: Vec<Process>,
    /// The database.
    pub mysql: Option<Mysql>,
    /// Pools of php-fpm.
    pub fpm: Vec<FpmPool>,
    /// Redis and Valkey.
    pub redis: Vec<Instance>,
    /// Search engines.
    pub engines: Vec<Engine>,
    /// Varnish's storage, and where it is set.
    pub varnish: Option<Said<Kib>>,
    /// File systems in memory.
    pub tmpfs: Vec<Tmpfs>,
    /// Units with memory settings, slices among them.
    pub units: Vec<UnitLimits>,
    /// Sites the web server serves, and shops found beside them.
    pub sites: Vec<Site>,
    /// Databases with their size on disk.
    pub databases: Vec<Database>,
    /// What cron starts.
    pub jobs: Vec<CronJob>,
    /// Runs of it that were logged.
    pub runs: Vec<Run>,
    /// Images.
    pub images: Images,
    /// What was recorded of the past.
    pub record: Record,
    /// Plans one could have.
    pub plans: Vec<Plan>,
    /// What could not be read on the way.
    pub unread: Vec<Unread>,
}

/// The machine and its kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `MemTotal`; zero where nothing is known, and then nothing can be advised.
    pub ram: Kib,
    /// `SwapTotal`
    pub swap_total: Option<Kib>,
    /// `SwapFree`
    pub swap_free: Option<Kib>,
    /// `Inactive(anon)`: memory of processes that they have not touched for a while.
    pub inactive_anon: Option<Kib>,
    /// `SUnreclaim`
    pub slab_unreclaimable: Option<Kib>,
    /// `SReclaimable`
    pub slab_reclaimable: Option<Kib>,
    /// `PageTables` and `KernelStack`.
    pub kernel: Kib,
    /// `Shmem`
    pub shmem: Option<Kib>,
    /// `CommitLimit`
    pub commit_limit: Option<Kib>,
    /// `Committed_AS`
    pub committed: Option<Kib>,
    /// Huge pages that are set aside: all, free, promised; and the size of one.
    pub huge: Option<HugePages>,
    /// The largest slab caches.
    pub slabs: Vec<(String, Kib)>,
    /// `/proc/sys/vm` by name.
    pub vm: BTreeMap<String, u64>,
    /// Which choice `transparent_hugepage/enabled` has.
    pub transparent_huge_pages: Option<String>,
    /// Whether some of the swap is zram.
    pub has_zram: bool,
    /// The kernel's release.
    pub release: Option<String>,
    /// Whether pressure is measured, where that is known.
    pub psi: Option<bool>,
    /// Whether the memory controller is cgroup v2's, where that is known.
    pub cgroup_v2: Option<bool>,
}

/// Pages of `vm.nr_hugepages`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of /proc/meminfo")]
pub struct HugePages {
    pub total: u64,
    pub free: u64,
    pub reserved: u64,
    pub size: Kib,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Whose it is.
    pub uid: Option<u32>,
    /// Its name.
    pub comm: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it holds: its proportional share (`smaps_rollup`), or what is its own where that is closed to us.
    pub held: Kib,
    /// Whether `held` is the proportional share.
    pub is_pss: bool,
    /// The most it ever held: `held`, and what its resident memory was above today's (`VmHWM`). A PHP worker
    /// gives memory back at the end of each page.
    pub highest: Option<Kib>,
    /// What of it could be swapped out: anonymous memory that is not locked (`RssAnon` less `VmLck`).
    pub swappable: Option<Kib>,
    /// How long it has run, in seconds.
    pub age_s: Option<u64>,
    /// CPU time it has used, in seconds.
    pub cpu_s: Option<u64>,
}

impl Process {
    /// Its command line in one piece.
    #[must_use]
    pub fn line(&self) -> String {
        self.arguments.join(" ")
    }
}

/// The database server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mysql {
    /// Which of the two.
    pub flavour: Flavour,
    /// Its version, `10.11.6` or `8.0.36`.
    pub version: Option<(u32, u32, u32)>,
    /// Options of its files and command line.
    pub options: Options,
    /// Its variables, from itself. Where it answers these count and not the options.
    pub variables: BTreeMap<String, String>,
    /// Its status counters, from itself.
    pub status: BTreeMap<String, String>,
    /// What its InnoDB tables and indexes take.
    pub data: Option<Said<Kib>>,
    /// What the performance schema holds, from itself.
    pub performance_schema: Option<Kib>,
    /// The first file of its configuration.
    pub file: String,
    /// Its process, where it is known which of several servers it is.
    pub pid: Option<i32>,
}

/// A pool with what its PHP is set to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FpmPool {
    /// The pool.
    pub pool: Pool,
    /// PHP's own settings.
    pub ini: Ini,
}

/// Elasticsearch or OpenSearch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// Its heap; `None` when it chooses by itself, half of the RAM.
    pub heap: Option<Said<Kib>>,
    /// Where a heap would be written.
    pub file: String,
    /// What its index takes on disk.
    pub data: Option<Kib>,
}

/// A file system in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tmpfs {
    /// Where it is.
    pub point: String,
    /// What its files take.
    pub used: Kib,
    /// What they may take.
    pub size: Option<Kib>,
    /// Its largest entries with their sizes.
    pub largest: Vec<(String, Kib)>,
}

/// A database on the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// What its files take.
    pub size: Kib,
    /// Where that was seen.
    pub at: String,
}

/// A line of a crontab with what is known of its runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronJob {
    /// The line.
    pub job: Job,
    /// Minutes to add to its times to get the node's, where its zone is another one.
    pub offset_min: i32,
    /// What it takes at its highest, where that was recorded or seen.
    pub peak: Option<Said<Kib>>,
    /// How long it runs at the longest, in seconds, where that is known.
    pub longest_s: Option<Said<u64>>,
    /// How many of it run now.
    pub running: u64,
}

/// What the search for images found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// The decoded size from which on an image counts.
    pub limit: Kib,
    /// How many images were looked at.
    pub looked_at: u64,
    /// How many are over the limit.
    pub over: u64,
    /// The largest of these, the largest first.
    pub largest: Vec<Image>,
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Its path.
    pub path: String,
    /// Its width in pixels.
    pub width: u64,
    /// Its height in pixels.
    pub height: u64,
    /// Its size on disk.
    pub file: Kib,
}

impl Image {
    /// What it takes in memory once decoded: four bytes a pixel.
    #[must_use]
    pub fn decoded(&self) -> Kib {
        Kib(self.width.saturating_mul(self.height).saturating_mul(4) / 1024)
    }
}

/// What was recorded of the past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// From the first to the last that was recorded, in seconds.
    pub span_s: u64,
    /// What was in use at each sample.
    pub used: Vec<Kib>,
    /// Where the samples come from.
    pub at: String,
    /// Times when memory was short.
    pub shortages: Vec<Shortage>,
    /// Kinds of jobs with the most each took, beside those that cron starts.
    pub jobs: Vec<RecordedJob>,
    /// The day it is, for calendars.
    pub today: Option<Today>,
}

/// A job of the guard's record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedJob {
    /// Its command line, cut where the record cuts it.
    pub command: String,
    /// The most it took.
    pub peak: Kib,
    /// How long it ran, where that is known.
    pub longest_s: Option<u64>,
    /// Where that is recorded.
    pub at: String,
}

/// The first day of a calendar to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Today {
    /// The year.
    pub year: i16,
    /// The day.
    pub day: Day,
}

/// A time when memory was short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortage {
    /// Its name in the record or the log.
    pub id: String,
    /// Days ago.
    pub days_ago: u64,
    /// What was asked for: in use, and what those who were slain or killed would have kept.
    pub demand: Kib,
    /// The part of it that was slain or killed.
    pub slain: Kib,
    /// Where it stands.
    pub at: String,
}
