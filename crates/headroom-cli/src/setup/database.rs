//! The database of this node, and the statements that let the agent in.

use headroom_api::release::{GRANTS_MARIADB, GRANTS_MYSQL};
use headroom_core::setup::Facts;

/// What makes the agent's user, and who carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grants {
    pub(crate) statements: &'static str,
    /// The client, as root types it.
    pub(crate) client: &'static str,
}

/// For the database that is installed here, the one that runs if there are two; `None` without any.
pub(crate) fn grants_for(facts: &Facts) -> Option<Grants> {
    let databases = || facts.units.iter().filter(|unit| unit.service.name == "mysql");
    let unit = databases().find(|unit| unit.uses.is_some()).or_else(|| databases().next())?;
    // Aliases are no units here: mysql.service of a MariaDB is a link to mariadb.service.
    Some(if unit.name.starts_with("mariadb") {
        Grants { statements: GRANTS_MARIADB, client: "mariadb" }
    } else {
        // The plugin may be installed already, which is an error that the rest does not depend on.
        Grants { statements: GRANTS_MYSQL, client: "mysql --force" }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::setup::{Service, Unit};
    use headroom_core::units::Kib;

    fn client(units: &[(&str, bool)]) -> Option<&'static str> {
        let unit = |(name, runs): &(&str, bool)| Unit {
            name: (*name).into(),
            service: Service::of(name).unwrap(),
            uses: runs.then_some(Kib(1)),
            configured: None,
            low_before: None,
        };
        let facts = Facts { ram: Kib(1), units: units.iter().map(unit).collect() };
        grants_for(&facts).map(|grants| grants.client)
    }

    #[test]
    fn the_database_that_runs_is_meant_and_its_own_client() {
        assert_eq!(client(&[("nginx.service", true)]), None);
        assert_eq!(client(&[("mariadb.service", false)]), Some("mariadb"));
        let mysql = [("mysql.service", true), ("nginx.service", true)];
        assert_eq!(client(&mysql), Some("mysql --force"));
        let both = [("mariadb.service", false), ("mysqld.service", true)];
        assert_eq!(client(&both), Some("mysql --force"));
    }
}
