//! What the plan needs to know of this node: its RAM, its services, what they hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use headroom_api::paths;
use headroom_core::setup::{DROP_IN, Facts, Service, UNIT_DIR, Unit, ZONE, sizes};
use headroom_core::units::Kib;
use headroom_sys::proc::Proc;

use super::Failure;
use super::record::Record;

/// Where units come from, in falling precedence (`systemd.unit(5)`).
const UNIT_DIRS: [&str; 3] = [UNIT_DIR, "/usr/lib/systemd/system", "/lib/systemd/system"];
/// The file systems of cgroups: v2, and v1's memory controller.
const CGROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"];

/// Whether systemd is at work, or where `root` is no running system, installed.
pub(crate) fn has_systemd(root: &Path) -> bool {
    if root == Path::new("/") {
        // What sd_booted(3) looks for.
        return Path::new("/run/systemd/system").is_dir();
    }
    UNIT_DIRS.iter().any(|dir| paths::under(root, dir).is_dir())
}

/// Looks. With `measure` the values an earlier run chose are not kept.
pub(crate) fn gather(
    root: &Path,
    record: Option<&Record>,
    measure: bool,
) -> Result<Facts, Failure> {
    let meminfo = paths::under(root, "/proc/meminfo");
    let memory = Proc::open(root).and_then(|mut proc| proc.memory());
    let ram = memory.map_err(|e| Failure::new(&meminfo, e))?.total;
    let units = installed(root)?.into_iter().filter_map(|name| {
        let service = Service::of(&name)?;
        let texts = texts(root, service.config_files);
        let texts = texts.iter().map(String::as_str);
        Some(Unit {
            uses: cgroups_of(root, &name).iter().filter_map(|dir| held(dir)).max(),
            configured: service.config.and_then(|form| sizes::configured(form, texts)),
            low_before: record.filter(|_| !measure).and_then(|record| low_of(record, &name)),
            service,
            name,
        })
    });
    Ok(Facts { ram, units: units.collect() })
}

/// On which side of the zone's border a unit runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    InZone,
    Outside,
}

/// Units of that list, or their instances, that run on that side.
pub(crate) fn running(root: &Path, units: &[String], side: Where) -> Vec<String> {
    let in_zone = |dir: &PathBuf| dir.components().any(|c| c.as_os_str() == ZONE);
    let mut found: Vec<_> = units
        .iter()
        .flat_map(|unit| cgroups_of(root, unit))
        .filter(|dir| in_zone(dir) == (side == Where::InZone))
        .filter_map(|dir| Some(dir.file_name()?.to_str()?.to_string()))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Names of service unit files that are real: no aliases, none that is masked. Templates count where
/// an instance is wanted, or running.
fn installed(root: &Path) -> Result<Vec<String>, Failure> {
    let mut names: BTreeMap<String, bool> = BTreeMap::new();
    let mut links = Vec::new();
    for dir in UNIT_DIRS.map(|dir| paths::under(root, dir)) {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let entry = entry.map_err(Failure::at(&dir))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.ends_with(".wants") {
                let wanted = fs::read_dir(entry.path()).into_iter().flatten().flatten();
                links.extend(wanted.filter_map(|link| link.file_name().into_string().ok()));
            } else if name.ends_with(".service") {
                // The first folder has the say.
                names.entry(name.clone()).or_insert_with(|| is_unit(&entry.path(), &name));
            }
        }
    }
    let is_used = |name: &String| {
        let Some(template) = name.strip_suffix("@.service") else { return true };
        let prefix = format!("{template}@");
        links.iter().any(|link| link.starts_with(&prefix) && link != name)
            // Debian's clusters are instances that a generator makes.
            || template == "postgresql"
            || !cgroups_of(root, name).is_empty()
    };
    let mut names: Vec<_> = names.into_iter().filter_map(|(n, real)| real.then_some(n)).collect();
    names.retain(is_used);
    // Debian's postgresql.service only stands for its instances.
    if names.iter().any(|name| name == "postgresql@.service") {
        names.retain(|name| name != "postgresql.service");
    }
    Ok(names)
}

/// A link to a unit of another name is an alias, one to nothing or to /dev/null a mask. One of the same
/// name leads to the unit, as `systemctl link` makes it.
fn is_unit(path: &Path, name: &str) -> bool {
    match fs::read_link(path) {
        Ok(target) => target.file_name().is_some_and(|file| file == name),
        Err(_) => fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0),
    }
}

/// The cgroups of a unit that runs; of a template those of its instances.
fn cgroups_of(root: &Path, unit: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for base in CGROUPS {
        for slice in ["system.slice", ZONE] {
            let slice = paths::under(root, base).join(slice);
            let Some(template) = unit.strip_suffix("@.service") else {
                found.extend(Some(slice.join(unit)).filter(|dir| dir.is_dir()));
                continue;
            };
            // Instances stand in a slice of their template's name until they are moved.
            let own = slice.join(format!("system-{}.slice", template.replace('-', "\\x2d")));
            for dir in [slice, own] {
                let entries = fs::read_dir(dir).into_iter().flatten().flatten();
                let is_instance = |path: &PathBuf| {
                    let name = path.file_name().and_then(|name| name.to_str());
                    name.is_some_and(|name| name.starts_with(&format!("{template}@")))
                };
                found.extend(entries.map(|entry| entry.path()).filter(is_instance));
            }
        }
    }
    found
}

/// What a cgroup holds that reclaim could not simply drop: memory of its own and shared memory.
fn held(cgroup: &Path) -> Option<Kib> {
    let stat = fs::read_to_string(cgroup.join("memory.stat")).ok()?;
    let value = |names: [&str; 2]| {
        stat.lines().find_map(|line| {
            let (name, value) = line.split_once(' ')?;
            names.contains(&name).then(|| value.parse::<u64>().ok())?
        })
    };
    // v2 has both words; v1 the second of the first pair, and shmem since Linux 4.15.
    let own = value(["anon", "total_rss"])?;
    let shared = value(["shmem", "total_shmem"]).unwrap_or(0);
    Some(Kib::from_bytes(own.saturating_add(shared)))
}

/// The MemoryLow in what we wrote last.
fn low_of(record: &Record, unit: &str) -> Option<Kib> {
    let path = format!("{UNIT_DIR}/{unit}.d/{DROP_IN}");
    let entry = record.entries.iter().find(|entry| entry.path == path)?;
    let low = entry.ours.last()?.lines().find_map(|line| line.strip_prefix("MemoryLow="))?;
    low.strip_suffix('M')?.parse().ok().map(Kib::from_mib)
}

/// The texts of these files, a last component `*.x` standing for all such in the order of their names.
fn texts(root: &Path, files: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for file in files {
        let path = paths::under(root, file);
        let Some((dir, end)) = file.split_once("/*") else {
            texts.extend(fs::read_to_string(path));
            continue;
        };
        let entries = fs::read_dir(paths::under(root, dir)).into_iter().flatten().flatten();
        let mut found: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|path| path.to_str().is_some_and(|path| path.ends_with(end)))
            .collect();
        found.sort();
        texts.extend(found.into_iter().filter_map(|path| fs::read_to_string(path).ok()));
    }
    texts
}
