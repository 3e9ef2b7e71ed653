//! `mysql-performance-schema`: instrumentation that costs a small node more than it gives.

use alloc::format;
use alloc::vec::Vec;

use super::mysql_sizes::{Sizes, file_of};
use crate::advise::facts::Facts;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind, Risk};

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let found = || {
        let mysql = facts.mysql.as_ref()?;
        let schema = Sizes::schema(mysql)?;
        // A twentieth of the RAM is more than looking inside should cost.
        if !worth(facts, schema.size) || schema.size < facts.node.ram.percent(5) {
            return None;
        }
        let is_measured = mysql.performance_schema.is_some();
        let mut advice = Advice::of(Kind::MysqlPerformanceSchema);
        advice.title = format!("The performance schema takes {}", schema.size);
        let how = if is_measured { "by its own account" } else { "as it usually does" };
        advice.because(schema.at, format!("performance_schema is on: {} {how}", schema.size));
        advice.saves = Some(schema.size);
        advice.confidence = if is_measured { Confidence::High } else { Confidence::Low };
        advice.risk = Risk::Low;
        advice.command = format!(
            "in [mysqld] of {}, then restart:\nperformance_schema = OFF",
            file_of(mysql, "performance_schema")
        );
        advice.check =
            "SHOW VARIABLES LIKE 'performance_schema' says OFF; sys and monitoring that \
                        read it have nothing to read"
                .into();
        Some(advice)
    };
    found().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::facts::Mysql;
    use crate::advise::parse::mycnf::Flavour;
    use crate::units::Kib;

    fn facts(ram_mib: u64, mysql: Mysql) -> Facts {
        let mut facts = Facts { mysql: Some(mysql), ..Facts::default() };
        facts.node.ram = Kib::from_mib(ram_mib);
        facts
    }

    #[test]
    fn mysqls_default_is_dear_on_a_small_node_only() {
        let mysql =
            Mysql { flavour: Flavour::Mysql, version: Some((8, 0, 36)), ..Mysql::default() };
        assert_eq!(advise(&facts(2048, mysql.clone()))[0].saves, Some(Kib::from_mib(200)));
        assert_eq!(advise(&facts(16384, mysql)), []);
    }

    #[test]
    fn mariadb_has_it_off_unless_it_is_told_otherwise() {
        assert_eq!(advise(&facts(1024, Mysql::default())), []);
        let mut mysql = Mysql { performance_schema: Some(Kib::from_mib(80)), ..Mysql::default() };
        mysql.options.set("performance_schema", Some("ON"), "/my.cnf:2");
        let advices = advise(&facts(1024, mysql));
        assert_eq!(advices[0].saves, Some(Kib::from_mib(80)));
        assert_eq!(advices[0].confidence, Confidence::High);
    }
}
