//! What this guard can do here, and what it does instead where it cannot: said plainly in `status`
//! and at the start, since a guard that silently cannot act is worse than none.

use headroom_api::status::Missing;
use headroom_sys::cgroup::Layout;
use headroom_sys::own::{self, Capability};

use crate::sense::Senses;

/// What was found out at the start.
#[derive(Clone, Debug, Default)]
pub struct Abilities {
    /// It may signal any process.
    pub can_act: bool,
    /// What is missing.
    pub missing: Vec<Missing>,
}

impl Abilities {
    /// Looks at rights and at what this kernel shows.
    pub(crate) fn find(senses: &Senses) -> Self {
        let mut found =
            Self { can_act: own::has_capability(Capability::Kill), missing: Vec::new() };
        let mut lacks = |what: &str, why: &str, instead: &str| {
            found.missing.push(Missing {
                what: what.into(),
                why: why.into(),
                instead: instead.into(),
            });
        };
        if !own::has_capability(Capability::Kill) {
            lacks(
                "the right to end other users' processes",
                "not root, no CAP_KILL",
                "dry run: it only says what it would do",
            );
        }
        if !own::has_capability(Capability::SysResource) {
            lacks(
                "lower oom_score_adj values",
                "no CAP_SYS_RESOURCE",
                "essential processes keep the value they have; expendable ones are still raised",
            );
        }
        if !own::has_capability(Capability::SysPtrace) {
            lacks(
                "executables of other users' processes",
                "no CAP_SYS_PTRACE",
                "rules that ask for an executable go by the command name",
            );
        }
        if senses.proc.hides_others() {
            lacks(
                "other users' processes",
                "/proc is mounted with hidepid",
                "only its own processes are seen",
            );
        }
        if senses.snapshot.pressure.is_none() {
            lacks(
                "pressure stall information (PSI)",
                "the kernel was built without it or booted without psi=1",
                "available memory and its rate alone call for relief",
            );
        }
        if senses.snapshot.vm.oom_kill.is_none() {
            lacks(
                "a count of the kernel's OOM kills",
                "the kernel is older than 4.13",
                "kernel kills do not call for relief",
            );
        }
        match senses.cgroups.layout() {
            Layout::V2 => {}
            Layout::Hybrid | Layout::V1 => lacks(
                "cgroup v2",
                "memory is on cgroup v1 here",
                "zones are read by polling; the machine as a whole is guarded as always",
            ),
            Layout::None => lacks(
                "cgroups",
                "none are mounted under /sys/fs/cgroup",
                "rules that ask for a unit never match; executable and user decide",
            ),
        }
        found
    }
}
