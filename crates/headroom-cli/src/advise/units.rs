//! Units of systemd that say something about memory, with their drop-ins.

use std::collections::{BTreeMap, BTreeSet};

use headroom_core::advise::parse::Unread;
use headroom_core::advise::parse::units::UnitLimits;
use headroom_core::units::Kib;

use super::root::{Root, explained};

/// Where units come from, in falling precedence (`systemd.unit(5)`).
const FOLDERS: [&str; 7] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The files of each unit whose name is wanted: its own, then its drop-ins in the order in which they count.
pub(super) fn files(
    root: &Root,
    is_unit: impl Fn(&str) -> bool,
    unread: &mut Vec<Unread>,
) -> BTreeMap<String, Vec<String>> {
    let mut mains: BTreeMap<String, String> = BTreeMap::new();
    // Of each unit its drop-ins by their names: the first folder has the say over a name.
    let mut extras: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for folder in FOLDERS {
        // Where /lib is a link to /usr/lib, it is the same folder.
        let Ok(real) = root.resolve(folder).and_then(|path| path.canonicalize()) else { continue };
        if !seen.insert(real) {
            continue;
        }
        let names = match root.names(folder) {
            Ok(names) => names,
            Err(error) => {
                unread.push(Unread::file(folder, explained(&error)));
                continue;
            }
        };
        for name in names {
            let path = format!("{folder}/{name}");
            if is_unit(&name) {
                mains.entry(name).or_insert(path);
            } else if let Some(unit) = name.strip_suffix(".d").filter(|unit| is_unit(unit)) {
                for file in root.names(&path).unwrap_or_default() {
                    let entry = extras.entry(unit.to_string()).or_default();
                    if file.ends_with(".conf") {
                        entry.entry(file.clone()).or_insert(format!("{path}/{file}"));
                    }
                }
            }
        }
    }
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, path) in mains {
        all.entry(name).or_default().push(path);
    }
    for (name, extras) in extras {
        all.entry(name).or_default().extend(extras.into_values());
    }
    all
}

/// All units with memory settings, and those that say where their service is started with them.
pub(super) fn gather(root: &Root, ram: Kib, unread: &mut Vec<Unread>) -> Vec<UnitLimits> {
    let is_unit = |name: &str| name.ends_with(".service") || name.ends_with(".slice");
    let all = files(root, is_unit, unread);
    let unit = |(name, paths): (String, Vec<String>)| {
        let mut unit = UnitLimits { name, ..UnitLimits::default() };
        for path in &paths {
            match root.read(path) {
                Ok(text) => unit.read(path, &text, ram, unread),
                // A masked unit is a link to /dev/null.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    unread.push(Unread::file(path, explained(&error)));
                }
                Err(_) => {}
            }
        }
        let says = [&unit.min, &unit.low, &unit.high, &unit.max].into_iter().any(Option::is_some);
        (says || unit.name == "varnish.service").then_some(unit)
    };
    all.into_iter().filter_map(unit).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use headroom_core::advise::parse::units::Limit;

    use super::*;

    #[test]
    fn drop_ins_of_all_folders_count_and_the_administrators_wins() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("usr/lib/systemd/system/x.service", "[Service]\nMemoryMax=1G\n");
        put("usr/lib/systemd/system/x.service.d/10.conf", "[Service]\nMemoryHigh=1G\n");
        put("etc/systemd/system/x.service.d/10.conf", "[Service]\nMemoryHigh=600M\n");
        put("etc/systemd/system/x.service.d/20.conf", "[Service]\nMemoryMax=500M\n");
        put("usr/lib/systemd/system/y.service", "[Service]\nExecStart=/y\n");
        let units = gather(&Root::new(folder.path()), Kib::from_mib(4096), &mut Vec::new());
        assert_eq!(units.len(), 1);
        assert_eq!(units[0].high.as_ref().unwrap().value, Limit::Size(Kib::from_mib(600)));
        let max = units[0].max.as_ref().unwrap();
        assert_eq!(max.value, Limit::Size(Kib::from_mib(500)));
        assert_eq!(max.at, "/etc/systemd/system/x.service.d/20.conf:2");
    }
}
