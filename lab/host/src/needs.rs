//! What the lab leans on, installed from Debian's packages when it is missing and it may be.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::progress::say;

/// A file that is needed and the package that brings it.
const FILES: [(&str, &str); 5] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
    ("setpriv", "util-linux"),
    ("debian-archive-keyring.gpg", "debian-archive-keyring"),
];
/// Where such files are, whatever PATH says.
const FOLDERS: [&str; 5] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/share/keyrings"];

/// What this needs and this machine lacks, as Debian's packages.
pub(crate) fn missing_packages() -> Vec<&'static str> {
    let is_there = |file: &str| FOLDERS.iter().any(|folder| Path::new(folder).join(file).exists());
    FILES.iter().filter(|(file, _)| !is_there(file)).map(|(_, package)| *package).collect()
}

/// Why the lab cannot run on this machine, and what would help.
#[derive(Debug)]
pub(crate) struct CannotRun(String);

impl Display for CannotRun {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotRun {}

/// Makes sure that all is there. Only root can install, and only root can build a node.
pub(crate) fn ensure() -> Result<(), CannotRun> {
    let missing = missing_packages().join(" ");
    if !rustix::process::geteuid().is_root() {
        let mut text = "the lab builds a node's file system and must be root for that".to_owned();
        if !missing.is_empty() {
            text.push_str(&format!("; it needs these packages too: apt-get install {missing}"));
        }
        return Err(CannotRun(text));
    }
    if missing.is_empty() {
        return Ok(());
    }
    say(&format!("installing {missing}"));
    install(&missing).map_err(|error| {
        CannotRun(format!("the lab needs these packages: {missing}; installing them: {error:#}"))
    })
}

fn install(packages: &str) -> Result<()> {
    apt_get(&["update", "-q"])?;
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(packages.split(' '));
    apt_get(&arguments)
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    run(&mut command)
}

/// Runs a program to its end; what it prints is shown only when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(30)..].join("\n");
    bail!("{name} failed ({}):\n{last}", output.status)
}
