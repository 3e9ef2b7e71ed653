//! What a unit's processes hold: memory that is theirs alone, so that caches of files do not count.

use std::path::Path;

use headroom_core::units::Kib;
use headroom_sys::proc::Proc;

/// A unit's processes, by its cgroup and its main process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Below the root of the hierarchy, `/system.slice/mariadb.service`.
    pub(super) cgroup: String,
    /// 0 when there is none.
    pub(super) main_pid: u32,
}

/// The anonymous memory, in RAM and in swap, of all processes of a unit; `None` when nothing is known.
pub(super) fn memory_of(root: &Path, place: &Place) -> Option<Kib> {
    from_cgroup(root, &place.cgroup).or_else(|| from_processes(root, place))
}

/// By cgroup v2's own account.
fn from_cgroup(root: &Path, cgroup: &str) -> Option<Kib> {
    let path = cgroup.trim_start_matches('/');
    if path.is_empty() || path.split('/').any(|part| part == "..") {
        return None;
    }
    let dir = root.join("sys/fs/cgroup").join(path);
    let stat = std::fs::read_to_string(dir.join("memory.stat")).ok()?;
    let anon = stat.lines().find_map(|line| line.strip_prefix("anon ")?.trim().parse().ok())?;
    let swap = std::fs::read_to_string(dir.join("memory.swap.current")).ok();
    let swap = swap.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Some(Kib::from_bytes(anon).saturating_add(Kib::from_bytes(swap)))
}

/// By what each process says of itself: pages that a fork still shares count for each.
fn from_processes(root: &Path, place: &Place) -> Option<Kib> {
    let path = place.cgroup.trim_start_matches('/');
    let lists = ["sys/fs/cgroup", "sys/fs/cgroup/systemd", "sys/fs/cgroup/unified"];
    let listed = lists.iter().filter(|_| !path.is_empty()).find_map(|hierarchy| {
        std::fs::read_to_string(root.join(hierarchy).join(path).join("cgroup.procs")).ok()
    });
    let mut pids: Vec<i32> =
        listed.iter().flat_map(|text| text.lines()).filter_map(|pid| pid.parse().ok()).collect();
    if pids.is_empty() {
        pids.extend(i32::try_from(place.main_pid).ok().filter(|pid| *pid > 0));
    }
    let mut proc = Proc::open(root).ok()?;
    let held = pids.into_iter().filter_map(|pid| held_by(&mut proc, pid));
    held.reduce(Kib::saturating_add)
}

/// What one process holds for itself.
pub(crate) fn held_by(proc: &mut Proc, pid: i32) -> Option<Kib> {
    let status = proc.status(pid).ok()?;
    Some(
        status
            .rss_anon?
            .saturating_add(status.rss_shmem.unwrap_or_default())
            .saturating_add(status.swap),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cgroups_account_comes_first_then_the_processes() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("sys/fs/cgroup/system.slice/a.service");
        std::fs::create_dir_all(&dir).unwrap();
        let place = Place { cgroup: "/system.slice/a.service".into(), main_pid: 0 };
        assert_eq!(memory_of(root.path(), &place), None);
        std::fs::write(dir.join("memory.stat"), "anon 1048576\nfile 99\n").unwrap();
        std::fs::write(dir.join("memory.swap.current"), "2048\n").unwrap();
        assert_eq!(memory_of(root.path(), &place), Some(Kib(1026)));
        let outside = Place { cgroup: "/../../etc".into(), main_pid: 0 };
        assert_eq!(memory_of(root.path(), &outside), None);
        let own = Place { cgroup: "/nowhere".into(), main_pid: std::process::id() };
        assert!(memory_of(Path::new("/"), &own).unwrap() > Kib::ZERO);
    }
}
