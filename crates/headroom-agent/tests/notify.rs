//! The whole agent, from the guard's journal to a mail server, while it is killed again and again.

#![expect(
    clippy::unwrap_used,
    clippy::tests_outside_test_module,
    reason = "an integration test is one as a whole"
)]

#[expect(unreachable_pub, dead_code, reason = "unit tests use it as well")]
#[path = "support/mail_server.rs"]
mod mail_server;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use headroom_api::agent::ask;
use headroom_api::journal::{Closed, Entry, Opened, Record, SLOT, VerdictEntry};
use headroom_api::notice::{Outlets, Tested};
use headroom_api::paths;
use mail_server::MailServer;

/// What the slowest machine needs for what takes a good one a moment.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node with an agent and a mail server, in a directory.
struct Node {
    dir: tempfile::TempDir,
    journal: File,
    sequence: u64,
}

impl Node {
    fn new(server: &MailServer, further: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/proc/sys/kernel")).unwrap();
        fs::write(dir.path().join("root/proc/sys/kernel/hostname"), "shop1.example.org\n").unwrap();
        let config = format!(
            "[notify]\n[notify.journal]\nenabled = false\n[[notify.smtp]]\nhost = \"127.0.0.1\"\n\
             port = {}\nfrom = \"headroom@example.org\"\nto = [\"ops@example.org\"]\nhold = \"0s\"\n\
             per_hour = 0\nhtml = false\n{further}",
            server.address.port()
        );
        fs::write(dir.path().join("agent.toml"), config).unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        let path = dir.path().join("state").join(paths::JOURNAL);
        let journal = OpenOptions::new().create_new(true).write(true).open(path).unwrap();
        journal.set_len(4096 * SLOT as u64).unwrap();
        Self { dir, journal, sequence: 0 }
    }

    fn runtime_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    fn agent(&self) -> Child {
        let log = self.dir.path().join("log");
        let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        Command::new(env!("CARGO_BIN_EXE_headroom-agent"))
            .arg("--config")
            .arg(self.dir.path().join("agent.toml"))
            .arg("--state-dir")
            .arg(self.dir.path().join("state"))
            .arg("--runtime-dir")
            .arg(self.runtime_dir())
            .env("HEADROOM_ROOT", self.dir.path().join("root"))
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Waits until the agent answers.
    fn answers(&self) -> Outlets {
        let begun = Instant::now();
        loop {
            let asked = ask(&self.runtime_dir(), "GET", "/v1/notify", None, PATIENCE);
            match asked {
                Ok(response) => return response.json().unwrap(),
                Err(error) if begun.elapsed() > PATIENCE => panic!("{error}\n{}", self.log()),
                Err(_) => sleep(Duration::from_millis(20)),
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The guard records something, as it does while an agent is there or not.
    fn records(&mut self, entry: Entry) {
        self.sequence += 1;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let unix_ms = i64::try_from(since.as_millis()).unwrap();
        let slot = Record { sequence: self.sequence, unix_ms, entry }.encode().unwrap();
        self.journal.write_all_at(&slot[..], (self.sequence - 1) * SLOT as u64).unwrap();
    }

    fn incident(&mut self, incident: u64) {
        let zone = "/limited.slice".to_owned();
        self.records(Entry::Opened(Opened { incident, zone, ..Opened::default() }));
        self.records(Entry::Verdict(VerdictEntry {
            incident,
            action: "slay".into(),
            pid: Some(4711),
            comm: Some("php".into()),
            ..VerdictEntry::default()
        }));
        self.records(Entry::Closed(Closed { incident, ..Closed::default() }));
    }
}

fn end(mut agent: Child) {
    agent.kill().unwrap();
    agent.wait().unwrap();
}

/// How often the agent is killed: more where somebody wants to know it better.
fn kills() -> u64 {
    std::env::var("HEADROOM_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(15)
}

#[test]
fn kill_9_at_any_moment_loses_no_mail_and_doubles_none_that_cannot_be_told_for_a_double() {
    let server = MailServer::start();
    let mut node = Node::new(&server, "");
    let agent = node.agent();
    node.answers();
    // What is over before the agent first looks is none of its business: one is told, and all after it.
    let (begun, mut first) = (Instant::now(), 0);
    while server.all().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{}", node.log());
        first += 1;
        node.incident(first);
        sleep(Duration::from_millis(500));
    }
    end(agent);
    let kills = kills();
    let mut random = 7_u64;
    for kill in 0..kills {
        let agent = node.agent();
        for n in 0..3 {
            node.incident(first + 1 + kill * 3 + n);
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sleep(Duration::from_millis((random >> 33) % 200));
        }
        end(agent);
    }
    let agent = node.agent();
    let last = first + kills * 3;
    let closed = |number: u64| format!("-{number}.closed@example.org>");
    let arrived = |number: u64| {
        server
            .all()
            .iter()
            .filter(|m| m.header("Message-ID").unwrap().ends_with(&closed(number)))
            .count()
    };
    let begun = Instant::now();
    while (first..=last).any(|number| arrived(number) == 0) {
        assert!(begun.elapsed() < PATIENCE, "{} of {last}\n{}", server.all().len(), node.log());
        sleep(Duration::from_millis(100));
    }
    let outlets = node.answers();
    assert_eq!(outlets.outlets[0].waiting, 0, "{outlets:?}");
    end(agent);
    let mut by_id: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in server.all() {
        by_id.entry(mail.header("Message-ID").unwrap()).or_default().push(mail.data);
    }
    let doubles: usize = by_id.values().map(|mails| mails.len() - 1).sum();
    assert!(by_id.values().all(|mails| mails.iter().all(|mail| *mail == mails[0])));
    println!(
        "{kills} kills, {} incidents, {} messages, {doubles} came twice",
        last - first + 1,
        by_id.len()
    );
    // Only a death between the server's taking it and our knowing of it can do that, once a death.
    assert!(doubles as u64 <= kills, "{doubles}");
}

#[test]
fn a_test_goes_out_at_once_and_says_what_came_of_it() {
    let server = MailServer::start();
    let node = Node::new(&server, "[[notify.command]]\ncommand = [\"/nowhere\"]\n");
    let agent = node.agent();
    let outlets = node.answers();
    let kinds: Vec<_> =
        outlets.outlets.iter().map(|o| (o.kind.as_str(), o.state.as_str())).collect();
    assert_eq!(kinds, [("smtp", "unused"), ("command", "unused")]);
    let post = |body: serde_json::Value| {
        ask(&node.runtime_dir(), "POST", "/v1/notify/test", Some(&body), PATIENCE).unwrap()
    };
    let tested: Tested = post(serde_json::json!({})).json().unwrap();
    let [mail, command] = tested.tests.as_slice() else { panic!("{tested:?}") };
    assert!(mail.delivered && mail.answer.contains("queued as 1"), "{mail:?}");
    assert!(!command.delivered && command.answer.contains("No such file"), "{command:?}");
    let subject = server.all()[0].header("Subject").unwrap();
    assert_eq!(subject, "shop1: a test of Headroom's notifications");
    let unknown = post(serde_json::json!({"channel": "fax"}));
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.detail(), "no such channel; there are: smtp, command");
    assert_eq!(post(serde_json::json!({"chanel": "smtp"})).status, 400);
    end(agent);
}

#[test]
fn a_configuration_that_cannot_be_meant_is_said_and_ends_the_agent() {
    let server = MailServer::start();
    let node = Node::new(&server, "pasword = \"x\"\n");
    let status = node.agent().wait().unwrap();
    assert_eq!(status.code(), Some(78));
    assert!(node.log().contains("unknown key `pasword`"), "{}", node.log());
}
