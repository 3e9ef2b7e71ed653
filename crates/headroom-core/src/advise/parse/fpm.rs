//! Pools of php-fpm (`php-fpm.conf(5)`) and the two numbers of a `php.ini` that are memory.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::size::{self, Form};
use super::{Files, Said, Unread, numbered, unquoted};
use crate::units::Kib;

/// How a pool keeps its workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manager {
    /// `pm.max_children` of them, always.
    Static,
    /// Some spare ones, more when they are needed.
    #[default]
    Dynamic,
    /// None until one is asked for.
    OnDemand,
}

impl Manager {
    fn parse(text: &str) -> Option<Self> {
        [Self::Static, Self::Dynamic, Self::OnDemand].into_iter().find(|way| way.name() == text)
    }

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dynamic => "dynamic",
            Self::OnDemand => "ondemand",
        }
    }
}

/// A pool of workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Where it begins.
    pub at: String,
    /// The user its workers run as.
    pub user: Option<String>,
    /// How it keeps them.
    pub manager: Manager,
    /// The most there may be. Unknown when the line is missing, without which php-fpm does not start.
    pub max_children: Option<Said<u64>>,
    /// The most that may have nothing to do.
    pub max_spare: Option<u64>,
    /// Requests after which a worker is replaced; 0 is never.
    pub max_requests: Option<Said<u64>>,
    /// `memory_limit` set by the pool.
    pub memory_limit: Option<Said<Limit>>,
}

/// PHP's `memory_limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// This much a request.
    Size(Kib),
    /// `-1`.
    None,
}

impl Limit {
    /// Reads PHP's shorthand.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match unquoted(text) {
            "-1" => Some(Self::None),
            text => size::size(text, Form::Binary).map(Self::Size),
        }
    }
}

/// Reads one configuration file, a `php-fpm.conf` or a pool's, with what it includes.
pub fn pools(path: &str, files: &mut dyn Files) -> (Vec<Pool>, Vec<Unread>) {
    let mut reader = Reader { files, pools: Vec::new(), unread: Vec::new(), open: Vec::new() };
    match reader.files.text(path) {
        Ok(text) => reader.file(path, &text),
        Err(why) => reader.unread.push(Unread::file(path, why)),
    }
    (reader.pools, reader.unread)
}

struct Reader<'a> {
    files: &'a mut dyn Files,
    pools: Vec<Pool>,
    unread: Vec<Unread>,
    open: Vec<String>,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, text: &str) {
        self.open.push(path.to_string());
        let mut pool: Option<usize> = None;
        for (number, line) in numbered(text) {
            let line = line.trim();
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                let Some((name, _)) = name.split_once(']') else {
                    self.complain(path, number, "a section without its closing bracket");
                    continue;
                };
                pool = (name != "global").then(|| self.begin(name.trim(), path, number));
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                self.complain(path, number, &format!("neither a section nor a setting: {line}"));
                continue;
            };
            let (key, value) = (key.trim(), unquoted(uncommented(value)));
            if key == "include" {
                self.include(path, number, value);
            } else if let Some(pool) = pool {
                self.setting(pool, key, value, path, number);
            }
        }
        self.open.pop();
    }

    /// A section may come twice; what the second says is added to the first.
    fn begin(&mut self, name: &str, path: &str, number: usize) -> usize {
        if let Some(known) = self.pools.iter().position(|pool| pool.name == name) {
            return known;
        }
        let at = format!("{path}:{number}");
        self.pools.push(Pool { name: name.to_string(), at, ..Pool::default() });
        self.pools.len() - 1
    }

    fn setting(&mut self, pool: usize, key: &str, value: &str, path: &str, number: usize) {
        let at = format!("{path}:{number}");
        let count = || value.parse::<u64>().map_err(|_| format!("{key}: no number: {value}"));
        let Some(pool) = self.pools.get_mut(pool) else { return };
        let result = match key {
            "user" => {
                pool.user = Some(value.to_string());
                Ok(())
            }
            "pm" => Manager::parse(value)
                .map(|manager| pool.manager = manager)
                .ok_or_else(|| format!("pm: neither static, dynamic nor ondemand: {value}")),
            "pm.max_children" => match count() {
                Ok(0) => Err("pm.max_children: 0 serves nobody".into()),
                other => other.map(|count| pool.max_children = Some(Said::new(count, at))),
            },
            "pm.max_spare_servers" => count().map(|count| pool.max_spare = Some(count)),
            "pm.max_requests" => {
                count().map(|count| pool.max_requests = Some(Said::new(count, at)))
            }
            "php_admin_value[memory_limit]" | "php_value[memory_limit]" => Limit::parse(value)
                .map(|limit| pool.memory_limit = Some(Said::new(limit, at)))
                .ok_or_else(|| format!("memory_limit: no size: {value}")),
            _ => Ok(()),
        };
        if let Err(why) = result {
            self.complain(path, number, &why);
        }
    }

    fn include(&mut self, path: &str, number: usize, pattern: &str) {
        let found = match self.files.list(pattern) {
            Ok(found) => found,
            Err(why) => return self.complain(path, number, &format!("{pattern}: {why}")),
        };
        for file in found {
            if self.open.contains(&file) {
                let why = format!("{file} includes itself in a loop; read once");
                self.complain(path, number, &why);
                continue;
            }
            match self.files.text(&file) {
                Ok(text) => self.file(&file, &text),
                Err(why) => self.complain(path, number, &format!("{file}: {why}")),
            }
        }
    }

    fn complain(&mut self, path: &str, number: usize, why: &str) {
        self.unread.push(Unread::line(path, number, why));
    }
}

/// What a `php.ini` says of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ini {
    /// `memory_limit`.
    pub memory_limit: Option<Said<Limit>>,
    /// `opcache.memory_consumption`, shared by all workers of one master.
    pub opcache: Option<Said<Kib>>,
}

/// Adds what a `php.ini` says; files of `conf.d` come after it and win.
pub fn ini(ini: &mut Ini, path: &str, text: &str) {
    for (number, line) in numbered(text) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let at = format!("{path}:{number}");
        let value = uncommented(value);
        match key.trim() {
            "memory_limit" => {
                if let Some(limit) = Limit::parse(value) {
                    ini.memory_limit = Some(Said::new(limit, at));
                }
            }
            // A number of MiB, or a size with its letter.
            "opcache.memory_consumption" => {
                let value = unquoted(value);
                let plain = value.parse().ok().map(Kib::from_mib);
                if let Some(size) = plain.or_else(|| size::size(value, Form::Binary)) {
                    ini.opcache = Some(Said::new(size, at));
                }
            }
            _ => {}
        }
    }
}

fn uncommented(value: &str) -> &str {
    value.split(';').next().unwrap_or(value).trim()
}

#[cfg(test)]
mod tests {
    use super::super::tests::Fake;
    use super::*;

    #[test]
    fn pools_come_out_of_the_files_that_are_included() {
        let mut files = Fake::new(&[
            (
                "/etc/php/8.2/fpm/php-fpm.conf",
                "[global]\npid = /run/x\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n",
            ),
            (
                "/etc/php/8.2/fpm/pool.d/www.conf",
                "[www]\nuser = app\npm = static\npm.max_children = 40 ; many\n\
                 php_admin_value[memory_limit] = 512M\npm.max_requests = 0\n",
            ),
        ]);
        let (pools, unread) = pools("/etc/php/8.2/fpm/php-fpm.conf", &mut files);
        assert_eq!(unread, []);
        assert_eq!(pools.len(), 1);
        assert_eq!(pools[0].manager, Manager::Static);
        let at = "/etc/php/8.2/fpm/pool.d/www.conf:4";
        assert_eq!(pools[0].max_children, Some(Said::new(40, at)));
        let limit = pools[0].memory_limit.as_ref().unwrap().value;
        assert_eq!(limit, Limit::Size(Kib::from_mib(512)));
    }

    #[test]
    fn each_mistake_is_said_with_its_line_and_costs_only_itself() {
        let text =
            "[www\n[www]\npm = perhaps\npm.max_children = lots\npm.max_requests = 500\nnonsense\n";
        let mut files = Fake::new(&[("/p.conf", text)]);
        let (pools, unread) = pools("/p.conf", &mut files);
        let lines: Vec<_> = unread.iter().map(|unread| unread.source.as_str()).collect();
        assert_eq!(lines, ["/p.conf:1", "/p.conf:3", "/p.conf:4", "/p.conf:6"]);
        assert_eq!(pools[0].max_requests.as_ref().unwrap().value, 500);
    }

    #[test]
    fn an_ini_says_its_two_numbers() {
        let mut found = Ini::default();
        ini(&mut found, "/php.ini", ";memory_limit = 1G\nmemory_limit = -1\n");
        assert_eq!(found.memory_limit, Some(Said::new(Limit::None, "/php.ini:2")));
        ini(&mut found, "/10.ini", "opcache.memory_consumption=256\nmemory_limit = \"256M\"\n");
        assert_eq!(found.opcache.unwrap().value, Kib::from_mib(256));
        assert_eq!(found.memory_limit.unwrap().value, Limit::Size(Kib::from_mib(256)));
    }
}
