//! MySQL since 8.0, and Percona Server: its performance schema. It tells the seconds since a statement began and
//! no number of it, so that whose a connection is cannot be found out by what happens on it: of whom the guard
//! does not know it nothing is said.

use super::Questions;

pub(super) const QUESTIONS: Questions = Questions {
    patience: "SET SESSION max_execution_time = 250",
    threads: &["SELECT CAST(PROCESSLIST_ID AS UNSIGNED), COALESCE(PROCESSLIST_COMMAND, ''), \
                COALESCE(PROCESSLIST_STATE, ''), \
                CAST(GREATEST(COALESCE(PROCESSLIST_TIME, 0), 0) * 1000000 AS UNSIGNED), \
                CAST(0 AS UNSIGNED), COALESCE(PROCESSLIST_USER, ''), \
                CAST(COALESCE(THREAD_OS_ID, 0) AS UNSIGNED) FROM performance_schema.threads \
                WHERE PROCESSLIST_ID IS NOT NULL AND TYPE = 'FOREGROUND'"],
    keeps_account: Some(
        "SELECT CAST(1 AS UNSIGNED) FROM performance_schema.setup_instruments, \
         performance_schema.setup_consumers WHERE setup_instruments.NAME = 'wait/lock/metadata/sql/mdl' \
         AND setup_instruments.ENABLED = 'YES' AND setup_consumers.NAME = 'global_instrumentation' \
         AND setup_consumers.ENABLED = 'YES'",
    ),
    // In the words of MariaDB, whose server is the same here.
    tickets: &["SELECT CAST(PROCESSLIST_ID AS UNSIGNED), CONCAT('MDL_', LOCK_TYPE), \
                CASE OBJECT_TYPE WHEN 'TABLE' THEN 'Table metadata lock' \
                WHEN 'USER LEVEL LOCK' THEN 'User lock' ELSE OBJECT_TYPE END, CAST(0 AS UNSIGNED) \
                FROM performance_schema.metadata_locks JOIN performance_schema.threads \
                ON OWNER_THREAD_ID = THREAD_ID \
                WHERE LOCK_STATUS = 'GRANTED' AND PROCESSLIST_ID IS NOT NULL"],
    transactions: "SELECT CAST(trx_mysql_thread_id AS UNSIGNED) FROM information_schema.innodb_trx",
    blocking: "SELECT DISTINCT CAST(trx_mysql_thread_id AS UNSIGNED) \
               FROM performance_schema.data_lock_waits JOIN information_schema.innodb_trx \
               ON trx_id = BLOCKING_ENGINE_TRANSACTION_ID",
    has_no_history: true,
    lack: "the database keeps no account of who holds which lock (performance_schema, instrument \
     wait/lock/metadata/sql/mdl), so that of no paused job can be said that it holds none; \
     performance_schema=ON in my.cnf changes that",
};
