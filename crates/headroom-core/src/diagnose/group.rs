//! What service a process belongs to, from nothing but its name.

/// The name without its version: `php-fpm7.0` is php-fpm and `python3` is python, but `mkfs.ext4` and
/// `kworker/0:2` are themselves.
#[must_use]
pub fn family(comm: &str) -> &str {
    const VERSIONED: [&str; 12] = [
        "php-fpm", "php-cgi", "php", "python", "pypy", "perl", "ruby", "node", "lua", "postgres",
        "java", "apache",
    ];
    let stem = comm.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    // An interpreter's binary carries its version; so does Debian's php-fpm.
    if VERSIONED.contains(&stem) {
        return stem;
    }
    match comm {
        "mysqld" | "mysqld_safe" | "mariadbd" | "mariadbd-safe" => "mysql",
        "nginx" | "nginx:" => "nginx",
        "httpd" | "apache2" => "apache",
        other => other,
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
        "cache-main",
        "elasticsearch",
    ];
    STORES.contains(&comm)
}

/// Whether the name is that of a pool whose size a setting rules.
#[must_use]
pub fn is_pooled(family: &str) -> bool {
    const POOLS: [&str; 8] =
        ["php-fpm", "php-cgi", "apache", "nginx", "uwsgi", "gunicorn", "puma", "unicorn"];
    POOLS.contains(&family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_no_part_of_a_service() {
        let families = [
            "php-fpm7.0",
            "php-fpm8.2",
            "php-fpm",
            "python3.11",
            "php8.3",
            "mkfs.ext4",
            "kworker/0:2",
            "531",
            "mariadbd",
        ]
        .map(family);
        assert_eq!(
            families,
            [
                "php-fpm",
                "php-fpm",
                "php-fpm",
                "python",
                "php",
                "mkfs.ext4",
                "kworker/0:2",
                "531",
                "mysql"
            ]
        );
    }
}
