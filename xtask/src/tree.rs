//! Where things are, and how the project's tools are called.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The lab's manifest: a workspace of its own.
pub(crate) fn lab_manifest() -> PathBuf {
    root().join("lab/Cargo.toml")
}

/// Cargo, the same one that runs this, started at the project's root.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// The command line, built for release.
pub(crate) fn release_headroom() -> Result<PathBuf> {
    check(&mut cargo(["build", "--release", "--quiet", "--package", "headroom-cli"]))?;
    Ok(root().join("target/release/headroom"))
}

/// Runs a command to its end, an error if it fails.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("starting {name}"))?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}
