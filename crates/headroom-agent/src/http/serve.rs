//! Connections: taken, told apart, bounded, ended.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::Request;
use headroom_api::paths;
use headroom_sys::ReadError;
use headroom_sys::peer::{groups_of, listen_at, peer_of, pidfd_of};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::caller::{Connection, Local};
use crate::say;
use crate::state::App;

/// Why the agent does not listen.
#[derive(Debug)]
pub(crate) enum ServeError {
    Socket(PathBuf, ReadError),
    Runtime(PathBuf, io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Runtime(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ServeError {}

/// The listeners' tasks.
#[derive(Debug)]
pub(crate) struct Serving {
    tasks: Vec<JoinHandle<()>>,
}

impl Serving {
    /// Waits until requests under way are answered.
    pub(crate) async fn end(self) {
        for task in self.tasks {
            // One that panicked has said so.
            let _ = task.await;
        }
    }
}

/// Listens, and says so.
pub(crate) fn start(app: &App) -> Result<Serving, ServeError> {
    let router = super::router(app);
    let path = app.options.runtime_dir.join(paths::AGENT_SOCKET);
    let listener =
        listen_at(&path, 0o666, None).map_err(|e| ServeError::Socket(path.clone(), e))?;
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| UnixListener::from_std(listener))
        .map_err(|e| ServeError::Runtime(path.clone(), e))?;
    say(&format!("listening on {}", path.display()));
    let app = app.clone();
    let task = tokio::spawn(async move {
        loop {
            tokio::select! {
                () = app.stops() => return,
                taken = listener.accept() => if let Ok((stream, _)) = taken {
                    tokio::spawn(local(stream, router.clone()));
                },
            }
        }
    });
    Ok(Serving { tasks: vec![task] })
}

async fn local(stream: UnixStream, router: Router) {
    let Ok(peer) = peer_of(&stream) else { return };
    let local = Local {
        peer,
        groups: groups_of(&stream).unwrap_or_default(),
        pidfd: pidfd_of(&stream).ok().map(Arc::new),
    };
    let connection = Connection::Local(local);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        router.clone().oneshot(request)
    });
    // A client that went away or talks nonsense concerns nobody else.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
