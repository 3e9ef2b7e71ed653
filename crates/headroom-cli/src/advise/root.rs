//! Files of the node that is looked at: this one, or a captured tree that no link leads out of.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use headroom_core::advise::parse::Files;
use headroom_core::policy::Glob;
use rustix::fs::OFlags;

/// No configuration is longer; what comes after is not read.
const LONGEST: u64 = 4 * 1024 * 1024;
/// As many links as the kernel follows.
const LINKS: usize = 40;

/// Where things are read.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    path: PathBuf,
}

impl Root {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// Whether it is the running system, whose services may be asked.
    pub(crate) fn is_live(&self) -> bool {
        self.path == Path::new("/")
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The real path of one below the root. In a captured tree links are followed as they would be on its
    /// own system, so that an absolute one stays inside. Done by hand: openat2(2) is younger than the
    /// kernels this has to run on.
    pub(crate) fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        if self.is_live() {
            return Ok(path.into());
        }
        let parts = |path: &Path| -> VecDeque<OsString> {
            let name = |part: Component<'_>| match part {
                Component::Normal(name) => Some(name.to_os_string()),
                Component::ParentDir => Some("..".into()),
                _ => None,
            };
            path.components().filter_map(name).collect()
        };
        let mut todo = parts(Path::new(path));
        let mut done = PathBuf::new();
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            if part == ".." {
                done.pop();
                continue;
            }
            done.push(&part);
            let Ok(target) = fs::read_link(self.path.join(&done)) else { continue };
            links += 1;
            if links > LINKS {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::LOOP.raw_os_error()));
            }
            done.pop();
            if target.is_absolute() {
                done = PathBuf::new();
            }
            let mut front = parts(&target);
            front.append(&mut todo);
            todo = front;
        }
        Ok(self.path.join(done))
    }

    /// A path as the node itself would name it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.path) {
            Ok(inside) => format!("/{}", inside.display()),
            Err(_) => path.display().to_string(),
        }
    }

    /// The bytes of a regular file, up to a limit.
    pub(crate) fn bytes(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        // A pipe or a device somebody put there must not hold us up.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.resolve(path)?)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The text of a file; what is not UTF-8 is replaced.
    pub(crate) fn read(&self, path: &str) -> io::Result<String> {
        let bytes = self.bytes(path, LONGEST)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The text of a file that may be missing or closed to us.
    pub(crate) fn maybe(&self, path: &str) -> Option<String> {
        self.read(path).ok()
    }

    /// A number that is all of a file.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        self.maybe(path)?.trim().parse().ok()
    }

    /// Whether something is there.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.resolve(path).is_ok_and(|path| fs::symlink_metadata(path).is_ok())
    }

    /// Whether a folder is there.
    pub(crate) fn has_folder(&self, path: &str) -> bool {
        self.resolve(path).is_ok_and(|path| path.is_dir())
    }

    /// Names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.resolve(folder)?)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Paths that match a pattern with `*` in any of its components, sorted. Folders that cannot be read
    /// match nothing, hidden names only a star's own dot.
    pub(crate) fn glob(&self, pattern: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            let is_pattern = part.contains(['*', '?']);
            let glob = Glob::new(part);
            let below = |folder: &String| -> Vec<String> {
                if !is_pattern {
                    return vec![format!("{folder}/{part}")];
                }
                let shown = if folder.is_empty() { "/" } else { folder };
                let names = self.names(shown).unwrap_or_default();
                let visible = |name: &&String| part.starts_with('.') || !name.starts_with('.');
                let matching = names.iter().filter(visible).filter(|n| glob.matches(n.as_bytes()));
                matching.map(|name| format!("{folder}/{name}")).collect()
            };
            found = found.iter().flat_map(below).collect();
        }
        found.retain(|path| self.has(path));
        found
    }

    /// What the regular files of a folder and all below it take, no more than `most` of them counted.
    /// Links are not followed.
    pub(crate) fn size_of(&self, folder: &str, most: usize) -> io::Result<u64> {
        let mut todo = vec![self.resolve(folder)?];
        let (mut bytes, mut seen) = (0_u64, 0);
        let mut is_first = true;
        while let Some(folder) = todo.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if is_first => return Err(error),
                Err(_) => continue,
            };
            is_first = false;
            for entry in entries.filter_map(Result::ok) {
                let Ok(stat) = entry.metadata() else { continue };
                seen += 1;
                if stat.is_dir() {
                    todo.push(entry.path());
                } else if stat.is_file() {
                    bytes = bytes.saturating_add(stat.len());
                }
                if seen >= most {
                    return Ok(bytes);
                }
            }
        }
        Ok(bytes)
    }

    /// Opens a file for its reader.
    pub(crate) fn open(&self, path: &str) -> io::Result<(PathBuf, File)> {
        let path = self.resolve(path)?;
        let file = File::open(&path)?;
        Ok((path, file))
    }
}

impl Files for Root {
    fn text(&mut self, path: &str) -> Result<String, String> {
        self.read(path).map_err(|error| explained(&error))
    }

    fn list(&mut self, pattern: &str) -> Result<Vec<String>, String> {
        // Whether the folder is closed to us is worth a word, whether it is there is not.
        if let Some((folder, last)) = pattern.rsplit_once('/')
            && last.contains('*')
            && !folder.contains('*')
            && let Err(error) = self.names(folder)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(explained(&error));
        }
        Ok(self.glob(pattern))
    }
}

/// Why a file could not be read, with the step that helps.
pub(crate) fn explained(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "not readable for you; root may read it".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_leads_out_of_a_captured_tree() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("etc/alternatives")).unwrap();
        fs::write(folder.path().join("etc/alternatives/my.cnf"), "inside").unwrap();
        symlink("/etc/alternatives/my.cnf", folder.path().join("etc/my.cnf")).unwrap();
        symlink("../../../../../etc/alternatives/my.cnf", folder.path().join("etc/up")).unwrap();
        symlink("loop", folder.path().join("etc/loop")).unwrap();
        let root = Root::new(folder.path());
        assert_eq!(root.read("/etc/my.cnf").unwrap(), "inside");
        assert_eq!(root.read("/etc/up").unwrap(), "inside");
        assert!(root.read("/etc/loop").is_err());
        assert!(root.read("/etc").is_err());
    }

    #[test]
    fn a_pattern_finds_what_is_there_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["etc/php/8.2/fpm", "etc/php/8.1/fpm", "etc/php/8.3/cli"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        for path in ["etc/php/8.2/fpm/a.conf", "etc/php/8.1/fpm/b.conf", "etc/php/8.1/fpm/.c.conf"]
        {
            fs::write(folder.path().join(path), "").unwrap();
        }
        let found = Root::new(folder.path()).glob("/etc/php/*/fpm/*.conf");
        assert_eq!(found, ["/etc/php/8.1/fpm/b.conf", "/etc/php/8.2/fpm/a.conf"]);
    }
}
