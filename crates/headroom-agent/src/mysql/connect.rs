//! A connection over the server's socket, and the server's process behind it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headroom_core::units::Kib;
use headroom_sys::peer::peer_of;
use headroom_sys::proc::Proc;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, OptsBuilder};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Config;
use super::version::Version;
use crate::services::held_by;

/// Where distributions put the socket.
const SOCKETS: [&str; 3] =
    ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/run/mysql/mysql.sock"];
/// A question is answered within this: a server that takes longer is not asked more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the database did not do it.
#[derive(Debug)]
pub(crate) enum DbError {
    /// There is no socket where it was looked for.
    NoSocket(Vec<String>),
    /// The password file.
    Password(PathBuf, std::io::Error),
    /// It said so.
    Said(mysql_async::Error),
    /// It did not answer.
    Silent(&'static str),
    /// It answered something else.
    Strange(String),
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSocket(paths) => {
                write!(
                    f,
                    "no database listens ({}); agent.toml says where: [mysql] socket",
                    paths.join(", ")
                )
            }
            Self::Password(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Said(mysql_async::Error::Server(error)) if matches!(error.code, 1045 | 1698) => {
                write!(
                    f,
                    "the database does not know the agent: {}; headroom release mysql --grants prints what \
                 makes its user",
                    error.message
                )
            }
            Self::Said(mysql_async::Error::Server(error))
                if matches!(error.code, 1227 | 1044 | 1142) =>
            {
                write!(
                    f,
                    "the database: {}; headroom release mysql --grants prints the rights it needs",
                    error.message
                )
            }
            Self::Said(error) => write!(f, "the database: {error}"),
            Self::Silent(what) => write!(f, "the database did not answer in time ({what})"),
            Self::Strange(what) => write!(f, "the database answered something else: {what}"),
        }
    }
}

impl std::error::Error for DbError {}

impl From<mysql_async::Error> for DbError {
    fn from(error: mysql_async::Error) -> Self {
        Self::Said(error)
    }
}

/// The server, connected to.
pub(crate) struct Server {
    connection: Conn,
    pub(crate) version: Version,
    /// Of the server's process; 0 when it is not known.
    pub(crate) pid: i32,
    root: PathBuf,
}

impl Server {
    /// Connects as the agent's user.
    pub(crate) async fn connect(config: &Config, root: &Path) -> Result<Self, DbError> {
        let candidates: Vec<PathBuf> = match &config.socket {
            Some(socket) => vec![socket.clone()],
            None => SOCKETS.iter().map(PathBuf::from).collect(),
        };
        let mut found = None;
        for path in &candidates {
            if let Ok(stream) = UnixStream::connect(path).await {
                // The process that listens, which with systemd's socket activation is another.
                let pid = peer_of(&stream).map_or(0, |peer| peer.pid);
                found = Some((path.clone(), if pid > 1 { pid } else { 0 }));
                break;
            }
        }
        let none =
            || DbError::NoSocket(candidates.iter().map(|p| p.display().to_string()).collect());
        let (socket, pid) = found.ok_or_else(none)?;
        let password = match &config.password_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| DbError::Password(path.clone(), e))?;
                Some(text.lines().next().unwrap_or_default().to_owned())
            }
        };
        let options = OptsBuilder::default()
            .user(Some(&config.user))
            .pass(password)
            .socket(Some(socket.to_string_lossy().into_owned()))
            .max_allowed_packet(Some(1 << 24))
            .wait_timeout(Some(3600))
            .prefer_socket(false);
        let connecting = timeout(PATIENCE, Conn::new(options)).await;
        let mut connection = connecting.map_err(|_| DbError::Silent("connecting"))??;
        let text: Option<String> = timeout(PATIENCE, connection.query_first("SELECT @@version"))
            .await
            .map_err(|_| DbError::Silent("its version"))??;
        let text = text.unwrap_or_default();
        let version = Version::parse(&text).ok_or(DbError::Strange(text))?;
        Ok(Self { connection, version, pid, root: root.into() })
    }

    /// The rows of a question.
    pub(crate) async fn rows<T: FromRow + Send + 'static>(
        &mut self,
        question: &str,
    ) -> Result<Vec<T>, DbError> {
        timeout(PATIENCE, self.connection.query(question))
            .await
            .map_err(|_| DbError::Silent("a question"))?
            .map_err(Into::into)
    }

    /// The first row of a question.
    pub(super) async fn first<T: FromRow + Send + 'static>(
        &mut self,
        question: &str,
    ) -> Result<Option<T>, DbError> {
        Ok(self.rows(question).await?.into_iter().next())
    }

    /// Has it do something that may take a while.
    pub(crate) async fn run(&mut self, statement: &str, patience: Duration) -> Result<(), DbError> {
        timeout(patience, self.connection.query_drop(statement))
            .await
            .map_err(|_| DbError::Silent("a statement"))?
            .map_err(Into::into)
    }

    /// `@@version`, for people.
    #[cfg(test)]
    pub(crate) async fn version_text(&mut self) -> String {
        self.first("SELECT @@version").await.ok().flatten().unwrap_or_default()
    }

    /// Its number among the connections.
    pub(crate) fn own_id(&self) -> u32 {
        self.connection.id()
    }

    /// What the server's process holds for itself, in RAM and swap: the proof of every gain.
    pub(crate) fn held(&self) -> Option<Kib> {
        held_by(&mut Proc::open(&self.root).ok()?, self.pid)
    }

    /// FLUSH TABLES, which waits for no query longer than two seconds, since whoever comes after it
    /// waits for it.
    pub(crate) async fn flush_tables(&mut self) -> Result<(), DbError> {
        self.run("SET SESSION lock_wait_timeout = 2", PATIENCE).await?;
        self.run("FLUSH NO_WRITE_TO_BINLOG TABLES", Duration::from_secs(30)).await
    }
}
