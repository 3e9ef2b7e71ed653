//! The services a shop's node may have: what their units are called, and what part they play.

use crate::policy::Glob;

/// What a service is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Protected memory and the larger share of CPU and disk.
    Essential {
        /// What it usually holds, in MiB, for when it neither runs nor says.
        usual_mib: u64,
    },
    /// Into the zone, and nothing else: it may carry workers as well as a part of the shop.
    Normal,
    /// Held back: jobs.
    Expendable,
}

/// Where a service says how much memory it may take, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Config {
    /// Option files of MySQL and MariaDB: `innodb_buffer_pool_size`.
    Mysql,
    /// `maxmemory` of Redis and Valkey.
    Redis,
    /// `-m` or `CACHESIZE` of Memcached.
    Memcached,
    /// `-Xmx` in a `jvm.options`.
    Jvm,
}

/// One service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// Patterns of its unit files' names, templates as `name@.service`.
    units: &'static [&'static str],
    /// What it is given.
    pub part: Part,
    /// In which form it says what it may take.
    pub config: Option<Config>,
    /// The files where it says so, later ones winning; a last component `*.x` stands for all such.
    pub config_files: &'static [&'static str],
}

const fn essential(name: &'static str, units: &'static [&'static str], usual_mib: u64) -> Service {
    Service { name, units, part: Part::Essential { usual_mib }, config: None, config_files: &[] }
}

const MYSQL_FILES: &[&str] = &[
    "/etc/my.cnf",
    "/etc/my.cnf.d/*.cnf",
    "/etc/mysql/my.cnf",
    "/etc/mysql/conf.d/*.cnf",
    "/etc/mysql/mysql.conf.d/*.cnf",
    "/etc/mysql/mariadb.conf.d/*.cnf",
];

const SERVICES: &[Service] = &[
    Service {
        config: Some(Config::Mysql),
        config_files: MYSQL_FILES,
        ..essential(
            "mysql",
            &["mariadb.service", "mysql.service", "mysqld.service", "mariadb@.service"],
            256,
        )
    },
    essential(
        "postgresql",
        &["postgresql.service", "postgresql@.service", "postgresql-*.service"],
        192,
    ),
    essential(
        "php-fpm",
        &[
            "php-fpm.service",
            "php*-fpm.service",
            "rh-php*-php-fpm.service",
            "ea-php*-php-fpm.service",
            "plesk-php*-fpm.service",
        ],
        128,
    ),
    essential("nginx", &["nginx.service", "openresty.service"], 32),
    essential("apache", &["apache2.service", "httpd.service"], 128),
    Service {
        config: Some(Config::Redis),
        config_files: &["/etc/redis.conf", "/etc/redis/redis.conf"],
        ..essential(
            "redis",
            &["redis.service", "redis-server.service", "redis@.service", "redis-server@.service"],
            64,
        )
    },
    Service {
        config: Some(Config::Redis),
        config_files: &["/etc/valkey/valkey.conf"],
        ..essential(
            "valkey",
            &[
                "valkey.service",
                "valkey-server.service",
                "valkey@.service",
                "valkey-server@.service",
            ],
            64,
        )
    },
    Service {
        config: Some(Config::Memcached),
        config_files: &["/etc/sysconfig/memcached", "/etc/memcached.conf"],
        ..essential("memcached", &["memcached.service"], 64)
    },
    essential("varnish", &["varnish.service"], 128),
    essential("rabbitmq", &["rabbitmq-server.service"], 128),
    Service {
        config: Some(Config::Jvm),
        config_files: &[
            "/etc/elasticsearch/jvm.options",
            "/etc/elasticsearch/jvm.options.d/*.options",
        ],
        ..essential("elasticsearch", &["elasticsearch.service"], 1024)
    },
    Service {
        config: Some(Config::Jvm),
        config_files: &["/etc/opensearch/jvm.options", "/etc/opensearch/jvm.options.d/*.options"],
        ..essential("opensearch", &["opensearch.service"], 1024)
    },
    Service {
        name: "supervisord",
        units: &["supervisor.service", "supervisord.service"],
        part: Part::Normal,
        config: None,
        config_files: &[],
    },
    Service {
        name: "pm2",
        units: &["pm2.service", "pm2-*.service"],
        part: Part::Normal,
        config: None,
        config_files: &[],
    },
    Service {
        name: "cron",
        units: &["cron.service", "crond.service", "cronie.service", "atd.service"],
        part: Part::Expendable,
        config: None,
        config_files: &[],
    },
];

impl Service {
    /// The service a unit file of that name belongs to.
    #[must_use]
    pub fn of(unit: &str) -> Option<&'static Self> {
        let is_named = |pattern: &&str| Glob::new(pattern).matches(unit.as_bytes());
        SERVICES.iter().find(|service| service.units.iter().any(is_named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_the_distributions_are_known_and_others_are_left_alone() {
        for (unit, name) in [
            ("mariadb.service", Some("mysql")),
            ("php8.2-fpm.service", Some("php-fpm")),
            ("php82-php-fpm.service", Some("php-fpm")),
            ("postgresql@.service", Some("postgresql")),
            ("crond.service", Some("cron")),
            ("pm2-app.service", Some("pm2")),
            ("ssh.service", None),
            ("phpsessionclean.service", None),
            ("nginx.socket", None),
        ] {
            assert_eq!(Service::of(unit).map(|s| s.name), name, "{unit}");
        }
    }
}
