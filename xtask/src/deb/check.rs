//! `cargo xtask deb-check`: the package as an administrator meets it. lintian finds nothing wrong with it;
//! on a Debian of its own it is installed, upgraded, removed, installed again and purged.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use super::contents::{FILES, OTHER_NAMES, PROGRAMS, units};
use super::{VERSION, pack, prepare};
use crate::{Outcome, say, tree};

/// The oldest Debian it is for, and its smallest installation.
const SUITE: &str = "bookworm";
/// The same with and without systemd: users are made another way there.
const NODES: [(&str, &str); 2] = [("with systemd", "systemd"), ("without systemd", "")];

/// Builds the package and tries all that dpkg does with it.
pub(crate) fn check(from: Option<&Path>) -> Outcome {
    let folder = tempfile::tempdir()?;
    let contents = prepare(from, &folder.path().join("docs"))?;
    let package = pack(&contents, VERSION, &folder.path().join("one"))?;
    let next = pack(&contents, &format!("{VERSION}+next"), &folder.path().join("two"))?;
    lint(&package)?;
    for (what, include) in NODES {
        say(&format!("deb-check: on a node {what}"));
        let node = Node::unpack(&folder.path().join(what), include)?;
        node.goes_through(&package, &next).with_context(|| format!("on a node {what}"))?;
    }
    say("deb-check: installed, upgraded, removed, installed and purged");
    Ok(ExitCode::SUCCESS)
}

fn lint(package: &Path) -> Result<()> {
    say("deb-check: lintian");
    let mut command = Command::new("lintian");
    command.args(["--allow-root", "--fail-on", "error,warning"]).arg(package);
    tree::check(&mut command).context("lintian (package lintian) found something")
}

/// A Debian in a folder.
struct Node(PathBuf);

impl Node {
    /// One that was made before, or a new one.
    fn unpack(folder: &Path, include: &str) -> Result<Self> {
        let kept = tree::target().join(format!("deb-check/{SUITE}-{include}.tar"));
        if !kept.exists() {
            fs::create_dir_all(kept.parent().context("no folder")?)?;
            let half = kept.with_extension("half.tar");
            let mut command = Command::new("mmdebstrap");
            command.args(["--quiet", "--variant=minbase"]);
            if !include.is_empty() {
                command.arg(format!("--include={include}"));
            }
            tree::check(command.arg(SUITE).arg(&half))
                .context("making a Debian (package mmdebstrap, as root)")?;
            fs::rename(half, &kept)?;
        }
        fs::create_dir_all(folder)?;
        tree::check(Command::new("tar").arg("-xf").arg(&kept).arg("-C").arg(folder))?;
        Ok(Self(folder.to_owned()))
    }

    fn goes_through(&self, package: &Path, next: &Path) -> Result<()> {
        fs::copy(package, self.at("one.deb"))?;
        fs::copy(next, self.at("two.deb"))?;

        self.run("dpkg -i /one.deb")?;
        self.is_whole()?;
        ensure!(self.is_enabled(), "the unit is not enabled after the installation");
        self.run("getent passwd headroom && getent group headroom")?;
        self.run("headroom --version && headroom policy check && headroom-guard --help")?;
        self.run("headroom-agent --help")?;
        // The agent's folder is there before any daemon is, and is shared.
        self.run("test \"$(stat -c '%U:%G %a' /var/lib/headroom)\" = 'root:headroom 1770'")?;
        self.run("headroom generate completions bash > /dev/null")?;
        // The completions do what a shell asks of them.
        self.run("bash -n /usr/share/bash-completion/completions/headroom")?;

        say("deb-check: upgraded, with what the administrator changed");
        fs::write(self.at("etc/headroom/policy.toml"), "permissive_memory_management = true\n")?;
        // What systemctl does where there is one.
        let link = self.at("etc/systemd/system/multi-user.target.wants/headroom-guard.service");
        let target = fs::read_link(&link)?;
        fs::remove_file(&link)?;
        fs::create_dir_all(self.at("var/lib/headroom"))?;
        fs::write(self.at("var/lib/headroom/journal"), "records")?;
        self.run("dpkg -i /two.deb")?;
        self.is_whole()?;
        ensure!(!self.is_enabled(), "an upgrade enabled a unit that was disabled");
        let policy = fs::read_to_string(self.at("etc/headroom/policy.toml"))?;
        ensure!(policy.starts_with("permissive"), "an upgrade overwrote the policy");
        symlink(target, &link)?;

        say("deb-check: removed, installed again, purged");
        self.run("dpkg -r headroom")?;
        for program in PROGRAMS {
            let path = self.at(program.folder).join(program.name);
            ensure!(!path.exists(), "{} stays after removal", path.display());
        }
        ensure!(self.at("etc/headroom/policy.toml").exists(), "a removal took the policy");
        ensure!(self.at("var/lib/headroom/journal").exists(), "a removal took the journal");
        self.run("dpkg -i /one.deb")?;
        ensure!(self.is_enabled(), "the unit is not enabled after it came back");
        self.run("dpkg -P headroom")?;
        for path in ["etc/headroom", "var/lib/headroom", "usr/share/headroom"] {
            ensure!(!self.at(path).exists(), "/{path} stays after a purge");
        }
        let left = "find /etc/systemd /var/lib/systemd /usr/lib/systemd -name 'headroom*' | grep .";
        ensure!(self.run(left).is_err(), "links of the unit stay after a purge");

        say("deb-check: purged while setup's files are in force");
        self.run("dpkg -i /one.deb && mkdir -p /var/lib/headroom/setup")?;
        fs::write(self.at("var/lib/headroom/setup/record"), "what stood there before")?;
        self.run("dpkg -P headroom")?;
        let record = self.at("var/lib/headroom/setup/record");
        ensure!(record.exists(), "a purge took the record by which setup is undone");
        Ok(())
    }

    /// Every file is there, with the contents that were packed.
    fn is_whole(&self) -> Result<()> {
        let (exists, verified) = (|path: &Path| path.exists(), "dpkg -V headroom");
        for file in FILES.iter().filter(|file| file.needed) {
            // dpkg of a small installation leaves documents and pages out, as containers do.
            let documented = file.to.starts_with("usr/share/doc") || file.to.contains("lintian");
            ensure!(documented || exists(&self.at(file.to)), "no /{} there", file.to);
        }
        for name in OTHER_NAMES {
            let link = fs::read_link(self.at("usr/bin").join(name));
            ensure!(link.is_ok_and(|link| link == Path::new("headroom")), "no {name} there");
        }
        self.run(verified)
    }

    fn is_enabled(&self) -> bool {
        units().all(|unit| {
            let target = if unit.ends_with(".socket") { "sockets" } else { "multi-user" };
            self.at(&format!("etc/systemd/system/{target}.target.wants")).join(unit).is_symlink()
        })
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn run(&self, line: &str) -> Result<()> {
        let mut command = Command::new("chroot");
        command
            .arg(&self.0)
            .args(["/bin/sh", "-ec", line])
            .env("DEBIAN_FRONTEND", "noninteractive");
        let output = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
        let output = output.context("starting chroot (as root)")?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("`{line}` ended with {}:\n{}", output.status, String::from_utf8_lossy(&said));
        }
        Ok(())
    }
}
