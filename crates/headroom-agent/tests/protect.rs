//! Protection through the real agent, with a guard of the test's own: who is protected, and who is not.
#![expect(
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "an integration test is a test as a whole"
)]

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headroom_api::agent::{Response, ask};
use headroom_api::frame;
use headroom_api::guard::{Answer, Request};
use headroom_api::protect::Granted;
use headroom_api::status::{Protected, Status, Zone};
use headroom_sys::own::own_pid;
use headroom_sys::proc::Proc;

const LONG: Duration = Duration::from_secs(60);

/// An agent that ends with its test, and what its guard was asked.
struct Node {
    dir: tempfile::TempDir,
    agent: Child,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Node {
    fn start(protected: Vec<Protected>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("guard.sock")).unwrap();
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            let zone = Zone {
                path: "/".into(),
                limit_kib: 1_000_000,
                headroom_kib: 900_000,
                ..Zone::default()
            };
            let status = Status { zones: vec![zone], protected, ..Status::default() };
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Ok(request) = frame::read::<Request>(&mut stream, frame::REQUEST_CAP) else {
                    continue;
                };
                let answer = match &request {
                    Request::Status => Answer::Status(Box::new(status.clone())),
                    Request::Protect { .. } => Answer::Done,
                    _ => Answer::Refused { why: "not in this test".into() },
                };
                if request != Request::Status {
                    seen.lock().unwrap().push(request);
                }
                let _ = frame::write(&mut stream, &answer);
            }
        });
        let config = dir.path().join("agent.toml");
        std::fs::write(&config, "[allow]\nprotect = [\"*\"]\n").unwrap();
        let agent = Command::new(env!("CARGO_BIN_EXE_headroom-agent"))
            .arg("--config")
            .arg(&config)
            .arg("--state-dir")
            .arg(dir.path())
            .arg("--runtime-dir")
            .arg(dir.path())
            .spawn()
            .unwrap();
        let node = Self { dir, agent, asked };
        for _ in 0..600 {
            if ask(node.path(), "GET", "/healthz", None, LONG).is_ok() {
                return node;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the agent does not answer");
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn protect(&self, body: Option<&serde_json::Value>) -> Response {
        ask(self.path(), "POST", "/v1/protect", body, LONG).unwrap()
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().iter().filter(|r| **r != Request::Status).cloned().collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

#[test]
fn the_process_that_asks_is_protected_and_no_number_in_the_request_changes_that() {
    let node = Node::start(Vec::new());
    let forged = serde_json::json!({"pid": 1, "start_ticks": 0, "budget_kib": 999_999_999});
    let response = node.protect(Some(&forged));
    assert_eq!(response.status, 200, "{}", response.detail());
    let granted: Granted = response.json().unwrap();
    assert_eq!((granted.pid, granted.budget_kib), (own_pid(), 250_000));
    assert!(granted.until.is_some());
    let start_ticks = Proc::open(Path::new("/")).unwrap().stat(own_pid()).unwrap().start_ticks;
    let wanted = Request::Protect { pid: own_pid(), start_ticks, budget_kib: Some(250_000) };
    assert_eq!(node.asked(), [wanted]);
}

#[test]
fn over_its_budget_nobody_is_protected_and_the_figures_are_said() {
    let full = Protected {
        pid: 4711,
        comm: "php".into(),
        user: "somebody".into(),
        rss_kib: 240_000,
        ..Protected::default()
    };
    let node = Node::start(vec![full]);
    let response = node.protect(None);
    assert_eq!(response.status, 409);
    let detail = response.detail();
    assert!(detail.contains("234 MiB of the 244 MiB"), "{detail}");
    assert_eq!(node.asked(), []);
}
