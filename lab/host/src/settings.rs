//! What one run is: the scenario, the guard, and the node they meet in.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use lab_facts::{TOUR, setting};
use serde::Serialize;

use crate::hash::Recipe;
use crate::image::Kernel;
use crate::places;

/// Raised when the way of measuring changes so that older rows cannot stand beside newer ones.
const MEASURE: &str = "1";
/// The guard that is the build under test; all others are peers.
pub(crate) const OWN_GUARD: &str = "headroom";

/// Whether a guard is the build under test, alone or with something beside it (`headroom-mglru`).
pub(crate) fn is_own(guard: &str) -> bool {
    guard == OWN_GUARD || guard.strip_prefix(OWN_GUARD).is_some_and(|with| with.starts_with('-'))
}

/// What is wrong with the command line, beyond what its parser can tell.
#[derive(Debug)]
pub(crate) struct WrongUsage(pub(crate) String);

impl Display for WrongUsage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUsage {}

/// The two named sets of thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    /// Act early.
    Strict,
    /// Allow short peaks.
    Permissive,
}

impl Policy {
    /// As it stands in arguments and score lines.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Permissive => "permissive",
        }
    }
}

/// The node: all that decides how a storm goes besides the storm and the guard.
#[derive(Clone, Debug, Args)]
pub(crate) struct Machine {
    /// Memory of the node
    #[arg(long, default_value_t = 1280, value_name = "MIB")]
    pub(crate) mem_mib: u32,
    /// Swap of the node, 0 for none [default: the scenario's own, mostly 0]
    #[arg(long, value_name = "MIB")]
    pub(crate) swap_mib: Option<u32>,
    /// The swap is compressed memory and not a disk
    #[arg(long)]
    pub(crate) zram: bool,
    /// Debian stable's kernel, or the newest in its backports
    #[arg(long, value_enum, default_value = "stable")]
    pub(crate) kernel: Kernel,
    /// Disk operations a second
    #[arg(long, default_value_t = 3000)]
    pub(crate) iops: u32,
    /// An instruction takes 2^SHIFT ns: 0 is a core of a billion a second, 2 a quarter of that
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=6))]
    pub(crate) shift: u32,
    /// Seconds of probing from the storm's start [default: the scenario's own]
    #[arg(long, value_name = "S")]
    pub(crate) hold: Option<u32>,
    /// Questions to the shop a second
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rate: u32,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// A folder of image/run/scenarios.
    pub(crate) scenario: String,
    /// A folder of image/run/guards.
    pub(crate) guard: String,
    /// Which thresholds, for the guard that has such.
    pub(crate) policy: Policy,
    /// The node.
    pub(crate) machine: Machine,
    /// How long the shop is probed, in seconds.
    pub(crate) hold: u32,
    /// The node's swap, 0 for none.
    pub(crate) swap_mib: u32,
    /// Of the tour only the steps whose names contain one of these.
    pub(crate) only: Option<Vec<String>>,
    /// Misconfigurations that `headroom advise` is tried on instead of the scenario, by their folders.
    pub(crate) advise: Vec<String>,
}

impl Run {
    /// The tour, which is no storm.
    pub(crate) fn tour(machine: &Machine, only: Option<Vec<String>>) -> Self {
        Self {
            scenario: TOUR.to_owned(),
            guard: OWN_GUARD.to_owned(),
            policy: Policy::Strict,
            machine: machine.clone(),
            hold: 0,
            swap_mib: machine.swap_mib.unwrap_or(0),
            only,
            advise: Vec::new(),
        }
    }

    /// Checks the names against what there is.
    pub(crate) fn new(
        scenario: &str,
        guard: &str,
        policy: Policy,
        machine: &Machine,
    ) -> Result<Self> {
        for (kind, name) in [("scenario", scenario), ("guard", guard)] {
            let known = names(kind)?;
            if !known.iter().any(|known| known == name) {
                let text = format!("no {kind} {name:?}; there are {}", known.join(", "));
                return Err(WrongUsage(text).into());
            }
        }
        let about = places::lab().join("image/run/scenarios").join(scenario).join("about");
        let about = fs::read_to_string(&about).with_context(|| about.display().to_string())?;
        let own = |key: &str| setting(&about, key).and_then(|value| value.parse::<u32>().ok());
        let hold = machine.hold.or_else(|| own("hold"));
        Ok(Self {
            scenario: scenario.to_owned(),
            guard: guard.to_owned(),
            policy,
            hold: hold.with_context(|| format!("scenario {scenario} has no hold"))?,
            swap_mib: machine.swap_mib.or_else(|| own("swap")).unwrap_or(0),
            machine: machine.clone(),
            only: None,
            advise: Vec::new(),
        })
    }

    /// What stands before each line that is said of it.
    pub(crate) fn title(&self) -> String {
        match self.advise.is_empty() {
            true => format!("{} {}", self.scenario, self.guard),
            false => format!("advise {}", self.advise.join(" ")),
        }
    }

    /// Whether the guard is ours.
    pub(crate) fn is_own(&self) -> bool {
        is_own(&self.guard)
    }

    /// What must be equal for two rows to be runs of the same thing, the image and the build aside.
    pub(crate) fn terms(&self) -> Result<String> {
        let machine = &self.machine;
        // Peers know no policy, so theirs must not depend on which was asked for.
        let policy = if self.is_own() { self.policy.word() } else { "" };
        let node =
            [machine.mem_mib, self.swap_mib, machine.iops, machine.shift, machine.rate, self.hold];
        let (kernel, zram) = (machine.kernel.word(), machine.zram);
        let node = format!("{node:?} {kernel} {zram} {policy}");
        let files = places::lab().join("image/run");
        Ok(Recipe::default()
            .text("measure", MEASURE)
            .text("node", &node)
            .path(&files.join("jobs"))?
            .path(&files.join("scenarios").join(&self.scenario))?
            .path(&files.join("guards").join(&self.guard))?
            .name())
    }

    /// The node's swap as its director is told: how much, and of which kind.
    pub(crate) fn swap_word(&self) -> String {
        match (self.swap_mib, self.machine.zram) {
            (0, _) => "none".to_owned(),
            (_, false) => "disk".to_owned(),
            (mib, true) => format!("zram:{mib}"),
        }
    }

    /// The node in words.
    pub(crate) fn node(&self) -> String {
        let swap = match (self.swap_mib, self.machine.zram) {
            (0, _) => "no swap".to_owned(),
            (mib, false) => format!("{mib} MiB of swap"),
            (mib, true) => format!("{mib} MiB of swap in zram"),
        };
        let kernel = match self.machine.kernel {
            Kernel::Stable => "",
            Kernel::Backports => ", the kernel of Debian's backports",
        };
        let (mem, iops) = (self.machine.mem_mib, self.machine.iops);
        let core = 1000 >> self.machine.shift;
        format!(
            "{mem} MiB, {swap}, {iops} disk operations and {core} million instructions a second{kernel}"
        )
    }

    /// The command that does this run again.
    pub(crate) fn command(&self) -> String {
        let mut command =
            format!("cargo xtask lab run --scenario {} --guard {}", self.scenario, self.guard);
        let usual = |value: u32, usual: u32| Some(value).filter(|value| *value != usual);
        for (name, value) in [
            ("mem-mib", usual(self.machine.mem_mib, 1280)),
            ("swap-mib", self.machine.swap_mib),
            ("iops", usual(self.machine.iops, 3000)),
            ("shift", usual(self.machine.shift, 0)),
            ("rate", usual(self.machine.rate, 5)),
            ("hold", self.machine.hold),
        ] {
            if let Some(value) = value {
                command.push_str(&format!(" --{name} {value}"));
            }
        }
        if self.machine.zram {
            command.push_str(" --zram");
        }
        if self.machine.kernel != Kernel::default() {
            command.push_str(&format!(" --kernel {}", self.machine.kernel.word()));
        }
        if self.is_own() {
            command.push_str(&format!(" --policy {}", self.policy.word()));
        }
        command
    }
}

/// The scenarios or guards there are, by their folders.
pub(crate) fn names(kind: &str) -> Result<Vec<String>> {
    folders(&places::lab().join(format!("image/run/{kind}s")))
}

/// The names of the folders in a folder, sorted.
pub(crate) fn folders(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// What a scenario or guard is, in a sentence: the first comment of its `about`.
pub(crate) fn about(kind: &str, name: &str) -> Result<String> {
    let path = places::lab().join(format!("image/run/{kind}s")).join(name).join("about");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let first = text.lines().next().unwrap_or_default();
    Ok(first.trim_start_matches('#').trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        machine: Machine,
    }

    fn run(guard: &str, policy: Policy, options: &[&str]) -> Run {
        let machine = Options::parse_from([&["lab"], options].concat()).machine;
        Run::new("runaway", guard, policy, &machine).expect("known names")
    }

    #[test]
    fn the_command_says_only_what_is_not_as_usual() {
        let usual = run("none", Policy::Strict, &[]).command();
        assert_eq!(usual, "cargo xtask lab run --scenario runaway --guard none");
        let other = run(OWN_GUARD, Policy::Permissive, &["--iops", "500", "--hold", "9"]).command();
        assert!(other.ends_with("--guard headroom --iops 500 --hold 9 --policy permissive"));
    }

    #[test]
    fn terms_of_a_peer_do_not_depend_on_the_policy_and_ours_do() {
        let terms = |guard: &str, policy| run(guard, policy, &[]).terms().expect("hashed");
        assert_eq!(terms("none", Policy::Strict), terms("none", Policy::Permissive));
        for own in [OWN_GUARD, "headroom-mglru"] {
            assert_ne!(terms(own, Policy::Strict), terms(own, Policy::Permissive));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let machine = Options::parse_from(["lab"]).machine;
        let error = Run::new("runaway", "earlyom", Policy::Strict, &machine).expect_err("no such");
        assert!(error.to_string().contains("earlyoom-tuned"));
    }

    #[test]
    fn every_scenario_and_guard_says_what_it_is() {
        for kind in ["scenario", "guard"] {
            for name in names(kind).expect("listed") {
                assert!(!about(kind, &name).expect("readable").is_empty(), "{kind} {name}");
            }
        }
        let machine = Options::parse_from(["lab"]).machine;
        for name in names("scenario").expect("listed") {
            Run::new(&name, "none", Policy::Strict, &machine).expect("a whole scenario");
        }
    }
}
