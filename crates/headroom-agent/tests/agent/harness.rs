//! An agent with a guard beside it that only remembers what it was told.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use headroom_api::agent::{Response, ask};
use headroom_api::guard::{Answer, Request};
use headroom_api::journal::{Closed, Entry, Opened, Record, SLOT, VerdictEntry};
use headroom_api::settings::{Change, describe};
use headroom_api::status::Status;
use headroom_api::{frame, paths};
use headroom_core::settings::Chosen;
use serde_json::Value;

/// How long a busy machine may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Folders, and whoever runs on them.
pub(crate) struct Node {
    pub(crate) dir: tempfile::TempDir,
    agent: Option<Child>,
    tcp: Option<SocketAddr>,
}

impl Node {
    /// Folders with that configuration and nothing running.
    pub(crate) fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("agent.toml"), format!("app = \"shop\"\n{config}")).unwrap();
        Self { dir, agent: None, tcp: None }
    }

    /// The same with an agent that listens.
    pub(crate) fn started(config: &str) -> Self {
        let mut node = Self::new(config);
        node.start();
        node
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The agent's command line.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headroom-agent"));
        let at = |name: &str| self.path().join(name);
        command.arg("--config").arg(at("agent.toml"));
        command.arg("--state-dir").arg(self.path()).arg("--runtime-dir").arg(self.path());
        command.stdin(Stdio::null());
        command
    }

    /// Starts the agent and waits until it says that it listens.
    pub(crate) fn start(&mut self) {
        let mut child = self.command().stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let wanted = 1 + usize::from(self.config().contains("[http]"));
        for _ in 0..wanted {
            loop {
                let mut line = String::new();
                assert_ne!(said.read_line(&mut line).unwrap(), 0, "the agent ended");
                if let Some((_, place)) = line.trim_end().split_once("listening on ") {
                    self.tcp = place.split_once("://").and_then(|(_, a)| a.parse().ok());
                    break;
                }
            }
        }
        // Nobody reads it any more, and it must not be stopped by a full pipe.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        self.agent = Some(child);
    }

    fn config(&self) -> String {
        fs::read_to_string(self.path().join("agent.toml")).unwrap()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill().unwrap();
            agent.wait().unwrap();
        }
    }

    /// SIGTERM; the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let mut agent = self.agent.take().unwrap();
        let pid = agent.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        agent.wait().unwrap().code()
    }

    /// Asks over the socket.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        ask(self.path(), method, path, body, PATIENCE).unwrap()
    }

    /// Asks over the socket and expects to be answered in JSON.
    pub(crate) fn get(&self, path: &str) -> Value {
        let response = self.ask("GET", path, None);
        assert_eq!(response.status, 200, "{path}: {}", response.detail());
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Where it listens over TCP.
    pub(crate) fn tcp(&self) -> SocketAddr {
        self.tcp.unwrap()
    }

    /// Asks over TCP; `head` is the rest of the request's head, lines that end in CRLF.
    pub(crate) fn over_tcp(&self, line: &str, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.tcp()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        status_and_body(&answer)
    }

    /// Makes a token.
    pub(crate) fn token(&self, name: &str, rights: &[&str]) -> String {
        let wanted = serde_json::json!({"name": name, "rights": rights});
        let response = self.ask("POST", "/v1/tokens", Some(&wanted));
        assert_eq!(response.status, 201, "{}", response.detail());
        let made: Value = response.json().unwrap();
        made["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn status_and_body(answer: &str) -> (u16, String) {
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

/// Waits until that holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A guard that remembers: what is chosen, and each change in its order.
#[derive(Clone, Default)]
pub(crate) struct FakeGuard {
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    chosen: Chosen,
    changes: Vec<Change>,
}

impl FakeGuard {
    pub(crate) fn start(dir: &Path) -> Self {
        let guard = Self::default();
        let socket = dir.join(paths::GUARD_SOCKET);
        // What is not there cannot be removed.
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(socket).unwrap();
        let answering = guard.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if let Ok(request) = frame::read(&mut stream, frame::REQUEST_CAP) {
                    let _gone = frame::write(&mut stream, &answering.answer(request));
                }
            }
        });
        guard
    }

    fn answer(&self, request: Request) -> Answer {
        let mut known = self.known.lock().unwrap();
        let mut chosen = known.chosen.clone();
        if let Request::Change { change } = request {
            for (name, value) in &change {
                if let Err(why) = chosen.set(name, value.as_deref()) {
                    return Answer::Wrong { name: name.clone(), why };
                }
            }
            if let Err((name, why)) = chosen.check_on(&[]) {
                return Answer::Wrong { name, why };
            }
            known.chosen = chosen.clone();
            known.changes.push(change);
        } else if request == Request::Status {
            let mut status = Status { version: 1, ..Status::default() };
            status.guard.running = true;
            status.guard.policy = chosen.on(&[]).unwrap().name().into();
            return Answer::Status(Box::new(status));
        }
        Answer::Settings(describe(&chosen.on(&[]).unwrap(), &chosen, Some(true)))
    }

    /// What was asked of it so far for that setting, in its order.
    pub(crate) fn values_of(&self, name: &str) -> Vec<String> {
        let known = self.known.lock().unwrap();
        known.changes.iter().filter_map(|change| change.get(name).cloned().flatten()).collect()
    }
}

/// A journal that the test writes as a guard would.
pub(crate) struct Journal {
    file: File,
    sequence: u64,
    slots: u64,
}

impl Journal {
    pub(crate) fn create(dir: &Path, slots: u64) -> Self {
        let path: PathBuf = dir.join(paths::JOURNAL);
        let file = File::create(path).unwrap();
        file.set_len(slots * SLOT as u64).unwrap();
        Self { file, sequence: 0, slots }
    }

    fn append(&mut self, entry: Entry) {
        self.sequence += 1;
        let unix_ms = 1_790_000_000_000 + i64::try_from(self.sequence).unwrap() * 100;
        let slot = Record { sequence: self.sequence, unix_ms, entry }.encode().unwrap();
        let at = (self.sequence - 1) % self.slots * SLOT as u64;
        self.file.write_all_at(&slot[..], at).unwrap();
    }

    /// One storm with a verdict of that command.
    pub(crate) fn storm(&mut self, incident: u64, cmdline: &str) {
        self.append(Entry::Opened(Opened {
            incident,
            zone: "/".into(),
            trigger: "floor".into(),
            ..Opened::default()
        }));
        self.append(Entry::Verdict(VerdictEntry {
            incident,
            trigger: "floor".into(),
            action: "slay".into(),
            pid: Some(4711),
            comm: Some("php\u{1b}[31m\"<b>".into()),
            cmdline: Some(cmdline.into()),
            ..VerdictEntry::default()
        }));
        self.append(Entry::Closed(Closed { incident, slain: 1, ..Closed::default() }));
    }
}
