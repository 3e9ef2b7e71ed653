//! `cargo xtask api`: the agent's API under the eyes of others: the platform's public client, and
//! schemathesis, which makes requests from the OpenAPI document. Both come from PyPI into target/.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::tree::{cargo, check, root};
use crate::{Outcome, say};

/// What both need.
const PACKAGES: [&str; 3] = ["hypernode-api-python==0.0.6", "requests", "schemathesis>=4,<5"];
/// The node's name in these tests.
const NAME: &str = "shop";
/// Requests that schemathesis makes for each operation and phase.
const EXAMPLES: &str = "40";

/// What of it.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Part {
    /// Write docs/openapi.json anew
    Document,
    /// The platform's public client, unmodified
    Client,
    /// Requests made from the document: none may be answered with a 5xx
    Schemathesis,
}

/// Runs one part, or with none the two that check.
pub(crate) fn run(part: Option<Part>) -> Outcome {
    match part {
        Some(Part::Document) => document()?,
        Some(Part::Client) => client(&mut Node::start()?)?,
        Some(Part::Schemathesis) => schemathesis(&mut Node::start()?)?,
        None => {
            client(&mut Node::start()?)?;
            schemathesis(&mut Node::start()?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn document() -> Result<()> {
    let mut command = cargo(["run", "--quiet", "--package", "headroom-agent", "--", "--openapi"]);
    let output = command.output().context("starting the agent")?;
    if !output.status.success() {
        bail!("the agent gave no document: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::write(root().join("docs/openapi.json"), output.stdout).context("docs/openapi.json")
}

fn client(node: &mut Node) -> Result<()> {
    let token = node.token()?;
    let mut command = Command::new(python()?);
    command.arg(root().join("xtask/api/client.py")).args([&node.url, NAME, &token]);
    check(&mut command)
}

fn schemathesis(node: &mut Node) -> Result<()> {
    let token = node.token()?;
    let program = python()?.with_file_name("schemathesis");
    let mut command = Command::new(program);
    command.arg("run").arg(format!("{}/openapi.json", node.url));
    command.args(["--header", &format!("Authorization: Token {token}")]);
    command.args(["--checks", "not_a_server_error,response_schema_conformance"]);
    command.args(["--max-examples", EXAMPLES, "--seed", "1", "--no-color"]);
    // Its own notes of earlier runs.
    command.current_dir(node.dir.path());
    check(&mut command)?;
    // Whatever was asked: both still answer.
    node.headroom(&["settings", "get", "strict.floor"]).map(drop)
}

/// The interpreter of an environment in target/, made when it is not there.
fn python() -> Result<PathBuf> {
    let folder = root().join("target/api-venv");
    let python = folder.join("bin/python");
    let made = folder.join(".made");
    if !made.exists() {
        say("api: fetching the platform's client and schemathesis from PyPI");
        check(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            .context("python3 with venv is needed (package python3-venv)")?;
        check(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
        fs::write(made, "")?;
    }
    Ok(python)
}

/// A guard that only looks, and an agent that listens on a port of its own.
struct Node {
    dir: tempfile::TempDir,
    guard: Child,
    agent: Child,
    url: String,
}

impl Node {
    fn start() -> Result<Self> {
        let packages = ["headroom-guard", "headroom-agent", "headroom-cli"];
        let arguments = packages.iter().flat_map(|package| ["--package", package]);
        check(&mut cargo(["build", "--quiet"].into_iter().chain(arguments)))?;
        let dir = tempfile::tempdir()?;
        let config = dir.path().join("agent.toml");
        fs::write(&config, format!("app = \"{NAME}\"\n[http]\nlisten = \"127.0.0.1:0\"\n"))?;
        let start = |name: &str, arguments: &[&Path]| {
            let mut command = Command::new(program(name));
            command.args(arguments).arg("--state-dir").arg(dir.path());
            command.arg("--runtime-dir").arg(dir.path()).stderr(Stdio::piped());
            command.spawn().with_context(|| format!("starting {name}"))
        };
        let mut guard = start("headroom-guard", &["--dry-run".as_ref()])?;
        wait_for(&mut guard, "guarding ")?;
        let mut agent = start("headroom-agent", &["--config".as_ref(), &config])?;
        let url = wait_for(&mut agent, "listening on http://")?;
        Ok(Self { dir, guard, agent, url: format!("http://{url}") })
    }

    fn token(&self) -> Result<String> {
        self.headroom(&["token", "add", "xtask"])
    }

    /// What the command line says.
    fn headroom(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program("headroom"));
        command.args(arguments).env("HEADROOM_RUNTIME_DIR", self.dir.path());
        let output = command.output().context("starting headroom")?;
        if !output.status.success() {
            bail!("headroom {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in [&mut self.agent, &mut self.guard] {
            // One that has ended already is as good.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn program(name: &str) -> PathBuf {
    root().join("target/debug").join(name)
}

/// Reads what a program says until a line has that text; gives back what follows it.
fn wait_for(child: &mut Child, text: &str) -> Result<String> {
    let mut said = BufReader::new(child.stderr.take().context("standard error")?);
    let mut log = String::new();
    loop {
        let mut line = String::new();
        if said.read_line(&mut line)? == 0 {
            bail!("a program ended before it was ready:\n{log}");
        }
        if let Some((_, rest)) = line.trim_end().split_once(text) {
            // Nobody reads it any more, and it must not be stopped by a full pipe.
            std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            return Ok(rest.to_owned());
        }
        log.push_str(&line);
    }
}
