//! What a MySQL or MariaDB server may take: the buffers it has once, and those each connection may have.
//!
//! Sources: the manuals' chapters "How MySQL Uses Memory" and "MariaDB Memory Allocation", and the servers'
//! own tables of defaults.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::advise::facts::Mysql;
use crate::advise::parse::Said;
use crate::advise::parse::mycnf::Flavour;
use crate::advise::parse::size::{Form, bytes};
use crate::units::Kib;

/// A buffer with its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) size: Kib,
    pub(crate) at: String,
    /// Whether it is what the server would have anyway.
    pub(crate) is_default: bool,
    /// What it would have anyway.
    pub(crate) usual: Kib,
}

/// All buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Once.
    pub(crate) once: Vec<Part>,
    /// For each connection, temporary tables aside.
    pub(crate) each: Vec<Part>,
    /// A temporary table in memory, for each connection.
    pub(crate) table: Part,
    /// What all temporary tables together may take, where there is a bound (MySQL 8's TempTable).
    pub(crate) tables_most: Option<Kib>,
    pub(crate) max_connections: Said<u64>,
    pub(crate) connections_are_default: bool,
    /// The most connections there were at once since the server's start.
    pub(crate) max_used: Option<u64>,
}

/// The server without any buffer: its code, its dictionary, its threads of its own.
const BARE: Kib = Kib::from_mib(48);

/// Looks values up where the server would: its own word, its files, its defaults.
struct Lookup<'a> {
    mysql: &'a Mysql,
}

impl Lookup<'_> {
    fn version(&self) -> (u32, u32, u32) {
        self.mysql.version.unwrap_or(match self.mysql.flavour {
            Flavour::MariaDb => (10, 11, 0),
            Flavour::Mysql => (8, 0, 30),
        })
    }

    fn at_least(&self, version: (u32, u32, u32)) -> bool {
        self.version() >= version
    }

    /// What was set, in its own words.
    fn word(&self, name: &str) -> Option<Said<String>> {
        if let Some(value) = self.mysql.variables.get(name) {
            return Some(Said::new(value.clone(), format!("variable {name}")));
        }
        self.mysql.options.get(name).map(|said| Said::new(said.value.to_string(), said.at))
    }

    /// A number of bytes or of things, and whether it is the default.
    fn number(&self, name: &str) -> (Said<u64>, bool) {
        let default = self.default(name);
        match self
            .word(name)
            .and_then(|said| Some(Said::new(bytes(&said.value, Form::Binary)?, said.at)))
        {
            Some(said) => {
                let is_default = said.value == default;
                (said, is_default)
            }
            None => (Said::new(default, "default"), true),
        }
    }

    fn part(&self, name: &'static str) -> Part {
        let (said, is_default) = self.number(name);
        let usual = Kib(self.default(name).div_ceil(1024));
        Part { name, size: Kib(said.value.div_ceil(1024)), at: said.at, is_default, usual }
    }

    fn is_on(&self, name: &str, default: bool) -> bool {
        self.word(name).map_or(default, |said| {
            !matches!(said.value.to_ascii_lowercase().as_str(), "0" | "off" | "no" | "false")
        })
    }

    fn default(&self, name: &str) -> u64 {
        const KIB: u64 = 1 << 10;
        const MIB: u64 = 1 << 20;
        let is_mariadb = self.mysql.flavour == Flavour::MariaDb;
        match name {
            "innodb_buffer_pool_size" | "aria_pagecache_buffer_size" => 128 * MIB,
            "key_buffer_size" if is_mariadb => 128 * MIB,
            "key_buffer_size" => 8 * MIB,
            "innodb_log_buffer_size" if !is_mariadb && self.at_least((8, 4, 0)) => 64 * MIB,
            "innodb_log_buffer_size" | "tmp_table_size" | "max_heap_table_size" => 16 * MIB,
            "query_cache_size" => MIB,
            "sort_buffer_size" if is_mariadb => 2 * MIB,
            "sort_buffer_size" | "join_buffer_size" | "read_rnd_buffer_size" => 256 * KIB,
            "read_buffer_size" => 128 * KIB,
            "thread_stack" if is_mariadb => 292 * KIB,
            "thread_stack" if self.at_least((8, 0, 27)) => MIB,
            "thread_stack" => 256 * KIB,
            "binlog_cache_size" => 32 * KIB,
            "net_buffer_length" => 16 * KIB,
            "max_connections" => 151,
            _ => 0,
        }
    }
}

/// The file a setting belongs into: the one that sets it now, since what is written elsewhere may not win.
pub(crate) fn file_of(mysql: &Mysql, name: &str) -> String {
    let set = mysql.options.get(name).map(|said| said.at).filter(|at| at.starts_with('/'));
    let file = set.as_deref().and_then(|at| at.rsplit_once(':')).map(|(file, _)| file);
    let own = if mysql.file.is_empty() { "my.cnf" } else { &mysql.file };
    file.unwrap_or(own).to_string()
}

impl Sizes {
    /// The sizes of a server on a node with so much RAM.
    pub(crate) fn of(mysql: &Mysql, ram: Kib) -> Self {
        let look = Lookup { mysql };
        let is_mariadb = mysql.flavour == Flavour::MariaDb;
        let mut pool = look.part("innodb_buffer_pool_size");
        if pool.is_default && !is_mariadb && look.is_on("innodb_dedicated_server", false) {
            // innodb_dedicated_server chooses by the RAM: 128 MiB, a half, three quarters.
            let share = match ram.0 >> 20 {
                0 => Kib::from_mib(128),
                1..4 => ram.percent(50),
                _ => ram.percent(75),
            };
            pool = Part { size: share, at: "innodb_dedicated_server".into(), ..pool };
        }
        let mut once =
            alloc::vec![pool, look.part("innodb_log_buffer_size"), look.part("key_buffer_size")];
        if is_mariadb {
            once.push(look.part("aria_pagecache_buffer_size"));
        }
        if (is_mariadb || !look.at_least((8, 0, 0))) && look.is_on("query_cache_type", false) {
            once.push(look.part("query_cache_size"));
        }
        if let Some(schema) = Self::schema(mysql) {
            once.push(schema);
        }
        once.push(Part {
            name: "the server itself",
            size: BARE,
            at: "estimate".into(),
            is_default: true,
            usual: BARE,
        });
        let mut each: Vec<Part> = [
            "sort_buffer_size",
            "join_buffer_size",
            "read_buffer_size",
            "read_rnd_buffer_size",
            "thread_stack",
            "net_buffer_length",
        ]
        .map(|name| look.part(name))
        .into();
        if look.is_on("log_bin", !is_mariadb && look.at_least((8, 0, 0))) {
            each.push(look.part("binlog_cache_size"));
        }
        // Both bound a table in memory, so the smaller one does.
        let (table, heap) = (look.part("tmp_table_size"), look.part("max_heap_table_size"));
        let table = if heap.size < table.size { heap } else { table };
        let has_temptable = !is_mariadb && look.at_least((8, 0, 0));
        let tables_most = has_temptable.then(|| {
            look.word("temptable_max_ram")
                .and_then(|said| bytes(&said.value, Form::Binary))
                .map_or(Kib::from_mib(1024), Kib::from_bytes)
        });
        let (max_connections, connections_are_default) = look.number("max_connections");
        let max_used = mysql.status.get("max_used_connections").and_then(|text| text.parse().ok());
        Self { once, each, table, tables_most, max_connections, connections_are_default, max_used }
    }

    /// The performance schema, when it is on: by its own account, else what it usually takes.
    pub(crate) fn schema(mysql: &Mysql) -> Option<Part> {
        let look = Lookup { mysql };
        let is_mariadb = mysql.flavour == Flavour::MariaDb;
        if !look.is_on("performance_schema", !is_mariadb) {
            return None;
        }
        let at = look.word("performance_schema").map_or_else(|| "default".into(), |said| said.at);
        let usual = match (is_mariadb, look.at_least((8, 0, 0))) {
            (false, true) => Kib::from_mib(200),
            _ => Kib::from_mib(100),
        };
        let size = mysql.performance_schema.unwrap_or(usual);
        Some(Part { name: "performance_schema", size, at, is_default: false, usual })
    }

    /// The same with the buffers of a connection that are far beyond their default back at it, and which
    /// these are.
    pub(crate) fn trimmed(&self) -> (Self, Vec<&'static str>) {
        let mut sizes = self.clone();
        let mut names = Vec::new();
        for part in sizes.each.iter_mut().chain([&mut sizes.table]) {
            if part.size.0 > part.usual.0.saturating_mul(4) && part.size > Kib::from_mib(4) {
                part.size = part.usual;
                names.push(part.name);
            }
        }
        (sizes, names)
    }

    /// What is taken once.
    pub(crate) fn global(&self) -> Kib {
        self.once.iter().fold(Kib::ZERO, |sum, part| sum.saturating_add(part.size))
    }

    /// What a connection may take without a temporary table.
    pub(crate) fn session(&self) -> Kib {
        self.each.iter().fold(Kib::ZERO, |sum, part| sum.saturating_add(part.size))
    }

    /// The buffer pool.
    pub(crate) fn pool(&self) -> &Part {
        &self.once[0]
    }

    /// What so many connections may take at most, all buffers in use at once.
    pub(crate) fn sessions(&self, connections: u64) -> Kib {
        let tables = Kib(self.table.size.0.saturating_mul(connections));
        let tables = self.tables_most.map_or(tables, |most| tables.min(most));
        Kib(self.session().0.saturating_mul(connections)).saturating_add(tables)
    }

    /// What the server may take with so many connections.
    pub(crate) fn peak(&self, connections: u64) -> Kib {
        self.global().saturating_add(self.sessions(connections))
    }

    /// Whether an administrator set none of what a connection may take.
    pub(crate) fn sessions_are_default(&self) -> bool {
        self.connections_are_default
            && self.table.is_default
            && self.each.iter().all(|part| part.is_default)
    }

    /// `16.0 MiB tmp_table_size (default) + 2.0 MiB sort_buffer_size (/etc/my.cnf:4)`, the largest first.
    pub(crate) fn arithmetic(parts: &mut [&Part]) -> String {
        parts.sort_by_key(|part| core::cmp::Reverse(part.size));
        let one = |part: &&mut &Part| part.size >= Kib(64);
        let words = parts
            .iter_mut()
            .filter(one)
            .map(|part| format!("{} {} ({})", part.size, part.name, part.at));
        words.collect::<Vec<_>>().join(" + ")
    }
}

#[cfg(test)]
mod tests;
