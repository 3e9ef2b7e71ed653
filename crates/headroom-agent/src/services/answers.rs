//! Whether a service answers: systemd calls one active long before it does, and a hung one for ever.
//!
//! Each is asked what costs it next to nothing and needs no password; that it wants one is an answer.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// An answer takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a service answers, and in what language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// MySQL's greeting on a Unix socket.
    Mysql(PathBuf),
    /// HTTP. A TRACE is refused by the server itself, whatever stands behind it.
    Http(SocketAddr),
    /// Redis and Valkey.
    Redis(Endpoint),
    /// Memcached.
    Memcached(Endpoint),
    /// RabbitMQ.
    Amqp(Endpoint),
    /// The sockets that php-fpm's pools listen on.
    Fpm,
    /// Anything that takes connections.
    Connects(Endpoint),
}

/// A TCP address or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Endpoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| ())
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is no place to ask; there are http://ADDRESS:PORT, mysql:/SOCKET, fpm, and \
                 redis:, memcached:, amqp:, tcp: with ADDRESS:PORT or /SOCKET"
            )
        };
        if text == "fpm" {
            return Ok(Self::Fpm);
        }
        if let Some(address) = text.strip_prefix("http://") {
            return address.trim_end_matches('/').parse().map(Self::Http).map_err(|_| wrong());
        }
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        let endpoint: Endpoint = rest.parse().map_err(|()| wrong())?;
        match (kind, endpoint) {
            ("mysql", Endpoint::Unix(path)) => Ok(Self::Mysql(path)),
            ("redis", at) => Ok(Self::Redis(at)),
            ("memcached", at) => Ok(Self::Memcached(at)),
            ("amqp", at) => Ok(Self::Amqp(at)),
            ("tcp" | "unix", at) => Ok(Self::Connects(at)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mysql(path) => path.display().fmt(f),
            Self::Http(address) => write!(f, "http://{address}"),
            Self::Redis(at) | Self::Memcached(at) | Self::Amqp(at) | Self::Connects(at) => {
                at.fmt(f)
            }
            Self::Fpm => f.write_str("its pools' sockets"),
        }
    }
}

impl Place {
    /// Whether it answers now. `unit` tells one php-fpm from another.
    pub(crate) async fn answers(&self, unit: &str) -> bool {
        timeout(PATIENCE, self.ask(unit)).await.is_ok_and(|answer| answer.unwrap_or(false))
    }

    async fn ask(&self, unit: &str) -> io::Result<bool> {
        match self {
            Self::Mysql(path) => mysql(&mut UnixStream::connect(path).await?).await,
            Self::Http(address) => {
                let question = b"TRACE / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: headroom\r\n\
                                 Connection: close\r\n\r\n";
                let mut stream = TcpStream::connect(address).await?;
                starts_with(&mut stream, question, b"HTTP/1.").await
            }
            Self::Redis(at) => redis(at).await,
            Self::Memcached(at) => asked(at, b"version\r\n", b"VERSION ").await,
            // A server that does not like the version says so with its own.
            Self::Amqp(at) => {
                let (mut answer, hello) = ([0; 1], b"AMQP\x00\x00\x09\x01");
                match connect(at).await? {
                    Stream::Tcp(mut s) => first(&mut s, hello, &mut answer).await,
                    Stream::Unix(mut s) => first(&mut s, hello, &mut answer).await,
                }?;
                Ok(matches!(answer[0], 1 | b'A'))
            }
            Self::Fpm => fpm(unit).await,
            Self::Connects(at) => connect(at).await.map(|_| true),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

async fn connect(at: &Endpoint) -> io::Result<Stream> {
    Ok(match at {
        Endpoint::Tcp(address) => Stream::Tcp(TcpStream::connect(address).await?),
        Endpoint::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
    })
}

async fn asked(at: &Endpoint, question: &[u8], begin: &[u8]) -> io::Result<bool> {
    match connect(at).await? {
        Stream::Tcp(mut stream) => starts_with(&mut stream, question, begin).await,
        Stream::Unix(mut stream) => starts_with(&mut stream, question, begin).await,
    }
}

async fn first<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    question: &[u8],
    answer: &mut [u8],
) -> io::Result<usize> {
    stream.write_all(question).await?;
    stream.read_exact(answer).await
}

async fn starts_with<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    question: &[u8],
    begin: &[u8],
) -> io::Result<bool> {
    let mut answer = vec![0; begin.len()];
    first(stream, question, &mut answer).await?;
    Ok(answer == begin)
}

/// The server's first packet: length, number, then version 10 of the protocol, or an error such as
/// too many connections, which is no answer that a shop could use.
async fn mysql(stream: &mut UnixStream) -> io::Result<bool> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await?;
    let greets = head[4] == 10;
    // The rest of the greeting: a server whose client hangs up in it counts that against the host.
    let mut rest = vec![0; usize::from(u16::from_le_bytes([head[0], head[1]])).saturating_sub(1)];
    stream.read_exact(&mut rest).await?;
    Ok(greets)
}

/// `+PONG`, or that it wants a password first; not that it still loads its data.
async fn redis(at: &Endpoint) -> io::Result<bool> {
    let mut answer = [0; 7];
    match connect(at).await? {
        Stream::Tcp(mut s) => first(&mut s, b"PING\r\n", &mut answer).await,
        Stream::Unix(mut s) => first(&mut s, b"PING\r\n", &mut answer).await,
    }?;
    Ok(answer.starts_with(b"+PONG")
        || answer.starts_with(b"-NOAUTH")
        || answer.starts_with(b"-NOPERM"))
}

/// Every socket of this php-fpm takes connections; one that only the web server may use must at least
/// be listened on.
async fn fpm(unit: &str) -> io::Result<bool> {
    let table = tokio::fs::read_to_string("/proc/net/unix").await?;
    let sockets = fpm_sockets(&table, unit);
    for socket in &sockets {
        match UnixStream::connect(socket).await {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Ok(false),
            _ => {}
        }
    }
    Ok(!sockets.is_empty())
}

/// The listening sockets in `/proc/net/unix` that look like this php-fpm's.
fn fpm_sockets(table: &str, unit: &str) -> Vec<String> {
    /// `SO_ACCEPTCON` of include/linux/net.h.
    const LISTENS: &str = "00010000";
    let mut listening: Vec<&str> = table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let path = *fields.get(7)?;
            (fields.get(3) == Some(&LISTENS) && path.starts_with('/') && path.contains("php"))
                .then_some(path)
        })
        .collect();
    listening.sort_unstable();
    listening.dedup();
    // `php8.2-fpm.service`: 8.2. A socket of another version is another's.
    let own = version_in(unit);
    listening.retain(|path| own.is_none() || version_in(path).is_none_or(|v| Some(v) == own));
    listening.into_iter().map(Into::into).collect()
}

/// The first `8.2` in a name.
fn version_in(name: &str) -> Option<&str> {
    name.match_indices('.').find_map(|(dot, _)| {
        let (head, tail) = (&name[..dot], &name[dot + 1..]);
        let digits = head.len() - head.bytes().rev().take_while(u8::is_ascii_digit).count();
        let end = dot + 1 + tail.bytes().take_while(u8::is_ascii_digit).count();
        (digits < dot && end > dot + 1).then(|| &name[digits..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, UnixListener};

    /// A server that says `greeting`, reads something unless it is to be silent, and says `reply`.
    async fn serve(
        greeting: &'static [u8],
        reply: &'static [u8],
    ) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(greeting).await.unwrap();
                if !reply.is_empty() {
                    let mut question = [0; 256];
                    let _ = stream.read(&mut question).await;
                    let _ = stream.write_all(reply).await;
                }
            }
        });
        (address, task)
    }

    async fn answers(kind: &str, reply: &'static [u8]) -> bool {
        let (address, task) = serve(b"", reply).await;
        let scheme = if kind == "http" { "http://" } else { &format!("{kind}:") };
        let place: Place = format!("{scheme}{address}").parse().unwrap();
        let answer = place.answers("x.service").await;
        task.abort();
        answer
    }

    #[tokio::test]
    async fn each_is_asked_in_its_own_language() {
        assert!(answers("http", b"HTTP/1.1 405 Not Allowed\r\n\r\n").await);
        assert!(!answers("http", b"SSH-2.0-OpenSSH").await);
        assert!(answers("redis", b"+PONG\r\n").await);
        assert!(answers("redis", b"-NOAUTH Authentication required.\r\n").await);
        assert!(!answers("redis", b"-LOADING Redis is loading the dataset in memory\r\n").await);
        assert!(answers("memcached", b"VERSION 1.6.18\r\n").await);
        assert!(answers("amqp", b"AMQP\x00\x00\x09\x01").await);
        assert!(answers("tcp", b"x").await);
        assert!(!Place::Http("127.0.0.1:1".parse().unwrap()).answers("x").await);
    }

    #[tokio::test]
    async fn a_database_that_refuses_connections_does_not_answer() {
        let dir = tempfile::tempdir().unwrap();
        for (name, packet, expected) in [
            ("good", &b"\x05\x00\x00\x00\x0a1.2\0"[..], true),
            ("full", &b"\x05\x00\x00\x00\xff\x10\x04no"[..], false),
        ] {
            let path = dir.path().join(name);
            let listener = UnixListener::bind(&path).unwrap();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(packet).await.unwrap();
            });
            assert_eq!(Place::Mysql(path).answers("mariadb.service").await, expected, "{name}");
            server.await.unwrap();
        }
    }

    #[test]
    fn a_php_fpm_is_known_by_its_version() {
        let line = |flags: &str, path: &str| {
            format!("0000: 00000002 00000000 {flags} 0001 01 123 {path}\n")
        };
        let table = [
            line("00010000", "/run/php/php8.1-fpm.sock"),
            line("00010000", "/run/php/php8.2-fpm.sock"),
            line("00000000", "/run/php/php8.2-fpm.sock"),
            line("00010000", "/run/mysqld/mysqld.sock"),
            line("00010000", "@abstract-php"),
        ]
        .concat();
        assert_eq!(fpm_sockets(&table, "php8.2-fpm.service"), ["/run/php/php8.2-fpm.sock"]);
        assert_eq!(fpm_sockets(&table, "php-fpm.service").len(), 2);
        assert!(fpm_sockets(&table, "php7.4-fpm.service").is_empty());
        let plain = line("00010000", "/run/php-fpm/www.sock");
        assert_eq!(fpm_sockets(&plain, "php7.4-fpm.service"), ["/run/php-fpm/www.sock"]);
    }
}
