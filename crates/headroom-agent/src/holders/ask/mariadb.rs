//! MariaDB: its process list, and its plugin `metadata_lock_info`.

use super::Questions;

pub(super) const QUESTIONS: Questions = Questions {
    patience: "SET SESSION max_statement_time = 0.25",
    threads: &THREADS,
    keeps_account: None,
    tickets: &TICKETS,
    transactions: "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx",
    blocking: "SELECT DISTINCT trx_mysql_thread_id FROM information_schema.innodb_lock_waits \
               JOIN information_schema.innodb_trx ON trx_id = blocking_trx_id",
    has_no_history: false,
    lack: "the database does not tell who holds which lock (plugin METADATA_LOCK_INFO), so that of no paused job can \
     be said that it holds none; headroom release mysql --grants prints what changes that",
};

/// With the kernel's number for each, and as servers before 10.0.14 have it.
const THREADS: [&str; 2] = [
    "SELECT CAST(ID AS UNSIGNED), COMMAND, COALESCE(STATE, ''), \
     CAST(GREATEST(TIME_MS, 0) * 1000 AS UNSIGNED), CAST(QUERY_ID AS UNSIGNED), USER, \
     CAST(TID AS UNSIGNED) FROM information_schema.PROCESSLIST",
    "SELECT CAST(ID AS UNSIGNED), COMMAND, COALESCE(STATE, ''), \
     CAST(GREATEST(TIME_MS, 0) * 1000 AS UNSIGNED), CAST(QUERY_ID AS UNSIGNED), USER, \
     CAST(0 AS UNSIGNED) FROM information_schema.PROCESSLIST",
];
/// With the age of each, and as older servers have it.
const TICKETS: [&str; 2] = [
    "SELECT THREAD_ID, LOCK_MODE, LOCK_TYPE, LOCK_TIME_MS FROM information_schema.METADATA_LOCK_INFO",
    "SELECT THREAD_ID, LOCK_MODE, LOCK_TYPE, CAST(0 AS UNSIGNED) FROM \
     information_schema.METADATA_LOCK_INFO",
];
