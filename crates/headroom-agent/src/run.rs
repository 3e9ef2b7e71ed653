//! From options to an agent that serves, and to its end.

use std::path::Path;

use headroom_api::exit::Exit;
use headroom_sys::notify::Notifier;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::http::serve::{self, ServeError};
use crate::options::Options;
use crate::say;
use crate::state::App;
use crate::store::Store;
use crate::{config, follow, holders, mysql, notify, protect, release, services, settings, upkeep};

/// Serves until a signal ends it.
#[must_use]
pub fn run(options: Options) -> Exit {
    let config = match config::load(&options) {
        Ok(config) => config,
        Err(error) => {
            say(&error.to_string());
            return Exit::BadConfiguration;
        }
    };
    let runtime = match runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    runtime.block_on(async {
        for dir in [&options.state_dir, &options.runtime_dir] {
            if let Err(error) = make_dir(dir) {
                return failed(&format!("{}: {error}", dir.display()));
            }
        }
        let store = match Store::open(&options.state_dir) {
            Ok(store) => store,
            Err(error) => return failed(&error.to_string()),
        };
        let (stop, stopping) = watch::channel(false);
        let app = App::new(config, options, store, stopping);
        let serving = match serve::start(&app).await {
            Ok(serving) => serving,
            Err(error @ ServeError::Tls(_)) => {
                say(&error.to_string());
                return Exit::BadConfiguration;
            }
            Err(error) => return failed(&error.to_string()),
        };
        follow::start(&app);
        settings::start(&app);
        upkeep::start(&app);
        services::start(&app);
        protect::start(&app);
        mysql::start(&app);
        release::start(&app);
        holders::start(&app);
        notify::start(&app);
        let notifier = Notifier::from_env().unwrap_or(None);
        if let Some(notifier) = &notifier {
            let _nobody_waits = notifier.ready();
        }
        until_told().await;
        if let Some(notifier) = &notifier {
            let _nobody_waits = notifier.stopping();
        }
        // Receivers that are gone have stopped already.
        let _ = stop.send(true);
        serving.end().await;
        Exit::Done
    })
}

/// Waits for SIGTERM or SIGINT.
async fn until_told() {
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return say("signals cannot be waited for; only SIGKILL ends this agent");
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

fn make_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(dir)
}

fn failed(why: &str) -> Exit {
    say(why);
    Exit::Failed
}
