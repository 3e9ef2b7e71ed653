//! One file at a time: what stands at a path, and replacing it so that a crash leaves old or new.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    File { bytes: Vec<u8>, mode: u32, uid: u32, gid: u32 },
    Link { target: PathBuf },
}

impl Found {
    /// A file of ours: root's, and everybody may read it.
    pub(crate) fn ours(text: &str) -> Self {
        Self::File { bytes: text.into(), mode: 0o644, uid: 0, gid: 0 }
    }

    pub(crate) fn look(path: &Path) -> io::Result<Self> {
        let stat = match fs::symlink_metadata(path) {
            Ok(stat) => stat,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(e) => return Err(e),
        };
        if stat.is_symlink() {
            return Ok(Self::Link { target: fs::read_link(path)? });
        }
        if !stat.is_file() {
            return Err(io::Error::other("neither a file nor a link"));
        }
        let bytes = fs::read(path)?;
        Ok(Self::File { bytes, mode: stat.mode() & 0o7777, uid: stat.uid(), gid: stat.gid() })
    }

    /// Whether anything is there.
    pub(crate) const fn exists(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Whether it is a file with exactly this text, whoever owns it.
    pub(crate) fn says(&self, text: &str) -> bool {
        matches!(self, Self::File { bytes, .. } if bytes == text.as_bytes())
    }

    /// Its text for a diff.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::File { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
            Self::Link { target } => format!("link to {}\n", target.display()),
        }
    }

    /// Puts it at `path`, whole or not at all, and on the disk before it returns.
    pub(crate) fn put(&self, path: &Path) -> io::Result<()> {
        let draft = draft(path);
        // One of a run that was cut short.
        remove(&draft)?;
        match self {
            Self::Nothing => remove(path)?,
            Self::Link { target } => {
                symlink(target, &draft)?;
                fs::rename(&draft, path)?;
            }
            Self::File { bytes, mode, uid, gid } => {
                let mut options = OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
                file.write_all(bytes)?;
                let stat = file.metadata()?;
                if (stat.uid(), stat.gid()) != (*uid, *gid) && rustix::process::geteuid().is_root()
                {
                    chown(&draft, Some(*uid), Some(*gid))?;
                }
                // After the owner: chown takes setuid bits away.
                file.set_permissions(Permissions::from_mode(*mode))?;
                file.sync_all()?;
                fs::rename(&draft, path)?;
            }
        }
        sync_folder(path)
    }
}

/// Where a file is written before it gets its name; systemd reads only names it knows the end of.
pub(crate) fn draft(path: &Path) -> PathBuf {
    let mut name = b".".to_vec();
    name.extend(path.file_name().unwrap_or_default().as_bytes());
    name.extend(b".headroom-new");
    path.with_file_name(std::ffi::OsStr::from_bytes(&name))
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Removes a folder if it is there, is one, and is empty.
pub(crate) fn remove_empty(path: &Path) -> io::Result<()> {
    use io::ErrorKind::{DirectoryNotEmpty, NotADirectory, NotFound};
    match fs::remove_dir(path) {
        Err(e) if !matches!(e.kind(), DirectoryNotEmpty | NotADirectory | NotFound) => Err(e),
        _ => Ok(()),
    }
}

/// Brings a name's coming or going to the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().map(File::open) {
        None => Ok(()),
        // A file that is to go and whose folder is gone already.
        Some(Err(e)) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Some(folder) => folder?.sync_all(),
    }
}
