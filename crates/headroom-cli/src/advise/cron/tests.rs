use std::fs;

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn process(pid: i32, parent: i32, comm: &str, arguments: &[&str], mib: u64) -> Process {
    Process {
        pid,
        parent,
        comm: comm.into(),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        held: Kib::from_mib(mib),
        age_s: Some(30),
        ..Process::default()
    }
}

#[test]
fn crontabs_of_users_and_of_the_system_are_read() {
    let folder = tree(&[
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"),
        ("etc/debian_version", "12\n"),
        ("etc/crontab", "17 * * * * root run-parts /etc/cron.hourly\n"),
        ("etc/cron.d/shop", "0 25 * * * app php a.php\n5 3 * * * app php b.php\n"),
        ("etc/cron.d/shop.bak", "0 3 * * * app php c.php\n"),
        ("etc/cron.d/.placeholder", ""),
        ("var/spool/cron/crontabs/app", "CRON_TZ=Nowhere/Else\n0 4 * * * php d.php\n"),
        ("var/spool/cron/crontabs/gone", "0 4 * * * php e.php\n"),
    ]);
    let mut unread = Vec::new();
    let jobs = gather(&Root::new(folder.path()), &[], &[], &[], &mut unread);
    let commands: Vec<_> = jobs.iter().map(|job| job.job.command.as_str()).collect();
    assert_eq!(commands, ["run-parts /etc/cron.hourly", "php b.php", "php d.php"]);
    let sources: Vec<_> = unread.iter().map(|unread| unread.source.as_str()).collect();
    assert_eq!(
        sources,
        [
            "/etc/cron.d/shop:1",
            "/etc/cron.d/shop.bak",
            "/var/spool/cron/crontabs/gone",
            "/var/spool/cron/crontabs/app:2",
        ]
    );
}

#[test]
fn what_runs_now_is_counted_with_its_children() {
    let processes = [
        process(1, 0, "cron", &["cron", "-f"], 1),
        process(2, 1, "cron", &["CRON", "-f"], 1),
        process(3, 2, "sh", &["/bin/sh", "-c", "cd /srv && php x.php > /dev/null 2>&1"], 1),
        process(4, 3, "php", &["php", "x.php"], 100),
        process(5, 2, "php", &["php", "y.php"], 50),
        process(6, 99, "php", &["php", "y.php"], 70),
    ];
    let found = running("cd /srv && php x.php > /dev/null 2>&1", &processes);
    assert_eq!(found, [(Kib::from_mib(101), Some(30))]);
    // The one that a person started is not cron's.
    assert_eq!(running("php y.php >/dev/null", &processes), [(Kib::from_mib(50), Some(30))]);
}

#[test]
fn a_recorded_command_is_found_in_the_shells() {
    assert!(is_of("cd /srv && php import.php --all >> /var/log/x 2>&1", "php import.php --all"));
    assert!(is_of("php import.php --batch 17 > /dev/null", "php import.php --batch #"));
    assert!(!is_of("php export.php", "php import.php"));
    assert!(!is_of("php x.php", "php"));
}
