//! Programs that tests need and that a Debian machine may not have: installed first, as root.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::say;

/// A program, and the Debian package that has it.
const NEEDS: [(&str, &str); 6] = [
    ("mariadbd", "mariadb-server-core"),
    ("mariadb-install-db", "mariadb-server-core"),
    ("mariadb", "mariadb-client"),
    // For a plugin of the server's, which tells who holds which lock: metadata_lock_info.so.
    ("aria_chk", "mariadb-server"),
    ("redis-server", "redis-server"),
    ("dbus-daemon", "dbus"),
];

/// Installs what is missing. Without root, or without apt, it says what would be left out.
pub(crate) fn install() -> Result<()> {
    let mut packages: Vec<&str> = NEEDS
        .iter()
        .filter(|(program, _)| !is_here(program))
        .map(|(_, package)| *package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let watched = env::var("CI").is_ok_and(|ci| ci == "true");
    if !is_root() || !is_here("apt-get") {
        let what = format!("tests need {}; as root they are installed first", packages.join(" "));
        if watched {
            bail!("{what}");
        }
        say(&format!("{what}; without them some tests are SKIPPED"));
        return Ok(());
    }
    say(&format!("installing {}", packages.join(" ")));
    // On a fresh machine the lists may be old or missing; if they cannot be had the next step says so.
    let _said_by_the_next = Command::new("apt-get").args(["update", "-q"]).status();
    let mut command = Command::new("apt-get");
    command
        .args(["-o", "DPkg::Lock::Timeout=600", "install", "-y", "-q", "--no-install-recommends"])
        .args(&packages)
        // No service is started: tests start their own.
        .env("RUNLEVEL", "1")
        .env("DEBIAN_FRONTEND", "noninteractive");
    let status = command.status().context("starting apt-get")?;
    if !status.success() && watched {
        bail!("apt-get install {}: {status}; is apt-get update needed?", packages.join(" "));
    }
    if !status.success() {
        say(&format!("apt-get: {status}; some tests are SKIPPED"));
    }
    Ok(())
}

fn is_here(program: &str) -> bool {
    let path = env::var("PATH").unwrap_or_default();
    path.split(':').chain(["/usr/sbin"]).any(|dir| Path::new(dir).join(program).is_file())
}

/// Whether this is root, by the owner of its own entry in /proc.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
