//! Passwords, keys and secret addresses: where they are, never what they are.
//!
//! They are read when they are needed and forgotten afterwards, so that one can be changed without a
//! restart. None is ever part of a message, a log line or an answer.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A secret longer than this is another file.
const LONGEST: u64 = 8 * 1024;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secret(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    /// A file in `$CREDENTIALS_DIRECTORY` (systemd.exec(5), `LoadCredential=`).
    Credential(String),
}

/// A secret as read. It has no text of its own.
pub(super) struct Revealed(String);

impl Revealed {
    /// What it is; for the one place that uses it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Secret {
    /// The place that is given, if one is.
    pub(super) fn of(file: Option<&PathBuf>, credential: Option<&str>) -> Option<Self> {
        let file = file.map(|path| Self(Place::File(path.clone())));
        file.or_else(|| credential.map(|name| Self(Place::Credential(name.to_owned()))))
    }

    fn path(&self) -> Result<PathBuf, String> {
        match &self.0 {
            Place::File(path) => Ok(path.clone()),
            Place::Credential(name) if name.contains('/') => {
                Err(format!("credential \"{name}\": a name, not a path"))
            }
            Place::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
                Some(dir) => Ok(Path::new(&dir).join(name)),
                None => Err(format!(
                    "credential \"{name}\": systemd gave this agent none; add LoadCredential={name}:FILE \
                     to headroom-agent.service"
                )),
            },
        }
    }

    /// Reads it: the first line, without blanks around it.
    ///
    /// # Errors
    ///
    /// A sentence with the place.
    pub(super) fn read(&self) -> Result<Revealed, String> {
        let path = self.path()?;
        let said = |error: io::Error| format!("{}: {error}", path.display());
        let mut text = String::new();
        File::open(&path)
            .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
            .map_err(said)?;
        let secret = text.lines().next().unwrap_or_default().trim();
        if secret.is_empty() {
            return Err(format!("{}: is empty", path.display()));
        }
        Ok(Revealed(secret.to_owned()))
    }

    /// What is wrong with its file as far as it can be seen; the secret stays unread.
    pub(super) fn warning(&self) -> Option<String> {
        let path = match self.path() {
            Ok(path) => path,
            Err(why) => return Some(why),
        };
        match std::fs::metadata(&path) {
            Err(error) => Some(format!("{}: {error}", path.display())),
            Ok(meta) if meta.mode() & 0o007 != 0 => Some(format!(
                "{}: everybody on this node may read it; chmod o= {}",
                path.display(),
                path.display()
            )),
            Ok(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_a_files_first_line_and_shows_itself_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "hunter2\nnot this\n").unwrap();
        let secret = Secret::of(Some(&path), None).unwrap();
        let revealed = secret.read().unwrap();
        assert_eq!(revealed.expose(), "hunter2");
        assert!(!format!("{secret:?} {revealed:?}").contains("hunter2"));
    }

    #[test]
    fn a_file_that_everybody_reads_is_warned_of_and_one_that_is_missing_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let secret = Secret::of(Some(&path), None).unwrap();
        assert!(secret.warning().unwrap().contains("No such file"));
        assert!(secret.read().unwrap_err().contains("No such file"));
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(secret.warning().unwrap().contains("everybody on this node may read it"));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(secret.warning(), None);
        fs::write(&path, "\n").unwrap();
        assert!(secret.read().unwrap_err().contains("is empty"));
    }

    #[test]
    fn a_credential_is_named_and_never_a_path() {
        let secret = Secret::of(None, Some("../../etc/shadow")).unwrap();
        assert!(secret.read().unwrap_err().contains("a name, not a path"));
    }
}
