//! Settings: read from the guard, changed through it. A change is written down before the guard is asked
//! and ended in the logbook when it answered, so that one that was promised is never lost: what a crash
//! or a guard that is down left in between is handed over later.

use std::time::Duration;

use headroom_api::guard::{Answer, Request};
use headroom_api::settings::{self as wire, Change};
use headroom_api::{paths, settings::Settings as All};
use headroom_core::policy::Policy;
use headroom_core::settings::{self as registry, Chosen};
use headroom_sys::file::read_trusted;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

use crate::guard::GuardError;
use crate::say;
use crate::state::App;
use crate::store::StoreError;
use crate::store::flows::{self, Asker, FlowValue, State};

/// How often a guard that is down is tried while changes wait for it.
const PERIOD: Duration = Duration::from_secs(1);

/// What changes share.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Held while changes are handed over: they keep their order.
    handing_over: Mutex<()>,
    /// Rung when changes wait.
    waiting: Notify,
}

/// Why settings were not changed.
#[derive(Debug)]
pub(crate) enum ChangeError {
    /// A setting there is not, or a value that is not allowed.
    Wrong { name: String, why: String },
    /// The guard would not.
    Refused(String),
    /// The store could not.
    Store(StoreError),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// All settings as they are, changes that still wait for the guard included.
pub(crate) async fn read(app: &App) -> Result<All, ChangeError> {
    let waiting = app.store.call(|db| flows::waiting(db)).await?;
    let mut all = match app.guard.ask(Request::Settings).await {
        Ok(Answer::Settings(all)) => all,
        _ => without_guard(app),
    };
    for value in waiting.into_iter().flat_map(|(_, values)| values) {
        let setting = all.settings.iter_mut().find(|s| s.name == value.setting);
        let Some(setting) = setting else { continue };
        let after = value.after.and_then(|after| {
            registry::find(&value.setting).and_then(|setting| setting.parse(&after)).ok()
        });
        // Left to the policy, which only the guard has read: as good as its default.
        setting.value = after.map_or_else(|| setting.default.clone(), wire::json);
        setting.source = if after.is_some() { "setting" } else { "default" }.into();
        setting.in_force = Some(false);
    }
    Ok(all)
}

/// What the guard would go by if it ran, as far as can be seen from here.
fn without_guard(app: &App) -> All {
    let path = app.options.state_dir.join(paths::SETTINGS);
    let text = read_trusted(&path, 64 * 1024).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let chosen = text.and_then(|text| Chosen::parse("settings", &text).ok()).unwrap_or_default();
    let policy = chosen.on(&[]).unwrap_or_else(|_| Policy::built_in());
    wire::describe(&policy, &chosen, Some(false))
}

/// Changes settings, all that are named or none. `true` when the guard goes by them already.
pub(crate) async fn change(app: &App, change: &Change, asker: &Asker) -> Result<bool, ChangeError> {
    if change.is_empty() {
        return Ok(true);
    }
    let before = read(app).await?;
    let mut tried = Chosen::default();
    let mut values = Vec::with_capacity(change.len());
    for (name, after) in change {
        tried
            .set(name, after.as_deref())
            .map_err(|why| ChangeError::Wrong { name: name.clone(), why })?;
        let old = before.settings.iter().find(|s| s.name == *name);
        values.push(FlowValue {
            setting: name.clone(),
            before: old.and_then(|s| wire::text(&s.value)),
            // As the registry writes it, and not as somebody did.
            after: after.is_some().then(|| tried.get(name)).flatten().map(|v| v.to_string()),
        });
    }
    let what = values.iter().map(in_words).collect::<Vec<_>>().join(", ");
    let asker = asker.clone();
    let id =
        app.store.call(move |db| flows::begin(db, "update_node", &asker, &what, &values)).await?;
    app.settings.waiting.notify_one();
    let wrong = hand_over(app, Some(id)).await?;
    match app.store.call(move |db| flows::state_of(db, id)).await? {
        State::Success => Ok(true),
        State::Running => Ok(false),
        State::Failed(why) => Err(match wrong {
            Some(name) if !name.is_empty() => ChangeError::Wrong { name, why },
            _ => ChangeError::Refused(why),
        }),
    }
}

fn in_words(value: &FlowValue) -> String {
    let before = value.before.as_deref().unwrap_or("unknown");
    match &value.after {
        Some(after) => format!("{}: {before} to {after}", value.setting),
        None => format!("{}: {before} left to the policy", value.setting),
    }
}

/// Hands waiting changes over to the guard in their order, until none is left or no guard answers. Gives
/// back the setting that was at fault in the change `of`.
async fn hand_over(app: &App, of: Option<i64>) -> Result<Option<String>, StoreError> {
    let _alone = app.settings.handing_over.lock().await;
    let mut at_fault = None;
    for (id, values) in app.store.call(|db| flows::waiting(db)).await? {
        let change = values.into_iter().map(|value| (value.setting, value.after)).collect();
        let state = match app.guard.ask(Request::Change { change }).await {
            Ok(_) => State::Success,
            Err(GuardError::Wrong(name, why)) => {
                if Some(id) == of {
                    at_fault = Some(name);
                }
                State::Failed(why)
            }
            Err(GuardError::Refused(why)) => State::Failed(why),
            Err(GuardError::NotRunning) => break,
            Err(GuardError::Failed(why)) => {
                say(&format!("settings wait: {why}"));
                break;
            }
        };
        app.store.call(move |db| flows::end(db, id, &state)).await?;
        app.guard.forget().await;
    }
    Ok(at_fault)
}

/// Hands over what waits whenever a guard answers again.
pub(crate) fn start(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            let waits = match app.store.call(|db| flows::waiting(db)).await {
                Ok(waiting) => !waiting.is_empty(),
                Err(_) => true,
            };
            if waits && let Err(error) = hand_over(&app, None).await {
                say(&error.to_string());
            }
            tokio::select! {
                () = app.stops() => return,
                // Without anything that waits there is nothing to try.
                _ = timeout(PERIOD, app.settings.waiting.notified()), if waits => {}
                () = app.settings.waiting.notified(), if !waits => {}
            }
        }
    });
}
