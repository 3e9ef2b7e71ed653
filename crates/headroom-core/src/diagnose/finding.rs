//! What can be concluded from an incident, the surest and most telling first.

use alloc::string::String;
use alloc::vec::Vec;

use super::facts::{Facts, percent_of};
use super::holders::{Holder, holders};
use super::{IncidentKind, badness, group};
use crate::oomlog::{Constraint, Ending, Event, Killer, Position, Task, Zone};
use crate::units::Kib;
use crate::words::finding as words;

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The log says so.
    High,
    /// The numbers speak for it.
    Medium,
    /// It may play a part.
    Low,
}

/// The kinds of finding, in the order in which they are told at equal confidence: what decides
/// everything else, then who held the memory, then what made it worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Asked for by hand.
    ManualRun,
    /// Nobody could be killed.
    NoKillable,
    /// The machine was told to panic.
    PanicOnOom,
    /// A node restriction, not the machine, was full.
    NodesFull,
    /// Free memory was in pieces.
    HighOrder,
    /// A zone was exhausted while another had room.
    ZoneFull,
    /// Slab caches.
    KernelMemory,
    /// tmpfs or shared memory.
    SharedMemory,
    /// One process outgrew everything else.
    RunawayProcess,
    /// A pool with more workers than fit.
    ManyWorkers,
    /// Jobs that ran at once.
    StackedJobs,
    /// A process that grows from event to event.
    Leak,
    /// The database takes most of what there is.
    DatabaseTooLarge,
    /// The limit is below the steady load.
    LimitTooSmall,
    /// Many services, none of which stands out.
    NobodyStandsOut,
    /// Much of the memory could not be had by killing.
    UnkillableShare,
    /// The database is next in line.
    DatabaseUnprotected,
    /// Adjustments outweighed sizes.
    WrongVictim,
    /// A setting made the choice.
    AllocatingTask,
    /// Swap was full.
    SwapFull,
    /// There is no swap.
    NoSwap,
    /// A daemon in user space made the choice.
    DaemonKill,
    /// The log does not suffice.
    NotEnough,
}

impl Kind {
    /// The kind's name for scripts.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::ManualRun => "manual-run",
            Self::NoKillable => "no-killable",
            Self::PanicOnOom => "panic-on-oom",
            Self::NodesFull => "nodes-full",
            Self::HighOrder => "high-order",
            Self::ZoneFull => "zone-full",
            Self::KernelMemory => "kernel-memory",
            Self::SharedMemory => "shared-memory",
            Self::RunawayProcess => "runaway-process",
            Self::ManyWorkers => "many-workers",
            Self::StackedJobs => "stacked-jobs",
            Self::Leak => "leak",
            Self::DatabaseTooLarge => "database-too-large",
            Self::LimitTooSmall => "limit-too-small",
            Self::NobodyStandsOut => "nobody-stands-out",
            Self::UnkillableShare => "unkillable-share",
            Self::DatabaseUnprotected => "database-unprotected",
            Self::WrongVictim => "wrong-victim",
            Self::AllocatingTask => "allocating-task",
            Self::SwapFull => "swap-full",
            Self::NoSwap => "no-swap",
            Self::DaemonKill => "daemon-kill",
            Self::NotEnough => "not-enough",
        }
    }
}

/// A conclusion with what speaks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// The conclusion in one sentence.
    pub title: String,
    /// The lines it rests on.
    pub evidence: Vec<Position>,
    /// What to do.
    pub advice: Vec<String>,
    /// What following the advice would save.
    pub saves: Option<Kib>,
    /// How sure it is.
    pub confidence: Confidence,
}

/// The findings of one incident. `history` is every event of the logs, for what shows only over time.
#[must_use]
pub fn findings(events: &[&Event], kind: IncidentKind, history: &[&Event]) -> Vec<Finding> {
    let Some(facts) = Facts::of(events) else { return Vec::new() };
    let mut found = Findings { facts: &facts, list: Vec::new() };
    found.by_sign(events);
    if facts.event.constraint != Some(Constraint::Manual) {
        found.memory_beside_processes();
        found.holders();
        found.leak(events, history);
        found.limit(kind);
        found.swap();
        found.victims(events);
    }
    let told = |f: &Finding| !matches!(f.kind, Kind::NoSwap | Kind::SwapFull);
    if !found.list.iter().any(told) {
        found.sign(
            Kind::NotEnough,
            Confidence::High,
            &[facts.event.evidence.head, facts.event.evidence.end],
        );
    }
    let mut list = found.list;
    list.sort_by_key(|finding| (finding.confidence, finding.kind));
    list
}

struct Findings<'f> {
    facts: &'f Facts<'f>,
    list: Vec<Finding>,
}

impl Findings<'_> {
    /// A finding whose words need nothing but the facts.
    fn sign(&mut self, kind: Kind, confidence: Confidence, evidence: &[Option<Position>]) {
        self.tell(kind, confidence, words::title(kind, self.facts), evidence);
    }

    fn tell(
        &mut self,
        kind: Kind,
        confidence: Confidence,
        title: String,
        evidence: &[Option<Position>],
    ) {
        let evidence = evidence.iter().copied().flatten().collect();
        self.list.push(Finding {
            kind,
            title,
            evidence,
            advice: words::advice(kind),
            saves: None,
            confidence,
        });
    }

    /// What the report says outright.
    fn by_sign(&mut self, events: &[&Event]) {
        let event = self.facts.event;
        let at = event.evidence;
        let ended = |ending| events.iter().find(|event| event.ending == Some(ending));
        if event.constraint == Some(Constraint::Manual) {
            self.sign(Kind::ManualRun, Confidence::High, &[at.head]);
        }
        if let Some(event) = ended(Ending::NoKillable) {
            self.sign(Kind::NoKillable, Confidence::High, &[event.evidence.end]);
        }
        if let Some(event) = ended(Ending::PanicOnOom) {
            self.sign(Kind::PanicOnOom, Confidence::High, &[event.evidence.end]);
        }
        if matches!(event.constraint, Some(Constraint::Cpuset | Constraint::MemoryPolicy)) {
            self.sign(Kind::NodesFull, Confidence::High, &[at.choice]);
        }
        if event.allocating_task {
            self.sign(Kind::AllocatingTask, Confidence::High, &[at.end]);
        }
        if event.killer != Killer::Kernel {
            self.sign(Kind::DaemonKill, Confidence::High, &[at.end]);
        }
        self.zones();
    }

    /// Free memory that the allocation could not use.
    fn zones(&mut self) {
        let event = self.facts.event;
        let Some(info) =
            event.mem_info.as_ref().filter(|_| event.constraint == Some(Constraint::None))
        else {
            return;
        };
        // A zone counts as having room when it has far more than its reserve.
        let roomy = |zone: &Zone| {
            zone.free
                .zip(zone.min)
                .is_some_and(|(free, min)| free.0 > min.0.saturating_mul(2) && free.0 > 64 * 1024)
        };
        // The DMA zones keep memory back from everybody else (lowmem_reserve): room there says nothing.
        let full = |zone: &Zone| !roomy(zone);
        let common: Vec<&Zone> =
            info.zones.iter().filter(|zone| !zone.name.contains("DMA")).collect();
        let at = [event.evidence.mem_info];
        if event.order.is_some_and(|order| order > 0) && info.zones.iter().any(roomy) {
            self.sign(Kind::HighOrder, Confidence::High, &at);
        } else if common.iter().any(|zone| roomy(zone)) && common.iter().any(|zone| full(zone)) {
            self.sign(Kind::ZoneFull, Confidence::Medium, &at);
        }
    }

    /// Memory that belongs to no process.
    fn memory_beside_processes(&mut self) {
        let facts = self.facts;
        let at = [facts.event.evidence.mem_info.or(facts.event.evidence.usage)];
        let slab = facts.slab();
        if facts.capacity.is_some() && facts.part(slab) >= 0.3 && slab > facts.resident {
            self.sign(Kind::KernelMemory, Confidence::High, &at);
        }
        if facts.capacity.is_some() && facts.part(facts.shmem()) >= 0.3 {
            self.sign(Kind::SharedMemory, Confidence::Medium, &at);
        }
    }

    /// Who held the memory.
    fn holders(&mut self) {
        let facts = self.facts;
        let table = facts.event.evidence.table;
        if facts.event.tasks.is_empty() {
            return self.victim_alone();
        }
        let biggest = facts.event.tasks.iter().max_by_key(|task| task.rss.unwrap_or(0));
        if let Some(task) = biggest {
            self.runaway(task);
        }
        for holder in &facts.holders {
            let several =
                holder.processes >= 3 && holder.largest.0.saturating_mul(2) < holder.rss.0;
            let database = group::is_database(&holder.group);
            if several && !database && holder.portion >= 0.3 && facts.part(holder.rss) >= 0.2 {
                self.pool(holder);
            }
            if database && facts.part(holder.rss) >= 0.6 {
                let title = words::database_too_large(holder, facts.whole());
                self.tell(Kind::DatabaseTooLarge, Confidence::Medium, title, &[table]);
            }
        }
        if facts.part(facts.unkillable) >= 0.5 {
            self.sign(Kind::UnkillableShare, Confidence::High, &[table]);
        }
    }

    fn runaway(&mut self, task: &Task) {
        let facts = self.facts;
        let rss = facts.event.pages(task.rss.unwrap_or(0));
        let share = percent_of(rss, facts.resident);
        if group::is_database(&task.comm) || facts.part(rss) < 0.2 {
            return;
        }
        let at = facts.event.evidence;
        let family = group::family(&task.comm);
        if let Some(times) =
            facts.holders.iter().find(|h| h.group == family).and_then(Holder::far_ahead)
        {
            let title = words::worker_far_ahead(&task.comm, task.pid, rss, times);
            return self.tell(Kind::RunawayProcess, Confidence::High, title, &[at.table, at.end]);
        }
        if share < 45 {
            return;
        }
        let others = facts.event.tasks.iter().filter(|t| t.pid != task.pid);
        let second = others.filter_map(|t| t.rss).max().unwrap_or(0);
        let ahead = task.rss.unwrap_or(0) >= second.saturating_mul(3);
        let confidence = if share >= 60 && ahead { Confidence::High } else { Confidence::Medium };
        let title = words::runaway(&task.comm, task.pid, rss, share);
        self.tell(Kind::RunawayProcess, confidence, title, &[at.table, at.end]);
    }

    /// With no table the kill line is all there is: it names a size, and nothing to compare it with
    /// but the limit.
    fn victim_alone(&mut self) {
        let facts = self.facts;
        let largest =
            facts.event.victims.iter().max_by_key(|victim| crate::words::explain::held(victim));
        let Some((victim, rss, whole)) = largest.and_then(|victim| {
            Some((victim, crate::words::explain::held(victim)?, facts.capacity?))
        }) else {
            return;
        };
        if percent_of(rss, whole) >= 50 && !group::is_database(&victim.comm) {
            let title = words::runaway_of(
                &victim.comm,
                victim.pid,
                rss,
                percent_of(rss, whole),
                facts.capacity_name(),
            );
            self.tell(Kind::RunawayProcess, Confidence::Medium, title, &[Some(victim.at)]);
        }
    }

    fn pool(&mut self, holder: &Holder) {
        let facts = self.facts;
        let siblings = holder.without_the_one_far_ahead();
        let kind =
            if group::is_pooled(&holder.group) { Kind::ManyWorkers } else { Kind::StackedJobs };
        // With one worker far ahead the others are not the first to look at.
        let sure = holder.portion >= 0.5 && holder.far_ahead().is_none();
        let confidence = if sure { Confidence::High } else { Confidence::Medium };
        self.tell(kind, confidence, words::many(&siblings), &[facts.event.evidence.table]);
        let others = facts.resident.saturating_sub(holder.rss);
        let holder = &siblings;
        let room = facts.whole().percent(90).saturating_sub(others);
        let fit = room.0.checked_div(holder.average().0).unwrap_or(0);
        if let Some(finding) =
            self.list.last_mut().filter(|_| kind == Kind::ManyWorkers && facts.capacity.is_some())
        {
            if fit > 0 && fit < holder.processes {
                finding.advice.push(words::pool_advice(holder, fit));
                finding.advice.push(words::pool_arithmetic(holder, others, facts.whole(), fit));
                finding.saves =
                    Some(Kib(holder.average().0.saturating_mul(holder.processes - fit)));
            } else {
                finding.advice.push(words::pool_still_fits(holder));
            }
        }
    }

    /// The same process, seen growing.
    fn leak(&mut self, events: &[&Event], history: &[&Event]) {
        let Some(now) = events.last() else { return };
        let size = |event: &Event, pid: u32, comm: &str| {
            let task = event.tasks.iter().find(|task| task.pid == pid && task.comm == comm)?;
            task.rss.map(|pages| event.pages(pages))
        };
        let Some(task) = self.facts.event.tasks.iter().max_by_key(|task| task.rss.unwrap_or(0))
        else {
            return;
        };
        let seen: Vec<Kib> = history
            .iter()
            .filter(|event| event.first <= now.first && event.first.source == now.first.source)
            .filter_map(|event| size(event, task.pid, &task.comm))
            .collect();
        let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return };
        let rising = seen.windows(2).all(|pair| pair[0] <= pair[1]);
        if seen.len() >= 3 && rising && last.0 >= first.0.saturating_mul(5) / 4 {
            let title = words::leak(&task.comm, task.pid, *first, *last, seen.len());
            self.tell(Kind::Leak, Confidence::Medium, title, &[self.facts.event.evidence.table]);
        }
    }

    fn limit(&mut self, kind: IncidentKind) {
        let facts = self.facts;
        let single = self.list.iter().any(|finding| {
            matches!(
                finding.kind,
                Kind::RunawayProcess
                    | Kind::ManyWorkers
                    | Kind::StackedJobs
                    | Kind::SharedMemory
                    | Kind::KernelMemory
            )
        });
        let in_cgroup = facts.event.constraint == Some(Constraint::Memcg);
        if in_cgroup && facts.capacity.is_some() && !facts.event.tasks.is_empty() && !single {
            let confidence =
                if kind == IncidentKind::Structural { Confidence::Medium } else { Confidence::Low };
            self.sign(Kind::LimitTooSmall, confidence, &[facts.event.evidence.usage]);
        }
        // The same for the machine, if the table shows where most of its memory went.
        let database = self.list.iter().any(|finding| finding.kind == Kind::DatabaseTooLarge);
        let of_machine =
            facts.event.constraint == Some(Constraint::None) && facts.part(facts.resident) >= 0.5;
        if of_machine && facts.capacity.is_some() && !single && !database {
            let title = words::nobody(&facts.holders, facts.resident);
            self.tell(
                Kind::NobodyStandsOut,
                Confidence::Medium,
                title,
                &[facts.event.evidence.table],
            );
        }
    }

    fn swap(&mut self) {
        let Some(info) = self.facts.event.mem_info.as_ref() else { return };
        let at = [self.facts.event.evidence.mem_info];
        match (info.swap_total, info.swap_free) {
            (Some(Kib::ZERO), _) => self.sign(Kind::NoSwap, Confidence::Low, &at),
            (Some(total), Some(free)) if free.0 < total.0 / 50 => {
                self.sign(Kind::SwapFull, Confidence::Low, &at)
            }
            _ => {}
        }
    }

    /// Who died, and who should not have to.
    fn victims(&mut self, events: &[&Event]) {
        let facts = self.facts;
        let killed = |name: &str| {
            events
                .iter()
                .any(|event| event.victims.iter().any(|victim| group::family(&victim.comm) == name))
        };
        let database = facts.holders.iter().find(|h| group::is_database(&h.group));
        let largest_killable =
            facts.holders.iter().filter(|h| !h.unkillable).max_by_key(|h| h.largest);
        if let Some(holder) =
            database.filter(|h| !h.unkillable && facts.event.killer == Killer::Kernel)
        {
            let died = killed(&holder.group);
            let next = largest_killable.is_some_and(|largest| largest.group == holder.group);
            if (died || next) && holder.portion >= 0.1 {
                let confidence = if died { Confidence::High } else { Confidence::Medium };
                let title = words::database(holder, died);
                self.tell(
                    Kind::DatabaseUnprotected,
                    confidence,
                    title,
                    &[facts.event.evidence.table, facts.event.evidence.end],
                );
            }
        }
        let Some((event, victim)) =
            events.iter().find_map(|event| Some((event, event.victims.first()?)))
        else {
            return;
        };
        let Some(rss) = crate::words::explain::held(victim) else { return };
        let row = event.tasks.iter().find(|task| Some(task.pid) == victim.pid);
        let adj = victim.oom_score_adj.or_else(|| row.and_then(|task| task.oom_score_adj));
        let by_arithmetic = victim.pid.and_then(|pid| badness::expected(event, pid));
        if let Some(holder) = holders(event, None).first()
            && holder.largest.0 > rss.0.saturating_mul(8)
            && event.victims.len() == 1
            && (adj.is_some_and(|adj| adj > 0) || by_arithmetic == Some(false))
        {
            let title = words::wrong_victim(&victim.comm, rss, adj, holder);
            self.tell(Kind::WrongVictim, Confidence::Medium, title, &[Some(victim.at)]);
        }
    }
}
