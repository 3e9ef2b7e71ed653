//! The logs that a web node is known to have.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Where they lie; `*` stands for any part of one name.
const PATTERNS: [&str; 38] = [
    "var/log/syslog*",
    "var/log/messages*",
    "var/log/cron",
    "var/log/cron.log*",
    "var/log/cron-*",
    "var/log/auth.log*",
    "var/log/secure*",
    "var/log/mysql/*slow*",
    "var/log/mariadb/*slow*",
    "var/log/mysql-slow.log*",
    "var/lib/mysql/*slow.log",
    "var/log/php*-fpm.log*",
    "var/log/php*-fpm*slow*",
    "var/log/php-fpm/*.log*",
    "var/log/php/*.log*",
    "var/opt/remi/*/log/php-fpm/*.log",
    "var/log/nginx/*access*",
    "var/log/nginx/*error*",
    "var/log/apache2/*access*",
    "var/log/apache2/*error*",
    "var/log/httpd/*access*",
    "var/log/httpd/*error*",
    "var/log/dpkg.log*",
    "var/log/apt/history.log*",
    "var/log/dnf.rpm.log*",
    "data/web/public/var/log/exception.log",
    "data/web/public/var/log/system.log",
    "data/web/*/var/log/exception.log",
    "data/web/*/var/log/system.log",
    "var/www/*/var/log/exception.log",
    "var/www/*/var/log/system.log",
    "var/www/*/*/var/log/exception.log",
    "var/www/*/*/var/log/system.log",
    "srv/*/var/log/exception.log",
    "srv/*/var/log/system.log",
    "home/*/public_html/var/log/system.log",
    "var/www/*/revisions.log",
    "home/*/revisions.log",
];

/// Files of one pattern that are read at most: of a hundred sites' logs those written last.
const MOST: usize = 24;

/// The logs under a root that were written at or after `earliest_us`.
pub(super) fn logs(root: Option<PathBuf>, earliest_us: i64) -> Vec<PathBuf> {
    let root = root.unwrap_or_else(|| PathBuf::from("/"));
    let mut all: Vec<PathBuf> = Vec::new();
    for pattern in PATTERNS {
        let mut found: Vec<(i64, PathBuf)> = Vec::new();
        expand(&root, pattern, &mut |path| {
            let written =
                fs::metadata(&path).ok().filter(fs::Metadata::is_file).and_then(written_us);
            // A log that was last written before anything of interest happened says nothing of it.
            if let Some(written) = written.filter(|us| *us >= earliest_us)
                && !all.contains(&path)
            {
                found.push((written, path));
            }
        });
        found.sort_by(|a, b| b.cmp(a));
        all.extend(found.into_iter().take(MOST).map(|(_, path)| path));
    }
    all
}

fn written_us(metadata: fs::Metadata) -> Option<i64> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}

/// Calls `each` with every path that matches.
fn expand(folder: &Path, pattern: &str, each: &mut dyn FnMut(PathBuf)) {
    let (part, rest) = match pattern.split_once('/') {
        Some((part, rest)) => (part, Some(rest)),
        None => (pattern, None),
    };
    let go_on = |path: PathBuf, each: &mut dyn FnMut(PathBuf)| match rest {
        Some(rest) => expand(&path, rest, each),
        None => each(path),
    };
    if !part.contains('*') {
        return go_on(folder.join(part), each);
    }
    let glob = headroom_core::policy::Glob::new(part);
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut names: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| glob.matches(entry.file_name().as_encoded_bytes()))
        .map(|entry| entry.path())
        .collect();
    names.sort();
    for path in names {
        go_on(path, each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    #[test]
    fn logs_are_found_by_their_places_and_old_ones_left_out() {
        let root = tempfile::TempDir::new().unwrap();
        for name in [
            "var/log/syslog",
            "var/log/syslog.1",
            "var/log/mysql/mysql-slow.log",
            "var/log/nginx/shop-access.log",
            "var/log/other.log",
            "data/web/public/var/log/exception.log",
            "var/www/shop/current/var/log/system.log",
        ] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "x").unwrap();
            let age = if name.ends_with(".1") { 10 } else { 1000 };
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(age)).unwrap();
        }
        let found: Vec<String> = logs(Some(root.path().into()), 500_000_000)
            .iter()
            .map(|path| path.strip_prefix(root.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(
            found,
            [
                "var/log/syslog",
                "var/log/mysql/mysql-slow.log",
                "var/log/nginx/shop-access.log",
                "data/web/public/var/log/exception.log",
                "var/www/shop/current/var/log/system.log",
            ]
        );
    }
}
