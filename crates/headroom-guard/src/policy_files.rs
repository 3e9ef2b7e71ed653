//! Policy from disk: which files there are, whether they can be trusted, what they make together.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use headroom_api::paths;
use headroom_core::policy::{Layer, Policy, Problem};
use headroom_core::settings::Chosen;
use headroom_sys::file;

use crate::settings_file;

/// A policy longer than this is a mistake.
const LONGEST: usize = 1 << 20;

/// A policy and the files it came from, in rising precedence.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is in force.
    pub policy: Policy,
    /// The files, none for the built-in policy alone.
    pub files: Vec<PathBuf>,
    /// The settings on top of them.
    pub chosen: Chosen,
    /// Why the settings that are kept were left out.
    pub settings_problem: Option<String>,
    /// What the files say, for trying other settings on it.
    pub(crate) layers: Vec<Layer>,
}

impl Loaded {
    /// The built-in policy alone.
    pub(crate) fn built_in() -> Self {
        let (policy, chosen) = (Policy::built_in(), Chosen::default());
        Self { policy, files: Vec::new(), chosen, settings_problem: None, layers: Vec::new() }
    }

    /// The same with the settings that are kept in `state_dir` on it. Settings that cannot be believed are
    /// left out, which is said in `settings_problem`: a policy without them still guards.
    #[must_use]
    pub fn with_settings(mut self, state_dir: &Path) -> Self {
        let read = settings_file::read(state_dir).and_then(|chosen| {
            let policy = chosen.on(&self.layers).map_err(|problem| problem.to_string())?;
            Ok((chosen, policy))
        });
        match read {
            Ok((chosen, policy)) => {
                if !chosen.is_empty() {
                    self.files.push(state_dir.join(paths::SETTINGS));
                }
                (self.chosen, self.policy) = (chosen, policy);
            }
            Err(why) => self.settings_problem = Some(why),
        }
        self
    }
}

/// Why a policy could not be loaded.
#[derive(Debug)]
pub enum PolicyError {
    /// A file could not be read, or others may write it.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A file or the whole is wrong.
    Wrong(Problem),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Wrong(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for PolicyError {}

/// Loads the policy: the built-in one, then `/etc/headroom/policy.toml`, then the drop-ins in the order
/// of their names where they exist; only `explicit` instead of those when it is given.
///
/// # Errors
///
/// The first file that cannot be read, cannot be trusted or is wrong.
pub fn load_policy(root: &Path, explicit: Option<&Path>) -> Result<Loaded, PolicyError> {
    let files = match explicit {
        Some(path) => vec![path.to_path_buf()],
        None => found_files(root)?,
    };
    let users = fs::read_to_string(paths::under(root, "/etc/passwd")).unwrap_or_default();
    let mut layers = Vec::with_capacity(files.len());
    for path in &files {
        let text = read_trusted(path)?;
        let origin = path.to_string_lossy();
        let mut layer = Layer::parse(&origin, &text).map_err(PolicyError::Wrong)?;
        let mut uid_of = |name: &str| uid_of(&users, name);
        layer.resolve_users(&text, &mut uid_of).map_err(PolicyError::Wrong)?;
        layers.push(layer);
    }
    let policy = Policy::from_layers(&layers).map_err(PolicyError::Wrong)?;
    Ok(Loaded { policy, files, layers, ..Loaded::built_in() })
}

/// A user's id, from the text of passwd(5).
#[must_use]
pub fn uid_of(users: &str, name: &str) -> Option<u32> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

/// The main file, then the drop-ins as systemd reads its own (systemd.unit(5)): all folders' files
/// in the order of their names, of those with the same name only the one in the highest folder, and
/// none when that is empty or a link to /dev/null.
fn found_files(root: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let mut files = Vec::new();
    let main = paths::under(root, paths::POLICY);
    if main.exists() {
        files.push(main);
    }
    let mut dropped_in = BTreeMap::new();
    for dir in paths::POLICY_DIRS {
        let dir = paths::under(root, dir);
        let unreadable =
            |e: io::Error| PolicyError::Unreadable { path: dir.clone(), why: e.to_string() };
        match fs::read_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(unreadable(e)),
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(unreadable)?;
                    if Path::new(&entry.file_name()).extension().is_some_and(|e| e == "toml") {
                        dropped_in.insert(entry.file_name(), entry.path());
                    }
                }
            }
        }
    }
    files.extend(dropped_in.into_values().filter(|path| !is_mask(path)));
    Ok(files)
}

/// Whether a drop-in is there only to hide those of its name below.
fn is_mask(path: &Path) -> bool {
    let is_null = fs::read_link(path).is_ok_and(|target| target == Path::new("/dev/null"));
    is_null || fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0)
}

fn read_trusted(path: &Path) -> Result<String, PolicyError> {
    let unreadable = |why: String| PolicyError::Unreadable { path: path.to_path_buf(), why };
    let bytes = file::read_trusted(path, LONGEST).map_err(|e| unreadable(e.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8 text".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn names(root: &Path) -> Vec<String> {
        let loaded = load_policy(root, None).unwrap();
        let below = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        loaded.files.iter().map(below).collect()
    }

    #[test]
    fn drop_ins_are_read_by_name_and_the_higher_folder_wins() {
        let root = tempfile::tempdir().unwrap();
        let kills = |n: u32| format!("[strict]\nkernel_kills = {n}\n");
        write(root.path(), "run/headroom/policy.d/20-b.toml", &kills(3));
        write(root.path(), "usr/lib/headroom/policy.d/20-b.toml", "not even TOML");
        write(root.path(), "usr/lib/headroom/policy.d/30-c.toml", &kills(4));
        write(root.path(), "etc/headroom/policy.d/10-a.toml", &kills(5));
        write(root.path(), "etc/headroom/policy.d/10-a.toml.dpkg-old", "not even TOML");
        write(root.path(), "etc/headroom/policy.toml", &kills(6));
        assert_eq!(
            names(root.path()),
            [
                "etc/headroom/policy.toml",
                "etc/headroom/policy.d/10-a.toml",
                "run/headroom/policy.d/20-b.toml",
                "usr/lib/headroom/policy.d/30-c.toml"
            ]
        );
        assert_eq!(load_policy(root.path(), None).unwrap().policy.strict.kernel_kills, 4);
    }

    #[test]
    fn an_empty_file_and_a_link_to_dev_null_mask_what_is_below() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            let path = format!("usr/lib/headroom/policy.d/{name}.toml");
            write(root.path(), &path, "[strict]\nkernel_kills = 9\n");
        }
        write(root.path(), "etc/headroom/policy.d/a.toml", "");
        symlink("/dev/null", root.path().join("etc/headroom/policy.d/b.toml")).unwrap();
        assert_eq!(names(root.path()), ["usr/lib/headroom/policy.d/c.toml"]);
    }

    #[test]
    fn users_are_looked_up_in_passwd_and_a_stranger_is_a_problem_with_its_place() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n");
        let rule = |user: &str| {
            format!("[[rule]]\nname = \"r\"\nclass = \"normal\"\nuser = [\"{user}\"]\n")
        };
        write(root.path(), "etc/headroom/policy.toml", &rule("app"));
        let loaded = load_policy(root.path(), None).unwrap();
        assert_eq!(loaded.policy.rules[0].user[0].uid, Some(1000));
        write(root.path(), "etc/headroom/policy.toml", &rule("ap"));
        let problem = load_policy(root.path(), None).unwrap_err().to_string();
        assert!(problem.contains("policy.toml:4:9: there is no user \"ap\""), "{problem}");
    }
}
