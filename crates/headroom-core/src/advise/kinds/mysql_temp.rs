//! `mysql-temp-tables`: temporary tables that every connection may grow large in memory.

use alloc::format;
use alloc::vec::Vec;

use super::mysql_sizes::{Sizes, file_of};
use crate::advise::facts::Facts;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind};
use crate::units::Kib;

/// What both servers have by default.
const USUAL: Kib = Kib::from_mib(16);
/// Up to here a raised limit is nobody's trouble.
const BEARABLE: Kib = Kib::from_mib(64);
/// So many connections with a large temporary table at once are taken for granted.
const AT_ONCE: u64 = 10;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let found = || {
        let mysql = facts.mysql.as_ref()?;
        let sizes = Sizes::of(mysql, facts.node.ram);
        if sizes.table.size <= BEARABLE {
            return None;
        }
        let connections = sizes.max_used.unwrap_or(AT_ONCE).min(sizes.max_connections.value);
        let before = sizes.sessions(connections);
        let now = before.saturating_sub(Kib(sizes.session().0.saturating_mul(connections)));
        let cut = now.saturating_sub(Kib(USUAL.0.saturating_mul(connections)));
        if !worth(facts, cut) {
            return None;
        }
        let mut advice = Advice::of(Kind::MysqlTempTables);
        advice.title = format!("A temporary table may take {} of memory", sizes.table.size);
        let counted = if sizes.max_used.is_some() { "seen at once" } else { "assumed at once" };
        advice.because(
            sizes.table.at.clone(),
            format!(
                "{} {} x {connections} connections {counted} = {now}",
                sizes.table.name, sizes.table.size
            ),
        );
        let disk = mysql.status.get("created_tmp_disk_tables");
        if let Some((disk, all)) = disk.zip(mysql.status.get("created_tmp_tables")) {
            let what = format!("{disk} of {all} temporary tables went to disk");
            advice.because("Created_tmp_disk_tables", what);
        }
        advice.cuts_peak = Some(cut);
        advice.confidence =
            if sizes.max_used.is_some() { Confidence::Medium } else { Confidence::Low };
        advice.command = format!(
            "in [mysqld] of {}:\ntmp_table_size = 16M\nmax_heap_table_size = 16M",
            file_of(mysql, "tmp_table_size")
        );
        advice.check = "Created_tmp_disk_tables grows no faster than one in four of \
                        Created_tmp_tables; queries that need more set it for themselves"
            .into();
        Some(advice)
    };
    found().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::facts::Mysql;

    fn facts(size: &str, used: Option<&str>) -> Facts {
        let mut mysql = Mysql::default();
        mysql.options.set("tmp_table_size", Some(size), "/my.cnf:4");
        mysql.options.set("max_heap_table_size", Some("1G"), "/my.cnf:5");
        if let Some(used) = used {
            mysql.status.insert("max_used_connections".into(), used.into());
        }
        let mut facts = Facts { mysql: Some(mysql), ..Facts::default() };
        facts.node.ram = Kib::from_mib(2048);
        facts
    }

    #[test]
    fn connections_that_were_seen_are_counted() {
        let advices = advise(&facts("256M", Some("8")));
        assert_eq!(advices[0].cuts_peak, Some(Kib::from_mib((256 - 16) * 8)));
        assert_eq!(advices[0].evidence[0].source, "/my.cnf:4");
    }

    #[test]
    fn a_usual_size_is_not_mentioned() {
        assert_eq!(advise(&facts("32M", Some("100"))), []);
    }
}
