//! Timers of systemd that are enabled, with the services they start.

use headroom_core::advise::parse::Unread;
use headroom_core::advise::parse::crontab::Job;
use headroom_core::advise::parse::timer::{Service, Timer};

use super::root::Root;
use super::units;

/// Where an enabled unit is linked from.
const WANTS: [&str; 3] = [
    "/etc/systemd/system/*.wants",
    "/run/systemd/system/*.wants",
    "/usr/lib/systemd/system/*.wants",
];

/// What they start, as jobs beside cron's.
pub(super) fn gather(root: &Root, unread: &mut Vec<Unread>) -> Vec<Job> {
    // What cannot be read of units is said where their limits are read.
    let mut said = Vec::new();
    let is_unit = |name: &str| name.ends_with(".timer") || name.ends_with(".service");
    let all = units::files(root, is_unit, &mut said);
    let texts = |name: &str| {
        let paths = all.get(name).into_iter().flatten();
        paths.filter_map(|path| Some((path.clone(), root.maybe(path)?))).collect::<Vec<_>>()
    };
    let is_enabled =
        |name: &str| WANTS.iter().any(|folder| !root.glob(&format!("{folder}/{name}")).is_empty());
    let mut jobs = Vec::new();
    for name in all.keys().filter(|name| name.ends_with(".timer") && is_enabled(name)) {
        let mut timer = Timer { name: name.clone(), ..Timer::default() };
        for (path, text) in texts(name) {
            timer.read(&path, &text);
        }
        let mut service = Service::default();
        for (_, text) in texts(&timer.service()) {
            service.read(&text);
        }
        jobs.extend(timer.jobs(&service, unread));
    }
    jobs
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_timer_counts_once_it_is_enabled_and_with_its_drop_ins() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("usr/lib/systemd/system/feed.timer", "[Timer]\nOnCalendar=daily\n");
        put("usr/lib/systemd/system/feed.service", "[Service]\nExecStart=/usr/bin/php feed.php\n");
        let mut unread = Vec::new();
        assert_eq!(gather(&Root::new(folder.path()), &mut unread), []);
        put("etc/systemd/system/timers.target.wants/feed.timer", "");
        put("etc/systemd/system/feed.service.d/user.conf", "[Service]\nUser=app\n");
        let jobs = gather(&Root::new(folder.path()), &mut unread);
        assert_eq!((jobs.len(), unread.len()), (1, 0));
        assert_eq!(
            (jobs[0].user.as_str(), jobs[0].command.as_str()),
            ("app", "/usr/bin/php feed.php")
        );
        assert_eq!(jobs[0].at, "/usr/lib/systemd/system/feed.timer:2");
    }
}
