//! `headroom release`: memory that services give back without a kill.

use serde::{Deserialize, Serialize};

/// The version of these forms.
pub const VERSION: u32 = 1;

/// What is asked for: memory, when the node is low on it and it was not asked for lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ask {
    /// Only when less than this is available, in MiB (the 7th column of `free -m`).
    pub below_mib: u64,
    /// Not when memory was released in the last so many minutes.
    pub cooldown_min: u64,
    /// Say what would be done and do nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Also in the middle of a backup, an ALTER, a long transaction, or replication catching up.
    #[serde(default)]
    pub force: bool,
    /// Never go as far as a restart.
    #[serde(default)]
    pub online_only: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Release {
    /// [`VERSION`].
    pub version: u32,
    /// `mysql`, `php-fpm` or `redis`.
    pub service: String,
    /// `released`, `would_release`, `not_low`, `cooling_down`, `busy`, `not_enough` or `failed`.
    pub verdict: String,
    /// Available before, in MiB.
    pub available_mib: u64,
    /// Available after, in MiB.
    pub available_after_mib: Option<u64>,
    /// What the server's process held before.
    pub before_kib: Option<u64>,
    /// What it holds after.
    pub after_kib: Option<u64>,
    /// The rungs that were tried, the gentlest first.
    pub rungs: Vec<Rung>,
    /// Why it was not done, or what stands against it.
    pub reasons: Vec<String>,
}

/// One rung of the ladder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rung {
    /// `end_query`, `shrink_pool`, `flush_tables`, `purge`, `reload` or `restart`.
    pub rung: String,
    /// What was done, in words.
    pub what: String,
    /// `done`, `would`, `skipped` or `failed`.
    pub outcome: String,
    /// What the server's process held less after it than before; negative when it held more.
    pub gained_kib: Option<i64>,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// Why it was skipped or failed.
    pub why: Option<String>,
}

/// Statements that make the least privileged user the agent needs, of MariaDB 10.5 and later.
pub const GRANTS_MARIADB: &str = "\
-- MariaDB 10.5 or later. The agent connects over the socket as the system user it runs as: no password.
CREATE USER IF NOT EXISTS 'headroom'@'localhost' IDENTIFIED VIA unix_socket;
-- PROCESS: see what runs, transactions, replication. RELOAD: FLUSH TABLES, and see a backup under way.
-- SUPER: MariaDB asks for it to set innodb_buffer_pool_size. CONNECTION ADMIN: end the query that
-- holds the most. REPLICA MONITOR: see whether replication catches up. No right to any table.
GRANT PROCESS, RELOAD, SUPER, CONNECTION ADMIN, REPLICA MONITOR ON *.* TO 'headroom'@'localhost';
-- Who holds which lock (part of MariaDB): without it no paused job is known to hold none.
INSTALL PLUGIN IF NOT EXISTS metadata_lock_info SONAME 'metadata_lock_info';
";

/// The same for MySQL 8.0 and later.
pub const GRANTS_MYSQL: &str = "\
-- MySQL 8.0 or later. The agent connects over the socket as the system user it runs as: no password.
INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';  -- an error here means that it is there already (mysql --force goes on)
CREATE USER IF NOT EXISTS 'headroom'@'localhost' IDENTIFIED WITH auth_socket;
-- PROCESS: see what runs and transactions. RELOAD: FLUSH TABLES. SYSTEM_VARIABLES_ADMIN: set
-- innodb_buffer_pool_size. CONNECTION_ADMIN: end the query that holds the most. REPLICATION CLIENT:
-- see whether replication catches up. performance_schema: what each query holds.
GRANT PROCESS, RELOAD, REPLICATION CLIENT ON *.* TO 'headroom'@'localhost';
GRANT SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN ON *.* TO 'headroom'@'localhost';
GRANT SELECT ON performance_schema.* TO 'headroom'@'localhost';
";
