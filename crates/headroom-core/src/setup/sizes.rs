//! How much memory a service's configuration lets it take, out of the texts of its files.

use super::Config;
use crate::units::Kib;

/// What the texts say, the last one winning as the services themselves read them; `None` when none
/// says anything, or says that there is no limit.
#[must_use]
pub fn configured<'a>(form: Config, texts: impl IntoIterator<Item = &'a str>) -> Option<Kib> {
    let read = match form {
        Config::Mysql => mysql,
        Config::Redis => redis,
        Config::Memcached => memcached,
        Config::Jvm => jvm,
    };
    texts.into_iter().filter_map(read).last().filter(|size| *size > Kib::ZERO)
}

/// `innodb_buffer_pool_size` of a section the server reads.
fn mysql(text: &str) -> Option<Kib> {
    const SECTIONS: [&str; 4] = ["mysqld", "mariadb", "mariadbd", "server"];
    let mut is_servers = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let name = section.split(']').next().unwrap_or_default().trim();
            // Those of one version as well: [mariadb-10.11].
            let name = name.split('-').next().unwrap_or(name);
            is_servers = SECTIONS.contains(&name);
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_servers) else { continue };
        let key = key.trim();
        // Dashes and underscores are the same to it.
        if key == "innodb_buffer_pool_size" || key == "innodb-buffer-pool-size" {
            found = size(value.split('#').next().unwrap_or(value)).or(found);
        }
    }
    found
}

/// `maxmemory 256mb`.
fn redis(text: &str) -> Option<Kib> {
    let values = text.lines().filter_map(|line| line.trim().strip_prefix("maxmemory "));
    values.filter_map(size).next_back()
}

/// `-m 64` (Debian) or `CACHESIZE="64"` (RHEL), in MiB.
fn memcached(text: &str) -> Option<Kib> {
    let number = |line: &str| {
        let line = line.trim();
        let value = line.strip_prefix("-m ").or_else(|| line.strip_prefix("CACHESIZE="))?;
        value.trim().trim_matches('"').parse().ok().map(Kib::from_mib)
    };
    text.lines().filter_map(number).next_back()
}

/// `-Xmx2g`.
fn jvm(text: &str) -> Option<Kib> {
    text.lines().filter_map(|line| line.trim().strip_prefix("-Xmx")).filter_map(size).next_back()
}

/// A number of bytes with the letters all of these use: `1073741824`, `512M`, `256mb`, `2g`.
fn size(text: &str) -> Option<Kib> {
    let text = text.trim().trim_matches('"');
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim();
    let kib = match unit.chars().next().map(|c| c.to_ascii_lowercase()) {
        None | Some('b') => return Some(Kib::from_bytes(number)),
        Some('k') => 1,
        Some('m') => 1 << 10,
        Some('g') => 1 << 20,
        Some(_) => return None,
    };
    Some(Kib(number.checked_mul(kib)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_as_the_service_reads_it() {
        let mysql = "[client]\ninnodb_buffer_pool_size=9G\n[mysqld]\n#innodb_buffer_pool_size = 1G\n\
                     innodb-buffer-pool-size = 512M # half\n";
        for (form, text, expected) in [
            (Config::Mysql, mysql, Some(Kib::from_mib(512))),
            (
                Config::Mysql,
                "[mariadb-10.11]\ninnodb_buffer_pool_size=1073741824\n",
                Some(Kib::from_mib(1024)),
            ),
            (Config::Mysql, "[mysqld]\nkey_buffer_size=16M\n", None),
            (
                Config::Redis,
                "# maxmemory 1gb\nmaxmemory 256mb\nmaxmemory-policy noeviction\n",
                Some(Kib::from_mib(256)),
            ),
            (Config::Redis, "maxmemory 0\n", None),
            (Config::Memcached, "-d\n-m 64\n", Some(Kib::from_mib(64))),
            (Config::Memcached, "PORT=\"11211\"\nCACHESIZE=\"128\"\n", Some(Kib::from_mib(128))),
            (Config::Jvm, "-Xms1g\n-Xmx2g\n", Some(Kib::from_mib(2048))),
            (Config::Jvm, "-Xmx9999999999999999999g\n", None),
        ] {
            assert_eq!(configured(form, [text]), expected, "{text}");
        }
    }

    #[test]
    fn a_later_file_wins_and_one_that_is_silent_changes_nothing() {
        let texts = ["maxmemory 1gb\n", "maxmemory 2gb\n", "port 6379\n"];
        assert_eq!(configured(Config::Redis, texts), Some(Kib::from_mib(2048)));
        assert_eq!(configured(Config::Redis, []), None);
    }
}
