//! Which server it is, and how it changes the size of its buffer pool.

/// MariaDB and MySQL parted at 5.5 and number differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    MariaDb,
    /// Percona Server as well.
    MySql,
}

/// `@@version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) flavour: Flavour,
    pub(crate) number: (u32, u32, u32),
}

/// How a server resizes its buffer pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resizing {
    /// The statement waits until it is done, and ends it when it is killed; steps of 1 MiB.
    InStatement,
    /// A thread does it after the statement; in chunks, as `Innodb_buffer_pool_resize_status` tells.
    InBackground,
    /// Not while it runs.
    Never(&'static str),
}

impl Version {
    /// Whether it is MariaDB.
    pub(crate) fn is_mariadb(self) -> bool {
        self.flavour == Flavour::MariaDb
    }

    /// Reads `10.11.19-MariaDB-0+deb12u1`, `5.5.5-10.6.4-MariaDB`, `8.0.36-0ubuntu0.22.04.1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_mariadb = text.contains("MariaDB");
        // What old replication clients are told comes first.
        let text = text.strip_prefix("5.5.5-").filter(|_| is_mariadb).unwrap_or(text);
        let mut numbers = text.split(['.', '-', '+', '~']).map(|n| n.parse().ok());
        let number = (numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0));
        let flavour = if is_mariadb { Flavour::MariaDb } else { Flavour::MySql };
        Some(Self { flavour, number })
    }

    /// How this one resizes (MDEV-29445 changed it in MariaDB 10.11.12, 11.4.6 and 11.8.2).
    pub(crate) fn resizing(self) -> Resizing {
        let shrinks_badly = Resizing::Never(
            "this release can hang or crash when its buffer pool shrinks (MDEV-37263); upgrade it",
        );
        match (self.flavour, self.number) {
            (Flavour::MySql, n) if n >= (5, 7, 5) => Resizing::InBackground,
            (Flavour::MariaDb, (10, 11, 12..=13) | (11, 4, 6..=7) | (11, 8, 2)) => shrinks_badly,
            (Flavour::MariaDb, (10, 11, 12..) | (11, 4, 6..) | (11, 8, 2..) | (12.., ..)) => {
                Resizing::InStatement
            }
            (Flavour::MariaDb, n) if n >= (10, 2, 2) => Resizing::InBackground,
            _ => Resizing::Never("its buffer pool cannot be resized while it runs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_write_them() {
        for (text, flavour, number) in [
            ("10.11.19-MariaDB-0+deb12u1", Flavour::MariaDb, (10, 11, 19)),
            ("5.5.5-10.6.4-MariaDB-log", Flavour::MariaDb, (10, 6, 4)),
            ("11.8.3-MariaDB-ubu2404", Flavour::MariaDb, (11, 8, 3)),
            ("8.0.36-0ubuntu0.22.04.1", Flavour::MySql, (8, 0, 36)),
            ("8.4.3", Flavour::MySql, (8, 4, 3)),
            ("8.0.36-28", Flavour::MySql, (8, 0, 36)),
        ] {
            assert_eq!(Version::parse(text), Some(Version { flavour, number }), "{text}");
        }
        assert_eq!(Version::parse("nonsense"), None);
    }

    #[test]
    fn each_server_resizes_in_its_own_way() {
        let resizing = |text: &str| Version::parse(text).unwrap().resizing();
        for text in
            ["8.0.36", "8.4.3", "5.7.44", "10.6.18-MariaDB", "10.11.11-MariaDB", "11.4.5-MariaDB"]
        {
            assert_eq!(resizing(text), Resizing::InBackground, "{text}");
        }
        for text in ["10.11.19-MariaDB", "11.4.8-MariaDB", "11.8.3-MariaDB", "12.0.2-MariaDB"] {
            assert_eq!(resizing(text), Resizing::InStatement, "{text}");
        }
        for text in ["10.11.13-MariaDB", "11.8.2-MariaDB", "5.6.51", "10.1.48-MariaDB"] {
            assert!(matches!(resizing(text), Resizing::Never(_)), "{text}");
        }
    }
}
