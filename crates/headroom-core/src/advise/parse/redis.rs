//! `redis.conf` and `valkey.conf`, and the same settings on the server's command line.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::size::{self, Form};
use super::{Files, Said, Unread, numbered, unquoted};
use crate::units::Kib;

/// What an instance may take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its configuration file.
    pub file: String,
    /// Its port; 6379 unless it says otherwise.
    pub port: Option<u32>,
    /// `maxmemory`; `None` when it is not set, zero when it is set to no limit.
    pub max_memory: Option<Said<Kib>>,
    /// What it drops when it is full; `noeviction` unless it says otherwise.
    pub policy: Option<Said<String>>,
    /// What its data takes by its own word (`used_memory`), which is what `maxmemory` bounds; from a server that
    /// was asked.
    pub used: Option<Kib>,
    /// The most that was (`used_memory_peak`).
    pub used_most: Option<Kib>,
    /// Whether it forks to write its data: `save` points or the append-only file.
    pub forks: Option<bool>,
}

impl Instance {
    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.port.unwrap_or(6379)
    }

    /// The limit, where there is one.
    #[must_use]
    pub fn limit(&self) -> Option<Kib> {
        self.max_memory.as_ref().map(|said| said.value).filter(|limit| *limit > Kib::ZERO)
    }

    /// Whether it forks; it does unless `save ""` says otherwise.
    #[must_use]
    pub fn does_fork(&self) -> bool {
        self.forks.unwrap_or(true)
    }

    /// What the running server says of itself (`INFO memory`), which counts before any file: its limit may have been
    /// set while it ran.
    pub fn info(&mut self, text: &str) {
        let at = format!("INFO memory of port {}", self.port());
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once(':') else { continue };
            let size = || value.parse().ok().map(Kib::from_bytes);
            match key {
                "used_memory" => self.used = size(),
                "used_memory_peak" => self.used_most = size(),
                "maxmemory" => {
                    let is_new = size() != Some(self.limit().unwrap_or_default());
                    if let Some(size) = size().filter(|_| is_new) {
                        self.max_memory = Some(Said::new(size, at.clone()));
                    }
                }
                "maxmemory_policy" => {
                    let is_new = self.policy.as_ref().is_none_or(|said| said.value != value);
                    if is_new && (self.policy.is_some() || value != "noeviction") {
                        self.policy = Some(Said::new(value.to_string(), at.clone()));
                    }
                }
                _ => {}
            }
        }
    }

    fn set(&mut self, key: &str, value: &str, at: &str) -> Result<(), String> {
        match key.to_ascii_lowercase().as_str() {
            "port" => {
                let port = value.parse().map_err(|_| format!("port: no number: {value}"))?;
                self.port = Some(port);
            }
            "maxmemory" => {
                let size = size::size(value, Form::Redis)
                    .ok_or_else(|| format!("maxmemory: no size: {value}"))?;
                self.max_memory = Some(Said::new(size, at));
            }
            "maxmemory-policy" => self.policy = Some(Said::new(value.to_string(), at)),
            "save" => self.forks = Some(!value.is_empty()),
            "appendonly" if value == "yes" => self.forks = Some(true),
            _ => {}
        }
        Ok(())
    }

    /// Settings on a command line: `redis-server *:6379 --maxmemory 256mb`.
    pub fn command_line<'a>(&mut self, arguments: impl IntoIterator<Item = &'a str>, at: &str) {
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            if let Some(key) = argument.strip_prefix("--")
                && let Some(value) = arguments.next_if(|value| !value.starts_with("--"))
            {
                // What a running server was started with was understood by it.
                let _ = self.set(key, unquoted(value), at);
            }
        }
    }
}

/// Reads an instance's file and what it includes.
pub fn instance(path: &str, files: &mut dyn Files) -> Result<(Instance, Vec<Unread>), String> {
    let text = files.text(path)?;
    let mut found = Instance { file: path.to_string(), ..Instance::default() };
    let mut unread = Vec::new();
    let mut open = alloc::vec![path.to_string()];
    file(path, &text, files, &mut found, &mut unread, &mut open);
    Ok((found, unread))
}

fn file(
    path: &str,
    text: &str,
    files: &mut dyn Files,
    found: &mut Instance,
    unread: &mut Vec<Unread>,
    open: &mut Vec<String>,
) {
    for (number, line) in numbered(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let value = unquoted(value);
        if key.eq_ignore_ascii_case("include") {
            let targets = if value.contains('*') {
                files.list(value).unwrap_or_default()
            } else {
                alloc::vec![value.to_string()]
            };
            for target in targets {
                if open.contains(&target) {
                    let why = format!("{target} includes itself in a loop; read once");
                    unread.push(Unread::line(path, number, why));
                    continue;
                }
                match files.text(&target) {
                    Ok(text) => {
                        open.push(target.clone());
                        file(&target, &text, files, found, unread, open);
                        open.pop();
                    }
                    Err(why) => {
                        unread.push(Unread::line(path, number, format!("{target}: {why}")));
                    }
                }
            }
        } else if let Err(why) = found.set(key, value, &format!("{path}:{number}")) {
            unread.push(Unread::line(path, number, why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fake;
    use super::*;

    #[test]
    fn what_the_server_says_counts_before_its_file() {
        let at = "/etc/redis/redis.conf:9";
        let limit = Some(Said::new(Kib::from_mib(64), at));
        let mut instance = Instance { max_memory: limit, ..Instance::default() };
        let info = "# Memory\r\nused_memory:52428800\r\nused_memory_peak:94371840\r\nmaxmemory:67108864\r\n\
                    maxmemory_policy:noeviction\r\n";
        instance.info(info);
        let used = (instance.used, instance.used_most);
        assert_eq!(used, (Some(Kib::from_mib(50)), Some(Kib::from_mib(90))));
        // Both say the same: it is read where an administrator can change it.
        assert_eq!(instance.max_memory.as_ref().unwrap().at, at);
        assert_eq!(instance.policy, None);
        instance.info("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n");
        assert_eq!(instance.limit(), None);
        assert_eq!(instance.max_memory.as_ref().unwrap().at, "INFO memory of port 6379");
        assert_eq!(instance.policy.as_ref().unwrap().value, "allkeys-lru");
    }

    #[test]
    fn a_limit_is_read_with_its_place() {
        let text = "# maxmemory 1gb\nport 6380\nmaxmemory 256mb\nmaxmemory-policy allkeys-lru\nsave \"\"\n";
        let (found, unread) = instance("/r.conf", &mut Fake::new(&[("/r.conf", text)])).unwrap();
        assert_eq!(unread, []);
        assert_eq!(found.max_memory, Some(Said::new(Kib::from_mib(256), "/r.conf:3")));
        assert_eq!((found.port(), found.does_fork()), (6380, false));
        assert_eq!(found.policy.unwrap().value, "allkeys-lru");
    }

    #[test]
    fn no_limit_and_a_limit_of_zero_are_the_same() {
        for text in ["port 1\n", "maxmemory 0\n"] {
            let (found, _) = instance("/r.conf", &mut Fake::new(&[("/r.conf", text)])).unwrap();
            assert_eq!((found.limit(), found.does_fork()), (None, true), "{text}");
        }
    }

    #[test]
    fn a_loop_and_a_wrong_size_are_said() {
        let mut files = Fake::new(&[("/r.conf", "include /r.conf\nmaxmemory plenty\nport 7\n")]);
        let (found, unread) = instance("/r.conf", &mut files).unwrap();
        assert_eq!((found.port(), unread.len()), (7, 2));
    }

    #[test]
    fn the_command_line_has_the_last_word() {
        let mut found = Instance::default();
        let line = ["redis-server", "*:6379", "--maxmemory", "64mb", "--save", "--port", "9"];
        found.command_line(line, "pid 3");
        assert_eq!(found.limit(), Some(Kib::from_mib(64)));
        assert_eq!(found.port(), 9);
    }
}
