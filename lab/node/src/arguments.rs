//! What to do in this run: the `lab.NAME=VALUE` words of the kernel command line.

use std::fs;
use std::time::Duration;

use crate::Outcome;

/// One run's settings, as the host chose them.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    /// A directory of /lab/guards.
    pub(crate) guard: String,
    /// A directory of /lab/scenarios.
    pub(crate) scenario: String,
    /// `strict` or `permissive`.
    pub(crate) policy: String,
    /// How long the shop is probed from the storm's start.
    pub(crate) hold: Duration,
    /// Questions a second.
    pub(crate) rate: String,
    /// `none`, `disk` (the fourth one) or `zram:MIB`.
    pub(crate) swap: String,
    /// Directories of /lab/misconfigured that `headroom advise` is to be tried on, instead of a storm.
    pub(crate) advise: Vec<String>,
}

impl Arguments {
    /// Those of this boot.
    pub(crate) fn read() -> Outcome<Self> {
        Self::parse(&fs::read_to_string("/proc/cmdline")?)
    }

    fn parse(line: &str) -> Outcome<Self> {
        let value = |name: &str| {
            let words = line.split_whitespace().filter_map(|word| word.strip_prefix("lab."));
            let mut values = words.filter_map(|word| word.split_once('='));
            let value = values.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
            value.ok_or_else(|| format!("the kernel command line lacks lab.{name}="))
        };
        Ok(Self {
            guard: value("guard")?,
            scenario: value("scenario")?,
            policy: value("policy")?,
            hold: Duration::from_secs(value("hold")?.parse()?),
            rate: value("rate")?,
            swap: value("swap")?,
            advise: value("advise")
                .map_or_else(|_| Vec::new(), |names| names.split('+').map(str::to_owned).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_passed_over() {
        let line = "root=/dev/vda quiet lab.guard=none lab.scenario=stack lab.policy=strict \
                    lab.hold=45 lab.rate=5 lab.swap=none\n";
        let arguments = Arguments::parse(line).expect("complete");
        assert_eq!(arguments.scenario, "stack");
        assert_eq!(arguments.hold, Duration::from_secs(45));
        assert_eq!(arguments.swap, "none");
        assert!(arguments.advise.is_empty());
        let arguments =
            Arguments::parse(&format!("{} lab.advise=no-swap+tmpfs-heavy", line.trim()));
        assert_eq!(arguments.expect("complete").advise, ["no-swap", "tmpfs-heavy"]);
    }

    #[test]
    fn a_missing_word_is_named() {
        let error = Arguments::parse("quiet").expect_err("nothing there");
        assert!(error.to_string().contains("lab.guard="));
    }
}
