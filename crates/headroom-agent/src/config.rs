//! `agent.toml`: what it may say, with a default for everything. Unknown keys are refused.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use headroom_api::paths;
use headroom_sys::ReadError;
use headroom_sys::file::{FileError, read_trusted};
use serde::Deserialize;

use crate::options::Options;
use crate::{mysql, notify, protect, release, services};

/// A configuration longer than this is a mistake.
const LONGEST: usize = 1 << 20;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The node's own name, the one in `/v2/app/NAME/`; the host's unless given.
    pub(crate) app: Option<String>,
    /// Who may do what over the socket.
    pub(crate) allow: Allow,
    /// The optional TCP listener.
    pub(crate) http: Option<Http>,
    /// How much is kept, and for how long.
    pub(crate) store: Retention,
    /// The catalogue that the next larger plan is taken from.
    pub(crate) plans: Vec<Plan>,
    /// `[services]`
    pub(crate) services: services::Config,
    /// `[protect]`
    pub(crate) protect: protect::Config,
    /// `[mysql]`
    pub(crate) mysql: mysql::Config,
    /// `[release]`
    pub(crate) release: release::Config,
    /// `[notify]`
    pub(crate) notify: notify::Config,
}

/// For each right the users who have it: `"app"`, a group as `"@developers"`, a number as `"1000"` or
/// `"@1000"`, everybody as `"*"`. Root has them all.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Allow {
    pub(crate) read: Vec<String>,
    pub(crate) settings: Vec<String>,
    pub(crate) services: Vec<String>,
    pub(crate) protect: Vec<String>,
    pub(crate) release: Vec<String>,
}

impl Default for Allow {
    fn default() -> Self {
        let group = || vec!["@headroom".to_owned()];
        Self {
            read: vec!["*".to_owned()],
            settings: group(),
            services: group(),
            protect: group(),
            release: group(),
        }
    }
}

/// The TCP listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    /// Address and port.
    pub(crate) listen: SocketAddr,
    /// The certificate and those up to its root, PEM.
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub(crate) tls_key: Option<PathBuf>,
}

/// What of the history is kept.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retention {
    /// Days after which records go.
    pub(crate) days: u32,
    /// Size of the store above which the oldest go, in MiB.
    pub(crate) max_mib: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 400, max_mib: 256 }
    }
}

/// A plan that a node may have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) memory_mib: u64,
}

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) struct ConfigError {
    path: PathBuf,
    why: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for ConfigError {}

/// Reads the configuration. The file under /etc may be missing, one that was named may not.
pub(crate) fn load(options: &Options) -> Result<Config, ConfigError> {
    let path = match &options.config {
        Some(path) => path.clone(),
        None => paths::under(&options.root, paths::AGENT_CONFIG),
    };
    match read_trusted(&path, LONGEST) {
        Ok(bytes) => parse(&bytes).map_err(|why| ConfigError { path, why }),
        Err(FileError::Read(ReadError::Gone)) if options.config.is_none() => Ok(Config::default()),
        Err(error) => Err(ConfigError { path, why: error.to_string() }),
    }
}

fn parse(bytes: &[u8]) -> Result<Config, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    let config: Config = toml::from_str(text).map_err(|e| {
        let line = e.span().map(|s| text[..s.start].matches('\n').count() + 1);
        let place = line.map(|n| format!("line {n}: ")).unwrap_or_default();
        format!("{place}{}", e.message().trim_end().replace("unknown field", "unknown key"))
    })?;
    config.check()?;
    Ok(config)
}

impl Config {
    /// What is well-formed and cannot be meant.
    fn check(&self) -> Result<(), String> {
        if let Some(http) = &self.http {
            match (&http.tls_certificate, &http.tls_key) {
                (None, None) if !http.listen.ip().is_loopback() => {
                    return Err(format!(
                        "[http] listen = \"{}\": without TLS only a loopback address; give \
                         tls_certificate and tls_key",
                        http.listen
                    ));
                }
                (Some(_), None) => return Err("[http] tls_key is missing".into()),
                (None, Some(_)) => return Err("[http] tls_certificate is missing".into()),
                _ => {}
            }
        }
        self.services.list().map(drop)?;
        self.notify.check()
    }

    /// The node's name.
    pub(crate) fn app_name(&self, root: &Path) -> String {
        let host = || -> io::Result<String> {
            std::fs::read_to_string(paths::under(root, "/proc/sys/kernel/hostname"))
        };
        self.app.clone().unwrap_or_else(|| {
            let host = host().unwrap_or_default();
            let short = host.trim().split('.').next().unwrap_or_default();
            if short.is_empty() { "localhost".into() } else { short.to_owned() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn nothing_at_all_is_a_configuration() {
        let config = parse(b"").unwrap();
        assert_eq!(config.allow.read, ["*"]);
        assert_eq!(config.allow.settings, ["@headroom"]);
        assert!(config.http.is_none());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let problem = refused("app = \"shop\"\n[allow]\nsetings = [\"app\"]\n");
        assert!(problem.starts_with("line 3: unknown key `setings`"), "{problem}");
    }

    #[test]
    fn a_listener_without_tls_is_loopback_only() {
        assert!(refused("[http]\nlisten = \"0.0.0.0:80\"").contains("only a loopback address"));
        assert!(parse(b"[http]\nlisten = \"127.0.0.1:8443\"").is_ok());
        assert!(parse(b"[http]\nlisten = \"[::1]:8443\"").is_ok());
        let half = "[http]\nlisten = \"0.0.0.0:80\"\ntls_key = \"k\"";
        assert!(refused(half).contains("tls_certificate is missing"));
    }

    #[test]
    fn what_the_documentation_shows_is_a_configuration_and_its_values_the_defaults() {
        let text = include_str!("../../../docs/protect-services-release.md");
        let parts: Vec<&str> = text.split("```toml\n").skip(1).collect();
        let toml: String = parts.iter().filter_map(|part| part.split("```").next()).collect();
        let shown = parse(toml.as_bytes()).unwrap();
        let plain = parse(b"").unwrap();
        let debug =
            |config: &Config| format!("{:?}{:?}{:?}", config.protect, config.mysql, config.release);
        assert_eq!(debug(&shown), debug(&plain));
    }
}
