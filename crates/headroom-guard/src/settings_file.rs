//! The settings on disk: a file that the guard alone writes and believes only as its own, since its
//! folder is shared with the agent.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use headroom_api::paths;
use headroom_core::settings::Chosen;
use headroom_sys::ReadError;
use headroom_sys::file::{FileError, read_trusted};

/// All settings together are far shorter than this.
const LONGEST: usize = 64 * 1024;

/// Reads what was set; nothing when nothing ever was.
///
/// # Errors
///
/// In words, when the file cannot be believed or read: then no setting of it holds.
pub fn read(state_dir: &Path) -> Result<Chosen, String> {
    let path = state_dir.join(paths::SETTINGS);
    let at = |why: String| format!("{}: {why}", path.display());
    // A link would have root read whatever it points at.
    if fs::symlink_metadata(&path).is_ok_and(|file| file.is_symlink()) {
        return Err(at("is a symbolic link".into()));
    }
    let bytes = match read_trusted(&path, LONGEST) {
        Ok(bytes) => bytes,
        Err(FileError::Read(ReadError::Gone)) => return Ok(Chosen::default()),
        Err(error) => return Err(at(error.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|_| at("is not UTF-8 text".into()))?;
    Chosen::parse(&path.to_string_lossy(), &text).map_err(|problem| problem.to_string())
}

/// Keeps what was set: the file is whole, old or new, whatever happens meanwhile.
///
/// # Errors
///
/// What the disk says.
pub fn write(state_dir: &Path, chosen: &Chosen) -> io::Result<()> {
    let path = state_dir.join(paths::SETTINGS);
    let new = state_dir.join(format!(".{}.new", paths::SETTINGS));
    // What lies there is left from a crash, or somebody put it there: either way it is not followed.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&new)?;
    file.write_all(chosen.to_text().as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(state_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn chosen(value: &str) -> Chosen {
        let mut chosen = Chosen::default();
        chosen.set("strict.floor", Some(value)).unwrap();
        chosen
    }

    #[test]
    fn what_was_set_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), Ok(Chosen::default()));
        for value in ["5%", "6%"] {
            write(dir.path(), &chosen(value)).unwrap();
            assert_eq!(read(dir.path()), Ok(chosen(value)));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_link_a_file_others_may_write_and_a_half_file_are_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(paths::SETTINGS);
        symlink("/etc/passwd", &path).unwrap();
        assert!(read(dir.path()).unwrap_err().ends_with("is a symbolic link"));
        write(dir.path(), &chosen("5%")).unwrap();
        assert!(!fs::symlink_metadata(&path).unwrap().is_symlink(), "the link was replaced");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(read(dir.path()).unwrap_err().contains("everybody may write it"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "[strict]\nfloor = \"5").unwrap();
        assert!(read(dir.path()).is_err());
    }

    #[test]
    fn a_trap_where_the_new_file_is_written_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        symlink(&victim, dir.path().join(".settings.toml.new")).unwrap();
        write(dir.path(), &chosen("5%")).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"kept");
        assert_eq!(read(dir.path()), Ok(chosen("5%")));
    }
}
