//! The services that are known: their names, their units, where they answer.

use super::answers::Place;

/// What may be done with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Action {
    /// Stop and start.
    Restart,
    /// Have it read its configuration again.
    Reload,
}

impl Action {
    /// Its name, in requests and answers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
        }
    }
}

impl std::str::FromStr for Action {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Restart, Self::Reload].into_iter().find(|a| a.name() == text).ok_or(())
    }
}

/// One service that may be restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) name: String,
    /// Other names of it.
    pub(crate) aliases: Vec<String>,
    /// Its units, in which `*` stands for anything.
    pub(crate) units: Vec<String>,
    /// Where it answers.
    pub(crate) places: Vec<Place>,
}

/// A service of the built-in list.
pub(super) struct BuiltIn {
    name: &'static str,
    aliases: &'static [&'static str],
    units: &'static [&'static str],
    places: &'static [&'static str],
}

/// Debian's and RHEL's names.
pub(super) const BUILT_IN: [BuiltIn; 14] = [
    BuiltIn {
        name: "mysql",
        aliases: &["mariadb", "mysqld", "percona"],
        units: &["mariadb.service", "mysql.service", "mysqld.service"],
        places: &["mysql:/run/mysqld/mysqld.sock", "mysql:/var/lib/mysql/mysql.sock"],
    },
    BuiltIn {
        name: "nginx",
        aliases: &["openresty"],
        units: &["nginx.service", "openresty.service"],
        places: &["http://127.0.0.1:80", "http://127.0.0.1:8080", "tcp:127.0.0.1:443"],
    },
    BuiltIn {
        name: "php-fpm",
        aliases: &["php", "fpm"],
        units: &["php*-fpm.service", "php-fpm.service"],
        places: &["fpm"],
    },
    BuiltIn {
        name: "redis",
        aliases: &["redis-server"],
        units: &[
            "redis-server.service",
            "redis-server@*.service",
            "redis.service",
            "redis@*.service",
        ],
        places: &["redis:/run/redis/redis-server.sock", "redis:127.0.0.1:6379"],
    },
    BuiltIn {
        name: "valkey",
        aliases: &["valkey-server"],
        units: &[
            "valkey-server.service",
            "valkey-server@*.service",
            "valkey.service",
            "valkey@*.service",
        ],
        places: &["redis:/run/valkey/valkey-server.sock", "redis:127.0.0.1:6379"],
    },
    BuiltIn {
        name: "varnish",
        aliases: &["varnishd"],
        units: &["varnish.service"],
        places: &["tcp:127.0.0.1:6081", "tcp:127.0.0.1:80"],
    },
    BuiltIn {
        name: "memcached",
        aliases: &[],
        units: &["memcached.service", "memcached@*.service"],
        places: &["memcached:127.0.0.1:11211"],
    },
    BuiltIn {
        name: "rabbitmq",
        aliases: &["rabbitmq-server"],
        units: &["rabbitmq-server.service"],
        places: &["amqp:127.0.0.1:5672"],
    },
    BuiltIn {
        name: "elasticsearch",
        aliases: &["elastic"],
        units: &["elasticsearch.service"],
        places: &["http://127.0.0.1:9200"],
    },
    BuiltIn {
        name: "opensearch",
        aliases: &[],
        units: &["opensearch.service"],
        places: &["http://127.0.0.1:9200"],
    },
    BuiltIn {
        name: "apache2",
        aliases: &["apache", "httpd"],
        units: &["apache2.service", "httpd.service"],
        places: &["http://127.0.0.1:80", "http://127.0.0.1:8080", "tcp:127.0.0.1:443"],
    },
    BuiltIn {
        name: "postgresql",
        aliases: &["postgres"],
        units: &["postgresql@*.service", "postgresql-*.service"],
        places: &["tcp:127.0.0.1:5432"],
    },
    BuiltIn {
        name: "supervisor",
        aliases: &["supervisord"],
        units: &["supervisor.service", "supervisord.service"],
        places: &[],
    },
    BuiltIn {
        name: "cron",
        aliases: &["crond"],
        units: &["cron.service", "crond.service"],
        places: &[],
    },
];

impl Listed {
    pub(super) fn built_in(of: &BuiltIn) -> Self {
        let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
        Self {
            name: of.name.into(),
            aliases: owned(of.aliases),
            units: owned(of.units),
            // A test parses them all.
            places: of.places.iter().filter_map(|place| place.parse().ok()).collect(),
        }
    }

    /// The units that a name means: all of the service for its own names, one for a unit's name,
    /// `.service` or not. `None` when the name is another service's.
    pub(crate) fn meant_by(&self, name: &str) -> Option<Vec<String>> {
        if self.name == name || self.aliases.iter().any(|alias| alias == name) {
            return Some(self.units.clone());
        }
        let unit = if name.ends_with(".service") { name.into() } else { format!("{name}.service") };
        let plain = unit.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@:\\".contains(&b));
        let is_its = plain && self.units.iter().any(|pattern| matches(pattern, &unit));
        is_its.then(|| vec![unit])
    }
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|r| matches(tail, r)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Listed {
        Listed::built_in(BUILT_IN.iter().find(|b| b.name == name).unwrap())
    }

    #[test]
    fn every_built_in_place_is_one() {
        for built_in in &BUILT_IN {
            let listed = Listed::built_in(built_in);
            assert_eq!(listed.places.len(), built_in.places.len(), "{}", listed.name);
        }
    }

    #[test]
    fn a_service_is_meant_by_its_names_and_by_its_units() {
        let mysql = named("mysql");
        assert_eq!(mysql.meant_by("mysql"), mysql.meant_by("percona"));
        assert_eq!(mysql.meant_by("mysqld.service").unwrap(), ["mysqld.service"]);
        let fpm = named("php-fpm");
        assert_eq!(fpm.meant_by("php8.2-fpm").unwrap(), ["php8.2-fpm.service"]);
        assert_eq!(fpm.meant_by("php-fpm").unwrap().len(), 2);
    }

    #[test]
    fn no_pattern_takes_what_is_not_its_own() {
        let fpm = named("php-fpm");
        for name in ["php8.2-fpm.timer", "php*-fpm", "phpmyadmin", "ssh", "", "php/../x-fpm"] {
            assert_eq!(fpm.meant_by(name), None, "{name}");
        }
    }
}
