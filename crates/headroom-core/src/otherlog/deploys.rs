//! Releases that went live: Capistrano's `revisions.log`, Deployer's `releases_log`.

use alloc::format;
use alloc::vec::Vec;

use super::entry::{Entry, What, owned};
use super::time;
use crate::oomlog::prefix::clock;
use crate::oomlog::{Position, Wall, scan};

/// Whether a line can only be from such a log.
pub(super) fn knows(line: &str) -> bool {
    parts(line).is_some()
}

/// Reads one line.
pub(super) fn line(line: &str, at: Position, out: &mut Vec<Entry>) {
    if let Some((wall, what)) = parts(line) {
        out.push(Entry::new(at, time::stamp(wall), What::Deployed { what }, line));
    }
}

/// `Branch main (at 1a2b3c) deployed as release 20261124025803 by app`;
/// `{"created_at":"2026-11-24T02:58:03+0000","release_name":"12","user":"app","target":"HEAD"}`.
fn parts(line: &str) -> Option<(Wall, alloc::string::String)> {
    if let Some((what, rest)) = line.split_once(" deployed as release ") {
        return Some((time::release(rest)?, owned(what)));
    }
    let created =
        line.strip_prefix('{').and_then(|_| scan::between(line, "\"created_at\":\"", "\""))?;
    let name = scan::between(line, "\"release_name\":\"", "\"")?;
    let target = scan::between(line, "\"target\":\"", "\"").unwrap_or("?");
    Some((clock::iso(created)?.0, format!("release {name} of {}", owned(target))))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::format::tests::{entries, moment};
    use super::*;

    #[test]
    fn the_releases_name_is_its_time() {
        let log = "Branch main (at 1a2b3c) deployed as release 20261124025803 by app\n\
            {\"created_at\":\"2026-11-24T02:58:03+0000\",\"release_name\":\"12\",\"user\":\"app\",\"target\":\"HEAD\"}\n";
        let found = entries(Format::Deploys, log);
        assert_eq!(found.len(), 2);
        assert_eq!(moment(&found[0]), moment(&found[1]));
        assert_eq!(found[0].what, What::Deployed { what: "Branch main (at 1a2b3c)".into() });
    }
}
