//! Restarts against a systemd of the test's own, on a message bus of the test's own.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::testing::missing;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedObjectPath;
use zbus::{Connection, fdo, interface};

type Row =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// What a unit of the mock does when it is restarted.
#[derive(Clone, Copy, PartialEq)]
enum Ways {
    /// Goes away for a moment and comes back.
    Good,
    /// The job is done, and nobody answers any more.
    Mute,
    /// The job fails and the service is gone.
    Fails,
    /// systemd does not let the agent.
    Denied,
}

struct Mock {
    socket: PathBuf,
    ways: Ways,
    jobs: Arc<AtomicU32>,
    server: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
}

fn unit_path(name: &str) -> OwnedObjectPath {
    let name = name.replace(['.', '-', '@'], "_");
    OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/unit/{name}")).unwrap()
}

/// What answers like Redis.
fn serve(path: &std::path::Path) -> JoinHandle<()> {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut question = [0; 64];
            let _ = stream.read(&mut question).await;
            let _ = stream.write_all(b"+PONG\r\n").await;
        }
    })
}

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl Mock {
    fn subscribe(&self) {}

    fn load_unit(&self, name: &str) -> OwnedObjectPath {
        unit_path(if name == "redis.service" { "redis-server.service" } else { name })
    }

    fn list_units_by_patterns(&self, _states: Vec<String>, patterns: Vec<String>) -> Vec<Row> {
        let row = |unit: &str| {
            let text = |t: &str| t.to_owned();
            let path = unit_path(unit);
            let none = OwnedObjectPath::try_from("/").unwrap();
            let row = (text(unit), text(""), text("loaded"), text("active"), text("running"));
            (row.0, row.1, row.2, row.3, row.4, text(""), path, 0, text(""), none)
        };
        if patterns[0].starts_with("php") {
            vec![row("php8.1-fpm.service"), row("php8.2-fpm.service")]
        } else {
            vec![]
        }
    }

    fn list_unit_files_by_patterns(
        &self,
        _states: Vec<String>,
        patterns: Vec<String>,
    ) -> Vec<(String, String)> {
        let file = ("/lib/systemd/system/php8.3-fpm.service".to_owned(), "disabled".to_owned());
        if patterns[0].starts_with("php") { vec![file] } else { vec![] }
    }

    async fn reload_unit(
        &self,
        name: String,
        mode: String,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> fdo::Result<OwnedObjectPath> {
        assert_eq!(mode, "replace");
        let job = self.jobs.fetch_add(1, Ordering::SeqCst) + 1;
        let path =
            OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{job}")).unwrap();
        // Even a job that is over before its number is known must not be missed.
        Self::job_removed(&emitter, job, path.clone(), &name, "done").await?;
        Ok(path)
    }

    async fn restart_unit(
        &self,
        name: String,
        mode: String,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> fdo::Result<OwnedObjectPath> {
        assert_eq!(mode, "replace");
        if self.ways == Ways::Denied {
            return Err(fdo::Error::AccessDenied("Permission denied".into()));
        }
        let job = self.jobs.fetch_add(1, Ordering::SeqCst) + 1;
        let path =
            OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{job}")).unwrap();
        let (emitter, ways) = (emitter.to_owned(), self.ways);
        let (server, socket, done) = (Arc::clone(&self.server), self.socket.clone(), path.clone());
        tokio::spawn(async move {
            let mut server = server.lock().await;
            if let Some(old) = server.take() {
                old.abort();
            }
            let _ = std::fs::remove_file(&socket);
            tokio::time::sleep(Duration::from_millis(300)).await;
            // Another unit's job ends first.
            let other = OwnedObjectPath::try_from("/org/freedesktop/systemd1/job/999").unwrap();
            Self::job_removed(&emitter, 999, other, "other.service", "failed").await.unwrap();
            let result = if ways == Ways::Fails { "failed" } else { "done" };
            Self::job_removed(&emitter, job, done, &name, result).await.unwrap();
            // It answers only some time after systemd has called it active.
            tokio::time::sleep(Duration::from_millis(300)).await;
            if ways == Ways::Good {
                *server = Some(serve(&socket));
            }
        });
        Ok(path)
    }

    #[zbus(signal)]
    async fn job_removed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        job: OwnedObjectPath,
        unit: &str,
        result: &str,
    ) -> zbus::Result<()>;
}

struct MockUnit(&'static str);

#[interface(name = "org.freedesktop.systemd1.Unit")]
impl MockUnit {
    #[zbus(property)]
    fn id(&self) -> String {
        self.0.into()
    }
    #[zbus(property)]
    fn load_state(&self) -> String {
        if self.0.starts_with("no-") { "not-found" } else { "loaded" }.into()
    }
    #[zbus(property)]
    fn active_state(&self) -> String {
        "active".into()
    }
}

struct MockService;

#[interface(name = "org.freedesktop.systemd1.Service")]
impl MockService {
    #[zbus(property, name = "MainPID")]
    fn main_pid(&self) -> u32 {
        std::process::id()
    }
    #[zbus(property)]
    fn control_group(&self) -> String {
        String::new()
    }
}

/// A bus with a systemd on it, and a service that answers.
struct Node {
    dir: tempfile::TempDir,
    jobs: Arc<AtomicU32>,
    services: Services,
    _systemd: Connection,
    // Ends with its test.
    _bus: Child,
}

impl Node {
    async fn new(ways: Ways) -> Option<Self> {
        if missing("dbus-daemon") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("bus.conf");
        std::fs::write(
            &config,
            format!(
                "<busconfig><type>custom</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
                 <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
                 <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
                dir.path().join("bus").display()
            ),
        )
        .unwrap();
        let mut bus = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(&config)
            .args(["--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).await.unwrap();
        let address = address.trim().to_owned();

        let (jobs, socket) = (Arc::new(AtomicU32::new(0)), dir.path().join("redis.sock"));
        let server = Arc::new(tokio::sync::Mutex::new(Some(serve(&socket))));
        let mock = Mock { socket: socket.clone(), ways, jobs: Arc::clone(&jobs), server };
        let mut builder = zbus::connection::Builder::address(address.as_str())
            .unwrap()
            .name("org.freedesktop.systemd1")
            .unwrap()
            .serve_at("/org/freedesktop/systemd1", mock)
            .unwrap();
        for (name, id) in [
            ("redis-server.service", "redis-server.service"),
            ("php8.1-fpm.service", "php8.1-fpm.service"),
            ("php8.2-fpm.service", "php8.2-fpm.service"),
            ("mariadb.service", "mariadb.service"),
            ("mysql.service", "mariadb.service"),
            ("mysqld.service", "no-mysqld.service"),
            ("php-fpm.service", "no-php-fpm.service"),
            ("nginx.service", "no-nginx.service"),
            ("openresty.service", "no-openresty.service"),
        ] {
            let path = unit_path(name);
            builder = builder.serve_at(path.clone(), MockUnit(id)).unwrap();
            builder = builder.serve_at(path, MockService).unwrap();
        }
        let systemd = builder.build().await.unwrap();
        let config: Config = toml::from_str(&format!(
            "bus = \"{address}\"\nanswer_within = \"2s\"\nallow = [\"mysql\", \"nginx\", \"redis\", \"php-fpm\"]\n\
             [answers]\nredis = \"redis:{}\"\nmysql = []\nphp-fpm = []",
            socket.display()
        ))
        .unwrap();
        let services = Services::new(&config, None, "/".into());
        Some(Self { dir, jobs, services, _systemd: systemd, _bus: bus })
    }
}

#[tokio::test]
async fn a_restart_is_over_when_the_service_answers_and_says_how_long_it_was_away() {
    let Some(node) = Node::new(Ways::Good).await else { return };
    let outcomes = node.services.act("redis", Action::Restart).await.unwrap();
    let [outcome] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(
        (outcome.service.as_str(), outcome.unit.as_str(), outcome.action.as_str()),
        ("redis", "redis-server.service", "restart")
    );
    assert_eq!(
        (outcome.result.as_str(), outcome.answers, outcome.shared),
        ("done", Some(true), false)
    );
    // The mock is away for 600 ms at least.
    let away = outcome.away_ms.unwrap();
    assert!(away >= 500 && away <= outcome.took_ms, "{outcome:?}");
    assert!(outcome.before_kib.unwrap() > 0 && outcome.after_kib.is_some());
    assert!(outcome.is_good() && outcome.detail.is_none());
}

#[tokio::test]
async fn many_requests_at_once_are_one_restart() {
    let Some(node) = Node::new(Ways::Good).await else { return };
    let ask = || async { node.services.act("redis-server", Action::Restart).await.unwrap() };
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    assert_eq!(node.jobs.load(Ordering::SeqCst), 1);
    let shared = [a, b, c, d].iter().filter(|o| o[0].shared).count();
    assert_eq!(shared, 3);
    assert_eq!(node.services.act("redis", Action::Restart).await.unwrap()[0].result, "done");
    assert_eq!(node.jobs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_service_that_systemd_calls_active_and_nobody_hears_is_said() {
    let Some(node) = Node::new(Ways::Mute).await else { return };
    let outcomes = node.services.act("redis", Action::Restart).await.unwrap();
    assert_eq!((outcomes[0].result.as_str(), outcomes[0].answers), ("done", Some(false)));
    let detail = outcomes[0].detail.as_deref().unwrap();
    assert!(detail.contains("does not answer at") && detail.contains("redis.sock"), "{detail}");
    assert!(!outcomes[0].is_good());
    drop(node.dir);
}

#[tokio::test]
async fn a_failed_job_is_said_as_systemd_says_it() {
    let Some(node) = Node::new(Ways::Fails).await else { return };
    let outcome = node.services.act("redis", Action::Restart).await.unwrap().remove(0);
    assert_eq!(
        (outcome.result.as_str(), outcome.is_good(), outcome.away_ms),
        ("failed", false, None)
    );
}

#[tokio::test]
async fn a_name_means_the_unit_that_is_here_and_all_php_fpms_that_run() {
    let Some(node) = Node::new(Ways::Good).await else { return };
    let units = |outcomes: Vec<headroom_api::service::Outcome>| {
        outcomes.into_iter().map(|o| o.unit).collect::<Vec<_>>()
    };
    for name in ["mysql", "mariadb", "mysql.service", "percona"] {
        let outcomes = node.services.act(name, Action::Reload).await.unwrap();
        assert_eq!(outcomes[0].answers, None, "nobody knows where it answers");
        assert_eq!(units(outcomes), ["mariadb.service"], "{name}");
    }
    let all = node.services.act("php-fpm", Action::Reload).await.unwrap();
    assert_eq!(units(all), ["php8.1-fpm.service", "php8.2-fpm.service"]);
    let one = node.services.act("php8.2-fpm", Action::Reload).await.unwrap();
    assert_eq!(units(one), ["php8.2-fpm.service"]);
    let list = node.services.list().await.unwrap();
    let fpm = list.iter().find(|s| s.name == "php-fpm").unwrap();
    let states: Vec<_> = fpm.units.iter().map(|u| (u.unit.as_str(), u.active.as_str())).collect();
    assert_eq!(states[2], ("php8.3-fpm.service", "inactive"), "{states:?}");
}

#[tokio::test]
async fn what_is_not_allowed_and_what_is_not_here_are_told_apart() {
    let Some(node) = Node::new(Ways::Denied).await else { return };
    let refused =
        |name: &'static str| async { node.services.act(name, Action::Restart).await.unwrap_err() };
    let ssh = refused("ssh").await;
    assert!(matches!(ssh, Refused::NotListed { .. }));
    assert!(
        ssh.to_string().ends_with("mysql, nginx, redis, php-fpm")
            || ssh.to_string().contains("nginx"),
        "{ssh}"
    );
    assert!(matches!(refused("nginx").await, Refused::NotHere { .. }));
    let denied = refused("redis").await;
    assert!(denied.to_string().contains("polkit"), "{denied}");
    assert_eq!(node.jobs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_a_bus_it_is_said_that_systemd_cannot_be_asked() {
    let config: Config = toml::from_str("bus = \"unix:path=/nonexistent/bus\"").unwrap();
    let services = Services::new(&config, None, "/".into());
    let error = services.act("mysql", Action::Restart).await.unwrap_err().to_string();
    assert!(error.starts_with("systemd cannot be asked over D-Bus"), "{error}");
}
