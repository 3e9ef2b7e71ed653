//! PHP's logs: php-fpm's own, its slow log, and PHP's errors, all of which begin `[24-Nov-2026 02:58:03`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::entry::{Entry, What, owned};
use super::time;
use crate::oomlog::{Position, Stamp, scan};
use crate::units::Kib;

/// A slow log's entry of which only a part has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Open(Option<Slow>);

#[derive(Clone, Debug)]
struct Slow {
    at: Position,
    stamp: Stamp,
    pool: String,
    pid: Option<u32>,
    script: String,
    inside: String,
}

/// Whether a line can only be from such a log.
pub(super) fn knows(line: &str) -> bool {
    line.strip_prefix('[').and_then(time::php).is_some()
}

impl Open {
    pub(super) fn feed(&mut self, line: &str, at: Position, out: &mut Vec<Entry>) {
        if let Some(slow) = &mut self.0 {
            if let Some(script) = line.strip_prefix("script_filename = ") {
                slow.script = owned(script);
                return;
            }
            // The innermost function comes first: "[0x00007f…] curl_exec() /var/www/…:123".
            if let Some((_, call)) = line.strip_prefix("[0x").and_then(|rest| rest.split_once("] "))
            {
                if slow.inside.is_empty() {
                    slow.inside = owned(call);
                }
                return;
            }
        }
        self.finish(out);
        let Some((wall, rest)) = line.strip_prefix('[').and_then(time::php) else { return };
        let Some(rest) = rest.strip_prefix(']') else { return };
        let (stamp, text) = (time::stamp(wall), rest.trim_start_matches(' '));
        if let Some((pool, pid)) = slow_head(text) {
            let pool = pool.to_string();
            let (script, inside) = (String::new(), String::new());
            self.0 = Some(Slow { at, stamp, pool, pid, script, inside });
        } else if let Some(what) = complaint(text) {
            out.push(Entry::new(at, stamp, what, text));
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Entry>) {
        let Some(slow) = self.0.take() else { return };
        let text = alloc::format!("{} {}", slow.script, slow.inside);
        let Slow { at, stamp, pool, pid, script, inside } = slow;
        out.push(Entry::new(at, stamp, What::SlowRequest { pool, pid, script, inside }, &text));
    }
}

/// `[pool www] pid 1234`
fn slow_head(text: &str) -> Option<(&str, Option<u32>)> {
    let (pool, rest) = text.strip_prefix("[pool ")?.split_once(']')?;
    let (pid, _) = scan::number(rest.strip_prefix(" pid ")?)?;
    Some((pool, u32::try_from(pid).ok()))
}

/// What php-fpm or PHP complains of, wherever the line was found.
pub(super) fn complaint(text: &str) -> Option<What> {
    if text.contains("server reached pm.max_children")
        || text.contains("server reached max_children")
    {
        let pool = scan::between(text, "[pool ", "]").unwrap_or("php-fpm");
        let limit = scan::number_after(text, "setting (");
        let setting = "pm.max_children".to_string();
        return Some(What::WorkersExhausted { pool: owned(pool), setting, limit });
    }
    let (_, rest) = text.split_once("Allowed memory size of ")?;
    let (bytes, rest) = scan::number(rest)?;
    let place = rest.split_once(") in ").map_or("", |(_, place)| place);
    let place = place.split_once(", referer").map_or(place, |(place, _)| place);
    let place = place.trim_end_matches(['"', '.']).replace(" on line ", ":");
    Some(What::MemoryLimit { limit: Kib::from_bytes(bytes), place: owned(&place) })
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::format::tests::entries;
    use super::*;

    #[test]
    fn the_slow_log_names_script_and_innermost_function() {
        let log = "\n[24-Nov-2026 02:58:03]  [pool www] pid 1234\n\
            script_filename = /srv/shop/pub/index.php\n\
            [0x00007f1] curl_exec() /srv/shop/vendor/a.php:12\n\
            [0x00007f2] send() /srv/shop/b.php:1\n\n\
            [24-Nov-2026 02:58:04]  [pool www] pid 1235\n\
            script_filename = /srv/shop/cron.php\n";
        let found = entries(Format::Php, log);
        assert_eq!(found.len(), 2);
        let what = What::SlowRequest {
            pool: "www".into(),
            pid: Some(1234),
            script: "/srv/shop/pub/index.php".into(),
            inside: "curl_exec() /srv/shop/vendor/a.php:12".into(),
        };
        assert_eq!((found[0].at.line, &found[0].what), (2, &what));
    }

    #[test]
    fn exhausted_workers_and_memory_limits_are_read() {
        let log = "[24-Nov-2026 02:58:01] NOTICE: fpm is running, pid 1\n\
            [24-Nov-2026 02:58:03] WARNING: [pool www] server reached pm.max_children setting (50), consider raising it\n\
            [24-Nov-2026 02:58:04 UTC] PHP Fatal error:  Allowed memory size of 268435456 bytes exhausted (tried to allocate 20480 bytes) in /srv/a.php on line 12\n";
        let found: Vec<What> = entries(Format::Php, log).into_iter().map(|e| e.what).collect();
        let exhausted = What::WorkersExhausted {
            pool: "www".into(),
            setting: "pm.max_children".into(),
            limit: Some(50),
        };
        let limit = What::MemoryLimit { limit: Kib::from_mib(256), place: "/srv/a.php:12".into() };
        assert_eq!(found, [exhausted, limit]);
    }
}
