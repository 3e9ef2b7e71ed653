//! Things that take long to build, each in a folder named after what went into it.
//!
//! A thing is built under a temporary name and renamed when complete, so that a folder that exists is
//! whole. Builders of the same kind wait for each other; users hold a shared lock, so that pruning never
//! takes a disk from under a running node.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::progress::say;

/// Older versions of a kind that nobody used for this long are removed.
const KEEP: Duration = Duration::from_secs(3 * 24 * 3600);
/// But so many of the newest stay in any case: branches take turns on one machine.
const NEWEST: usize = 3;

/// The cache as a whole.
pub(crate) struct Cache {
    root: PathBuf,
}

/// A finished thing in use.
pub(crate) struct Entry {
    /// Its folder.
    pub(crate) path: PathBuf,
    _in_use: File,
}

impl Cache {
    /// Opens the cache, making its folder when there is none.
    pub(crate) fn open(root: PathBuf) -> Result<Self> {
        fs::create_dir_all(&root).with_context(|| format!("making {}", root.display()))?;
        Ok(Self { root })
    }

    /// The thing of this kind and name; `build` fills the empty folder it is given if there is none yet.
    pub(crate) fn entry(
        &self,
        kind: &str,
        name: &str,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Entry> {
        let path = self.root.join(format!("{kind}-{name}"));
        let builders = self.lock_file(kind)?;
        lock_or_wait(&builders, kind)?;
        if !path.exists() {
            let unfinished = self.root.join(format!("{kind}-{name}.unfinished"));
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished)?;
            }
            fs::create_dir(&unfinished)?;
            build(&unfinished)?;
            fs::rename(&unfinished, &path)?;
        }
        let in_use = self.lock_file(&format!("{kind}-{name}"))?;
        in_use.lock_shared()?;
        // The lock file's time says when the entry was last used.
        in_use.set_modified(SystemTime::now())?;
        self.prune(kind)?;
        Ok(Entry { path, _in_use: in_use })
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        let path = self.root.join(format!("{name}.lock"));
        let options = File::options().create(true).truncate(false).write(true).open(&path);
        options.with_context(|| format!("opening {}", path.display()))
    }

    /// Removes versions of a kind that nobody used lately, and leftovers of builders that died.
    /// Called with the builders' lock held, so an unfinished folder is nobody's.
    fn prune(&self, kind: &str) -> Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let path = self.root.join(&name);
            if !path.is_dir() || !name.starts_with(&format!("{kind}-")) {
                continue;
            }
            if name.ends_with(".unfinished") {
                fs::remove_dir_all(&path)?;
                continue;
            }
            let lock = self.lock_file(&name)?;
            entries.push((lock.metadata()?.modified()?, path, lock));
        }
        entries.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
        for (used, path, lock) in entries.into_iter().skip(NEWEST) {
            let is_old = used.elapsed().unwrap_or_default() > KEEP;
            if is_old && lock.try_lock().is_ok() {
                say(&format!("removing {}, unused for days", path.display()));
                fs::remove_dir_all(&path)?;
                fs::remove_file(path.with_extension("lock"))?;
            }
        }
        Ok(())
    }
}

fn lock_or_wait(lock: &File, kind: &str) -> Result<()> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            say(&format!("waiting for another builder of the {kind}"));
            Ok(lock.lock()?)
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn a_thing_is_built_once_and_never_half() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(folder.path().to_owned()).expect("opened");
        let failed = cache.entry("disk", "aa", |path| {
            fs::write(path.join("half"), "")?;
            bail!("no room")
        });
        assert!(failed.is_err());
        let built = cache.entry("disk", "aa", |path| Ok(fs::write(path.join("whole"), "")?));
        let path = built.expect("built").path;
        assert!(path.join("whole").exists() && !path.join("half").exists());
        let again = cache.entry("disk", "aa", |_| bail!("built twice"));
        assert_eq!(again.expect("there already").path, path);
    }

    #[test]
    fn old_versions_go_unless_in_use_or_among_the_newest() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(folder.path().to_owned()).expect("opened");
        let build = |name: &str| cache.entry("disk", name, |_| Ok(())).expect("built");
        let in_use = build("a");
        drop(build("b"));
        for name in ["a", "b"] {
            let old = SystemTime::now() - 2 * KEEP;
            cache.lock_file(&format!("disk-{name}")).expect("lock").set_modified(old).expect("set");
        }
        for name in ["c", "d", "e"] {
            drop(build(name));
        }
        assert!(in_use.path.exists());
        assert!(!folder.path().join("disk-b").exists());
        assert!(folder.path().join("disk-c").exists());
    }
}
