//! Pausing as admission: jobs stacked on each other run one after another instead of dying together.
//!
//! Each running job has an expected need: what jobs of the same command line took before or take
//! beside it, else as much again as it has, while it grows. From the oldest to the youngest those
//! whose need fits the room run and the others wait. The oldest always runs: somebody must end for
//! room to return. It begins early enough for that one to finish, because the needs are compared
//! with the room while all are still small.

use alloc::vec::Vec;
use core::time::Duration;

use super::job::{ASK_AGAIN, EARLY, Job, Left, MANY, SMALLEST_JOB, Turn, is_young};
use super::kinds::{Counts, JobRun, Kinds, kind_of};
use super::together::pipeline;
use crate::action::{Because, Measured};
use crate::policy::{Class, Thresholds};
use crate::snapshot::{Moment, Pipes, Process, ProcessId, Snapshot, ZoneIndex};
use crate::units::Kib;

/// What a small, young process may grow to before it is looked at for itself.
const SMALL_NEED: Kib = Kib::from_mib(16);
/// What has less is a shell that waits for the job and not the job.
const WORTH_COUNTING: Kib = Kib::from_mib(2);
/// That many of them at the most are reckoned with.
const SMALL_COUNTED: u64 = 4;
/// A paused job goes on only when there is this much more room than it needs: no to and fro.
const THAW_EXTRA: Kib = Kib::from_mib(4);
/// Between two thaws what the first takes must show.
const THAW_EVERY: Duration = Duration::from_millis(300);
/// What a pause gives shows after this.
const PAUSE_SHOWS: Duration = Duration::from_millis(150);
/// Whether a pause stands shows within this, mostly.
const YOUNG_TRIAL: Duration = Duration::from_millis(150);
/// Jobs that are kept track of; the rest is left to slaying.
pub(super) const MOST: usize = 128;
/// As long as there are fewer, small ones that are expected to grow are kept track of as well.
const MOST_WITH_SIBLINGS: usize = 64;
/// Zones a job can be in, the machine included.
const ZONES: usize = 9;

/// All that is remembered of jobs.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    jobs: Vec<Job>,
    kinds: Kinds,
    /// What jobs took that ended since this was last asked for.
    runs: Vec<JobRun>,
    seen: Moment,
    last_thaw: Option<Moment>,
    last_pause: Option<Moment>,
    turns: Vec<(Process, Turn)>,
    /// Who waits since an earlier guard had them wait, and was not looked at yet.
    left: Vec<Left>,
}

impl Admission {
    /// Room for as many jobs as are kept track of, so that none is made later.
    pub(super) fn new() -> Self {
        Self {
            jobs: Vec::with_capacity(MOST),
            turns: Vec::with_capacity(2 * MOST),
            runs: Vec::with_capacity(MOST),
            left: Vec::with_capacity(MOST),
            ..Self::default()
        }
    }

    /// Whether any job is held.
    pub(super) fn holds_any(&self) -> bool {
        self.jobs.iter().any(|j| j.held_since.is_some())
    }

    /// Whether this job is held.
    pub(super) fn holds(&self, id: ProcessId) -> bool {
        self.jobs.iter().any(|j| j.process.id == id && j.held_since.is_some())
    }

    /// Takes over a job that an earlier guard had wait, at the next look.
    pub(super) fn take_over(&mut self, job: Left) {
        if self.left.len() < MOST {
            self.left.push(job);
        }
    }

    /// Whether there are jobs to take over that were not looked at yet.
    pub(super) const fn takes_over(&self) -> bool {
        !self.left.is_empty()
    }

    /// Has nobody wait whom an earlier guard had wait.
    pub(super) fn take_over_nobody(&mut self) {
        self.left.clear();
    }

    /// Whether any job is kept track of.
    pub(super) const fn watches_any(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Whether somebody was paused so short a time ago that it does not show yet.
    pub(super) fn paused_just_now(&self, now: Moment) -> bool {
        self.last_pause.is_some_and(|last| now.since(last) < PAUSE_SHOWS)
    }

    /// Whether jobs must be watched closely: one grows.
    pub(super) fn any_grows(&self, now: Moment) -> bool {
        self.jobs.iter().any(|j| j.is_growing(now))
    }

    /// It is being slain: its peak says nothing about its kind, and it is not paused any more.
    pub(super) fn note_slain(&mut self, id: ProcessId) {
        for job in self.jobs.iter_mut().filter(|j| j.process.id == id) {
            job.slain = true;
            job.held_since = None;
        }
    }

    /// It is stopped and could hold a lock.
    pub(super) fn note_on_trial(&mut self, id: ProcessId) {
        for job in self.jobs.iter_mut().filter(|j| j.process.id == id) {
            job.on_trial = job.held_since.is_some();
        }
    }

    /// Whether somebody is stopped who could hold a lock, or was stopped so short a time ago that this
    /// is not known yet.
    pub(super) fn any_on_trial(&self, now: Moment) -> bool {
        self.paused_just_now(now) || self.jobs.iter().any(Job::is_on_trial)
    }

    /// Whether somebody was stopped a short time ago who could hold a lock.
    pub(super) fn any_on_young_trial(&self, now: Moment) -> bool {
        let is_young = |since: Moment| now.since(since) < YOUNG_TRIAL;
        let mut on_trial = self.jobs.iter().filter(|job| job.is_on_trial());
        on_trial.any(|job| job.held_since.is_some_and(is_young))
    }

    /// Finds who has to go on at once, since it may hold what others need.
    pub(super) fn try_out(&mut self, snapshot: &Snapshot) {
        let now = snapshot.at;
        let Self { jobs, turns, last_pause, .. } = self;
        turns.clear();
        for at in 0..jobs.len() {
            let job = &jobs[at];
            let Some(since) = job.held_since.filter(|_| job.is_on_trial()) else { continue };
            let Some(because) = job.verdict(snapshot, since) else { continue };
            let lead = job.lead;
            // It gave nothing, so nobody needs to wait for that to show.
            *last_pause = None;
            // What one holds its whole pipeline may wait for.
            for job in jobs.iter_mut().filter(|j| j.lead == lead && !j.slain) {
                let Some(since) = job.held_since else { continue };
                let waited = now.since(since);
                job.put_off(now, waited);
                turns.push((job.process, Turn::Thaw { waited, because }));
            }
        }
    }

    /// The jobs that are held, each pipeline by its oldest.
    pub(super) fn held(&self) -> impl Iterator<Item = &Process> {
        let leads = self.jobs.iter().filter(|j| j.held_since.is_some() && !j.follows());
        leads.map(|job| &job.process)
    }

    /// It could not be signalled. Returns it if it was to be paused; whoever was to go on, or to be slain,
    /// and is stopped, waits for another try.
    pub(super) fn note_refused(&mut self, id: ProcessId, at: Moment) -> Option<Process> {
        let job = self.jobs.iter_mut().find(|j| j.process.id == id)?;
        job.slain = false;
        if job.is_stopped && job.process.paused {
            job.held_since.get_or_insert(at);
            return None;
        }
        job.not_before = at.after(ASK_AGAIN);
        job.is_stopped = false;
        job.held_since.take().map(|_| job.process)
    }

    /// Whether this scan was taken in already.
    pub(super) fn has_seen(&self, snapshot: &Snapshot) -> bool {
        self.seen == snapshot.scanned
    }

    /// What jobs of a kind took in an earlier life of the guard.
    pub(super) fn recall(&mut self, kind: u64, peak: Kib) {
        self.kinds.learn(kind, peak);
    }

    /// What one of the jobs took that ended.
    pub(super) fn next_run(&mut self) -> Option<JobRun> {
        self.runs.pop()
    }

    /// The next of the turns that [`Self::turns`] found.
    pub(super) fn next_turn(&mut self) -> Option<(Process, Turn)> {
        self.turns.pop()
    }

    /// Takes in a new scan.
    pub(super) fn see(&mut self, snapshot: &Snapshot) {
        self.seen = snapshot.scanned;
        let now = snapshot.at;
        let Self { jobs, kinds, turns, runs, left, .. } = self;
        turns.clear();
        jobs.retain(|job| {
            let alive = find(snapshot, job.process.id).is_some_and(|p| !p.ending);
            if !alive {
                // A small one whose end somebody else brought about tells nothing.
                let cut_short = job.process.asked_to_end || job.held_since.is_some();
                if !job.slain && (job.peak >= SMALLEST_JOB || !cut_short) {
                    kinds.learn(job.kind, job.peak);
                }
                if job.peak >= SMALLEST_JOB && runs.len() < MOST {
                    runs.push(job.run(now));
                }
                if let Some(since) = job.held_since {
                    turns.push((job.process, Turn::Vanished { waited: now.since(since) }));
                }
            }
            alive
        });
        for process in &snapshot.processes {
            if process.class != Class::Expendable
                || process.ending
                || process.id.pid == snapshot.own_pid
            {
                continue;
            }
            let full = jobs.len() >= MOST;
            match jobs.iter_mut().find(|j| j.process.id == process.id) {
                Some(job) => turns.extend(job.see(process, now).then_some((*process, Turn::Freed))),
                None if !full => {
                    let waits = left.iter().find(|left| left.id == process.id && process.paused);
                    if waits.is_some() || process.gives_back >= SMALLEST_JOB {
                        jobs.push(Job::new(process, now).waiting(waits));
                    }
                }
                None => {}
            }
        }
        left.clear();
        see_siblings(jobs, kinds, snapshot);
        jobs.sort_unstable_by_key(|j| (j.process.id.start_ticks, j.process.id.pid));
        for at in 0..jobs.len() {
            jobs[at].lead = lead_of(jobs, at, snapshot);
        }
    }

    /// Goes through the jobs from the oldest to the youngest and finds whose turn changes.
    pub(super) fn turns(
        &mut self,
        snapshot: &Snapshot,
        thresholds: &Thresholds,
        zones: impl Iterator<Item = Option<Measured>>,
    ) {
        let now = snapshot.at;
        let mut rooms = [None; ZONES];
        for (room, measured) in rooms.iter_mut().zip(zones) {
            *room = measured.map(|measured| room_in(&measured, thresholds));
        }
        let small = self.small_ones(snapshot);
        take(&mut rooms, |_| true, Kib(small.saturating_mul(SMALL_NEED.0)));
        let mut running = false;
        // Who switches pausing off has nobody wait any longer.
        let is_off = thresholds.pause_limit.0 == Duration::ZERO;
        let Self { jobs, kinds, last_thaw, last_pause, turns, .. } = self;
        for at in 0..jobs.len() {
            let job = jobs[at];
            if !job.is_ours() {
                continue;
            }
            if let Some(since) = job.held_since.filter(|_| job.process.asked_to_end) {
                let waited = now.since(since);
                jobs[at].let_end(now, waited);
                turns.push((job.process, Turn::Thaw { waited, because: Because::Ended }));
                continue;
            }
            if job.follows() {
                continue;
            }
            let is_with = |other: &&Job| other.lead == job.lead && other.is_ours();
            let need = jobs.iter().filter(is_with).map(|j| j.need(kinds, jobs, now));
            let need = need.fold(Kib::ZERO, Kib::saturating_add);
            let asked_again = jobs.iter().filter(is_with).map(|j| j.not_before).max();
            let room = room_of(&rooms, &job.process);
            let extra = if job.held_since.is_some() { THAW_EXTRA } else { Kib::ZERO };
            // A protected job runs whatever it takes; the others wait for it.
            let fits =
                need.saturating_add(extra) <= room || !running || job.process.protected || is_off;
            let soon = last_thaw.is_some_and(|last| now.since(last) < THAW_EVERY);
            let runs = match job.held_since {
                None => fits || asked_again.is_some_and(|then| now < then),
                Some(_) => fits && !soon,
            };
            if runs || fits {
                take(&mut rooms, |zone| job.process.is_in(zone), need);
                running = true;
            }
            match job.held_since {
                Some(_) if runs => *last_thaw = Some(now),
                None if !runs => *last_pause = Some(now),
                Some(_) | None => {}
            }
            // The last turn is carried out first: who works for others goes on before them, and waits after.
            if runs {
                jobs[at].turn(runs, now, (need, room), turns);
            }
            for follower in
                jobs.iter_mut().filter(|j| j.follows() && j.lead == job.lead && j.is_ours())
            {
                let may_wait = !follower.process.protected && now >= follower.not_before;
                if runs || may_wait {
                    follower.turn(runs, now, (need, room), turns);
                }
            }
            if !runs {
                jobs[at].turn(runs, now, (need, room), turns);
            }
            if let Some(since) = job.held_since.filter(|_| !runs && !fits) {
                let waited = now.since(since);
                if waited >= thresholds.pause_limit.0 {
                    turns.push((job.process, Turn::Overdue { waited }));
                }
            }
        }
    }

    /// Young expendables that are still small: each may become a job.
    fn small_ones(&self, snapshot: &Snapshot) -> u64 {
        let counts = |p: &&Process| {
            is_small(p, snapshot.at) && !self.jobs.iter().any(|job| job.process.id == p.id)
        };
        let count = snapshot.processes.iter().filter(counts).count();
        u64::try_from(count).unwrap_or(u64::MAX).min(SMALL_COUNTED)
    }
}

/// A young expendable that is still small.
fn is_small(process: &Process, now: Moment) -> bool {
    (WORTH_COUNTING..SMALLEST_JOB).contains(&process.gives_back) && is_young(process, now)
}

/// Takes small, young ones for the jobs they will be, where one of their kind is known to be one or many of it
/// begin together: the less they have when they begin to wait, the more of them run beside each other.
fn see_siblings(jobs: &mut Vec<Job>, kinds: &Kinds, snapshot: &Snapshot) {
    let now = snapshot.at;
    let mut born = Counts::default();
    for process in snapshot.processes.iter().filter(|p| p.gives_back >= EARLY && is_young(p, now)) {
        born.add(kind_of(process.command.as_bytes()));
    }
    for process in snapshot.processes.iter().filter(|p| is_small(p, now)) {
        let is_free = process.id.pid != snapshot.own_pid && !process.paused;
        if jobs.len() >= MOST_WITH_SIBLINGS
            || !is_free
            || jobs.iter().any(|job| job.process.id == process.id)
        {
            continue;
        }
        let job = Job::new(process, now);
        // What they took before tells more than that they are many.
        let is_one = match kinds.peak(job.kind) {
            Some(peak) => peak >= SMALLEST_JOB,
            None => born.of(job.kind) >= MANY,
        };
        if is_one || jobs.iter().any(|other| other.kind == job.kind) {
            jobs.push(job);
        }
    }
}

/// Expendables that were born so short a time ago that they may yet become jobs.
pub(super) fn young(snapshot: &Snapshot) -> usize {
    snapshot.processes.iter().filter(|p| is_young(p, snapshot.at)).count()
}

/// The oldest of the jobs that the one at this place is joined to by pipes, as far as it has to wait or run.
fn lead_of(jobs: &[Job], at: usize, snapshot: &Snapshot) -> ProcessId {
    let job = &jobs[at];
    let alone = job.process.pipes == Pipes::default();
    if alone || !job.is_ours() {
        return job.process.id;
    }
    let pipeline = pipeline(snapshot, &job.process);
    let is_in_it = |other: &&Job| pipeline.of(snapshot).any(|p| p.id == other.process.id);
    // From the oldest to the youngest.
    let lead = jobs.iter().filter(|other| other.is_ours()).find(is_in_it);
    lead.map_or(job.process.id, |lead| lead.process.id)
}

fn find(snapshot: &Snapshot, id: ProcessId) -> Option<&Process> {
    // In the order of their pids, as /proc lists them.
    let at = snapshot.processes.partition_point(|p| p.id.pid < id.pid);
    snapshot.processes.get(at).filter(|p| p.id == id)
}

/// The room for jobs in a zone. Waiting costs little: no swap is reckoned with.
pub(super) fn room_in(measured: &Measured, thresholds: &Thresholds) -> Kib {
    let memory = measured.available.saturating_sub(measured.swap_counted);
    memory.saturating_sub(thresholds.admission_floor_of(measured.limit))
}

/// The room left for a process: that of the tightest of its zones.
fn room_of(rooms: &[Option<Kib>; ZONES], process: &Process) -> Kib {
    let zones = (0u8..).map(ZoneIndex);
    let own = rooms.iter().zip(zones).filter(|(_, zone)| process.is_in(*zone));
    own.filter_map(|(room, _)| *room).min().unwrap_or(Kib::ZERO)
}

fn take(rooms: &mut [Option<Kib>; ZONES], is_in: impl Fn(ZoneIndex) -> bool, need: Kib) {
    for (room, zone) in rooms.iter_mut().zip((0u8..).map(ZoneIndex)) {
        if is_in(zone) {
            *room = room.map(|room| room.saturating_sub(need));
        }
    }
}
