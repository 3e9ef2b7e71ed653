//! What service a process belongs to, and what part it plays, from nothing but its name.

/// What part a program plays on a node: whether its memory comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A database or another store: it takes its memory once and keeps it.
    Store,
    /// An application that runs all the time: it may leak, but it does not come and go.
    Service,
    /// Workers of a pool whose size a setting rules: they grow with the visitors.
    Pool,
    /// The node's own housekeeping.
    System,
    /// Anything else: commands and jobs.
    Job,
}

/// The name without its version: `php-fpm7.0` is php-fpm and `python3` is python, but `mkfs.ext4` and
/// `kworker/0:2` are themselves.
#[must_use]
pub fn family(comm: &str) -> &str {
    const VERSIONED: [&str; 13] = [
        "php-fpm", "php-cgi", "php", "lsphp", "python", "pypy", "perl", "ruby", "node", "lua",
        "postgres", "java", "apache",
    ];
    let stem = comm.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    // An interpreter's binary carries its version; so does Debian's php-fpm.
    if VERSIONED.contains(&stem) {
        return stem;
    }
    match comm {
        "mysqld" | "mysqld_safe" | "mariadbd" | "mariadbd-safe" => "mysql",
        "postmaster" => "postgres",
        "nginx" | "nginx:" => "nginx",
        "httpd" | "apache2" => "apache",
        "varnishd" | "cache-main" => "varnish",
        "nodejs" => "node",
        other => other,
    }
}

/// What part a program plays.
#[must_use]
pub fn role(comm: &str) -> Role {
    const POOLS: [&str; 9] =
        ["php-fpm", "php-cgi", "lsphp", "apache", "nginx", "uwsgi", "gunicorn", "puma", "unicorn"];
    const SERVICES: [&str; 14] = [
        "java",
        "searchd",
        "clamd",
        "dockerd",
        "containerd",
        "kubelet",
        "fail2ban-server",
        "prometheus",
        "grafana",
        "influxd",
        "haproxy",
        "named",
        "unbound",
        "qemu-system-x86",
    ];
    const SYSTEM: [&str; 14] = [
        "systemd",
        "init",
        "sshd",
        "cron",
        "crond",
        "rsyslogd",
        "dbus-daemon",
        "agetty",
        "getty",
        "(sd-pam)",
        "snapd",
        "polkitd",
        "chronyd",
        "udevd",
    ];
    let family = family(comm);
    if is_database(comm) {
        Role::Store
    } else if POOLS.contains(&family) {
        Role::Pool
    } else if SERVICES.contains(&family) {
        Role::Service
    } else if SYSTEM.contains(&family) || comm.starts_with("systemd-") {
        Role::System
    } else {
        Role::Job
    }
}

/// Whether the name is a database's or another store's, which a shop cannot do without.
#[must_use]
pub fn is_database(comm: &str) -> bool {
    const STORES: [&str; 13] = [
        "mysqld",
        "mariadbd",
        "mysql",
        "postgres",
        "postmaster",
        "mongod",
        "redis-server",
        "valkey-server",
        "memcached",
        "beam.smp",
        "varnishd",
        "varnish",
        "cache-main",
    ];
    STORES.contains(&comm)
}

/// Whether the name is that of a pool whose size a setting rules.
#[must_use]
pub fn is_pooled(family: &str) -> bool {
    role(family) == Role::Pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_no_part_of_a_service() {
        for (comm, expected) in [
            ("php-fpm7.0", "php-fpm"),
            ("php-fpm8.2", "php-fpm"),
            ("php-fpm", "php-fpm"),
            ("python3.11", "python"),
            ("php8.3", "php"),
            ("mkfs.ext4", "mkfs.ext4"),
            ("kworker/0:2", "kworker/0:2"),
            ("531", "531"),
            ("mariadbd", "mysql"),
            ("cache-main", "varnish"),
        ] {
            assert_eq!(family(comm), expected);
        }
    }

    #[test]
    fn a_role_says_whether_memory_comes_and_goes() {
        for (comm, expected) in [
            ("mariadbd", Role::Store),
            ("redis-server", Role::Store),
            ("php-fpm8.2", Role::Pool),
            ("apache2", Role::Pool),
            ("systemd-journal", Role::System),
            ("cron", Role::System),
            ("php8.2", Role::Job),
            ("python3", Role::Job),
            ("java", Role::Service),
        ] {
            assert_eq!(role(comm), expected, "{comm}");
        }
    }
}
