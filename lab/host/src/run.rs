//! One run: puts the disks together, boots the node, reads what came of it.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use lab_facts::Facts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hash::Recipe;
use crate::image::{Image, image, make_file_system};
use crate::kills::{Kill, by_guard, by_kernel, paused};
use crate::needs::{self, run as run_program};
use crate::progress::say;
use crate::qemu::{self, Disks};
use crate::score::{Score, score};
use crate::settings::Run;
use crate::{places, progress};

/// The node's programs are linked against nothing, so that they run whatever the node has.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Logs of one run, with room for a storm of kernel reports.
const RESULTS_MIB: u64 = 64;

/// What all runs of one command share.
pub(crate) struct Lab {
    /// What the node boots from.
    pub(crate) image: Image,
    node_program: PathBuf,
    package: Option<Package>,
}

/// The build under test.
struct Package {
    path: PathBuf,
    hash: String,
}

impl Lab {
    /// Installs and builds what is needed. The build under test is needed for `runs` whose guard is ours,
    /// and is `package` if there is one, else built from this tree.
    pub(crate) fn open(runs: &[Run], package: Option<&Path>) -> Result<Self> {
        needs::ensure()?;
        let package = match package {
            _ if !runs.iter().any(Run::is_own) => None,
            Some(path) => Some(Package::at(path.to_owned())?),
            None => Some(Package::build()?),
        };
        let node_program = build_node_program()?;
        Ok(Self { image: image()?, node_program, package })
    }

    /// The same on another image.
    pub(crate) fn on(self, image: Image) -> Self {
        Self { image, ..self }
    }

    /// The name of the build under test, for runs whose guard is ours.
    pub(crate) fn build_of(&self, run: &Run) -> Option<&str> {
        self.package.as_ref().filter(|_| run.is_own()).map(|package| package.hash.as_str())
    }

    /// Lets the storm loose once; no score when the node never got through. Its logs are left in `keep`.
    pub(crate) fn run(&self, run: &Run, keep: &Path) -> Result<Option<Score>> {
        let Some(facts) = self.boot::<Facts>(run, keep)? else { return Ok(None) };
        let history = fs::read_to_string(keep.join("history.json")).unwrap_or_default();
        Ok(Some(score(run, &facts, &kills(run, keep)?, paused(&history))))
    }

    /// Boots the node and reads what it reports; nothing when it never got through. Its logs are left in
    /// `keep`.
    pub(crate) fn boot<F: Serialize + DeserializeOwned>(
        &self,
        run: &Run,
        keep: &Path,
    ) -> Result<Option<F>> {
        fs::create_dir_all(keep).with_context(|| format!("making {}", keep.display()))?;
        let scratch = tempfile::tempdir()?;
        let run_disk = scratch.path().join("run.img");
        self.build_run_disk(run, &scratch.path().join("run"), &run_disk)?;
        let results_disk = sparse(&scratch.path().join("results.img"), RESULTS_MIB)?;
        let swap_disk = scratch.path().join("swap.img");
        let swap_mib = u64::from(run.swap_mib);
        let swap_disk = if swap_mib == 0 || run.machine.zram {
            None
        } else {
            Some(sparse(&swap_disk, swap_mib)?)
        };
        let disks = Disks { run: &run_disk, results: &results_disk, swap: swap_disk.as_deref() };

        progress::say(&format!("{}: booting the node", run.title()));
        let facts = qemu::boot::<F>(&self.image, run, &disks, &keep.join("console.log"));
        // Logs are kept of a run that failed as well, as far as it got.
        if is_written(&results_disk)? {
            run_program(Command::new("tar").arg("-C").arg(keep).arg("-xf").arg(&results_disk))?;
        }
        let Some(facts) = facts? else { return Ok(None) };
        fs::write(keep.join("facts.json"), serde_json::to_vec_pretty(&facts)?)?;
        Ok(Some(facts))
    }

    fn build_run_disk(&self, run: &Run, folder: &Path, image: &Path) -> Result<()> {
        fs::create_dir(folder)?;
        let source = places::lab().join("image/run/.");
        run_program(Command::new("cp").arg("-r").arg(source).arg(folder))?;
        fs::copy(&self.node_program, folder.join("lab-node"))?;
        if let Some(only) = &run.only {
            keep_steps(&folder.join("tour/steps"), only)?;
        }
        if run.is_own() {
            let package = self.package.as_ref().context("the build under test was not packaged")?;
            fs::create_dir(folder.join("payload"))?;
            fs::copy(&package.path, folder.join("payload/headroom.deb"))?;
        }
        make_file_system(folder, image, "64M")
    }
}

/// Leaves the tour's steps whose names contain one of these.
fn keep_steps(folder: &Path, only: &[String]) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !only.iter().any(|part| name.contains(part.as_str())) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn kills(run: &Run, logs: &Path) -> Result<Vec<Kill>> {
    let read = |name: &str| -> Result<String> {
        let bytes = fs::read(logs.join(name)).with_context(|| format!("reading {name}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut kills = by_kernel(&read("kernel.log")?);
    kills.extend(by_guard(&run.guard, &read("journal.log")?));
    Ok(kills)
}

/// Builds the director and the probe as one static program.
fn build_node_program() -> Result<PathBuf> {
    say("building the director and the probe");
    let target_folder = places::lab().join("target/node");
    let flags = format!("target.{TARGET}.rustflags=[\"-C\",\"target-feature=+crt-static\"]");
    let mut command = cargo();
    command.args(["build", "--release", "--quiet", "--package", "lab-node", "--target", TARGET]);
    command.args(["--config", &flags, "--target-dir"]).arg(&target_folder);
    run_program(command.arg("--manifest-path").arg(places::lab().join("Cargo.toml")))?;
    Ok(target_folder.join(TARGET).join("release/lab-node"))
}

impl Package {
    /// Builds the Debian package of this tree.
    fn build() -> Result<Self> {
        say("building the package under test");
        let mut command = cargo();
        command.args(["xtask", "deb"]).current_dir(places::tree()).stdin(Stdio::null());
        let output =
            command.stderr(Stdio::inherit()).output().context("starting cargo xtask deb")?;
        if !output.status.success() {
            bail!("cargo xtask deb failed ({})", output.status);
        }
        Self::at(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))
    }

    /// A package that is there already. It is named after what it installs, without times.
    fn at(path: PathBuf) -> Result<Self> {
        let unpacked = tempfile::tempdir()?;
        run_program(Command::new("dpkg-deb").arg("-x").arg(&path).arg(unpacked.path()))?;
        let hash = Recipe::default().path(unpacked.path())?.name();
        Ok(Self { path, hash })
    }
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn sparse(path: &Path, mib: u64) -> Result<PathBuf> {
    File::create(path)?.set_len(mib << 20)?;
    Ok(path.to_owned())
}

/// An archive begins with a name; a disk nobody wrote to, with zeros.
fn is_written(path: &Path) -> Result<bool> {
    let mut first = [0];
    std::io::Read::read_exact(&mut File::open(path)?, &mut first)?;
    Ok(first != [0])
}
