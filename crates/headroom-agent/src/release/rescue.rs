//! When the database itself is the storm: the query that makes it grow ends, never the server.
//!
//! Memory is looked at more often the less of it is left. Only when it is nearly gone, and the database's
//! own process took most of what went, is the database asked who it was. A query that is ended by
//! mistake is one error page or one line in a job's log; a database that the kernel ends is the shop.

use std::path::Path;
use std::time::{Duration, Instant};

use headroom_core::units::Kib;
use headroom_sys::proc::Proc;
use tokio::time::sleep;

use super::ladder::available;
use crate::mysql::{self, DbError, Running, Server, end_query, running};
use crate::say;
use crate::state::App;

/// Looked at no less often than this ...
const SLOWEST: Duration = Duration::from_secs(2);
/// ... and no more often than this.
const FASTEST: Duration = Duration::from_millis(100);
/// Nothing fills memory faster than this, a second.
const FILLS: Kib = Kib::from_mib(256);
/// Nearly gone is a share of the node's memory, in per cent.
const NEARLY_GONE: u64 = 15;
/// The database took most of it when it grew by this share of the node's memory, in per cent ...
const GREW: u64 = 20;
/// ... within this time.
const LATELY: Duration = Duration::from_secs(120);
/// What one statement took shows after this; then the next may be chosen.
const AGAIN: Duration = Duration::from_secs(2);
/// A server that does not answer is left alone for this long.
const SILENT: Duration = Duration::from_secs(5);

/// What the database's process had, lately.
#[derive(Debug, Default)]
struct Growth {
    past: Vec<(Instant, Kib)>,
}

impl Growth {
    fn note(&mut self, now: Instant, held: Kib) {
        self.past.retain(|(at, _)| now.duration_since(*at) < LATELY);
        // One a second is enough to know since when it grows.
        match self.past.last() {
            Some((at, _)) if now.duration_since(*at) < Duration::from_secs(1) => {}
            _ => self.past.push((now, held)),
        }
    }

    /// By how much it grew since it had the least, and how long ago it had still next to that.
    fn of(&self, now: Instant, held: Kib) -> (Kib, Duration) {
        let Some(least) = self.past.iter().map(|(_, held)| *held).min() else {
            return (Kib::ZERO, Duration::ZERO);
        };
        let grown = held.saturating_sub(least);
        let still = least.saturating_add(grown.percent(10));
        let since = self.past.iter().rev().find(|(_, held)| *held <= still);
        (grown, since.map_or(Duration::ZERO, |(at, _)| now.duration_since(*at)))
    }
}

/// The statement that made it grow: the one whose own memory explains it, else the oldest of those that
/// ran while it grew. What the server does not count against any connection, such as a table of the
/// MEMORY engine, is found by the second rule alone.
fn culprit(statements: &[Running], grown: Kib, ago: Duration) -> Option<&Running> {
    let candidates = || statements.iter().filter(|s| !s.is_spared());
    let explains = candidates().max_by_key(|s| s.held).filter(|s| s.held >= grown.percent(33));
    explains.or_else(|| {
        // It need not have grown from the statement's first moment on.
        let ran = |s: &&Running| s.ran >= ago.mul_f64(0.5).max(Duration::from_secs(1));
        candidates().filter(ran).max_by_key(|s| s.ran)
    })
}

/// One look's findings.
enum Look {
    /// Enough is left, or others took it.
    Calm,
    /// The database grew by so much, beginning so long ago.
    Storm(Kib, Duration),
}

/// The database's process as it is watched.
struct Watched {
    growth: Growth,
    server: Option<Server>,
    silent_until: Option<Instant>,
}

impl Watched {
    fn look(&mut self, left: Kib, total: Kib) -> Look {
        let held = self.server.as_ref().and_then(Server::held);
        let Some(held) = held.filter(|_| total > Kib::ZERO) else { return Look::Calm };
        let now = Instant::now();
        let (grown, ago) = self.growth.of(now, held);
        self.growth.note(now, held);
        if left >= total.percent(NEARLY_GONE) || grown < total.percent(GREW) {
            return Look::Calm;
        }
        Look::Storm(grown, ago)
    }

    /// The connection is made while there is memory, and kept.
    async fn connect(&mut self, config: &mysql::Config, root: &Path) {
        let now = Instant::now();
        if self.server.is_some() || self.silent_until.is_some_and(|until| now < until) {
            return;
        }
        match Server::connect(config, root).await {
            Ok(server) => (self.server, self.growth) = (Some(server), Growth::default()),
            // No database, no right: what needs one says so.
            Err(_) => self.silent_until = Some(now + SILENT),
        }
    }

    async fn rescue(&mut self, grown: Kib, ago: Duration) -> Result<Option<String>, DbError> {
        let Some(server) = &mut self.server else { return Ok(None) };
        let statements = running(server).await?;
        let Some(found) = culprit(&statements, grown, ago) else {
            let seconds = ago.as_secs();
            return Ok(Some(format!(
                "the database took {grown} within {seconds} s and next to nothing is left; none of its {} \
                 statements explains that",
                statements.len()
            )));
        };
        end_query(server, found.id).await?;
        Ok(Some(format!(
            "the database took {grown} and next to nothing is left: ended the statement of {} on connection {}, \
             which ran for {} s: {}",
            found.user,
            found.id,
            found.ran.as_secs(),
            found.beginning()
        )))
    }
}

/// How long memory can be left alone.
fn period(left: Kib, total: Kib) -> Duration {
    let room = left.saturating_sub(total.percent(NEARLY_GONE));
    let millis = room.0.saturating_mul(1000) / FILLS.0;
    Duration::from_millis(millis).clamp(FASTEST, SLOWEST)
}

/// Watches until the agent stops.
pub(super) fn start(app: &App) {
    if !app.config.release.mysql.rescue {
        return;
    }
    let app = app.clone();
    tokio::spawn(async move {
        let mut watched = Watched { growth: Growth::default(), server: None, silent_until: None };
        let total = total(&app.options.root);
        loop {
            watched.connect(&app.config.mysql, &app.options.root).await;
            let left = available(&app.options.root).unwrap_or(total);
            let mut wait = period(left, total);
            if let Look::Storm(grown, ago) = watched.look(left, total) {
                match watched.rescue(grown, ago).await {
                    Ok(Some(line)) => {
                        say(&line);
                        wait = AGAIN;
                    }
                    Ok(None) => {}
                    Err(error) => {
                        say(&format!("the database grows and does not say by what: {error}"));
                        watched.server = None;
                    }
                }
            }
            tokio::select! {
                () = app.stops() => return,
                () = sleep(wait) => {}
            }
            // It was restarted, or ended: its process has another number then.
            if watched.server.as_ref().is_some_and(|server| server.held().is_none()) {
                watched.server = None;
            }
        }
    });
}

fn total(root: &Path) -> Kib {
    Proc::open(root).and_then(|mut proc| proc.memory()).map_or(Kib::ZERO, |memory| memory.total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn statement(id: u64, held_mib: u64, ran_s: u64) -> Running {
        Running {
            id,
            user: String::new(),
            held: Kib::from_mib(held_mib),
            ran: Duration::from_secs(ran_s),
            text: String::new(),
        }
    }

    fn found(statements: &[Running]) -> Option<u64> {
        culprit(statements, Kib::from_mib(300), Duration::from_secs(8)).map(|s| s.id)
    }

    #[test]
    fn the_statement_whose_own_memory_explains_it_is_the_one() {
        let statements = [statement(1, 2, 90), statement(2, 280, 3), statement(3, 9, 8)];
        assert_eq!(found(&statements), Some(2));
    }

    #[test]
    fn what_no_connection_has_is_the_oldest_statements_that_ran_meanwhile() {
        let statements = [statement(1, 2, 9), statement(2, 1, 3), statement(3, 9, 8)];
        assert_eq!(found(&statements), Some(1));
        assert_eq!(found(&[statement(2, 1, 3)]), None, "it began when the growth was half over");
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_backup_and_a_change_of_a_table_are_spared() {
        for text in [
            "SELECT /*!40001 SQL_NO_CACHE */ * FROM t",
            "alter table t add c int",
            "  OPTIMIZE TABLE t",
            "BACKUP STAGE START",
        ] {
            let spared = Running { text: text.into(), ..statement(1, 400, 100) };
            assert_eq!(found(&[spared, statement(2, 1, 8)]), Some(2), "{text}");
        }
    }

    #[test]
    fn growth_is_since_it_had_the_least() {
        let mut growth = Growth::default();
        let began = Instant::now();
        let at = |s: u64| began + Duration::from_secs(s);
        for s in 0..20 {
            growth.note(at(s), Kib::from_mib(100 + s.saturating_sub(9) * 30));
        }
        let (grown, ago) = growth.of(at(20), Kib::from_mib(430));
        assert_eq!((grown, ago), (Kib::from_mib(330), Duration::from_secs(10)));
        // Long ago is forgotten.
        growth.note(at(300), Kib::from_mib(430));
        assert_eq!(growth.of(at(301), Kib::from_mib(430)).0, Kib::ZERO);
    }

    #[tokio::test]
    async fn a_table_in_memory_that_fills_the_node_ends_with_its_statement() {
        use crate::mysql::testing::MariaDb;
        let Some(db) = MariaDb::start(32) else { return };
        let mut watched = Watched { growth: Growth::default(), server: None, silent_until: None };
        let (config, root) = (db.config(), Path::new("/"));
        watched.connect(&config, root).await;
        let total = Kib::from_mib(1000);
        assert!(matches!(watched.look(Kib::from_mib(800), total), Look::Calm));
        let mut client = db.connect().await;
        let long = Duration::from_secs(300);
        client.run("SET SESSION max_heap_table_size = 1 << 31", long).await.unwrap();
        let fills = tokio::spawn(async move {
            let table = "CREATE TEMPORARY TABLE mysql.m (v VARCHAR(4000)) ENGINE=MEMORY \
                         AS SELECT REPEAT('x', 4000) v FROM mysql.seq_1_to_400000 WHERE SLEEP(0.00001) = 0";
            client.run(table, long).await.is_err()
        });
        let mut ended = None;
        for _ in 0..1200 {
            // Next to nothing is left in a node of this size.
            if let Look::Storm(grown, ago) = watched.look(Kib::from_mib(100), total) {
                ended = watched.rescue(grown, ago).await.unwrap();
            }
            if ended.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let said = ended.expect("it is found");
        assert!(said.contains("CREATE TEMPORARY TABLE mysql.m"), "{said}");
        assert!(fills.await.unwrap(), "it was interrupted");
    }

    #[test]
    fn memory_is_looked_at_more_often_the_less_is_left() {
        let total = Kib::from_mib(1280);
        assert_eq!(period(Kib::from_mib(1000), total), SLOWEST);
        assert_eq!(period(Kib::from_mib(100), total), FASTEST);
        let middle = period(Kib::from_mib(192 + 128), total);
        assert_eq!(middle, Duration::from_millis(500));
    }
}
