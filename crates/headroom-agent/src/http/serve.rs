//! Listening: on the socket, and over TCP where the configuration says so. What a connection may take is
//! bounded here and in `clients`.

mod clients;
mod tls;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use headroom_api::paths;
use headroom_sys::ReadError;
use headroom_sys::peer::{groups_of, inherited_socket, listen_at, peer_of, pidfd_of};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::caller::{Connection, Local};
use super::guesses::Guesser;
use super::problem::Problem;
use crate::say;
use crate::state::App;
use clients::{Clients, Seat};
use tls::Tls;
pub(crate) use tls::TlsError;

/// How long the head of a request may take, and how long a connection may say nothing.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long the handshake of TLS may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// The longest head of a request.
const HEAD: usize = 32 * 1024;
/// How long requests under way may take when the agent stops.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why the agent does not listen.
#[derive(Debug)]
pub(crate) enum ServeError {
    Socket(PathBuf, ReadError),
    Runtime(PathBuf, io::Error),
    Tcp(SocketAddr, io::Error),
    Tls(TlsError),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Runtime(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Tcp(address, error) => write!(f, "[http] listen = \"{address}\": {error}"),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

/// The listeners' tasks.
#[derive(Debug)]
pub(crate) struct Serving {
    tasks: Vec<JoinHandle<()>>,
    clients: Arc<Clients>,
}

impl Serving {
    /// Waits until requests under way are answered, for a while.
    pub(crate) async fn end(self) {
        for task in self.tasks {
            // One that panicked has said so.
            let _ = task.await;
        }
        self.clients.end(FAREWELL).await;
    }
}

/// Listens, and says so.
pub(crate) async fn start(app: &App) -> Result<Serving, ServeError> {
    let router = super::router(app);
    let clients = Arc::new(Clients::default());
    let path = app.options.runtime_dir.join(paths::AGENT_SOCKET);
    let (listener, inherited) = match inherited_socket() {
        Some(listener) => (listener, true),
        None => {
            let listener = listen_at(&path, 0o666, None);
            (listener.map_err(|e| ServeError::Socket(path.clone(), e))?, false)
        }
    };
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| UnixListener::from_std(listener))
        .map_err(|e| ServeError::Runtime(path.clone(), e))?;
    let door = Door { app: app.clone(), router, clients };
    let tcp = match &app.config.http {
        None => None,
        Some(http) => {
            let address = http.listen;
            let failed = |e| ServeError::Tcp(address, e);
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let tls = Tls::load(http).map_err(ServeError::Tls)?;
            Some((listener.local_addr().map_err(failed)?, listener, tls))
        }
    };
    let how = if inherited { "systemd's socket".into() } else { path.display().to_string() };
    say(&format!("listening on {how}"));
    let mut tasks = vec![tokio::spawn(door.clone().local(listener))];
    if let Some((address, listener, tls)) = tcp {
        let scheme = if tls.is_some() { "https" } else { "http" };
        say(&format!("listening on {scheme}://{address}"));
        tasks.push(tokio::spawn(door.clone().remote(listener, tls)));
    }
    Ok(Serving { tasks, clients: door.clients })
}

/// What every connection needs.
#[derive(Clone)]
struct Door {
    app: App,
    router: Router,
    clients: Arc<Clients>,
}

impl Door {
    async fn local(self, listener: UnixListener) {
        loop {
            let stream = tokio::select! {
                () = self.app.stops() => return,
                taken = listener.accept() => match taken {
                    Ok((stream, _)) => stream,
                    Err(_) => {
                        // Out of descriptors: wait for some instead of turning round and round.
                        sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            // Who connected is asked at once, while the pid is surely still theirs.
            let Ok(connection) = known(&stream) else { continue };
            let door = self.clone();
            let Some(seat) = self.clients.seat(Guesser::of(&connection)) else { continue };
            let held = Arc::clone(&seat);
            seat.spawn(async move { door.converse(stream, connection, held).await });
        }
    }

    async fn remote(self, listener: TcpListener, tls: Option<Arc<Tls>>) {
        loop {
            let (stream, address) = tokio::select! {
                () = self.app.stops() => return,
                taken = listener.accept() => match taken {
                    Ok(taken) => taken,
                    Err(_) => {
                        sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let connection = Connection::Remote(address);
            let (door, tls) = (self.clone(), tls.clone());
            let Some(seat) = self.clients.seat(Guesser::of(&connection)) else { continue };
            let held = Arc::clone(&seat);
            seat.spawn(async move { door.over_tcp(stream, tls, connection, held).await });
        }
    }

    async fn over_tcp(
        self,
        stream: TcpStream,
        tls: Option<Arc<Tls>>,
        connection: Connection,
        seat: Arc<Seat>,
    ) {
        // Answers are short and wait for nothing to be joined to.
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.converse(stream, connection, seat).await,
            Some(tls) => {
                let handshake = timeout(HANDSHAKE_TIME, tls.acceptor().accept(stream)).await;
                if let Ok(Ok(stream)) = handshake {
                    self.converse(stream, connection, seat).await;
                }
            }
        }
    }

    /// Answers the requests of one connection, one after the other.
    async fn converse<S>(self, stream: S, connection: Connection, seat: Arc<Seat>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            let (router, seat) = (router.clone(), Arc::clone(&seat));
            async move {
                let Some(_busy) = seat.busy() else {
                    let response = axum::response::IntoResponse::into_response(Problem::busy());
                    return Ok(response);
                };
                router.oneshot(request).await
            }
        });
        let mut serving = std::pin::pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .max_buf_size(HEAD)
                .serve_connection(TokioIo::new(stream), service)
        );
        // A client that went away or talks nonsense concerns nobody else.
        tokio::select! {
            _ = serving.as_mut() => return,
            () = self.app.stops() => serving.as_mut().graceful_shutdown(),
        }
        let _ = timeout(FAREWELL, serving).await;
    }
}

/// Who connected.
fn known(stream: &UnixStream) -> Result<Connection, ReadError> {
    Ok(Connection::Local(Local {
        peer: peer_of(stream.as_fd())?,
        groups: groups_of(stream.as_fd()).unwrap_or_default(),
        pidfd: pidfd_of(stream.as_fd()).ok().map(Arc::new),
    }))
}
