//! The slow query log of MySQL, MariaDB and Percona Server.
//!
//! An entry is a few `# Key: value` lines, `SET timestamp=` with the statement's start, and the statement.
//! <https://dev.mysql.com/doc/refman/8.4/en/slow-query-log.html>,
//! <https://mariadb.com/kb/en/slow-query-log-overview/>

use alloc::string::String;
use alloc::vec::Vec;

use super::entry::{Entry, What, kept};
use super::time;
use crate::oomlog::prefix::clock;
use crate::oomlog::{Position, Stamp, Wall, scan};

/// Statements are kept this long.
const STATEMENT: usize = 300;

/// What has been read of the entry that is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    at: Option<Position>,
    /// `# Time:`, which is the end; printed only when it changed.
    logged: Option<Wall>,
    /// `SET timestamp=`, which is the start.
    began_s: Option<i64>,
    lasted_us: Option<u64>,
    examined: Option<u64>,
    disk_tables: bool,
    statement: String,
}

/// Whether a line can only be from such a log.
pub(super) fn knows(line: &str) -> bool {
    line.starts_with("# User@Host: ") || line.starts_with("# Query_time: ")
}

impl Open {
    pub(super) fn feed(&mut self, line: &str, at: Position, out: &mut Vec<Entry>) {
        let Some(comment) = line.strip_prefix("# ") else { return self.statement(line) };
        if let Some(text) = comment.strip_prefix("Time: ") {
            self.finish(out);
            let wall = clock::iso(text).or_else(|| time::short(text)).map(|(wall, _)| wall);
            (self.at, self.logged) = (Some(at), wall);
        } else if comment.starts_with("User@Host: ") {
            // Its time stands before it, or is the one before that.
            if self.lasted_us.is_some() {
                self.finish(out);
            }
            self.at = self.at.or(Some(at));
        } else if let Some(rest) = comment.strip_prefix("Query_time: ") {
            self.lasted_us = seconds_us(rest);
            self.examined = scan::number_after(comment, "Rows_examined:");
        }
        self.disk_tables |= scan::number_after(comment, "Tmp_disk_tables:").is_some_and(|n| n > 0);
    }

    fn statement(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix("SET timestamp=") {
            self.began_s = scan::number(text).and_then(|(n, _)| i64::try_from(n).ok());
        } else if self.lasted_us.is_some()
            && self.statement.len() < STATEMENT
            && !line.starts_with("use ")
        {
            self.statement.push(' ');
            self.statement.extend(line.chars().take(STATEMENT));
        }
    }

    /// Yields what is open, if it is a query with a time.
    pub(super) fn finish(&mut self, out: &mut Vec<Entry>) {
        let open = core::mem::take(self);
        // The next entry may be of the same second and say no time of its own.
        self.logged = open.logged;
        let (Some(at), Some(lasted_us)) = (open.at, open.lasted_us) else { return };
        let lasted = i64::try_from(lasted_us).unwrap_or(i64::MAX);
        let end = open.began_s.and_then(|s| s.checked_mul(1_000_000)?.checked_add(lasted));
        let Some(wall) = end.map(Wall::Unix).or(open.logged) else { return };
        let what = What::Query {
            examined: open.examined,
            disk_tables: open.disk_tables,
            statement: kept(&open.statement),
        };
        let stamp = Stamp { uptime_us: None, wall: Some(wall) };
        let entry = Entry::new(at, stamp, what, &open.statement);
        out.push(Entry { lasted_us: Some(lasted_us), ..entry });
    }
}

/// `42.123456` as microseconds.
fn seconds_us(text: &str) -> Option<u64> {
    let (seconds, rest) = scan::number(text.trim_start())?;
    let mut us = seconds.checked_mul(1_000_000)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).take(6);
        us += digits
            .zip([100_000, 10_000, 1000, 100, 10, 1])
            .map(|(d, unit)| u64::from(d - b'0') * unit)
            .sum::<u64>();
    }
    Some(us)
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::{entries, moment};
    use super::super::{Format, What};

    fn queries(log: &str) -> Vec<(i64, u64, Option<u64>, String)> {
        entries(Format::MysqlSlow, log)
            .into_iter()
            .map(|entry| {
                let What::Query { examined, statement, .. } = &entry.what else {
                    panic!("{entry:?}")
                };
                (moment(&entry), entry.lasted_us.unwrap() / 1000, *examined, statement.clone())
            })
            .collect()
    }

    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    #[test]
    fn mysqls_form_is_read() {
        let log = "/usr/sbin/mysqld, Version: 8.0.39. started with:\n\
            Tcp port: 3306  Unix socket: /run/mysqld/mysqld.sock\n\
            Time                 Id Command    Argument\n\
            # Time: 2026-11-24T02:58:03.000000Z\n\
            # User@Host: shop[shop] @ localhost []  Id:  1234\n\
            # Query_time: 42.500000  Lock_time: 0.000123 Rows_sent: 10  Rows_examined: 1200000\n\
            use shop;\n\
            SET timestamp=1795489040;\n\
            SELECT *\nFROM sales_order;\n";
        assert_eq!(
            queries(log),
            [(
                1_795_489_082_500_000,
                42_500,
                Some(1_200_000),
                "SELECT * FROM sales_order;".to_string()
            )]
        );
    }

    #[test]
    fn mariadbs_and_perconas_forms_are_read() {
        let log = "# Time: 261124  2:58:03\n\
            # User@Host: shop[shop] @ localhost []\n\
            # Thread_id: 12  Schema: shop  QC_hit: No\n\
            # Query_time: 3.0  Lock_time: 0.0  Rows_sent: 1  Rows_examined: 7\n\
            # Rows_affected: 0  Bytes_sent: 56\n\
            # Tmp_tables: 1  Tmp_disk_tables: 1  Tmp_table_sizes: 16777216\n\
            SET timestamp=1795489080;\nSELECT 1;\n\
            # User@Host: shop[shop] @ localhost []\n\
            # Schema: shop  Last_errno: 0  Killed: 0\n\
            # Query_time: 1.5  Lock_time: 0.0  Rows_sent: 1  Rows_examined: 8  Rows_affected: 0\n\
            SET timestamp=1795489081;\nSELECT 2;\n";
        let found = queries(log);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].0, found[1].2), (1_795_489_082_500_000, Some(8)));
        let disk = entries(Format::MysqlSlow, log)
            .into_iter()
            .map(|e| matches!(e.what, What::Query { disk_tables: true, .. }));
        assert_eq!(disk.collect::<Vec<_>>(), [true, false]);
    }
}
