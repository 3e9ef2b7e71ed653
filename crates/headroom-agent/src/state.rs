//! What all requests and tasks share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Config;
use crate::guard::Guard;
use crate::holders;
use crate::http::guesses::Guesses;
use crate::options::Options;
use crate::release::Releases;
use crate::services::Services;
use crate::settings::Settings;
use crate::store::Store;

/// The agent, as handlers and tasks see it: cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

/// What is behind it.
pub(crate) struct Inner {
    /// The configuration.
    pub(crate) config: Config,
    /// Directories and root.
    pub(crate) options: Options,
    /// The node's name.
    pub(crate) name: String,
    /// The database.
    pub(crate) store: Store,
    /// Memory being given back.
    pub(crate) releases: Releases,
    /// Services that may be restarted.
    pub(crate) services: Services,
    /// The way to the guard.
    pub(crate) guard: Guard,
    /// What was asked about those it stopped.
    pub(crate) holders: holders::Counters,
    /// Changes of settings, one after the other.
    pub(crate) settings: Settings,
    /// Tokens that were guessed wrong.
    pub(crate) guesses: Guesses,
    /// How many records were taken from the guard's journal since the start: changes when there is news.
    pub(crate) news: watch::Sender<u64>,
    /// Becomes true when the agent stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(
        config: Config,
        options: Options,
        store: Store,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let name = config.app_name(&options.root);
        let (news, _) = watch::channel(0);
        let services =
            Services::new(&config.services, config.mysql.socket.as_ref(), options.root.clone());
        let guard = Guard::new(options.runtime_dir.clone());
        Self(Arc::new(Inner {
            config,
            options,
            name,
            store,
            services,
            releases: Releases::default(),
            guard,
            holders: holders::Counters::default(),
            settings: Settings::default(),
            guesses: Guesses::default(),
            news,
            stopping,
        }))
    }

    /// Waits until the agent stops.
    pub(crate) async fn stops(&self) {
        // A sender that is gone has stopped as well.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}
