//! `cargo xtask man` and `cargo xtask completions`: what a package installs beside the programs.
//!
//! The pages of `headroom` and its completions come from the program itself, so that each subcommand
//! and flag is in them; the other pages are written by hand in docs/man/.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tree;

/// A shell with the file its completions are installed as, below usr/share.
pub(crate) const SHELLS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/headroom"),
    ("zsh", "zsh/vendor-completions/_headroom"),
    ("fish", "fish/vendor_completions.d/headroom.fish"),
];

/// Writes all pages into target/man, and gives that folder.
pub(crate) fn man() -> Result<PathBuf> {
    let folder = tree::root().join("target/man");
    write_man(&headroom()?, &folder)?;
    Ok(folder)
}

/// Writes all completions into target/completions as they are installed below usr/share, and gives
/// that folder.
pub(crate) fn completions() -> Result<PathBuf> {
    let folder = tree::root().join("target/completions");
    write_completions(&headroom()?, &folder)?;
    Ok(folder)
}

/// The pages by this program and those written by hand, into an empty folder.
pub(crate) fn write_man(headroom: &Path, folder: &Path) -> Result<()> {
    if folder.exists() {
        // A page of a command that is gone must not stay.
        fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    generate(headroom, &["man".as_ref(), folder.as_os_str()])?;
    for page in fs::read_dir(tree::root().join("docs/man")).context("reading docs/man")? {
        let page = page?;
        fs::copy(page.path(), folder.join(page.file_name()))?;
    }
    Ok(())
}

/// The completions by this program, each where it is installed below `folder`.
pub(crate) fn write_completions(headroom: &Path, folder: &Path) -> Result<()> {
    for (shell, path) in SHELLS {
        let script = generate(headroom, &["completions".as_ref(), shell.as_ref()])?;
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(&path, script).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn generate(headroom: &Path, arguments: &[&std::ffi::OsStr]) -> Result<Vec<u8>> {
    let mut command = Command::new(headroom);
    let output = command.arg("generate").args(arguments).output();
    let output = output.with_context(|| format!("starting {}", headroom.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} generate failed: {}", headroom.display(), said.trim());
    }
    Ok(output.stdout)
}

/// The command line's program, built when needed.
fn headroom() -> Result<PathBuf> {
    tree::check(&mut tree::cargo(["build", "--quiet", "--package", "headroom-cli"]))?;
    Ok(tree::target().join("debug/headroom"))
}
