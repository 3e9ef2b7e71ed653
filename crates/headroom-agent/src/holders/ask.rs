//! Asking the database. One connection is kept open for it, since memory is short when it is needed.

mod mariadb;
mod mysql8;

use std::time::Duration;

use headroom_core::snapshot::Moment;
use headroom_sys::own;
use mysql_async::prelude::FromRow;
use tokio::time::{Instant, timeout};

use super::seen::{Doing, Kind, Seen, Thread, Ticket, Tickets};
use crate::mysql::{self, DbError, Server};

/// An answer that takes longer is none, and the connection is given up.
const PATIENCE: Duration = Duration::from_millis(250);
/// Connecting may take longer: nobody waits for that.
const CONNECTING: Duration = Duration::from_secs(2);
/// `ER_UNKNOWN_TABLE`: the plugin is not there.
const UNKNOWN_TABLE: u16 = 1109;
/// `ER_BAD_FIELD_ERROR`: it is an older one.
const UNKNOWN_COLUMN: u16 = 1054;
/// Threads that are no client's.
const NO_CLIENTS: [&str; 4] = ["Daemon", "Binlog Dump", "Slave_IO", "Slave_SQL"];
/// From one look at InnoDB's lists to the next. They are copied for readers no more often than each 100 ms,
/// counted from the last time somebody read them, and so never for whoever reads more often
/// (`CACHE_MIN_IDLE_TIME_NS` in `trx0i_s.cc`).
const INNODB: Duration = Duration::from_millis(120);

/// Why nothing was found out.
#[derive(Debug)]
pub(super) enum AskError {
    Database(DbError),
    TooLate,
    /// A server that tells by other tables, or not at all, who holds what.
    TooOld,
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::TooLate => write!(f, "the database did not say in time who holds locks"),
            Self::TooOld => {
                write!(f, "only MariaDB, and MySQL since 8.0, can be asked who holds locks")
            }
        }
    }
}

impl std::error::Error for AskError {}

impl From<DbError> for AskError {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

/// How one kind of server is asked.
#[derive(Clone, Copy, Debug)]
struct Questions {
    /// Ends what nobody waits for any more.
    patience: &'static str,
    /// What each thread does, the first of these that the server understands.
    threads: &'static [&'static str],
    /// Answers with a row when who has which metadata lock is kept account of.
    keeps_account: Option<&'static str>,
    /// Who has which metadata lock, the first of these that the server understands.
    tickets: &'static [&'static str],
    /// Who has a transaction open.
    transactions: &'static str,
    /// Whose row locks are waited for.
    blocking: &'static str,
    /// The server tells neither when a statement began nor which it is.
    has_no_history: bool,
    /// What is said where it does not tell who has which metadata lock.
    lack: &'static str,
}

/// The connection.
pub(super) struct Asker {
    server: Server,
    questions: Questions,
    /// How the server tells what its threads do.
    threads: &'static str,
    /// How the server tells who has which metadata lock, if it does.
    tickets: Option<&'static str>,
    innodb: Option<(Instant, Vec<u64>, Vec<u64>)>,
}

impl Asker {
    /// Connects.
    pub(super) async fn connect(
        config: &mysql::Config,
        root: &std::path::Path,
    ) -> Result<Self, AskError> {
        let connecting = async {
            let mut server = Server::connect(config, root).await?;
            let questions = match server.version.number {
                _ if server.version.is_mariadb() => mariadb::QUESTIONS,
                (8.., _, _) => mysql8::QUESTIONS,
                _ => return Err(AskError::TooOld),
            };
            server.run(questions.patience, CONNECTING).await?;
            let threads = understood::<Row>(&mut server, questions.threads).await?;
            let threads = threads.ok_or(AskError::TooOld)?;
            let is_kept = match questions.keeps_account {
                Some(question) => !server.rows::<u64>(question).await?.is_empty(),
                None => true,
            };
            let tickets = match is_kept {
                true => understood::<TicketRow>(&mut server, questions.tickets).await?,
                false => None,
            };
            Ok(Self { server, questions, threads, tickets, innodb: None })
        };
        timeout(CONNECTING, connecting).await.unwrap_or(Err(AskError::TooLate))
    }

    /// Why of no paused job can be said that it holds nothing, if that is so, and what changes it.
    pub(super) const fn lack(&self) -> Option<&'static str> {
        if self.tickets.is_some() { None } else { Some(self.questions.lack) }
    }

    /// Asks. After an error the connection is of no use any more.
    pub(super) async fn ask(&mut self) -> Result<Seen, AskError> {
        timeout(PATIENCE, self.ask_all()).await.unwrap_or(Err(AskError::TooLate))
    }

    async fn ask_all(&mut self) -> Result<Seen, AskError> {
        let asked = own::now();
        let own = u64::from(self.server.own_id());
        let threads: Vec<Row> = self.server.rows(self.threads).await?;
        let threads = threads.into_iter().filter(|row| row.0 != own);
        let threads = threads.filter_map(|row| thread(asked, &row)).collect();
        let tickets = match self.tickets {
            Some(question) => Some(tickets(asked, self.server.rows(question).await?)),
            None => None,
        };
        let is_old = self.innodb.as_ref().is_none_or(|(at, ..)| at.elapsed() >= INNODB);
        if is_old {
            let transactions = self.server.rows(self.questions.transactions).await?;
            let blocking = self.server.rows(self.questions.blocking).await?;
            self.innodb = Some((Instant::now(), transactions, blocking));
        }
        let (transactions, blocking) = match &self.innodb {
            Some((_, transactions, blocking)) => (transactions.clone(), blocking.clone()),
            None => Default::default(),
        };
        let has_no_history = self.questions.has_no_history;
        Ok(Seen { asked, threads, tickets, transactions, blocking, has_no_history })
    }
}

/// Number, command, state, microseconds, statement, user, the kernel's number.
type Row = (u64, String, String, u64, u64, String, u64);

/// Thread, mode, kind, age in milliseconds.
type TicketRow = (u64, String, String, Option<u64>);

/// The first of these questions that the server understands, if it does any.
async fn understood<R: FromRow + Send + 'static>(
    server: &mut Server,
    questions: &[&'static str],
) -> Result<Option<&'static str>, DbError> {
    for question in questions {
        match server.rows::<R>(question).await {
            Ok(_) => return Ok(Some(question)),
            Err(DbError::Said(mysql_async::Error::Server(error)))
                if matches!(error.code, UNKNOWN_TABLE | UNKNOWN_COLUMN) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn thread(asked: Moment, row: &Row) -> Option<Thread> {
    let (id, command, state, micros, query, user, tid) = row;
    if user == "system user" || NO_CLIENTS.iter().any(|name| command.starts_with(name)) {
        return None;
    }
    let doing = match command.as_str() {
        "Sleep" => Doing::Asleep,
        "Connect" => Doing::LogsIn,
        _ => Kind::waited_for(state).map_or(Doing::Busy, Doing::Waits),
    };
    // The clock was read before the server measured: if anything this is too early.
    let active = Moment(asked.0.saturating_sub(micros.saturating_mul(1000)));
    let tid = i32::try_from(*tid).ok().filter(|tid| *tid != 0);
    Some(Thread { id: *id, tid, doing, active, query: *query })
}

fn tickets(asked: Moment, rows: Vec<TicketRow>) -> Tickets {
    let mut tickets = Tickets::new();
    for (thread, mode, kind, age) in rows {
        let age = age.unwrap_or(0).saturating_mul(1_000_000);
        tickets.entry(thread).or_default().push(Ticket {
            kind: Kind::held(&kind),
            granted: Moment(asked.0.saturating_sub(age)),
            excludes: Ticket::excludes(&mode),
        });
    }
    tickets
}
