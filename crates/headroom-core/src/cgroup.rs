//! Which cgroup a process is in, as far as a decision needs to know it.

use crate::fnv::Fnv;

/// A cgroup, told from all others by its path, and whether systemd made it for one piece of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cgroup(u64);

/// The bit of a key that says it is a unit's.
const UNIT: u64 = 1 << 63;

impl Cgroup {
    /// The cgroup of that path below its hierarchy's root, as `/proc/PID/cgroup` has it. The root itself
    /// and what is not known are [`Self::default`].
    #[must_use]
    pub fn of(path: &[u8]) -> Self {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if path.is_empty() {
            return Self::default();
        }
        // But for one bit; 0 stands for the root.
        let key = Fnv::of(path);
        // A slice is a place for units and no work of its own (systemd.slice(5)).
        let is_unit = path.ends_with(b".service") || path.ends_with(b".scope");
        Self((key & !UNIT).max(1) | if is_unit { UNIT } else { 0 })
    }

    /// Whether it is known, and not the root.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// Whether it is a service's or a scope's own.
    #[must_use]
    pub const fn is_unit(self) -> bool {
        self.0 & UNIT != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_scopes_are_units_and_slices_are_not() {
        for unit in ["/system.slice/import.service", "user.slice/run-u17.scope/"] {
            assert!(Cgroup::of(unit.as_bytes()).is_unit(), "{unit}");
        }
        for none in ["/limited.slice", "/lxc/shop", "/", "", "/import.service/worker"] {
            assert!(!Cgroup::of(none.as_bytes()).is_unit(), "{none}");
        }
    }

    #[test]
    fn a_cgroup_is_known_by_its_path_however_that_is_written() {
        assert_eq!(Cgroup::of(b"/limited.slice"), Cgroup::of(b"limited.slice/"));
        assert_ne!(Cgroup::of(b"/a.service"), Cgroup::of(b"/b.service"));
        assert!(Cgroup::of(b"/a.service").is_known());
        assert!(!Cgroup::of(b"/").is_known() && !Cgroup::of(b"").is_known());
    }
}
