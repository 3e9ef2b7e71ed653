//! Trees of all layouts, and this machine's own cgroups where a test may make one.

use super::*;
use headroom_core::units::Kib;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const PRESSURE: &str = "some avg10=1.50 avg60=0.00 avg300=0.00 total=7\n\
                        full avg10=0.25 avg60=0.00 avg300=0.00 total=3\n";

fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join("sys/fs/cgroup").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn v2() -> TempDir {
    tree(&[
        ("cgroup.controllers", "cpu memory\n"),
        ("limited.slice/memory.max", "1073741824\n"),
        ("limited.slice/memory.current", "536870912\n"),
        (
            "limited.slice/memory.stat",
            "anon 1\nfile 9\ninactive_file 4096\nactive_file 2048\nslab_reclaimable 1024\n\
             slab_unreclaimable 99999\nworkingset_refault_file 5\n",
        ),
        ("limited.slice/memory.events", "low 0\nhigh 3\nmax 9\noom 2\noom_kill 4\n"),
        ("limited.slice/memory.pressure", PRESSURE),
    ])
}

fn v1_files(oom_control: &str) -> Vec<(&str, &str)> {
    vec![
        ("memory/limited.slice/memory.limit_in_bytes", "5701107712\n"),
        ("memory/limited.slice/memory.usage_in_bytes", "5701103616\n"),
        (
            "memory/limited.slice/memory.stat",
            "inactive_file 7\ntotal_inactive_file 4096\ntotal_active_file 8192\n",
        ),
        ("memory/limited.slice/memory.oom_control", oom_control),
    ]
}

#[test]
fn v2_reads_every_value() {
    let root = v2();
    let cgroups = Cgroups::detect(root.path());
    assert_eq!(cgroups.layout(), Layout::V2);
    for path in ["/limited.slice", "limited.slice", "/limited.slice/"] {
        let mut zone = cgroups.zone(path).unwrap();
        let memory = zone.read().unwrap();
        assert_eq!(memory.limit, Some(Kib::from_mib(1024)));
        assert_eq!(memory.current, Kib::from_mib(512));
        assert_eq!(memory.reclaimable, Kib(7));
        assert_eq!(memory.oom_kill, Some(4));
        let pressure = memory.pressure.unwrap();
        assert_eq!((pressure.some_avg10, pressure.full_avg10), (150, 25));
        assert!(zone.counts_kills_below());
        assert!(zone.events_fd().is_none(), "a captured file tells nobody of changes");
    }
}

#[test]
fn a_zone_without_a_limit_or_pressure_has_none() {
    let root = v2();
    let dir = root.path().join("sys/fs/cgroup/limited.slice");
    fs::write(dir.join("memory.max"), "max\n").unwrap();
    fs::remove_file(dir.join("memory.pressure")).unwrap();
    let memory = Cgroups::detect(root.path()).zone("limited.slice").unwrap().read().unwrap();
    assert_eq!((memory.limit, memory.pressure), (None, None));
}

#[test]
fn v1_reads_what_it_has() {
    let root = tree(&v1_files("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"));
    let cgroups = Cgroups::detect(root.path());
    assert_eq!(cgroups.layout(), Layout::V1);
    let mut zone = cgroups.zone("/limited.slice").unwrap();
    let memory = zone.read().unwrap();
    assert_eq!(memory.limit, Some(Kib(5_567_488)));
    assert_eq!(memory.current, Kib(5_567_484));
    assert_eq!((memory.reclaimable, memory.oom_kill), (Kib(12), Some(2)));
    assert_eq!(memory.pressure, None);
    assert!(!zone.counts_kills_below() && zone.events_fd().is_none());
}

#[test]
fn v1_of_an_old_kernel_counts_no_kills_and_says_so() {
    let root = tree(&v1_files("oom_kill_disable 0\nunder_oom 0\n"));
    let limit = root.path().join("sys/fs/cgroup/memory/limited.slice/memory.limit_in_bytes");
    for unlimited in ["9223372036854771712", "9223372036854710272", "18446744073709551615"] {
        fs::write(&limit, unlimited).unwrap();
        let mut zone = Cgroups::detect(root.path()).zone("limited.slice").unwrap();
        let memory = zone.read().unwrap();
        assert_eq!((memory.limit, memory.oom_kill), (None, None));
        assert!(!zone.counts_kills_below());
    }
}

#[test]
fn the_hybrid_layout_has_its_pressure_from_the_v2_tree() {
    let mut files = v1_files("oom_kill 0\n");
    files.push(("unified/cgroup.controllers", ""));
    files.push(("unified/limited.slice/memory.pressure", PRESSURE));
    let root = tree(&files);
    let cgroups = Cgroups::detect(root.path());
    assert_eq!(cgroups.layout(), Layout::Hybrid);
    let memory = cgroups.zone("limited.slice").unwrap().read().unwrap();
    assert_eq!(memory.pressure.unwrap().some_avg10, 150);
}

#[test]
fn no_cgroups_no_zone_and_no_way_out_of_the_tree() {
    let empty = tempfile::tempdir().unwrap();
    let none = Cgroups::detect(empty.path());
    assert_eq!(none.layout(), Layout::None);
    assert_eq!(none.zone("/").err(), Some(ReadError::Gone));
    let root = v2();
    let cgroups = Cgroups::detect(root.path());
    assert_eq!(cgroups.zone("/system.slice").err(), Some(ReadError::Gone));
    assert_eq!(cgroups.zone("/").err(), Some(ReadError::Gone), "v2's root has no usage");
    for path in ["..", "/limited.slice/../..", "a\0b"] {
        assert!(matches!(cgroups.zone(path), Err(ReadError::Malformed { .. })), "{path:?}");
    }
}

#[test]
fn a_file_that_does_not_say_what_it_must_is_malformed() {
    for (file, content) in [
        ("memory.current", ""),
        ("memory.max", "much"),
        ("memory.stat", "anon 5\n"),
        ("memory.pressure", "some avg10=0.00\n"),
    ] {
        let root = v2();
        fs::write(root.path().join("sys/fs/cgroup/limited.slice").join(file), content).unwrap();
        let read = Cgroups::detect(root.path()).zone("limited.slice").unwrap().read();
        assert!(matches!(read, Err(ReadError::Malformed { .. })), "{file}");
    }
}

/// A cgroup of this machine, removed with its test.
struct Own(PathBuf);

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn this_machines_cgroup_reads_and_is_gone_when_removed() {
    let cgroups = Cgroups::detect(Path::new("/"));
    let name = format!("headroom-test-{}", std::process::id());
    let base = Path::new("/sys/fs/cgroup");
    let dir = match cgroups.layout() {
        Layout::V2 => base.join(&name),
        Layout::V1 | Layout::Hybrid => base.join("memory").join(&name),
        Layout::None => return assert!(cgroups.zone("/").is_err()),
    };
    if fs::create_dir(&dir).is_err() {
        return assert_eq!(cgroups.zone(&name).err(), Some(ReadError::Gone));
    }
    let own = Own(dir);
    let Ok(mut zone) = cgroups.zone(&name) else {
        return assert!(!own.0.join("memory.current").exists(), "no memory controller here");
    };
    let memory = zone.read().unwrap();
    assert_eq!(memory.limit, None);
    assert!(memory.oom_kill.is_none_or(|kills| kills == 0));
    assert_eq!(zone.events_fd().is_some(), cgroups.layout() == Layout::V2);
    drop(own);
    assert_eq!(zone.read(), Err(ReadError::Gone));
    assert_eq!(cgroups.zone(&name).err(), Some(ReadError::Gone));
}

#[test]
fn a_zone_of_v2_says_when_it_ran_out_and_not_for_what_was_before() {
    let root = v2();
    let mut zone = Cgroups::detect(root.path()).zone("limited.slice").unwrap();
    zone.read().unwrap();
    assert!(!zone.ran_out_since(), "those counted before it was opened are past");
    let events = root.path().join("sys/fs/cgroup/limited.slice/memory.events");
    fs::write(events, "low 0\nhigh 3\nmax 9\noom 3\noom_kill 4\n").unwrap();
    zone.read().unwrap();
    assert!(zone.ran_out_since() && !zone.ran_out_since());
}

#[test]
fn a_zone_of_this_machine_tells_that_it_ran_out_of_memory() {
    let cgroups = Cgroups::detect(Path::new("/"));
    let name = format!("headroom-oom-{}", std::process::id());
    let dir = Path::new("/sys/fs/cgroup/memory").join(&name);
    let is_v1 = matches!(cgroups.layout(), Layout::V1 | Layout::Hybrid);
    if !is_v1 || fs::create_dir(&dir).is_err() {
        println!("SKIPPED: only root can make a cgroup, and only v1 has an eventfd for this");
        return;
    }
    let own = Own(dir);
    let mut zone = cgroups.zone(&name).unwrap();
    fs::write(own.0.join("memory.limit_in_bytes"), "16777216").unwrap();
    zone.read().unwrap();
    assert!(!zone.ran_out_since());
    let mut waiter = crate::wait::Waiter::new(2).unwrap();
    waiter.add(zone.oom_fd().unwrap(), crate::wait::Interest::Readable, 7).unwrap();
    let script = format!("echo $$ > '{}/cgroup.procs'; exec tail /dev/zero", own.0.display());
    let mut hog = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let limit = core::time::Duration::from_secs(60);
    assert_eq!(waiter.wait(Some(limit)).unwrap().count(), 1, "it wakes whoever waits");
    assert!(zone.ran_out_since());
    hog.wait().unwrap();
    assert!(zone.read().unwrap().oom_kill > Some(0));
}

/// A cgroup of v2 of the test's own, removed when it is over.
struct OwnUnit(PathBuf, String);

impl OwnUnit {
    /// `None`, said loudly, where this machine has no v2 tree that may be written.
    fn new(name: &str) -> Option<Self> {
        let name = format!("headroom-test-{}-{name}.scope", std::process::id());
        for base in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            let dir = Path::new(base).join(&name);
            let is_v2 = Path::new(base).join("cgroup.procs").exists();
            if is_v2 && fs::create_dir(&dir).is_ok() {
                return Some(Self(dir, name));
            }
        }
        eprintln!("SKIPPED: no cgroup v2 here that a test may write");
        None
    }
}

impl Drop for OwnUnit {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.freeze"), "0");
        let _ = (0..200).find(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            fs::remove_dir(&self.0).is_ok()
        });
    }
}

#[test]
fn a_unit_is_frozen_with_all_that_is_in_it_and_goes_on() {
    let Some(own) = OwnUnit::new("freeze") else { return };
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    fs::write(own.0.join("cgroup.procs"), sleeper.id().to_string()).unwrap();
    let pid = i32::try_from(sleeper.id()).unwrap();
    let mut proc = crate::proc::Proc::open(Path::new("/")).unwrap();
    let tree = FreezerTree::open(Path::new("/")).unwrap();
    let unit = tree.unit(own.1.as_bytes()).unwrap();
    assert_eq!((unit.is_asked_to(), unit.is_frozen()), (Ok(false), Ok(false)));
    assert_eq!((unit.has_others_below(), proc.is_frozen(pid)), (Ok(false), Ok(false)));
    let becomes = |frozen| {
        (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            unit.is_frozen() == Ok(frozen)
        })
    };
    unit.freeze().unwrap();
    assert!(becomes(true));
    assert_eq!((unit.is_asked_to(), proc.is_frozen(pid)), (Ok(true), Ok(true)));
    assert!(!proc.stat(pid).unwrap().is_stopped(), "its state does not say so");
    unit.thaw().unwrap();
    assert!(becomes(false));
    fs::create_dir(own.0.join("below")).unwrap();
    assert_eq!(unit.has_others_below(), Ok(true));
    fs::remove_dir(own.0.join("below")).unwrap();
    // Whoever is frozen can be killed.
    unit.freeze().unwrap();
    assert!(becomes(true));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn there_is_no_unit_at_a_path_that_leads_out_or_nowhere() {
    let Ok(tree) = FreezerTree::open(Path::new("/")) else { return };
    assert!(tree.unit(b"/../../etc").is_err());
    assert_eq!(tree.unit(b"/headroom-no-such.scope").err(), Some(ReadError::Gone));
    assert!(tree.unit(b"/\xff").is_err());
}
