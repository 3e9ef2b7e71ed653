//! The kernel's kills below zones of cgroup v1, whose own counters leave out what happens in their children: told
//! by the kernel's log (mm/oom_kill.c `dump_oom_summary`, Linux 5.0).

use headroom_core::policy::Zone;

/// A kill for the limit of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kill<'t> {
    /// Whose limit was reached.
    limit_of: &'t [u8],
    /// Where the killed process was.
    was_in: &'t [u8],
}

impl<'t> Kill<'t> {
    /// `oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/a,task_memcg=/a/b,task=php,pid=9,uid=0`; `None` for
    /// all other lines, that of a kill for the machine's sake among them.
    fn parse(line: &'t [u8]) -> Option<Self> {
        let rest = line.strip_prefix(b"oom-kill:constraint=CONSTRAINT_MEMCG,")?;
        let rest = after(rest, b",oom_memcg=")?;
        let (limit_of, rest) = parted(rest, b",task_memcg=")?;
        let (was_in, _) = parted(rest, b",task=")?;
        Some(Self { limit_of, was_in })
    }
}

/// What is counted beside the zones' own counters, in the policy's order.
#[derive(Debug, Default)]
pub(crate) struct KillsBelow(Vec<u64>);

impl KillsBelow {
    /// None, for so many zones.
    pub(crate) fn of(zones: usize) -> Self {
        Self(vec![0; zones])
    }

    /// Takes in a line of the kernel's.
    pub(crate) fn note(&mut self, line: &[u8], zones: &[Zone]) {
        let Some(kill) = Kill::parse(line) else { return };
        for (count, zone) in self.0.iter_mut().zip(zones) {
            // What was killed in the zone's own cgroup it counts itself.
            let is_below = zone.holds(kill.limit_of) && !zone.is(kill.was_in);
            *count += u64::from(is_below);
        }
    }

    /// What was counted for this zone.
    pub(crate) fn get(&self, zone: usize) -> u64 {
        self.0.get(zone).copied().unwrap_or(0)
    }
}

fn after<'t>(text: &'t [u8], mark: &[u8]) -> Option<&'t [u8]> {
    parted(text, mark).map(|(_, rest)| rest)
}

fn parted<'t>(text: &'t [u8], mark: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones() -> Vec<Zone> {
        ["limited.slice", "/web.slice/"].map(|path| Zone { cgroup: path.into() }).into()
    }

    fn counted(limit_of: &str, was_in: &str) -> [u64; 2] {
        let mut kills = KillsBelow::of(2);
        let line = format!(
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,\
             oom_memcg={limit_of},task_memcg={was_in},task=php,pid=9,uid=33"
        );
        kills.note(line.as_bytes(), &zones());
        [kills.get(0), kills.get(1)]
    }

    #[test]
    fn a_kill_below_a_zone_is_the_zones() {
        assert_eq!(counted("/limited.slice", "/limited.slice/cron.service"), [1, 0]);
        assert_eq!(counted("/web.slice/php.service", "/web.slice/php.service"), [0, 1]);
    }

    #[test]
    fn what_a_zone_counts_itself_or_what_is_anothers_is_not_counted() {
        assert_eq!(counted("/limited.slice", "/limited.slice"), [0, 0]);
        assert_eq!(counted("/limited.slice-two", "/limited.slice-two/a"), [0, 0]);
        assert_eq!(counted("/", "/limited.slice/cron.service"), [0, 0], "a limit above the zone");
    }

    #[test]
    fn a_kill_for_the_machine_and_any_other_line_are_none() {
        let mut kills = KillsBelow::of(1);
        for line in [
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,\
             task_memcg=/limited.slice/a,task=php,pid=9,uid=33",
            "Memory cgroup out of memory: Killed process 9 (php)",
            "oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/limited.slice,task_memcg=",
            "",
        ] {
            kills.note(line.as_bytes(), &zones());
        }
        assert_eq!(kills.get(0), 0);
    }
}
