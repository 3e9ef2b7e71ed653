//! Where things are on disk unless a flag or the environment says otherwise.

use std::env;
use std::path::{Path, PathBuf};

/// The policy an administrator writes.
pub const POLICY: &str = "/etc/headroom/policy.toml";
/// The agent's configuration.
pub const AGENT_CONFIG: &str = "/etc/headroom/agent.toml";
/// Where further policy files are dropped in, in rising precedence, which is systemd's (systemd.unit(5)):
/// the vendor's, those until the next boot, the administrator's.
pub const POLICY_DIRS: [&str; 3] =
    ["/usr/lib/headroom/policy.d", "/run/headroom/policy.d", "/etc/headroom/policy.d"];
/// What outlives a reboot.
pub const STATE_DIR: &str = "/var/lib/headroom";
/// Sockets.
pub const RUNTIME_DIR: &str = "/run/headroom";
/// What the agent keeps for the guard to read: a directory that is the agent's own.
pub const AGENT_RUNTIME_DIR: &str = "/run/headroom-agent";
/// The guard's journal in the state directory.
pub const JOURNAL: &str = "journal";
/// Its second ring, of samples, there as well.
pub const SAMPLES: &str = "samples";
/// What jobs took, by kind of command line, there as well.
pub const JOBS: &str = "jobs.json";
/// The user the agent runs as, who may ask the guard for a protection beside root.
pub const AGENT_USER: &str = "headroom";
/// What was set by command and API, in the state directory: the guard's own file.
pub const SETTINGS: &str = "settings.toml";
/// The guard's socket in the runtime directory.
pub const GUARD_SOCKET: &str = "guard.sock";
/// The agent's socket in the runtime directory.
pub const AGENT_SOCKET: &str = "agent.sock";

/// The runtime directory the command line goes by: `HEADROOM_RUNTIME_DIR`, else the default.
#[must_use]
pub fn runtime_dir() -> PathBuf {
    env::var_os("HEADROOM_RUNTIME_DIR").map_or_else(|| RUNTIME_DIR.into(), PathBuf::from)
}

/// The agent's own runtime directory beside this one: [`AGENT_RUNTIME_DIR`] for the default, else `agent`
/// in it.
#[must_use]
pub fn agent_dir(runtime_dir: &Path) -> PathBuf {
    let is_default = runtime_dir == Path::new(RUNTIME_DIR);
    if is_default { AGENT_RUNTIME_DIR.into() } else { runtime_dir.join("agent") }
}

/// The state directory the command line goes by: `HEADROOM_STATE_DIR`, else the default.
#[must_use]
pub fn state_dir() -> PathBuf {
    env::var_os("HEADROOM_STATE_DIR").map_or_else(|| STATE_DIR.into(), PathBuf::from)
}

/// The root under which /proc, /sys, /etc and /var/log are read: `HEADROOM_ROOT`, else `/`.
#[must_use]
pub fn root() -> PathBuf {
    env::var_os("HEADROOM_ROOT").map_or_else(|| "/".into(), PathBuf::from)
}

/// An absolute path below that root.
#[must_use]
pub fn under(root: &Path, absolute: &str) -> PathBuf {
    root.join(absolute.trim_start_matches('/'))
}
