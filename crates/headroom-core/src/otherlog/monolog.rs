//! Magento's `exception.log` and `system.log`: Monolog's lines since Magento 2, Zend's before.

use alloc::vec::Vec;

use super::entry::{Entry, What, owned};
use super::{php, time};
use crate::oomlog::prefix::clock;
use crate::oomlog::{Position, Wall};

/// Whether a line can only be from such a log.
pub(super) fn knows(line: &str) -> bool {
    parts(line).is_some()
}

/// Reads one line; the lines of a stack trace yield nothing.
pub(super) fn line(line: &str, at: Position, out: &mut Vec<Entry>) {
    let Some((wall, level, message)) = parts(line) else { return };
    let what = php::complaint(message)
        .unwrap_or_else(|| What::Complaint { level: owned(level), message: owned(message) });
    let loud = !matches!(level, "DEBUG" | "INFO" | "NOTICE");
    if loud || matches!(what, What::MemoryLimit { .. }) {
        out.push(Entry::new(at, time::stamp(wall), what, message));
    }
}

/// `[2026-11-24T02:58:03.1+00:00] main.CRITICAL: text` and `2026-11-24T02:58:03+00:00 ERR (3): text`.
fn parts(line: &str) -> Option<(Wall, &str, &str)> {
    if let Some(inner) = line.strip_prefix('[') {
        let (wall, rest) = clock::iso(inner)?;
        let (channel, message) = rest.strip_prefix("] ")?.split_once(": ")?;
        let (name, level) = channel.rsplit_once('.')?;
        let level_like = level.bytes().all(|b| b.is_ascii_uppercase()) && !name.contains(' ');
        return level_like.then_some((in_utc(wall), level, message));
    }
    let (wall, rest) = clock::iso(line)?;
    let (level, message) = rest.strip_prefix(' ')?.split_once("): ")?;
    let (name, number) = level.split_once(" (")?;
    let zend =
        name.bytes().all(|b| b.is_ascii_uppercase()) && number.bytes().all(|b| b.is_ascii_digit());
    zend.then_some((wall, name, message))
}

/// Magento sets PHP's zone to UTC, whatever the node's is.
fn in_utc(wall: Wall) -> Wall {
    match wall {
        Wall::Civil { year, month, day, time_us, offset_s: None } => {
            Wall::Civil { year, month, day, time_us, offset_s: Some(0) }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::format::tests::entries;
    use super::*;

    #[test]
    fn complaints_of_either_magento_are_read_and_chatter_is_not() {
        let log = "[2026-11-24T02:58:03.123456+00:00] main.CRITICAL: Exception: no such entity {\"x\":1} []\n\
            #0 /srv/shop/vendor/a.php(12): b()\n\
            [2026-11-24 02:58:04] report.ERROR: Allowed memory size of 1048576 bytes exhausted (tried to allocate 1 bytes) in /a.php:7 []\n\
            [2026-11-24 02:58:05] main.INFO: cache cleaned [] []\n\
            2026-11-24T02:58:03+00:00 ERR (3): exception 'Foo' with message 'bar'\n";
        let found = entries(Format::Monolog, log);
        let levels: Vec<&str> = found
            .iter()
            .map(|entry| match &entry.what {
                What::Complaint { level, .. } => level.as_str(),
                What::MemoryLimit { .. } => "limit",
                _ => "?",
            })
            .collect();
        assert_eq!(levels, ["CRITICAL", "limit", "ERR"]);
    }
}
