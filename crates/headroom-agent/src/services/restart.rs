//! One restart: memory before, the job, the first answer, memory after.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headroom_api::service::{Outcome, Service, Unit};
use headroom_core::units::Kib;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Config;
use super::answers::Place;
use super::listed::{Action, Listed};
use super::memory::memory_of;
use super::once::Once;
use super::systemd::{BusError, Found, Systemd};

/// From one look at a service's new size to the next ...
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// ... of which so many in a row show the same ...
const ALIKE: u32 = 3;
/// ... or it still grows after so many.
const LOOKS: u32 = 15;
/// While a job runs the service is asked this often whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// A service that answered nowhere before may answer somewhere now; that long it is asked.
const ASK_UNKNOWN: Duration = Duration::from_secs(3);

/// Why nothing was done.
#[derive(Clone, Debug)]
pub(crate) enum Refused {
    /// It is not on the list.
    NotListed { name: String, names: Vec<String> },
    /// It is, and this node has no unit of it.
    NotHere { name: String, units: Vec<String> },
    /// systemd.
    Bus(BusError),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed { name, names } => write!(
                f,
                "\"{name}\" is not among the services that may be restarted: {}",
                names.join(", ")
            ),
            Self::NotHere { name, units } => {
                write!(f, "{name}: this node has no unit of it (looked for {})", units.join(", "))
            }
            Self::Bus(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl From<BusError> for Refused {
    fn from(error: BusError) -> Self {
        Self::Bus(error)
    }
}

/// All that restarts share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    list: Vec<Listed>,
    systemd: Systemd,
    once: Once<(String, Action), Result<Outcome, Refused>>,
    /// One thing at a time with a unit.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    patience: Duration,
    answer_within: Duration,
    root: PathBuf,
}

impl Services {
    /// Those of the configuration, which was checked when it was read; `database` is the database's socket
    /// where that was said.
    pub(crate) fn new(config: &Config, database: Option<&PathBuf>, root: PathBuf) -> Self {
        let mut list = config.list().unwrap_or_default();
        // Where the agent talks to the database is where it answers.
        for listed in list.iter_mut().filter(|listed| listed.name == "mysql") {
            listed.places.extend(database.map(|socket| Place::Mysql(socket.clone())));
        }
        Self(Arc::new(Inner {
            list,
            systemd: Systemd::new(config.bus.clone()),
            once: Once::default(),
            turns: Mutex::default(),
            patience: config.patience(),
            answer_within: config.answer_within(),
            root,
        }))
    }

    /// The list, with the units that this node has.
    pub(crate) async fn list(&self) -> Result<Vec<Service>, Refused> {
        let mut services = Vec::with_capacity(self.0.list.len());
        for listed in &self.0.list {
            let mut units = Vec::new();
            for found in self.0.systemd.find(&listed.units).await? {
                let memory_kib = self.0.memory(&found.unit).await.map(|kib| kib.0);
                units.push(Unit { unit: found.unit, active: found.active, memory_kib });
            }
            let (name, aliases) = (listed.name.clone(), listed.aliases.clone());
            services.push(Service { name, aliases, units });
        }
        Ok(services)
    }

    /// Restarts or reloads what a name means: all units of it that run, else the first that there is.
    pub(crate) async fn act(&self, name: &str, action: Action) -> Result<Vec<Outcome>, Refused> {
        let meant = self.0.list.iter().find_map(|l| Some((l.clone(), l.meant_by(name)?)));
        let Some((listed, units)) = meant else {
            let names = self.0.list.iter().map(|l| l.name.clone()).collect();
            return Err(Refused::NotListed { name: name.into(), names });
        };
        let mut found = self.0.systemd.find(&units).await?;
        if found.is_empty() {
            return Err(Refused::NotHere { name: name.into(), units });
        }
        if found.iter().any(Found::is_active) {
            found.retain(Found::is_active);
        } else {
            found.truncate(1);
        }
        let mut outcomes = Vec::with_capacity(found.len());
        for unit in found {
            let key = (unit.unit.clone(), action);
            let (inner, listed) = (Arc::clone(&self.0), listed.clone());
            let work = || async move { inner.one(&listed, &unit, action).await };
            let done = self.0.once.run(key, work).await;
            let lost = || Refused::Bus(BusError::Other("the restart was lost; see the log".into()));
            let (outcome, shared) = done.ok_or_else(lost)?;
            outcomes.push(Outcome { shared, ..outcome? });
        }
        Ok(outcomes)
    }
}

impl Inner {
    async fn memory(&self, unit: &str) -> Option<Kib> {
        memory_of(&self.root, &self.systemd.place(unit).await.ok()?)
    }

    /// The same once it has found its size: a program that has just begun holds next to nothing, and php-fpm
    /// answers a reload before its workers are there.
    async fn settled(&self, unit: &str) -> Option<Kib> {
        let mut last = self.memory(unit).await?;
        let mut alike = 0;
        for _ in 0..LOOKS {
            sleep(LOOK_EVERY).await;
            let now = self.memory(unit).await?;
            alike = if now.0.abs_diff(last.0) <= last.0 / 20 { alike + 1 } else { 0 };
            last = now;
            if alike == ALIKE {
                break;
            }
        }
        Some(last)
    }

    async fn one(&self, listed: &Listed, unit: &Found, action: Action) -> Result<Outcome, Refused> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(unit.unit.clone()).or_default())
        };
        let _turn = turn.lock().await;
        let name = unit.unit.as_str();
        let before = self.memory(name).await;
        let answering = answering(&listed.places, name).await;
        let begin = Instant::now();
        let watch = Away::watch(answering.clone(), name.into(), begin);
        let result = self.systemd.act(name, action, self.patience).await;
        let done = matches!(&result, Ok(Some(result)) if result == "done");
        let answers = match (done, answering.is_empty()) {
            (true, false) => Some(watch.comes_back(self.answer_within).await),
            (true, true) => first_answer(&listed.places, name).await,
            (false, false) => Some(watch.is_there()),
            (false, true) => None,
        };
        let away_ms = watch.end().await.map(millis).filter(|_| answers == Some(true));
        let took_ms = millis(begin.elapsed());
        let result = result?;
        let mut detail = None;
        if result.is_none() {
            let waited = self.patience.as_secs();
            detail = Some(format!("systemd's job takes longer than {waited} s and goes on"));
        } else if done && answers == Some(false) {
            detail = Some(format!(
                "systemd says it runs, and it does not answer at {} within {} s",
                places(&answering),
                self.answer_within.as_secs()
            ));
        } else if done && answers.is_none() && !listed.places.is_empty() {
            detail = Some(format!(
                "systemd says it runs; it answers nowhere that was asked ([services.answers] {} \
                 says where)",
                listed.name
            ));
        }
        Ok(Outcome {
            service: listed.name.clone(),
            unit: name.into(),
            action: action.name().into(),
            result: result.unwrap_or_else(|| "timeout".into()),
            answers,
            away_ms,
            took_ms,
            before_kib: before.map(|kib| kib.0),
            after_kib: self.settled(name).await.map(|kib| kib.0),
            shared: false,
            detail,
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn places(places: &[Place]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The places where it answers now.
async fn answering(places: &[Place], unit: &str) -> Vec<Place> {
    let mut answering = Vec::new();
    for place in places {
        if place.answers(unit).await {
            answering.push(place.clone());
        }
    }
    answering
}

/// Whether it answers anywhere, when it answered nowhere before: `None` when it is not known where.
async fn first_answer(places: &[Place], unit: &str) -> Option<bool> {
    let asked = async {
        while answering(places, unit).await.is_empty() {
            sleep(ASK_EVERY).await;
        }
    };
    if places.is_empty() {
        return None;
    }
    timeout(ASK_UNKNOWN, asked).await.ok().map(|()| true)
}

/// A watch over whether a service answers while it is restarted.
struct Away {
    seen: watch::Receiver<Seen>,
    stop: watch::Sender<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// It answered when it was asked last.
    answers: bool,
    /// When it last answered.
    last: Instant,
    /// The longest time between two answers of which one in between was missing.
    away: Duration,
    /// When the last question was asked that has been answered or not.
    asked: Instant,
}

impl Away {
    /// Begins to ask. It has just answered at all `places`.
    fn watch(places: Vec<Place>, unit: String, now: Instant) -> Self {
        let first = Seen { answers: true, last: now, away: Duration::ZERO, asked: now };
        let (tell, seen) = watch::channel(first);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            while !*stopped.borrow() && !places.is_empty() {
                let asked = Instant::now();
                let mut answers = true;
                for place in &places {
                    answers &= place.answers(&unit).await;
                }
                tell.send_modify(|seen| {
                    let now = Instant::now();
                    if answers && !seen.answers {
                        seen.away = seen.away.max(now.duration_since(seen.last));
                    }
                    if answers {
                        seen.last = now;
                    }
                    seen.answers = answers;
                    seen.asked = asked;
                });
                sleep(ASK_EVERY).await;
            }
        });
        Self { seen, stop }
    }

    /// Waits for an answer to a question that is asked from now on.
    async fn comes_back(&self, within: Duration) -> bool {
        let now = Instant::now();
        let mut seen = self.seen.clone();
        let answered = seen.wait_for(|seen| seen.answers && seen.asked >= now);
        matches!(timeout(within, answered).await, Ok(Ok(_)))
    }

    fn is_there(&self) -> bool {
        self.seen.borrow().answers
    }

    /// How long it was away; `None` when it was never there.
    async fn end(self) -> Option<Duration> {
        // The task ends at its next round.
        let _ = self.stop.send(true);
        let seen = *self.seen.borrow();
        Some(seen.away)
    }
}
