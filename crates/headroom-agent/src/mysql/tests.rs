//! Against a real MariaDB.

use std::path::Path;
use std::time::Duration;

use headroom_api::release::GRANTS_MARIADB;
use headroom_core::units::Kib;

use super::testing::MariaDb;
use super::*;

const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_pool_that_shrinks_gives_the_process_memory_back_and_grows_again() {
    let Some(db) = MariaDb::start(160) else { return };
    db.fill(110).await;
    let mut server = db.connect().await;
    let pool = Pool::of(&mut server).await.unwrap();
    assert_eq!(pool.bytes, 160 << 20);
    assert!(pool.used > 90 << 20, "{pool:?}");
    let before = server.held().unwrap();
    let target = pool.shrunk_by(Kib::from_mib(80), 16 << 20).unwrap();
    let size = resize(&mut server, target, LONG).await.unwrap();
    assert_eq!(size, target);
    let after = server.held().unwrap();
    assert!(before.saturating_sub(after) > Kib::from_mib(48), "{before} before, {after} after");
    assert_eq!(resize(&mut server, 160 << 20, LONG).await.unwrap(), 160 << 20);
    server.flush_tables().await.unwrap();
}

#[tokio::test]
async fn what_must_not_be_disturbed_is_found() {
    let Some(db) = MariaDb::start(32) else { return };
    db.fill(1).await;
    let mut server = db.connect().await;
    let quiet =
        hindrances(&mut server, Path::new("/nonexistent"), Duration::from_secs(1)).await.unwrap();
    assert_eq!(quiet, Busy::default());

    let mut backup = db.connect().await;
    backup.run("BACKUP STAGE START", LONG).await.unwrap();
    let mut long = db.connect().await;
    long.run("START TRANSACTION", LONG).await.unwrap();
    long.run("UPDATE shop.t SET filler = 'x' WHERE id = 1", LONG).await.unwrap();
    let mut alter = db.connect().await;
    let alters = tokio::spawn(async move {
        // It waits for the transaction.
        let _ = alter.run("ALTER TABLE shop.t ADD COLUMN more INT, ALGORITHM=COPY", LONG).await;
    });
    let mut busy = Busy::default();
    for _ in 0..200 {
        busy = hindrances(&mut server, Path::new("/nonexistent"), Duration::from_secs(1))
            .await
            .unwrap();
        if busy.reasons.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let all = busy.reasons.join("\n");
    for sign in ["BACKUP STAGE", "has a transaction open", "changes a table since"] {
        assert!(all.contains(sign), "{sign} in {all}");
    }
    backup.run("BACKUP STAGE END", LONG).await.unwrap();
    long.run("ROLLBACK", LONG).await.unwrap();
    alters.await.unwrap();
    // The server lists a statement for a moment after its client has its answer.
    let mut after = busy;
    for _ in 0..600 {
        after = hindrances(&mut server, Path::new("/nonexistent"), Duration::from_secs(60))
            .await
            .unwrap();
        if after == Busy::default() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(after, Busy::default(), "nothing stays behind");
}

#[tokio::test]
async fn what_runs_is_told_with_its_time_and_text_and_can_be_ended() {
    let Some(db) = MariaDb::start(32) else { return };
    let mut server = db.connect().await;
    let mut client = db.connect().await;
    let sleeps = tokio::spawn(async move {
        let _interrupted = client.run("SELECT SLEEP(300)", Duration::from_secs(300)).await;
        client.run("DO 1", LONG).await.is_ok()
    });
    let mut found = None;
    for _ in 0..600 {
        let all = running(&mut server).await.unwrap();
        found = all.into_iter().find(|s| s.ran >= Duration::from_millis(200));
        if found.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let found = found.expect("it runs");
    assert_eq!((found.beginning().as_str(), found.is_spared()), ("SELECT SLEEP(300)", false));
    end_query(&mut server, found.id).await.unwrap();
    assert!(sleeps.await.unwrap(), "its connection lives");
}

#[tokio::test]
async fn the_query_that_holds_the_most_ends_and_its_connection_lives() {
    let Some(db) = MariaDb::start(32) else { return };
    let mut server = db.connect().await;
    let mut hog = db.connect().await;
    for statement in [
        "SET SESSION max_heap_table_size = 512 * 1024 * 1024",
        "SET SESSION tmp_memory_table_size = 512 * 1024 * 1024",
    ] {
        hog.run(statement, LONG).await.unwrap();
    }
    let hogging = tokio::spawn(async move {
        let query = "SELECT COUNT(*) FROM (SELECT DISTINCT seq, MD5(seq) AS a FROM mysql.seq_1_to_600000) AS x \
                     WHERE SLEEP(IF(seq = 1, 300, 0)) = 0";
        let ended = hog.run(query, LONG).await;
        (ended.is_err(), hog.run("DO 1", LONG).await.is_ok())
    });
    let mut heavy = None;
    for _ in 0..600 {
        heavy = heaviest(&mut server).await.unwrap().filter(|h| h.held > Kib::from_mib(16));
        if heavy.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let heavy = heavy.expect("it shows what it holds");
    end_query(&mut server, heavy.id).await.unwrap();
    assert_eq!(hogging.await.unwrap(), (true, true), "the query ended, the connection did not");
}

#[tokio::test]
async fn the_printed_grants_are_enough_and_no_table_can_be_read() {
    let Some(db) = MariaDb::start(32) else { return };
    db.fill(1).await;
    let mut root = db.connect().await;
    // A password in the place of the system user, whom the test is not.
    let text = GRANTS_MARIADB.replace("VIA unix_socket", "BY 'secret'");
    for statement in text.lines().filter(|l| !l.starts_with("--")).collect::<String>().split(';') {
        if !statement.trim().is_empty() {
            root.run(statement, LONG).await.unwrap();
        }
    }
    let password = db.dir.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    let config = Config { user: "headroom".into(), password_file: Some(password), ..db.config() };
    let mut server = Server::connect(&config, Path::new("/")).await.unwrap();
    let pool = Pool::of(&mut server).await.unwrap();
    resize(&mut server, pool.bytes - (8 << 20), LONG).await.unwrap();
    server.flush_tables().await.unwrap();
    heaviest(&mut server).await.unwrap();
    let busy = hindrances(&mut server, Path::new("/nonexistent"), LONG).await.unwrap();
    assert_eq!(busy, Busy::default(), "nothing is hidden from it");
    // Whoever is connected, and which locks they have: root, in a transaction.
    root.run("BEGIN", LONG).await.unwrap();
    root.run("SELECT COUNT(*) FROM shop.t WHERE id = 1", LONG).await.unwrap();
    let with_locks = "SELECT id FROM information_schema.PROCESSLIST JOIN \
                      information_schema.METADATA_LOCK_INFO ON thread_id = id";
    let ids: Vec<u64> = server.rows(with_locks).await.unwrap();
    assert!(ids.contains(&u64::from(root.own_id())), "{ids:?}");
    let waits = "SELECT COUNT(*) FROM information_schema.innodb_lock_waits";
    assert_eq!(server.rows::<u64>(waits).await.unwrap(), [0]);
    let denied = server.run("SELECT * FROM shop.t", LONG).await.unwrap_err().to_string();
    assert!(denied.contains("denied"), "{denied}");
    let nobody = Config { user: "nobody-there".into(), ..db.config() };
    let unknown = Server::connect(&nobody, Path::new("/")).await.err().unwrap().to_string();
    assert!(unknown.contains("--grants"), "{unknown}");
}

#[tokio::test]
async fn no_database_is_said_with_where_it_was_looked_for() {
    let config = Config { socket: Some("/nonexistent/socket".into()), ..Config::default() };
    let error = Server::connect(&config, Path::new("/")).await.err().unwrap().to_string();
    assert!(error.contains("/nonexistent/socket") && error.contains("[mysql] socket"), "{error}");
}
