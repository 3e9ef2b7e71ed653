//! `cargo xtask deb`: the Debian package, put together with dpkg-deb alone.

mod check;
mod contents;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};

use crate::{docs, say, tree};
use contents::{FILES, OTHER_NAMES, PROGRAMS, SCRIPTS, conffiles, units};

pub(crate) use check::check;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the package, from programs that lie in `from` or else are built. Returns its path.
pub(crate) fn run(from: Option<&Path>) -> Result<PathBuf> {
    let staging = tempfile::tempdir()?;
    let contents = prepare(from, staging.path())?;
    pack(&contents, VERSION, &tree::root().join("target/debian"))
}

/// Gathers in `folder` all that the package is made of: programs, pages and completions.
fn prepare(from: Option<&Path>, folder: &Path) -> Result<Contents> {
    let programs = match from {
        Some(programs) => programs.to_owned(),
        None => build()?,
    };
    let contents = Contents { programs, docs: folder.to_owned() };
    let headroom = contents.programs.join("headroom");
    docs::write_man(&headroom, &contents.man())?;
    docs::write_completions(&headroom, &contents.completions())?;
    Ok(contents)
}

/// Where what is to be installed lies.
struct Contents {
    programs: PathBuf,
    docs: PathBuf,
}

impl Contents {
    fn man(&self) -> PathBuf {
        self.docs.join("man")
    }

    fn completions(&self) -> PathBuf {
        self.docs.join("completions")
    }
}

fn build() -> Result<PathBuf> {
    let mut command = tree::cargo(["build", "--release", "--quiet"]);
    for program in PROGRAMS {
        command.args(["--package", program.package]);
    }
    say("deb: building the release programs");
    tree::check(&mut command)?;
    Ok(tree::target().join("release"))
}

/// Makes the package of that version, in `folder`. Returns its path.
fn pack(contents: &Contents, version: &str, folder: &Path) -> Result<PathBuf> {
    let staging = tempfile::tempdir()?;
    stage(&tree::root(), contents, version, staging.path())?;
    fs::create_dir_all(folder)?;
    let package = folder.join(format!("headroom_{version}_amd64.deb"));
    let mut command = Command::new("dpkg-deb");
    // Gzip unpacks fastest on a small node.
    command.args(["--root-owner-group", "-Zgzip", "--build"]).arg(staging.path()).arg(&package);
    let output = command.output().context("starting dpkg-deb (package dpkg)")?;
    if !output.status.success() {
        bail!("dpkg-deb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(package)
}

/// Lays out in `to` what the package installs, and its control files.
fn stage(root: &Path, contents: &Contents, version: &str, to: &Path) -> Result<()> {
    let mut libc = (0, 0);
    for program in PROGRAMS {
        let from = contents.programs.join(program.name);
        let bytes = fs::read(&from)
            .with_context(|| format!("{} gave no {}", program.package, program.name))?;
        libc = libc.max(newest_libc(&bytes));
        place(&from, &to.join(program.folder).join(program.name), 0o755)?;
    }
    for file in FILES {
        let from = root.join(file.from);
        if file.needed || from.exists() {
            place(&from, &to.join(file.to), 0o644)?;
        }
    }
    for page in sorted(&contents.man())? {
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let section = name.rsplit('.').next().unwrap_or("1").to_owned();
        place(&page, &to.join(format!("usr/share/man/man{section}/{name}.gz")), 0o644)?;
    }
    for (_, path) in docs::SHELLS {
        place(&contents.completions().join(path), &to.join("usr/share").join(path), 0o644)?;
    }
    for name in OTHER_NAMES {
        symlink("headroom", to.join("usr/bin").join(name))?;
        symlink("headroom.1.gz", to.join(format!("usr/share/man/man1/{name}.1.gz")))?;
    }
    let size_kib = size_kib(to)?;
    let sums = sums(to)?;
    let control = to.join("DEBIAN");
    fs::create_dir_all(&control)?;
    let units: Vec<&str> = units().collect();
    for script in SCRIPTS {
        let path = root.join("packaging").join(script);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {script}"))?;
        let target = control.join(script);
        fs::write(&target, text.replace("@UNITS@", &units.join(" ")))?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(control.join("conffiles"), conffiles())?;
    fs::write(control.join("md5sums"), sums)?;
    fs::write(control.join("control"), control_file(version, size_kib, libc))?;
    open_folders(to)
}

/// Makes folders readable for all: the umask of whoever builds must not show in the package.
fn open_folders(folder: &Path) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for path in sorted(folder)? {
        if path.is_dir() && !path.is_symlink() {
            open_folders(&path)?;
        }
    }
    Ok(())
}

/// Installs a file; where its new name ends in `.gz` it is compressed, the same way each time.
fn place(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let folder = to.parent().context("a file without a folder")?;
    fs::create_dir_all(folder)?;
    if to.extension().is_some_and(|extension| extension == "gz") {
        let bytes = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        let mut packed = GzBuilder::new().write(fs::File::create(to)?, Compression::best());
        packed.write_all(&bytes)?;
        packed.finish()?;
    } else {
        fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    }
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn size_kib(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for path in sorted(folder)? {
        let metadata = fs::symlink_metadata(&path)?;
        size += match metadata.is_dir() {
            true => size_kib(&path)?,
            false => metadata.len().div_ceil(1024),
        };
    }
    Ok(size)
}

/// What dpkg checks the installed files by.
fn sums(staging: &Path) -> Result<Vec<u8>> {
    let mut command = Command::new("sh");
    command.args(["-c", "find * -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum"]);
    let output = command.current_dir(staging).output().context("starting md5sum")?;
    if !output.status.success() {
        bail!("md5sum failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

fn control_file(version: &str, size_kib: u64, (major, minor): (u32, u32)) -> String {
    format!(
        "Package: headroom\n\
         Version: {version}\n\
         Architecture: amd64\n\
         Maintainer: Headroom's developers <maintainers@example.org>\n\
         Installed-Size: {size_kib}\n\
         Depends: libc6 (>= {major}.{minor}), libgcc-s1, passwd\n\
         Recommends: systemd, polkitd\n\
         Section: admin\n\
         Priority: optional\n\
         Description: keeps a web node serving when memory runs out\n \
         A guard that knows which processes a shop needs, lets those that it does not\n \
         need wait or end before the kernel has to choose, and says why memory ran out.\n \
         An agent beside it answers the node's users: settings, services, mail.\n"
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
