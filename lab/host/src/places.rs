//! Where things are: the source tree, and the cache outside it.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The project's root, where this was compiled. The lab is run from its own source tree only.
pub(crate) fn tree() -> PathBuf {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    host.ancestors().nth(2).unwrap_or(host).to_owned()
}

/// The lab's part of it.
pub(crate) fn lab() -> PathBuf {
    tree().join("lab")
}

/// The cache: `$HEADROOM_LAB_CACHE`, else `headroom-lab` in `$XDG_CACHE_HOME` or `~/.cache`.
pub(crate) fn cache() -> Result<PathBuf> {
    let of = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("HEADROOM_LAB_CACHE")
        .or_else(|| of("XDG_CACHE_HOME").map(|folder| folder.join("headroom-lab")))
        .or_else(|| of("HOME").map(|home| home.join(".cache/headroom-lab")))
        .context("no place for the cache: set HEADROOM_LAB_CACHE, XDG_CACHE_HOME or HOME")
}
