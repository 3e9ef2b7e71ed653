//! The built-in policy on the processes of a real shop node, and on those that only look like it.

use super::*;
use alloc::string::ToString;

fn who<'a>(uid: u32, comm: &'a str, exe: &'a str, cgroup: &'a str) -> Identity<'a> {
    Identity {
        uid,
        comm: comm.as_bytes(),
        exe: Some(exe.as_bytes()),
        cgroup: Some(cgroup.as_bytes()),
        ..Identity::default()
    }
}

fn class_and_rule(who: &Identity<'_>) -> (Class, String) {
    let policy = Policy::built_in();
    let (class, rule) = policy.classify(who);
    (class, policy.rule(rule).map(|r| r.name.clone()).unwrap_or_default())
}

#[test]
fn a_zone_holds_its_own_cgroup_and_what_lies_in_it() {
    let zone = Zone { cgroup: "/limited.slice/".into() };
    for (path, is, holds) in [
        ("/limited.slice", true, true),
        ("/limited.slice/cron.service", false, true),
        ("/limited.slice-two/a", false, false),
        ("/", false, false),
        ("", false, false),
    ] {
        assert_eq!((zone.is(path.as_bytes()), zone.holds(path.as_bytes())), (is, holds), "{path}");
    }
    assert!(!Zone { cgroup: "/".into() }.holds(b"/"), "that is the machine");
}

#[test]
fn the_shop_and_roots_own_are_never_touched() {
    for (uid, comm, exe, cgroup, class, rule) in [
        (
            107,
            "mariadbd",
            "/usr/sbin/mariadbd",
            "/system.slice/mariadb.service",
            Class::Essential,
            "mysql",
        ),
        (
            0,
            "php-fpm8.2",
            "/usr/sbin/php-fpm8.2",
            "/system.slice/php8.2-fpm.service",
            Class::Essential,
            "php-fpm",
        ),
        (
            1000,
            "php-fpm8.2",
            "/usr/sbin/php-fpm8.2",
            "/limited.slice/php8.2-fpm.service",
            Class::Essential,
            "php-fpm",
        ),
        (33, "nginx", "/usr/sbin/nginx", "/system.slice/nginx.service", Class::Essential, "nginx"),
        (
            108,
            "redis-server",
            "/usr/bin/redis-server",
            "/system.slice/redis-server.service",
            Class::Essential,
            "redis",
        ),
        (0, "sshd", "/usr/sbin/sshd", "/system.slice/ssh.service", Class::System, "sshd"),
        (0, "backup.sh", "/usr/bin/bash", "/system.slice/cron.service", Class::System, "root"),
        (
            0,
            "apt",
            "/usr/bin/apt",
            "/user.slice/user-0.slice/session-2.scope",
            Class::System,
            "root",
        ),
    ] {
        assert_eq!(
            class_and_rule(&who(uid, comm, exe, cgroup)),
            (class, rule.to_string()),
            "{comm}"
        );
    }
}

#[test]
fn the_application_users_work_goes_first() {
    for (uid, comm, exe, cgroup, rule) in [
        (1000, "php", "/usr/bin/php8.2", "/system.slice/cron.service", "job"),
        (33, "php", "/usr/bin/php8.2", "/system.slice/cron.service", "job"),
        (1000, "bash", "/usr/bin/bash", "/user.slice/user-1000.slice/session-4.scope", "user"),
        (
            1000,
            "convert",
            "/usr/bin/convert",
            "/system.slice/php8.2-fpm.service",
            "started-by-the-web",
        ),
    ] {
        let found = class_and_rule(&who(uid, comm, exe, cgroup));
        assert_eq!(found, (Class::Expendable, rule.to_string()), "{comm}");
    }
    let leaving = Identity {
        cmdline: Some(b"nginx: worker process is shutting down"),
        ..who(33, "nginx", "/usr/sbin/nginx", "/system.slice/nginx.service")
    };
    assert_eq!(class_and_rule(&leaving), (Class::Expendable, "nginx-shutting-down".to_string()));
}

#[test]
fn a_misleading_name_saves_nobody() {
    for (comm, exe, cgroup) in [
        ("mariadbd", "/home/app/mariadbd", "/system.slice/cron.service"),
        ("php-fpm8.2", "/usr/bin/php8.2", "/user.slice/user-1000.slice/session-4.scope"),
        (
            "mysqld",
            "/usr/sbin/mysqld",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/mysql.service",
        ),
        ("nginx", "/usr/sbin/nginx", "/system.slice/cron.service"),
        ("systemd-journal", "/home/app/systemd-journald", "/system.slice/cron.service"),
    ] {
        let (class, _) = class_and_rule(&who(1000, comm, exe, cgroup));
        assert_eq!(class, Class::Expendable, "{comm} from {exe} in {cgroup}");
    }
}

#[test]
fn values_only_move_in_the_direction_of_the_class() {
    let policy = Policy::built_in();
    assert_eq!(policy.score_to_set(Class::Essential, None, 0), Some(-999));
    assert_eq!(policy.score_to_set(Class::Essential, None, -1000), None);
    assert_eq!(policy.score_to_set(Class::Expendable, None, -1000), Some(1000));
    assert_eq!(policy.score_to_set(Class::Expendable, None, 1000), None);
    assert_eq!(policy.score_to_set(Class::System, None, 300), None);
}

#[test]
fn a_protected_process_keeps_the_value_it_was_given() {
    let policy = Policy::built_in();
    let job = Process { oom_score_adj: Some(-1000), ..Process::default() };
    let job = Process { class: Class::Expendable, ..job };
    assert_eq!(policy.score_for(&job), Some(1000));
    assert_eq!(policy.score_for(&Process { protected: true, ..job }), None);
    assert_eq!(policy.score_for(&Process { oom_score_adj: None, ..job }), None);
}

#[test]
fn a_file_says_only_what_differs_and_its_rules_come_first() {
    let text = r#"
        permissive_memory_management = true
        [permissive]
        floor = "7%"
        [[rule]]
        name = "importer"
        class = "essential"
        comm = ["importer"]
        uid = ["1000"]
    "#;
    let layer = Layer::parse("a.toml", text).unwrap();
    let policy = Policy::from_layers(&[layer]).unwrap();
    assert_eq!(policy.name(), "permissive");
    assert_eq!(policy.thresholds().floor, Percent(7));
    assert_eq!(policy.thresholds().kernel_kills, Policy::built_in().permissive.kernel_kills);
    let importer = who(1000, "importer", "/home/app/importer", "/system.slice/cron.service");
    assert_eq!(policy.classify(&importer).0, Class::Essential);
}

#[test]
fn problems_name_the_file_the_line_and_what_to_write() {
    let problem = |text: &str| Layer::parse("p.toml", text).unwrap_err().to_string();
    assert_eq!(
        problem("[strict]\nflor = \"10%\"\n"),
        "p.toml:2:1: unknown key \"flor\"; did you mean \"floor\"?"
    );
    assert_eq!(
        problem("\n[[rule]]\nname = \"all\"\nclass = \"normal\"\n"),
        "p.toml:3:1: rule \"all\" has no condition and would match every process; \
         give it at least a unit, slice, cgroup, exe, command, comm, user or uid"
    );
    assert!(
        problem("[strict]\nfloor = \"10MB\"\n").starts_with("p.toml:2:9: \"10MB\" is not a share")
    );
    assert!(problem("[class]\nnormal = 1001\n").contains("1001 is not in -1000..1000"));
    assert!(problem("zone = 3").starts_with("p.toml:1:8: "));
}

#[test]
fn the_floor_is_a_share_within_bounds() {
    let strict = Policy::built_in().strict;
    assert_eq!(
        strict.floor_of(crate::units::Kib::from_mib(1200)),
        crate::units::Kib::from_mib(120)
    );
    assert_eq!(strict.floor_of(crate::units::Kib::from_mib(256)), strict.floor_min.0);
    assert_eq!(strict.floor_of(crate::units::Kib::from_mib(1 << 20)), strict.floor_max.0);
}

#[test]
fn a_key_is_looked_for_in_the_table_it_stands_in() {
    let problem = |text: &str| Layer::parse("p.toml", text).unwrap_err().to_string();
    assert_eq!(
        problem("[[rule]]\nname = \"a\"\n  sesion = true\n"),
        "p.toml:3:3: unknown key \"sesion\"; did you mean \"session\"?"
    );
    assert_eq!(
        problem("[setup]\nreserv = \"10%\"\n"),
        "p.toml:2:1: unknown key \"reserv\"; did you mean \"reserve\"?"
    );
    // "floor" is known elsewhere, and of no use here.
    assert!(problem("[setup]\nfloor = \"10%\"\n").starts_with("p.toml:2:1: unknown key `floor`"));
}

#[test]
fn every_condition_holds_for_whom_it_means_and_for_nobody_else() {
    let shop = Identity {
        uid: 1000,
        comm: b"php",
        exe: Some(b"/usr/bin/php8.2"),
        cmdline: Some(b"php\0bin/magento\0cron:run"),
        cgroup: Some(b"/user.slice/user-1000.slice/session-4.scope"),
        parent_uid: Some(1000),
        parent_exe: Some(b"/usr/bin/bash"),
    };
    for (condition, holds, does_not) in [
        ("uid", "[\"1000-\"]", "[\"0\"]"),
        ("user", "[\"app\"]", "[\"www-data\"]"),
        ("unit", "[\"session-*.scope\"]", "[\"cron.service\"]"),
        ("slice", "[\"user-1000.slice\"]", "[\"system.slice\"]"),
        ("slice", "[\"user.slice\"]", "[\"limited*.slice\"]"),
        ("cgroup", "[\"/user.slice/*\"]", "[\"/system.slice/*\"]"),
        ("session", "true", "false"),
        ("exe", "[\"/usr/bin/php*\"]", "[\"/usr/sbin/php*\"]"),
        ("comm", "[\"php\"]", "[\"php?\"]"),
        ("command", "[\"php bin/magento *\"]", "[\"php\"]"),
        ("parent", "[\"bash\"]", "[\"cron\"]"),
        ("parent_uid", "[\"1000\"]", "[\"0\"]"),
        ("parent_exe", "[\"*/bash\"]", "[\"*/cron\"]"),
    ] {
        let rule = |value: &str| {
            let head = "[[rule]]\nname = \"r\"\nclass = \"normal\"\n";
            let text = alloc::format!("{head}{condition} = {value}\n");
            let mut layer = Layer::parse("p.toml", &text).unwrap();
            let mut ids = |name: &str| Some(if name == "app" { 1000 } else { 33 });
            layer.resolve_users(&text, &mut ids).unwrap();
            Policy::from_layers(&[layer]).unwrap().rules.swap_remove(0)
        };
        assert_eq!(rule(holds).refuses(&shop, Some(b"bash")), None, "{condition} = {holds}");
        let refused = rule(does_not).refuses(&shop, Some(b"bash")).map(Condition::name);
        assert_eq!(refused, Some(condition), "{does_not}");
    }
}

#[test]
fn a_condition_on_what_is_unknown_does_not_hold() {
    let nobody = Identity { uid: 1000, ..Identity::default() };
    for condition in ["session = false", "parent = [\"*\"]", "role = [\"php-fpm-worker\"]"] {
        let text = alloc::format!("[[rule]]\nname = \"r\"\nclass = \"essential\"\n{condition}\n");
        let policy = Policy::from_layers(&[Layer::parse("p.toml", &text).unwrap()]).unwrap();
        assert_ne!(policy.classify(&nobody).0, Class::Essential, "{condition}");
    }
}

#[test]
fn a_user_nobody_knows_is_a_problem_and_one_not_looked_up_matches_nobody() {
    let text = "[[rule]]\nname = \"r\"\nclass = \"essential\"\nuser = [\"root\", \"ap\"]\n";
    let mut layer = Layer::parse("p.toml", text).unwrap();
    let unresolved = Policy::from_layers(&[layer.clone()]).unwrap();
    assert_ne!(unresolved.classify(&Identity::default()).0, Class::Essential);
    let problem = layer.resolve_users(text, &mut |name| (name == "root").then_some(0)).unwrap_err();
    assert!(problem.to_string().starts_with("p.toml:4:17: there is no user \"ap\""), "{problem}");
}

#[test]
fn the_order_of_rules_decides_and_the_administrators_come_first() {
    let text = "[[rule]]\nname = \"a\"\nclass = \"normal\"\nuid = [\"1000\"]\n\
                [[rule]]\nname = \"b\"\nclass = \"essential\"\nuid = [\"1000\"]\n";
    let policy = Policy::from_layers(&[Layer::parse("p.toml", text).unwrap()]).unwrap();
    let (class, rule) = policy.classify(&Identity { uid: 1000, ..Identity::default() });
    assert_eq!((class, rule), (Class::Normal, Some(0)));
}
