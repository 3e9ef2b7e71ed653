//! Which format a log has, and reading it as such.

use alloc::vec::Vec;

use super::entry::Entry;
use super::{access, deploys, monolog, mysql, packages, php, syslog, web};
use crate::oomlog::Position;

/// Whether a line can only be of one format.
type Knows = fn(&str) -> bool;

/// The formats other logs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The slow query log of MySQL, MariaDB or Percona Server.
    MysqlSlow,
    /// php-fpm's log, its slow log, or PHP's errors.
    Php,
    /// Magento's `exception.log` and `system.log`.
    Monolog,
    /// The error log of nginx or Apache.
    WebErrors,
    /// An access log, whose lines [`super::request`] reads.
    Access,
    /// dpkg's, apt's or dnf's.
    Packages,
    /// Capistrano's or Deployer's.
    Deploys,
    /// syslog or the journal, where others than the kernel write too.
    Syslog,
}

impl Format {
    /// Tells a log's format by its first lines; `None` for the kernel's own log and for what nobody here
    /// can read.
    #[must_use]
    pub fn of<'l>(lines: impl Iterator<Item = &'l [u8]>) -> Option<Self> {
        /// Syslog's form is the least special: others are asked first, over all lines.
        const KNOWS: [(Format, Knows); 8] = [
            (Format::MysqlSlow, mysql::knows),
            (Format::Access, |line| access::request(line).is_some()),
            (Format::Deploys, deploys::knows),
            (Format::Php, php::knows),
            (Format::WebErrors, web::knows),
            (Format::Monolog, monolog::knows),
            (Format::Packages, packages::knows),
            (Format::Syslog, syslog::knows),
        ];
        let mut found = None;
        for line in lines {
            let Ok(line) = core::str::from_utf8(line) else { continue };
            let line = line.trim_end_matches(['\r', '\n']);
            match KNOWS.iter().find(|(_, knows)| knows(line)) {
                Some((Self::Syslog, _)) => found = Some(Self::Syslog),
                Some((format, _)) => return Some(*format),
                None => {}
            }
        }
        found
    }
}

/// Reads a log of a known format, a line at a time.
#[derive(Clone, Debug)]
pub struct Reader {
    format: Format,
    mysql: mysql::Open,
    php: php::Open,
    packages: packages::Open,
}

impl Reader {
    /// A reader at the start of a log.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            mysql: mysql::Open::default(),
            php: php::Open::default(),
            packages: packages::Open::default(),
        }
    }

    /// Takes the next line and adds the entries it completes to `out`.
    pub fn feed(&mut self, line: &[u8], at: Position, out: &mut Vec<Entry>) {
        /// No entry of use is in what follows on a line this long.
        const LONGEST: usize = 16 * 1024;
        if self.format == Format::Access || self.format == Format::Syslog && !syslog::is_ours(line)
        {
            return;
        }
        let line = alloc::string::String::from_utf8_lossy(line.get(..LONGEST).unwrap_or(line));
        let line = line.trim_end_matches(['\r', '\n']);
        match self.format {
            Format::MysqlSlow => self.mysql.feed(line, at, out),
            Format::Php => self.php.feed(line, at, out),
            Format::Packages => self.packages.feed(line, at, out),
            Format::Monolog => monolog::line(line, at, out),
            Format::WebErrors => web::line(line, at, out),
            Format::Deploys => deploys::line(line, at, out),
            Format::Syslog => syslog::line(line, at, out),
            Format::Access => {}
        }
    }

    /// The log ends here.
    pub fn finish(&mut self, out: &mut Vec<Entry>) {
        self.mysql.finish(out);
        self.php.finish(out);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::oomlog::Wall;

    /// The entries of a log.
    pub(in super::super) fn entries(format: Format, log: &str) -> Vec<Entry> {
        assert_eq!(Format::of(log.as_bytes().split(|b| *b == b'\n')), Some(format));
        let (mut reader, mut out) = (Reader::new(format), Vec::new());
        for (line, number) in log.lines().zip(1..) {
            reader.feed(line.as_bytes(), Position { source: 0, line: number }, &mut out);
        }
        reader.finish(&mut out);
        out
    }

    /// An entry's time, a bare one taken for UTC.
    pub(in super::super) fn moment(entry: &Entry) -> i64 {
        match entry.stamp.wall {
            Some(Wall::Unix(us)) => us,
            Some(Wall::Civil { year, month, day, time_us, offset_s }) => {
                // Howard Hinnant's days from civil.
                let (m, d) = (i64::from(month), i64::from(day));
                let y = i64::from(year.unwrap_or(1970)) - i64::from(m <= 2);
                let era = y.div_euclid(400);
                let yoe = y - era * 400;
                let doy = (153 * (m + if m > 2 { -3 } else { 9 }) + 2) / 5 + d - 1;
                let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
                let seconds = days * 86_400 - i64::from(offset_s.unwrap_or(0));
                seconds * 1_000_000 + i64::try_from(time_us).unwrap()
            }
            _ => panic!("no time in {entry:?}"),
        }
    }

    #[test]
    fn the_kernels_own_log_is_none_of_these() {
        let kernel = "Nov 24 02:58:01 node kernel: [    1.0] Linux version 6.1\n\
            [    2.000000] php invoked oom-killer: gfp_mask=0x0, order=0\nwhatever\n";
        assert_eq!(Format::of(kernel.as_bytes().split(|b| *b == b'\n')), None);
        assert_eq!(Format::of([&b"\xff\xfe"[..]].into_iter()), None);
    }

    #[test]
    fn no_line_is_too_odd_for_any_reader() {
        let odd = [
            "[",
            "# ",
            "# Query_time: ",
            "# Time: ",
            "{",
            "[24-Nov-2026 02:58:03",
            "\u{202e}",
            "SET timestamp=99999999999999999999",
            "# Query_time: 99999999999999999999999.9",
            "Start-Date: ",
            "x deployed as release 9",
            "[pool ] pid",
            "# User@Host: ",
            "]: CRON[",
            "Allowed memory size of 18446744073709551616 bytes",
            "[0x] ",
            "script_filename = ",
        ];
        use Format::*;
        for format in [MysqlSlow, Php, Monolog, WebErrors, Access, Packages, Deploys, Syslog] {
            let (mut reader, mut out) = (Reader::new(format), Vec::new());
            for line in odd.iter().chain(odd.iter().rev()) {
                for end in 0..=line.len() {
                    reader.feed(&line.as_bytes()[..end], Position::default(), &mut out);
                }
            }
            reader.finish(&mut out);
            assert!(out.iter().all(|entry| entry.text.len() < 2000));
        }
    }
}
