//! Tells the guard what those hold whom it stopped while they had connections open: the guard writes
//! who they are and which of the database's threads serve them, the database is asked, the answer lies where
//! the guard looks. MariaDB, and MySQL since 8.0; what is held in other databases nobody tells, and the guard
//! goes by what the shop's workers do.

mod answer;
mod ask;
#[cfg(test)]
mod bench;
mod judge;
mod past;
mod seen;
mod still;
#[cfg(test)]
mod tests;
mod watch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headroom_api::paths;
use headroom_api::trial::{Held, Holders, Holding, Told};
use headroom_core::snapshot::Moment;
use headroom_sys::own;
use headroom_sys::proc::Proc;
use tokio::time::{Instant, sleep};

use crate::state::App;
use crate::{mysql, say};
use answer::Answer;
use ask::Asker;
use past::{Past, Stop};
use watch::Watch;

/// From one question to the next while somebody is stopped ...
const PERIOD: Duration = Duration::from_millis(50);
/// ... and right after a stop, for longer while nothing is known of it yet.
const SOON: Duration = Duration::from_millis(20);
const YOUNG: Duration = Duration::from_millis(80);
const NEW: Duration = Duration::from_millis(300);
/// Asking takes no larger part of the time than one in this.
const SHARE: u32 = 5;
/// While nobody is stopped the connection is tried this often, well within the server's patience.
const REST: Duration = Duration::from_secs(600);
/// How long after a failure the database is tried again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// What was asked and answered since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Questions to the database.
    pub(crate) questions: AtomicU64,
    /// Those without an answer in time.
    pub(crate) failures: AtomicU64,
    /// Answers about processes: nothing, lock, waited.
    pub(crate) told: [AtomicU64; 3],
}

/// Answers until the agent stops.
pub(crate) fn start(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        let node = Node {
            mysql: app.config.mysql.clone(),
            guard_dir: app.options.runtime_dir.clone(),
            own_dir: paths::agent_dir(&app.options.runtime_dir),
            root: app.options.root.clone(),
        };
        tokio::select! {
            () = app.stops() => {}
            () = run(&node, &app.holders) => {}
        }
    });
}

/// Where everything is.
pub(crate) struct Node {
    pub(crate) mysql: mysql::Config,
    /// The guard's runtime directory.
    pub(crate) guard_dir: PathBuf,
    /// The agent's own.
    pub(crate) own_dir: PathBuf,
    pub(crate) root: PathBuf,
}

/// Answers for ever, unless there is no way to.
pub(crate) async fn run(node: &Node, counters: &Counters) {
    let prepared = Watch::new(&node.guard_dir).and_then(|watch| {
        let answer = Answer::open(&node.own_dir)?;
        answer.write(&Holders::at(own::now()))?;
        Ok((watch, answer))
    });
    let (mut watch, answer) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            return say(&format!(
                "{}: {error}; the guard is not told who holds locks",
                node.own_dir.display()
            ));
        }
    };
    let Ok(mut proc) = Proc::open(&node.root) else { return };
    let mut link = Link::new(node);
    let mut past = Past::default();
    loop {
        let held = watch.connected();
        let mut wait = REST;
        if held.is_empty() {
            if link.keep().await {
                past = Past::default();
            }
        } else {
            let begin = Instant::now();
            let (holders, fresh) =
                answer_once(&mut link, &mut past, &mut proc, &watch, counters).await;
            // The guard goes without an answer that cannot be written.
            let _ = answer.write(&holders);
            wait = if fresh { SOON } else { PERIOD };
            wait = wait.max(begin.elapsed() * (SHARE - 1));
        }
        tokio::select! {
            () = watch.changed() => {}
            () = sleep(wait.min(link.wait(!held.is_empty()))) => {}
        }
    }
}

/// One question and what follows from its answer; whether something new is not known yet.
async fn answer_once(
    link: &mut Link<'_>,
    past: &mut Past,
    proc: &mut Proc,
    watch: &Watch,
    counters: &Counters,
) -> (Holders, bool) {
    let before = own::now();
    let looks = |proc: &mut Proc, held: &[Held]| -> Vec<Stop> {
        held.iter().filter_map(|held| still::look(proc, held, own::now())).collect()
    };
    let mut stops = looks(proc, &watch.connected());
    let (is_new, asked) = link.ask(counters).await;
    if is_new {
        // The numbers of threads may have begun anew.
        *past = Past::default();
    }
    let Some(seen) = asked else { return (Holders::at(before), false) };
    // Whoever goes on meanwhile has new things sent, and would be taken for somebody else.
    stops = still::remaining(proc, stops, &watch.connected());
    for served in watch.served() {
        let is_of_it = |stop: &&mut Stop| stop.id == served.id && stop.since == served.since;
        if let Some(stop) = stops.iter_mut().find(is_of_it) {
            stop.threads = Some(served.threads);
        }
    }
    stops.sort_by_key(|stop| std::cmp::Reverse(stop.since));
    past.learn(&seen, &stops);
    let mut holders = Holders::at(seen.asked);
    let mut fresh = false;
    for stop in &stops {
        let holding = judge::judge(&seen, past, stop);
        // What was on its way at the stop shows a moment later only.
        let settled = if holding.is_some() { YOUNG } else { NEW };
        fresh |= is_younger(seen.asked, stop.since, settled);
        let Some(holding) = holding else { continue };
        if holders.told.push(Told { id: stop.id, since: stop.since, holding }) {
            let kind = match holding {
                Holding::Nothing => 0,
                Holding::Lock => 1,
                Holding::Waited => 2,
            };
            counters.told[kind].fetch_add(1, Ordering::Relaxed);
        }
    }
    (holders, fresh)
}

fn is_younger(now: Moment, then: Moment, age: Duration) -> bool {
    u128::from(now.0.saturating_sub(then.0)) < age.as_nanos()
}

/// The connection, or when it is tried again.
struct Link<'n> {
    node: &'n Node,
    asker: Option<Asker>,
    /// When it was asked last.
    used: Instant,
    again: Instant,
    pause: Duration,
    said: String,
}

impl<'n> Link<'n> {
    fn new(node: &'n Node) -> Self {
        let now = Instant::now();
        Self { node, asker: None, used: now, again: now, pause: AGAIN.0, said: String::new() }
    }

    /// Connects where it is time for that; whether the connection is a new one.
    async fn open(&mut self) -> bool {
        if self.asker.is_some() || Instant::now() < self.again {
            return false;
        }
        match Asker::connect(&self.node.mysql, &self.node.root).await {
            Ok(asker) => {
                if let Some(lack) = asker.lack() {
                    self.say_once(lack.into());
                }
                self.asker = Some(asker);
                self.used = Instant::now();
                self.pause = AGAIN.0;
                true
            }
            Err(error) => {
                self.lose(&error);
                false
            }
        }
    }

    fn lose(&mut self, error: &ask::AskError) {
        self.asker = None;
        self.again = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(AGAIN.1);
        if matches!(error, ask::AskError::TooOld) {
            self.again = Instant::now() + REST;
        }
        // A node without a database is none to complain of.
        if !matches!(error, ask::AskError::Database(mysql::DbError::NoSocket(_))) {
            self.say_once(error.to_string());
        }
    }

    fn say_once(&mut self, what: String) {
        if what != self.said {
            say(&what);
            self.said = what;
        }
    }

    /// While nobody needs it: whether the connection is new.
    async fn keep(&mut self) -> bool {
        if self.used.elapsed() >= REST
            && let Some(asker) = &mut self.asker
        {
            self.used = Instant::now();
            if let Err(error) = asker.ask().await {
                self.lose(&error);
                self.again = Instant::now();
            }
        }
        self.open().await
    }

    /// One question, with a second try on a new connection when the old one had ended meanwhile.
    async fn ask(&mut self, counters: &Counters) -> (bool, Option<seen::Seen>) {
        let mut is_new = false;
        for _ in 0..2 {
            is_new |= self.open().await;
            let Some(asker) = &mut self.asker else { break };
            counters.questions.fetch_add(1, Ordering::Relaxed);
            self.used = Instant::now();
            match asker.ask().await {
                Ok(seen) => return (is_new, Some(seen)),
                Err(error) => {
                    counters.failures.fetch_add(1, Ordering::Relaxed);
                    let is_late = matches!(error, ask::AskError::TooLate);
                    self.lose(&error);
                    if is_late {
                        break;
                    }
                    self.again = Instant::now();
                }
            }
        }
        (is_new, None)
    }

    /// How long until the connection is due for a try.
    fn wait(&self, is_needed: bool) -> Duration {
        if self.asker.is_some() {
            return REST;
        }
        let due = self.again.saturating_duration_since(Instant::now());
        // Without anybody stopped there is no hurry.
        if is_needed { due.max(SOON) } else { due.max(AGAIN.0) }
    }
}
