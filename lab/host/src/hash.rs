//! Names for contents: what goes into a thing decides what it is called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Collects whatever a thing depends on.
#[derive(Default)]
pub(crate) struct Recipe(Sha256);

impl Recipe {
    /// One named text. Both lengths are hashed too, so that nothing slides from one into the next.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.bytes(name, text.as_bytes());
        self
    }

    /// A file, or a folder with all that is in it: names, contents, whether executable; no times.
    pub(crate) fn path(mut self, path: &Path) -> Result<Self> {
        self.add(path, "")?;
        Ok(self)
    }

    /// The name: twelve hexadecimal digits, plenty for the few versions that ever meet.
    pub(crate) fn name(self) -> String {
        self.0.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    fn add(&mut self, path: &Path, name: &str) -> Result<()> {
        let metadata = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
        if metadata.is_symlink() {
            let target = fs::read_link(path)?;
            self.bytes(name, target.as_os_str().as_encoded_bytes());
        } else if metadata.is_dir() {
            let mut names: Vec<String> = Vec::new();
            for entry in fs::read_dir(path)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort_unstable();
            for entry in names {
                self.add(&path.join(&entry), &format!("{name}/{entry}"))?;
            }
        } else {
            let kind = if metadata.permissions().mode() & 0o100 == 0 { "" } else { "*" };
            let contents = fs::read(path).with_context(|| path.display().to_string())?;
            self.bytes(&format!("{name}{kind}"), &contents);
        }
        Ok(())
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.0.update(format!("{}:{name}{}:", name.len(), bytes.len()));
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_a_new_name_and_a_new_mode_each_change_the_hash() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = || Recipe::default().path(folder.path()).expect("readable").name();
        let file = folder.path().join("a");
        fs::write(&file, "one").expect("writable");
        let first = name();
        assert_eq!(first, name());
        fs::write(&file, "two").expect("writable");
        let second = name();
        fs::rename(&file, folder.path().join("b")).expect("renamed");
        let third = name();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path().join("b"), executable).expect("changed");
        let all = [first, second, third, name()];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 4);
    }
}
