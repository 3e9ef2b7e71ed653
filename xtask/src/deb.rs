//! `cargo xtask deb`: the Debian package, put together with dpkg-deb alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{say, tree};

/// A program: the crate that builds it, its name, and where it is installed.
const PROGRAMS: [(&str, &str, &str); 2] =
    [("headroom-cli", "headroom", "usr/bin"), ("headroom-guard", "headroom-guard", "usr/sbin")];
/// Files of the tree, where they are installed, and whether the package is nothing without them.
const FILES: [(&str, &str, bool); 9] = [
    ("packaging/headroom-guard.service", "usr/lib/systemd/system/headroom-guard.service", true),
    ("packaging/policy.toml", "etc/headroom/policy.toml", true),
    ("packaging/copyright", "usr/share/doc/headroom/copyright", true),
    ("policy/policy.toml", "usr/share/headroom/policy.toml", false),
    ("contrib/plans.toml", "usr/share/headroom/plans.toml", false),
    ("README.md", "usr/share/doc/headroom/README.md", false),
    ("CHANGELOG.md", "usr/share/doc/headroom/CHANGELOG.md", false),
    ("LICENSE-MIT", "usr/share/doc/headroom/LICENSE-MIT", false),
    ("LICENSE-APACHE", "usr/share/doc/headroom/LICENSE-APACHE", false),
];
/// What dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the package, from programs that lie in `from` or else are built. Returns its path.
pub(crate) fn run(from: Option<&Path>) -> Result<PathBuf> {
    let root = tree::root();
    let programs = match from {
        Some(folder) => folder.to_owned(),
        None => build()?,
    };
    let staging = tempfile::tempdir()?;
    stage(&root, &programs, staging.path())?;
    let folder = root.join("target/debian");
    fs::create_dir_all(&folder)?;
    let package = folder.join(format!("headroom_{VERSION}_amd64.deb"));
    let mut command = Command::new("dpkg-deb");
    // Gzip unpacks fastest on a small node.
    command.args(["--root-owner-group", "-Zgzip", "--build"]).arg(staging.path()).arg(&package);
    let output = command.output().context("starting dpkg-deb (package dpkg)")?;
    if !output.status.success() {
        anyhow::bail!("dpkg-deb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(package)
}

fn build() -> Result<PathBuf> {
    let mut command = tree::cargo(["build", "--release", "--quiet"]);
    for (package, ..) in PROGRAMS {
        command.args(["--package", package]);
    }
    say("deb: building the release programs");
    tree::check(&mut command)?;
    Ok(tree::root().join("target/release"))
}

/// Lays out in `to` what the package installs, and its control files.
fn stage(root: &Path, programs: &Path, to: &Path) -> Result<()> {
    let mut libc = (0, 0);
    for (package, name, folder) in PROGRAMS {
        let from = programs.join(name);
        let program = fs::read(&from).with_context(|| format!("{package} gave no {name}"))?;
        libc = libc.max(newest_libc(&program));
        place(&from, &to.join(folder).join(name), 0o755)?;
    }
    for (from, target, needed) in FILES {
        let from = root.join(from);
        if needed || from.exists() {
            place(&from, &to.join(target), 0o644)?;
        }
    }
    let size_kib = size_kib(to)?;
    let control = to.join("DEBIAN");
    for script in SCRIPTS {
        place(&root.join("packaging").join(script), &control.join(script), 0o755)?;
    }
    fs::write(control.join("conffiles"), conffiles())?;
    fs::write(control.join("control"), control_file(size_kib, libc))?;
    open_folders(to)
}

/// Makes folders readable for all: the umask of whoever builds must not show in the package.
fn open_folders(folder: &Path) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

fn place(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let folder = to.parent().context("a file without a folder")?;
    fs::create_dir_all(folder)?;
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn size_kib(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() {
            size_kib(&entry.path())?
        } else {
            metadata.len().div_ceil(1024)
        };
    }
    Ok(size)
}

/// Whatever is installed in /etc is the administrator's to change.
fn conffiles() -> String {
    let installed = FILES.iter().map(|(_, target, _)| target);
    installed.filter(|target| target.starts_with("etc/")).map(|t| format!("/{t}\n")).collect()
}

fn control_file(size_kib: u64, (major, minor): (u32, u32)) -> String {
    format!(
        "Package: headroom\n\
         Version: {VERSION}\n\
         Architecture: amd64\n\
         Maintainer: Headroom's developers <headroom@localhost>\n\
         Installed-Size: {size_kib}\n\
         Depends: libc6 (>= {major}.{minor}), libgcc-s1\n\
         Section: admin\n\
         Priority: optional\n\
         Description: keeps a web node serving when memory runs out\n \
         A guard that knows which processes a shop needs, lets those that it does not\n \
         need wait or end before the kernel has to choose, and says why memory ran out.\n"
    )
}

/// The newest version of the C library whose symbols a program asks for, found as `GLIBC_2.34` among
/// the bytes of its string table.
fn newest_libc(program: &[u8]) -> (u32, u32) {
    const MARK: &[u8] = b"GLIBC_";
    let mut newest = (0, 0);
    for (index, window) in program.windows(MARK.len()).enumerate() {
        if window == MARK {
            let rest = &program[index + MARK.len()..];
            let text: String = rest.iter().take(8).map(|byte| char::from(*byte)).collect();
            let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().ok());
            if let (Some(Some(major)), Some(Some(minor))) = (numbers.next(), numbers.next()) {
                newest = newest.max((major, minor));
            }
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_of_the_c_library_is_found_by_number_and_not_by_text() {
        let program = b"\0GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0";
        assert_eq!(newest_libc(program), (2, 34));
    }

    #[test]
    fn files_below_etc_are_conffiles() {
        assert_eq!(conffiles(), "/etc/headroom/policy.toml\n");
    }

    #[test]
    fn a_package_without_a_program_is_not_built() {
        let (programs, staging) = (tempfile::tempdir(), tempfile::tempdir());
        let (programs, staging) = (programs.expect("a folder"), staging.expect("a folder"));
        let error = stage(&tree::root(), programs.path(), staging.path()).expect_err("no programs");
        assert!(error.to_string().contains("headroom-cli gave no headroom"));
    }

    #[test]
    fn all_that_a_package_needs_is_laid_out() {
        let (programs, staging) = (tempfile::tempdir(), tempfile::tempdir());
        let (programs, staging) = (programs.expect("a folder"), staging.expect("a folder"));
        for (_, name, _) in PROGRAMS {
            fs::write(programs.path().join(name), b"\x7fELF GLIBC_2.34\0").expect("written");
        }
        stage(&tree::root(), programs.path(), staging.path()).expect("staged");
        let control = staging.path().join("DEBIAN/control");
        let control = fs::read_to_string(control).expect("a control file");
        assert!(control.contains("libc6 (>= 2.34)"));
        let guard = fs::metadata(staging.path().join("usr/sbin/headroom-guard")).expect("there");
        assert_eq!(guard.permissions().mode() & 0o777, 0o755);
    }
}
