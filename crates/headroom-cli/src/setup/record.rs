//! What setup remembers, under /var/lib/headroom/setup: which files it wrote, what stood there before,
//! which folders it made. Written before anything else is touched, so that `--undo` can clean up
//! behind a run that was cut short anywhere.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use headroom_api::paths;
use serde::{Deserialize, Serialize};

use super::Failure;
use super::file::{Found, draft, remove, remove_empty};

const VERSION: u32 = 1;

/// All that is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// The options of the last run; they hold for the next one that does not say otherwise.
    pub(crate) choices: Choices,
    /// A file each.
    pub(crate) entries: Vec<Entry>,
    /// Folders made for this record itself, the outermost first.
    made: Vec<PathBuf>,
}

/// Options as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Choices {
    pub(crate) reserve: Option<String>,
    pub(crate) users: Vec<String>,
    pub(crate) mglru: bool,
}

/// One file that setup wrote, or was about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Absolute path below the root.
    pub(crate) path: String,
    /// What may stand there by our hand: the present text, and the one before while it is replaced.
    pub(crate) ours: Vec<String>,
    /// What stood there before the first run.
    pub(crate) original: Original,
    /// Folders made for it, the outermost first, absolute below the root.
    pub(crate) made: Vec<String>,
}

/// What stood at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Original {
    Nothing,
    /// Its bytes lie beside the record under this name.
    File {
        copy: String,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// Bytes of the target: a path need not be UTF-8.
    Link {
        target: Vec<u8>,
    },
}

/// The folder of the record.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
    dir: PathBuf,
}

impl Store {
    /// Below `root`, unless the environment names another state directory.
    pub(crate) fn new(root: &Path) -> Self {
        let state = match std::env::var_os("HEADROOM_STATE_DIR") {
            Some(dir) => dir.into(),
            None => paths::under(root, paths::STATE_DIR),
        };
        Self { root: root.to_path_buf(), dir: state.join("setup") }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn file(&self) -> PathBuf {
        self.dir.join("record.json")
    }

    /// The record, `None` where setup never ran or was undone.
    pub(crate) fn load(&self) -> Result<Option<Record>, Failure> {
        let path = self.file();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Failure::at(&path)(e)),
        };
        let record: Record = serde_json::from_slice(&text).map_err(|e| Failure::new(&path, e))?;
        if record.version != VERSION {
            let why = format!("is of version {}, this program knows {VERSION}", record.version);
            return Err(Failure::new(&path, why));
        }
        Ok(Some(record))
    }

    /// Makes the folder and an empty record in memory, knowing which folders were made for it.
    pub(crate) fn begin(&self) -> Result<Record, Failure> {
        let made = missing_folders(&self.dir);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&self.dir)
            .map_err(Failure::at(&self.dir))?;
        let closed = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&self.dir, closed).map_err(Failure::at(&self.dir))?;
        let record =
            Record { version: VERSION, choices: Choices::default(), entries: Vec::new(), made };
        self.save(&record)?;
        Ok(record)
    }

    /// Writes the record, whole or not at all.
    pub(crate) fn save(&self, record: &Record) -> Result<(), Failure> {
        let path = self.file();
        let text = serde_json::to_string_pretty(record).map_err(|e| Failure::new(&path, e))?;
        let file = Found::File { bytes: text.into(), mode: 0o600, uid: 0, gid: 0 };
        file.put(&path).map_err(Failure::at(&path))
    }

    /// Keeps what stands at a path now.
    pub(crate) fn keep(&self, found: &Found, copy: &str) -> Result<Original, Failure> {
        Ok(match found {
            Found::Nothing => Original::Nothing,
            Found::Link { target } => {
                Original::Link { target: target.as_os_str().as_bytes().to_vec() }
            }
            Found::File { bytes, mode, uid, gid } => {
                let path = self.dir.join(copy);
                let kept = Found::File { bytes: bytes.clone(), mode: 0o600, uid: 0, gid: 0 };
                kept.put(&path).map_err(Failure::at(&path))?;
                Original::File { copy: copy.into(), mode: *mode, uid: *uid, gid: *gid }
            }
        })
    }

    /// What stood at an entry's path.
    pub(crate) fn original(&self, entry: &Entry) -> Result<Found, Failure> {
        Ok(match &entry.original {
            Original::Nothing => Found::Nothing,
            Original::Link { target } => {
                Found::Link { target: std::ffi::OsStr::from_bytes(target).into() }
            }
            Original::File { copy, mode, uid, gid } => {
                let path = self.dir.join(copy);
                let bytes = fs::read(&path).map_err(Failure::at(&path))?;
                Found::File { bytes, mode: *mode, uid: *uid, gid: *gid }
            }
        })
    }

    /// A name for a copy that no entry has.
    pub(crate) fn free_copy(&self, record: &Record) -> String {
        let is_taken = |name: &str| {
            record
                .entries
                .iter()
                .any(|entry| matches!(&entry.original, Original::File { copy, .. } if copy == name))
        };
        (0u32..).map(|n| format!("original-{n}")).find(|n| !is_taken(n)).unwrap_or_default()
    }

    /// Forgets everything: the record last, then the folders made for it.
    pub(crate) fn end(&self, record: &Record) -> Result<(), Failure> {
        let path = self.file();
        remove(&path).map_err(Failure::at(&path))?;
        let copies = fs::read_dir(&self.dir).map_err(Failure::at(&self.dir))?;
        for copy in copies {
            let path = copy.map_err(Failure::at(&self.dir))?.path();
            remove(&path).map_err(Failure::at(&path))?;
        }
        for dir in record.made.iter().rev() {
            remove_empty(dir).map_err(Failure::at(dir))?;
        }
        Ok(())
    }

    /// Removes what a run that was cut short left beside an entry's file, and the folders made for it.
    pub(crate) fn sweep(&self, entry: &Entry) -> Result<(), Failure> {
        let draft = draft(&paths::under(&self.root, &entry.path));
        remove(&draft).or_else(gone_with_its_folder).map_err(Failure::at(&draft))?;
        for dir in entry.made.iter().rev() {
            let dir = paths::under(&self.root, dir);
            remove_empty(&dir).map_err(Failure::at(&dir))?;
        }
        Ok(())
    }

    /// The folders that have to be made before a file can be put at `path`.
    pub(crate) fn to_be_made(&self, path: &str) -> Vec<String> {
        let folder = paths::under(&self.root, path);
        let missing = folder.parent().map(missing_folders).unwrap_or_default();
        let below = |dir: &PathBuf| {
            let dir = dir.strip_prefix(&self.root).ok()?.to_str()?;
            Some(format!("/{}", dir.trim_start_matches('/')))
        };
        missing.iter().filter_map(below).collect()
    }
}

fn gone_with_its_folder(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotADirectory { Ok(()) } else { Err(error) }
}

/// Those on the way to `dir` that are not there, the outermost first.
fn missing_folders(dir: &Path) -> Vec<PathBuf> {
    // A link to nowhere is something, and not ours to remove.
    let is_missing = |dir: &&Path| dir.symlink_metadata().is_err();
    let mut missing: Vec<_> =
        dir.ancestors().take_while(is_missing).map(Path::to_path_buf).collect();
    missing.reverse();
    missing
}
