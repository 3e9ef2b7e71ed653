//! The threads: one desk, and one for each channel, so that a mail server that is slow to answer holds
//! up no webhook. They block, and end when the agent does: the message that is under way is finished.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use tokio::task::spawn_blocking;

use super::channel::{Plan, plans};
use super::deliver::{Line, Surroundings};
use super::desk::{Desk, Turn};
use super::frame::Frame;
use super::gather;
use super::kernel::Kernel;
use super::queue::{self, Outlet};
use super::receipt::{self, Receipt, Taken};
use crate::say;
use crate::state::App;

/// How often the kernel's log is looked at, and the time.
const LOOK: Duration = Duration::from_secs(2);

/// A channel looks at the queue at least this often: a clock may have been set.
const LONGEST_SLEEP_MS: i64 = 10 * 60_000;

/// And no more often than this while nothing is new.
const SHORTEST_SLEEP_MS: i64 = 200;

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What this node's messages are written with.
pub(super) fn frame(app: &App) -> Frame {
    let config = &app.config.notify;
    let node = config.node().unwrap_or(&app.name);
    let every = i64::try_from(config.still_every.0.as_millis()).unwrap_or(i64::MAX);
    Frame::new(node, TimeZone::system(), config.command_lines, every)
}

/// The addresses of a channel.
pub(super) fn outlets(plan: &Plan) -> Vec<Outlet> {
    let outlet =
        |address: &String| Outlet { channel: plan.common.name.clone(), address: address.clone() };
    plan.addresses.iter().map(outlet).collect()
}

/// The agent's clock and its end.
struct Agent(App);

impl Surroundings for Agent {
    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }
}

/// Starts them.
pub(crate) fn start(app: &App) {
    let taken = receipt::read_all(&app.options.state_dir);
    let plans = plans(&app.config.notify);
    let mut pokes = Vec::new();
    for plan in &plans {
        for warning in &plan.warnings {
            say(&format!("notify: {warning}"));
        }
        let (poke, poked) = sync_channel(1);
        pokes.push(poke);
        let line = line(app, plan);
        let agent = Agent(app.clone());
        spawn_blocking(move || deliver(line, &agent, &poked));
    }
    let (news, heard) = sync_channel(1);
    tokio::spawn(listen(app.clone(), news));
    let desk = Desk {
        frame: frame(app),
        outlets: plans
            .iter()
            .flat_map(|plan| outlets(plan).into_iter().map(|outlet| (outlet, plan.common.clone())))
            .collect(),
    };
    let app = app.clone();
    spawn_blocking(move || work(&desk, &app, taken, &heard, &pokes));
}

fn line(app: &App, plan: &Plan) -> Line {
    let frame = frame(app);
    let receipt = Receipt::open(&app.options.state_dir, &plan.common.name);
    let receipt = receipt.unwrap_or_else(|error| {
        say(&format!("notify {}: its receipts: {error}; what is sent while this agent is killed may come twice", plan.common.name));
        Receipt::none()
    });
    Line {
        receipt,
        store: app.store.clone(),
        channel: plan.build(&frame.node),
        common: plan.common.clone(),
        outlets: outlets(plan),
        frame,
        expire_ms: app.config.notify.expire_ms(),
        said: BTreeMap::new(),
    }
}

/// Passes on that there are records, and the end.
async fn listen(app: App, news: SyncSender<()>) {
    let mut records = app.news.subscribe();
    loop {
        tokio::select! {
            () = app.stops() => return,
            changed = records.changed() => match changed {
                // Full means that the desk will look anyway.
                Ok(()) => drop(news.try_send(())),
                Err(_) => return app.stops().await,
            }
        }
    }
}

fn work(desk: &Desk, app: &App, taken: Vec<Taken>, heard: &Receiver<()>, pokes: &[SyncSender<()>]) {
    match app.store.wait(move |db| queue::recover(db, &taken)) {
        Ok(0) => {}
        Ok(count) => say(&format!(
            "notify: {count} messages were on their way when the agent ended; they are sent again under \
             the same ids"
        )),
        Err(error) => say(&format!("notify: {error}")),
    }
    poke(pokes);
    let (mut kernel, problem) = Kernel::open(&app.options.root, now_ms());
    if let Some(problem) = problem {
        say(&format!("notify: {problem}"));
    }
    let mut turn = Turn { watching: true, more: true, ..Turn::default() };
    let mut unread = Vec::new();
    let mut failing = false;
    let mut orphans_ms = 0;
    loop {
        let news = if turn.more { Ok(()) } else { heard.recv_timeout(LOOK) };
        if matches!(news, Err(RecvTimeoutError::Disconnected)) || *app.stopping.borrow() {
            return;
        }
        let now = now_ms();
        unread.extend(kernel.poll(now));
        if news.is_err() && !turn.watching && unread.is_empty() && !failing {
            continue;
        }
        let (own, boot, reports) = (desk.clone(), kernel.boot.clone(), unread.clone());
        match app.store.wait(move |db| own.turn(db, &boot, &reports, now)) {
            Ok(done) => {
                turn = done;
                failing = false;
                unread.clear();
                if turn.notices > 0 {
                    poke(pokes);
                }
            }
            Err(error) => {
                if !failing {
                    say(&format!(
                        "notify: {error}; what there is to tell is told when it works again"
                    ));
                }
                failing = true;
                turn.more = false;
            }
        }
        if now - orphans_ms > LONGEST_SLEEP_MS {
            orphans_ms = now;
            expire_orphans(app, desk, now);
        }
    }
}

fn expire_orphans(app: &App, desk: &Desk, now: i64) {
    let outlets: Vec<Outlet> = desk.outlets.iter().map(|(outlet, _)| outlet.clone()).collect();
    let before = now - app.config.notify.expire_ms();
    let gone = app.store.wait(move |db| gather::expire_orphans(db, &outlets, before, now));
    if let Ok(count) = gone
        && count > 0
    {
        say(&format!(
            "notify: {count} messages were for addresses that are no longer in agent.toml"
        ));
    }
}

fn poke(pokes: &[SyncSender<()>]) {
    for channel in pokes {
        // Full means that it will look anyway.
        let _ = channel.try_send(());
    }
}

fn deliver(mut line: Line, agent: &Agent, poked: &Receiver<()>) {
    // The desk pokes once it has put right what an earlier run left.
    let mut wait = Duration::MAX;
    loop {
        let poke = match wait {
            Duration::MAX => poked.recv().map_err(|_| RecvTimeoutError::Disconnected),
            wait => poked.recv_timeout(wait),
        };
        if matches!(poke, Err(RecvTimeoutError::Disconnected)) || agent.stopping() {
            return;
        }
        let next = line.pass(agent);
        let sleep = next.map_or(LONGEST_SLEEP_MS, |next| next - agent.now_ms());
        let sleep = sleep.clamp(SHORTEST_SLEEP_MS, LONGEST_SLEEP_MS);
        wait = Duration::from_millis(sleep.unsigned_abs());
    }
}
