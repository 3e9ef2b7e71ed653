//! Builds what the node boots from, in two layers: Debian's packages, and the shop on top of them.
//!
//! What changes from run to run (the director, the jobs, the guards) comes on a second disk and is no
//! part of either.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::cache::{Cache, Entry};
use crate::hash::Recipe;
use crate::needs::run;
use crate::places;
use crate::progress::say;

const SUITE: &str = "bookworm";
/// Room for the packages, the database and what a storm writes. The file is sparse.
const DISK_SIZE: &str = "6G";
/// Raised when the steps in this file change what comes out of the same files.
const REVISION: &str = "1";

/// What qemu needs to boot the node.
pub(crate) struct Image {
    /// The name of its contents.
    pub(crate) hash: String,
    /// The root disk.
    pub(crate) disk: PathBuf,
    folder: PathBuf,
    _entry: Entry,
}

/// Which of the image's kernels boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kernel {
    /// Debian stable's.
    #[default]
    Stable,
    /// The newest in Debian's backports.
    Backports,
}

impl Kernel {
    /// Both, as `backports.sh` names their files.
    const ALL: [Self; 2] = [Self::Stable, Self::Backports];

    /// As it stands in arguments and file names.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Backports => "backports",
        }
    }

    fn files(self) -> [String; 2] {
        ["vmlinuz", "initrd"].map(|kind| format!("{}.{kind}", self.word()))
    }
}

impl Image {
    /// A kernel and its initial RAM disk.
    pub(crate) fn kernel(&self, kernel: Kernel) -> [PathBuf; 2] {
        kernel.files().map(|name| self.folder.join(name))
    }
}

/// The image of this source tree, from the cache if it is there.
pub(crate) fn image() -> Result<Image> {
    image_with(&[])
}

/// The same with more of Debian's packages: another image, under another name.
pub(crate) fn image_with(more: &[&str]) -> Result<Image> {
    let cache = Cache::open(places::cache()?)?;
    let source = places::lab().join("image");
    let mut packages = packages(&fs::read_to_string(source.join("packages.txt"))?);
    packages.extend(more.iter().map(|name| (*name).to_owned()));
    let base = Recipe::default().text("suite", SUITE).text("packages", &packages.join(" "));
    let base = base.text("revision", REVISION).path(&source.join("backports.sh"))?.name();
    let hash = Recipe::default()
        .text("base", &base)
        .text("size", DISK_SIZE)
        .path(&source.join("disk"))?
        .path(&source.join("setup.sh"))?
        .path(&source.join("fill.sql"))?
        .name();
    let entry = cache.entry("disk", &hash, |folder| {
        let packages =
            cache.entry("packages", &base, |folder| bootstrap(&packages, &source, folder))?;
        build_disk(&packages.path.join("root.tar"), &source, folder)
    })?;
    Ok(Image { hash, disk: entry.path.join("disk.img"), folder: entry.path.clone(), _entry: entry })
}

/// The names in a list with comments.
fn packages(list: &str) -> Vec<String> {
    let lines = list.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn bootstrap(packages: &[String], source: &Path, folder: &Path) -> Result<()> {
    say(&format!("packages: Debian {SUITE} and {} packages, about a minute", packages.len()));
    let mut command = Command::new("mmdebstrap");
    let mut hook = std::ffi::OsString::from("--customize-hook=");
    hook.push(source.join("backports.sh"));
    command.args(["--variant=minbase", &format!("--include={}", packages.join(","))]);
    run(command.arg(hook).arg(SUITE).arg(folder.join("root.tar")))
}

fn build_disk(packages: &Path, source: &Path, folder: &Path) -> Result<()> {
    let root = folder.join("root");
    fs::create_dir(&root)?;
    say("disk: unpacking the packages");
    run(Command::new("tar").arg("-C").arg(&root).arg("-xf").arg(packages))?;
    say("disk: setting up the shop and filling its database");
    for (from, to) in [("disk/.", ""), ("setup.sh", "setup.sh"), ("fill.sql", "fill.sql")] {
        let mut copy = Command::new("cp");
        copy.args(["-r", "--no-preserve=ownership"]).arg(source.join(from)).arg(root.join(to));
        run(&mut copy)?;
    }
    run(Command::new("chroot").arg(&root).args(["/bin/sh", "/setup.sh"]))?;
    for name in Kernel::ALL.iter().flat_map(|kernel| kernel.files()) {
        let from = root.join("boot").join(&name);
        fs::copy(&from, folder.join(&name)).with_context(|| from.display().to_string())?;
    }
    say("disk: writing the file system");
    make_file_system(&root, &folder.join("disk.img"), DISK_SIZE)?;
    fs::remove_dir_all(&root)?;
    Ok(())
}

/// Makes a disk image from a folder, without mounting anything.
pub(crate) fn make_file_system(folder: &Path, image: &Path, size: &str) -> Result<()> {
    let mut command = Command::new("/sbin/mke2fs");
    command.args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d"]);
    run(command.arg(folder).arg(image).arg(size)).with_context(|| image.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_packages() {
        assert_eq!(packages("# The shop\n\ncron\n  nginx-light\n"), ["cron", "nginx-light"]);
    }
}
