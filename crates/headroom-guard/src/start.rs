//! Getting ready: from options to a guard that watches. What this node lacks is noted and said, and only
//! what leaves nothing to guard with ends the start.

use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use headroom_api::exit::Exit;
use headroom_api::paths;
use headroom_api::status::{Guard, Missing};
use headroom_api::time::rfc3339;
use headroom_api::trial;
use headroom_core::decide::{Left, State};
use headroom_core::policy::Policy;
use headroom_sys::ReadError;
use headroom_sys::cgroup::Layout;
use headroom_sys::footprint;
use headroom_sys::kmsg::KernelLog;
use headroom_sys::notify::Notifier;
use headroom_sys::own;
use headroom_sys::peer::listen_at;
use headroom_sys::proc::Proc;
use headroom_sys::psi::{self, Stall, Trigger};
use headroom_sys::signals::Signals;
use headroom_sys::wait::{Bell, Interest, Waiter};

use crate::abilities::Abilities;
use crate::act::{Hands, Reaper};
use crate::birth::Births;
use crate::freezer::{Freezer, Units, thaw_left};
use crate::held::Held;
use crate::options::Options;
use crate::policy_files::load_policy;
use crate::record::Recorder;
use crate::say::{say, wall_clock_ms};
use crate::sense::Senses;
use crate::serve::{self, Server};
use crate::settle::Settling;
use crate::table::Names;
use crate::tokens::{BELL, LOG, PRESSURE, SIGNAL, ZONE};
use crate::trial::Trials;
use crate::view::{Shared, missing};
use crate::watch::Watch;
use crate::{Loaded, RELEASE, uid_of};

/// The kernel wakes the guard when some task waited this long for memory ...
const STALLED: Duration = Duration::from_millis(50);
/// ... within this window. Without CAP_SYS_RESOURCE the window must be a multiple of 2 s.
const STALL_WINDOW: Duration = Duration::from_millis(500);
/// Guards this machine until a signal ends it.
#[must_use]
pub fn run(options: &Options) -> Exit {
    footprint::map_large_blocks();
    let loaded = match load_policy(&options.root, options.policy.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) if options.policy.is_some() => {
            say(&format!("policy: {error}"));
            return Exit::BadConfiguration;
        }
        Err(error) => {
            // An unguarded node helps nobody: the built-in policy stands in, and it is said.
            return guard(options, Loaded::built_in(), Some(error.to_string()));
        }
    };
    guard(options, loaded, None)
}

/// Lets everybody go on whom a guard that was killed left paused. Nothing to do is done as well.
#[must_use]
pub fn thaw(options: &Options) -> Exit {
    let failed = |error: String| {
        say(&format!("cannot thaw: {error}"));
        Exit::Failed
    };
    let done = match thaw_left(&options.root, &options.runtime_dir) {
        Ok(0) => Exit::Done,
        Ok(units) => {
            say(&format!("{units} frozen units go on"));
            Exit::Done
        }
        Err(error) => failed(error.to_string()),
    };
    if !options.runtime_dir.join(Held::NAME).exists() {
        return done;
    }
    let held = match Held::open(&options.runtime_dir) {
        Ok(held) => held,
        Err(error) => return failed(error.to_string()),
    };
    match Proc::open(&options.root) {
        Ok(mut proc) => {
            let thawed = Hands::new(false, held).thaw_all(&mut proc);
            if thawed > 0 {
                say(&format!("{thawed} paused jobs go on"));
            }
            done
        }
        Err(error) => failed(error.to_string()),
    }
}

fn guard(options: &Options, loaded: Loaded, bad_policy: Option<String>) -> Exit {
    let loaded = loaded.with_settings(&options.state_dir);
    let senses = match Senses::open(&options.root, &loaded.policy) {
        Ok(senses) => senses,
        Err(error) => {
            let proc = paths::under(&options.root, "/proc");
            say(&format!("{}: {error}; is /proc mounted?", proc.display()));
            return Exit::Failed;
        }
    };
    match Watch::start(options, loaded.policy, senses, bad_policy) {
        Ok(mut watch) => {
            if let Some(why) = loaded.settings_problem {
                watch.about.missing.push(missing(
                    "the settings",
                    why,
                    "the policy alone is in force",
                ));
            }
            watch.run()
        }
        Err(error) => {
            say(&format!("cannot wait for signals: {error}"));
            Exit::Failed
        }
    }
}

impl Watch {
    /// A guard that stands ready.
    pub(crate) fn start(
        options: &Options,
        policy: Policy,
        mut senses: Senses,
        bad_policy: Option<String>,
    ) -> Result<Self, ReadError> {
        let signals = Signals::block()?;
        let waiter = Waiter::new(16)?;
        let bell = Arc::new(Bell::new()?);
        waiter.add(&signals, Interest::Readable, SIGNAL)?;
        waiter.add(&bell, Interest::Readable, BELL)?;
        let mut abilities = Abilities::find(&senses);
        let dry_run = options.dry_run || !abilities.can_act;
        let mut held = Held::nowhere();
        let policy = Arc::new(policy);
        let shared = Arc::new(Shared::default());
        let lacking = &mut abilities.missing;
        if let Some(why) = bad_policy {
            say(&format!("policy: {why}; the built-in policy is in force"));
            lacking.push(missing("the policy on disk", why, "the built-in policy is in force"));
        }
        let (recorder, past, lacks) =
            Recorder::start(&options.state_dir, Arc::clone(&policy), Arc::clone(&shared), dry_run);
        lacking.extend(lacks.into_iter().map(|lack| missing(lack.what, lack.why, lack.instead)));
        match listen(options) {
            Ok(listener) => {
                let (shared, bell) = (Arc::clone(&shared), Arc::clone(&bell));
                let server = Server { shared, bell, options: options.clone(), dry_run };
                if let Err(e) = serve::start(listener, server) {
                    lacking.push(missing("the socket's thread", e, "status looks for itself"));
                }
            }
            Err(error) => {
                lacking.push(missing("the guard's socket", error, "status looks for itself"));
            }
        }
        if !dry_run {
            match Held::open(&options.runtime_dir) {
                Ok(list) => held = list,
                Err(error) => {
                    let instead =
                        "jobs are paused all the same, and thawed by nobody if it is killed";
                    lacking.push(missing("the list of paused jobs", error, instead));
                }
            }
        }
        let mut hands = Hands::new(dry_run, held);
        let left = hands.left(&mut senses.proc);
        if !dry_run {
            match Reaper::start() {
                Ok(reaper) => hands.reap_by(reaper),
                Err(error) => {
                    let instead = "what a victim held comes back when it gets round to its end";
                    lacking.push(missing("a thread that takes memory back", error, instead));
                }
            }
            let frozen = left.iter().filter(|held| held.frozen).map(|held| held.id);
            let freezer = Units::open(&options.root, &options.runtime_dir, frozen)
                .map_err(|error| error.to_string())
                .and_then(|units| {
                    hands.take_over_frozen(&mut senses.proc, &units);
                    Freezer::start(&options.root, units).map_err(|error| error.to_string())
                });
            match freezer {
                Ok(freezer) => hands.freeze_by(freezer),
                Err(error) => {
                    let instead = "a job is stopped (SIGSTOP) where its unit would be frozen";
                    lacking.push(missing("freezing by cgroup v2", error, instead));
                }
            }
        }
        let trigger = open_trigger(options, &senses, &waiter, lacking);
        watch_zones(&senses, &waiter);
        match Names::start(&options.root) {
            Ok(names) => senses.table.read_beside(names),
            Err(error) => {
                let instead = "the guard itself waits for what it reads of them";
                lacking.push(missing("a thread that reads names", error, instead));
            }
        }
        let births = Births::open(&senses, &waiter, lacking);
        senses.snapshot.births_heard = births.are_heard();
        let users = paths::under(&options.root, "/etc/passwd");
        let users = std::fs::read_to_string(users).unwrap_or_default();
        let agent = uid_of(&users, paths::AGENT_USER);
        let mut trials = Trials::new(paths::agent_dir(&options.runtime_dir), agent, &options.root);
        if !dry_run && let Err(error) = trials.tell_who_serves(&options.root, &options.runtime_dir)
        {
            let instead = "the agent finds out more slowly what a paused job holds in a database";
            lacking.push(missing("whom a database's threads serve", error, instead));
        }
        let log = open_log(options, &senses, &waiter, lacking);
        let locked = !dry_run && protect_itself(&mut senses, lacking);
        let started = wall_clock_ms();
        let mut state = State::new(policy.zones.len(), past.last_incident);
        past.expected.iter().for_each(|(kind, peak)| state.recall(*kind, *peak));
        let takes_over = hands.holds_any();
        for held in &left {
            let trial::Held { id, since, connected: on_trial, .. } = *held;
            state.take_over(Left { id, since, on_trial });
        }
        let about = Guard {
            running: true,
            dry_run,
            policy: policy.name().into(),
            release: RELEASE.into(),
            missing: abilities.missing,
            pid: Some(senses.snapshot.own_pid),
            since: rfc3339(started),
            ..Guard::default()
        };
        Ok(Self {
            options: options.clone(),
            state,
            // Room for a score for every process that the first scan found, and then some.
            actions: Vec::with_capacity(senses.snapshot.processes.len() * 2 + 256),
            hands,
            births,
            log,
            woken: own::now(),
            scanned: Default::default(),
            trials,
            settling: Settling::new(locked),
            takes_over,
            notifier: Notifier::from_env().unwrap_or(None),
            policy,
            senses,
            recorder,
            shared,
            waiter,
            signals,
            bell,
            _pressure: trigger,
            about,
        })
    }
}

/// Asks the kernel to wake the guard when tasks stall for memory. It lasts as long as it is kept.
fn open_trigger(
    options: &Options,
    senses: &Senses,
    waiter: &Waiter,
    lacking: &mut Vec<Missing>,
) -> Option<Trigger> {
    senses.snapshot.pressure?;
    let opened =
        psi::trigger(&options.root, "proc/pressure/memory", Stall::Some, STALLED, STALL_WINDOW)
            .and_then(|trigger| {
                waiter.add(&trigger, Interest::Priority, PRESSURE)?;
                Ok(trigger)
            });
    match opened {
        Ok(trigger) => Some(trigger),
        Err(error) => {
            let instead = "pressure is read at each look instead";
            lacking.push(missing("a PSI trigger", error, instead));
            None
        }
    }
}

/// The kernel's log, where its kills are told in no better way: without cgroup v2 there are no memory
/// events to wait for, without PSI nothing wakes the guard when the machine as a whole is short.
fn open_log(
    options: &Options,
    senses: &Senses,
    waiter: &Waiter,
    lacking: &mut Vec<Missing>,
) -> Option<KernelLog> {
    if senses.cgroups.layout() == Layout::V2 && senses.snapshot.pressure.is_some() {
        return None;
    }
    let opened = KernelLog::open(&options.root).map_err(|refused| refused.to_string());
    let watched = opened.and_then(|log| {
        let added = waiter.add(&log, Interest::Readable, LOG);
        added.map(|()| log).map_err(|error| error.to_string())
    });
    match watched {
        Ok(log) => Some(log),
        Err(why) => {
            lacking.push(missing("the kernel's kill messages", why, "its counters are polled"));
            None
        }
    }
}

/// Waits for the memory events of the zones. What is closed leaves the waiter by itself, and what is
/// there already is refused as such.
pub(crate) fn watch_zones(senses: &Senses, waiter: &Waiter) {
    for events in senses.zone_readers().filter_map(|z| z.events_fd()) {
        let _there_already = waiter.add(events, Interest::Priority, ZONE);
    }
    for bell in senses.zone_readers().filter_map(|z| z.oom_fd()) {
        let _there_already = waiter.add(bell, Interest::Readable, ZONE);
    }
}

/// The guard's socket. Anybody may ask; what only the owner may see is left out of the answer.
fn listen(options: &Options) -> std::io::Result<UnixListener> {
    let dir = &options.runtime_dir;
    std::fs::create_dir_all(dir)
        .map_err(|e| std::io::Error::new(e.kind(), format!("{}: {e}", dir.display())))?;
    let path = options.runtime_dir.join(paths::GUARD_SOCKET);
    listen_at(&path, 0o666, None)
        .map_err(|e| std::io::Error::other(format!("{}: {e}", path.display())))
}

/// The guard must live where nothing else does. Says whether its memory is locked.
fn protect_itself(senses: &mut Senses, lacking: &mut Vec<Missing>) -> bool {
    let done = own::protect_self(&mut senses.proc);
    let mut tried = |what: &str, done: Result<(), ReadError>, instead: &str| {
        if let Err(error) = done {
            lacking.push(missing(what, error, instead));
        }
    };
    tried("locked memory", done.memory, "its pages may be evicted");
    tried("its own oom_score_adj of -1000", done.oom_score_adj, "the kernel may choose it");
    tried("a higher priority", done.priority, "it competes like everybody");
    done.memory.is_ok()
}
