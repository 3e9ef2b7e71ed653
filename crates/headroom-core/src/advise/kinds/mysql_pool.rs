//! `mysql-pool-larger-than-data`: a buffer pool that could never be filled with what is on disk.

use alloc::format;
use alloc::vec::Vec;

use super::mysql_sizes::{Sizes, file_of};
use crate::advise::facts::Facts;
use crate::advise::parse::size::written;
use crate::advise::room::worth;
use crate::advise::{Advice, Confidence, Kind};
use crate::units::Kib;

pub(super) fn advise(facts: &Facts) -> Vec<Advice> {
    let found = || {
        let mysql = facts.mysql.as_ref()?;
        let data = mysql.data.as_ref()?;
        let sizes = Sizes::of(mysql, facts.node.ram);
        let pool = sizes.pool();
        // Half as much again for growth, undo and what is not data, in steps of the pool's chunks.
        let chunk = Kib::from_mib(128).0;
        // What lies in the pool already is data as well, whatever tables and files say.
        let held = mysql.status.get("innodb_buffer_pool_bytes_data");
        let held = held.and_then(|bytes| bytes.parse().ok()).map_or(Kib::ZERO, Kib::from_bytes);
        let enough = data.value.percent(150).max(held).0.div_ceil(chunk).max(1) * chunk;
        let saved = pool.size.saturating_sub(Kib(enough));
        if !worth(facts, saved) {
            return None;
        }
        let mut advice = Advice::of(Kind::MysqlPoolLargerThanData);
        advice.title =
            format!("The buffer pool of {} is larger than its data of {}", pool.size, data.value);
        advice.because(pool.at.clone(), format!("innodb_buffer_pool_size {}", pool.size));
        advice.because(data.at.clone(), format!("{} of InnoDB tables and indexes", data.value));
        let live = mysql.status.get("innodb_buffer_pool_pages_free");
        let total = mysql.status.get("innodb_buffer_pool_pages_total");
        if let Some((free, total)) = live.zip(total) {
            let what = format!("{free} of {total} pages were never used since the start");
            advice.because("Innodb_buffer_pool_pages_free", what);
        }
        advice.cuts_peak = Some(saved);
        advice.confidence = if live.is_some() { Confidence::High } else { Confidence::Medium };
        advice.command = format!(
            "in [mysqld] of {}:\ninnodb_buffer_pool_size = {}",
            file_of(mysql, "innodb_buffer_pool_size"),
            written(Kib(enough))
        );
        advice.check = "after a day, Innodb_buffer_pool_reads rises no faster than before".into();
        Some(advice)
    };
    found().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::facts::Mysql;
    use crate::advise::parse::Said;

    fn facts(pool: &str, data_mib: u64) -> Facts {
        let mut mysql =
            Mysql { data: Some(Said::new(Kib::from_mib(data_mib), "/d")), ..Mysql::default() };
        mysql.options.set("innodb_buffer_pool_size", Some(pool), "/my.cnf:1");
        let mut facts = Facts { mysql: Some(mysql), ..Facts::default() };
        facts.node.ram = Kib::from_mib(4096);
        facts
    }

    #[test]
    fn a_pool_of_two_gigabytes_for_200_megabytes_can_shrink() {
        let advices = advise(&facts("2G", 200));
        assert_eq!(advices[0].cuts_peak, Some(Kib::from_mib(2048 - 384)));
        assert!(advices[0].command.contains("= 384M"));
    }

    #[test]
    fn a_pool_that_fits_its_data_stays() {
        assert_eq!(advise(&facts("2G", 1500)), []);
        assert_eq!(advise(&facts("128M", 1)), []);
        let mut full = facts("2G", 200);
        let status = &mut full.mysql.as_mut().unwrap().status;
        status.insert("innodb_buffer_pool_bytes_data".into(), alloc::format!("{}", 1990_u64 << 20));
        assert_eq!(advise(&full), []);
    }
}
