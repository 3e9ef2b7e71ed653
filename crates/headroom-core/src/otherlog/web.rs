//! The error logs of nginx and Apache: PHP's complaints that went through them, and exhausted workers.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::entry::{Entry, What};
use super::{php, time};
use crate::oomlog::prefix::clock;
use crate::oomlog::{Position, Wall};

/// Whether a line can only be from such a log.
pub(super) fn knows(line: &str) -> bool {
    parts(line).is_some()
}

/// Reads one line.
pub(super) fn line(line: &str, at: Position, out: &mut Vec<Entry>) {
    let Some((wall, message)) = parts(line) else { return };
    if let Some(what) = php::complaint(message).or_else(|| workers(message)) {
        out.push(Entry::new(at, time::stamp(wall), what, message));
    }
}

/// Apache's AH00161 and AH00484, nginx's worker_connections.
fn workers(message: &str) -> Option<What> {
    let exhausted = |pool: &str, setting: &str| What::WorkersExhausted {
        pool: pool.to_string(),
        setting: setting.to_string(),
        limit: None,
    };
    if message.contains("server reached MaxRequestWorkers setting") {
        return Some(exhausted("apache", "MaxRequestWorkers"));
    }
    message
        .contains("worker_connections are not enough")
        .then(|| exhausted("nginx", "worker_connections"))
}

/// `2026/11/24 02:58:03 [error] …` and `[Tue Nov 24 02:58:03.123456 2026] [php:error] …`.
fn parts(line: &str) -> Option<(Wall, &str)> {
    if let Some((wall, rest)) = time::slashes(line) {
        return Some((wall, rest.strip_prefix(" [")?));
    }
    let (wall, rest) = clock::ctime(line.strip_prefix('[')?)?;
    Some((wall, rest.strip_prefix("] [")?))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::format::tests::entries;
    use super::*;

    #[test]
    fn what_php_said_through_a_web_server_is_found() {
        let log = "2026/11/24 02:58:03 [error] 12#12: *34 FastCGI sent in stderr: \"PHP message: PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 8 bytes) in /srv/x.php on line 3\" while reading\n\
            2026/11/24 02:58:03 [error] 12#12: *35 open() \"/srv/favicon.ico\" failed\n\
            [Tue Nov 24 02:58:05.123456 2026] [mpm_prefork:error] [pid 1] AH00161: server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting\n";
        let found = entries(Format::WebErrors, log);
        assert_eq!(found.len(), 2);
        assert!(matches!(found[0].what, What::MemoryLimit { .. }));
        assert!(matches!(&found[1].what, What::WorkersExhausted { pool, .. } if pool == "apache"));
    }
}
