//! systemd over D-Bus (org.freedesktop.systemd1(5)): which units there are, and jobs.

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Mutex;
use tokio::time::timeout;
use zbus::zvariant::OwnedObjectPath;
use zbus::{Connection, proxy};

use super::listed::Action;
use super::memory::Place;

/// A question that is no job is answered within this.
const PATIENCE: Duration = Duration::from_secs(10);

/// A row of ListUnits.
type Row =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1",
    gen_blocking = false
)]
trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reload_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn list_units_by_patterns(&self, states: &[&str], patterns: &[&str]) -> zbus::Result<Vec<Row>>;
    fn list_unit_files_by_patterns(
        &self,
        states: &[&str],
        patterns: &[&str],
    ) -> zbus::Result<Vec<(String, String)>>;
    #[zbus(signal)]
    fn job_removed(
        &self,
        id: u32,
        job: OwnedObjectPath,
        unit: String,
        result: String,
    ) -> zbus::Result<()>;
}

#[proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1",
    gen_blocking = false
)]
trait SystemdUnit {
    #[zbus(property(emits_changed_signal = "false"))]
    fn id(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn load_state(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn active_state(&self) -> zbus::Result<String>;
}

#[proxy(
    interface = "org.freedesktop.systemd1.Service",
    default_service = "org.freedesktop.systemd1",
    gen_blocking = false
)]
trait SystemdService {
    #[zbus(property(emits_changed_signal = "false"), name = "MainPID")]
    fn main_pid(&self) -> zbus::Result<u32>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn control_group(&self) -> zbus::Result<String>;
}

/// A unit that this node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) unit: String,
    pub(super) active: String,
}

impl Found {
    pub(super) fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "activating")
    }
}

/// Why systemd did not do it.
#[derive(Clone, Debug)]
pub(crate) enum BusError {
    /// There is no bus, or nobody on it.
    NoSystemd(String),
    /// It does not let the agent.
    Forbidden(String),
    /// It said so.
    Other(String),
    /// It did not answer.
    Silent,
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSystemd(why) => write!(f, "systemd cannot be asked over D-Bus: {why}"),
            Self::Forbidden(why) => write!(
                f,
                "systemd does not let the agent do this ({why}); it needs the polkit rule of the package, \
                 /usr/share/polkit-1/rules.d/headroom.rules, and polkitd"
            ),
            Self::Other(why) => write!(f, "systemd: {why}"),
            Self::Silent => write!(f, "systemd did not answer within {} s", PATIENCE.as_secs()),
        }
    }
}

impl std::error::Error for BusError {}

impl From<zbus::Error> for BusError {
    fn from(error: zbus::Error) -> Self {
        if let zbus::Error::MethodError(name, text, _) = &error {
            let text = text.clone().unwrap_or_else(|| name.to_string());
            let kind = name.rsplit('.').next().unwrap_or_default();
            return match kind {
                "AccessDenied" | "InteractiveAuthorizationRequired" => Self::Forbidden(text),
                "ServiceUnknown" | "NameHasNoOwner" => Self::NoSystemd(text),
                _ => Self::Other(text),
            };
        }
        match error {
            zbus::Error::InputOutput(_) | zbus::Error::Address(_) | zbus::Error::Handshake(_) => {
                Self::NoSystemd(error.to_string())
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// The way to systemd. One connection, made anew when it was lost.
#[derive(Debug, Default)]
pub(super) struct Systemd {
    address: Option<String>,
    connection: Mutex<Option<Connection>>,
}

impl Systemd {
    pub(super) fn new(address: Option<String>) -> Self {
        Self { address, connection: Mutex::new(None) }
    }

    async fn manager(&self) -> Result<ManagerProxy<'static>, BusError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = kept.as_ref() {
            let manager = ManagerProxy::new(connection).await?;
            if soon(manager.subscribe()).await.is_ok() {
                return Ok(manager);
            }
        }
        let connecting = async {
            match &self.address {
                Some(address) => {
                    zbus::connection::Builder::address(address.as_str())?.build().await
                }
                None => Connection::system().await,
            }
        };
        let connection = soon(connecting).await.map_err(|error| match error {
            BusError::Other(why) => BusError::NoSystemd(why),
            other => other,
        })?;
        let manager = ManagerProxy::new(&connection).await?;
        // Without it no JobRemoved is sent.
        match soon(manager.subscribe()).await {
            Err(BusError::Other(why)) if why.contains("lready subscribed") => {}
            answer => answer?,
        }
        *kept = Some(connection);
        Ok(manager)
    }

    /// The units that this node has of those that are meant, in the order of the patterns.
    pub(super) async fn find(&self, patterns: &[String]) -> Result<Vec<Found>, BusError> {
        let manager = self.manager().await?;
        let mut found: Vec<Found> = Vec::new();
        let mut add = |unit: String, active: String| {
            if !found.iter().any(|f| f.unit == unit) {
                found.push(Found { unit, active });
            }
        };
        for pattern in patterns {
            if pattern.contains('*') {
                let loaded = soon(manager.list_units_by_patterns(&[], &[pattern])).await?;
                for row in loaded.into_iter().filter(|row| row.2 == "loaded") {
                    add(row.0, row.3);
                }
                let files = soon(manager.list_unit_files_by_patterns(&[], &[pattern])).await?;
                for (path, state) in files {
                    let unit = path.rsplit('/').next().unwrap_or_default().to_owned();
                    let usable =
                        matches!(state.as_str(), "enabled" | "disabled" | "static" | "linked");
                    if usable && !unit.contains("@.") {
                        add(unit, "inactive".into());
                    }
                }
            } else {
                // An alias is loaded under its own unit's name.
                let path = soon(manager.load_unit(pattern)).await?;
                let unit = SystemdUnitProxy::builder(manager.inner().connection())
                    .path(path)?
                    .build()
                    .await?;
                if soon(unit.load_state()).await? == "loaded" {
                    add(soon(unit.id()).await?, soon(unit.active_state()).await?);
                }
            }
        }
        Ok(found)
    }

    /// Where the unit's processes are.
    pub(super) async fn place(&self, unit: &str) -> Result<Place, BusError> {
        let manager = self.manager().await?;
        let path = soon(manager.load_unit(unit)).await?;
        let service =
            SystemdServiceProxy::builder(manager.inner().connection()).path(path)?.build().await?;
        let cgroup = soon(service.control_group()).await?;
        Ok(Place { cgroup, main_pid: soon(service.main_pid()).await? })
    }

    /// Starts a job and waits for its result: `done`, `failed`, `canceled`, `timeout`, `dependency`,
    /// `skipped`. `None` when it does not come within `patience`; the job goes on.
    pub(super) async fn act(
        &self,
        unit: &str,
        action: Action,
        patience: Duration,
    ) -> Result<Option<String>, BusError> {
        let manager = self.manager().await?;
        // Before the job begins, so that its end cannot be missed.
        let mut removed = manager.receive_job_removed().await?;
        // Not a question that PATIENCE is for: under memory pressure systemd takes its time.
        let job = timeout(patience, async {
            match action {
                Action::Restart => manager.restart_unit(unit, "replace").await,
                Action::Reload => manager.reload_unit(unit, "replace").await,
            }
        });
        let Ok(job) = job.await else { return Ok(None) };
        let job = job?;
        let end = async {
            while let Some(signal) = removed.next().await {
                if let Ok(args) = signal.args()
                    && args.job == job
                {
                    return Ok(args.result.clone());
                }
            }
            Err(BusError::NoSystemd("the connection was lost; the job goes on".into()))
        };
        timeout(patience, end).await.ok().transpose()
    }
}

async fn soon<T>(answer: impl Future<Output = zbus::Result<T>>) -> Result<T, BusError> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BusError::Silent),
    }
}
