//! Who asks, and what they may: by the kernel's word on the socket, by a token over TCP.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use headroom_sys::peer::Peer;

use super::problem::Problem;
use crate::state::App;

/// A thing that one may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    Settings,
    Services,
    Protect,
    Release,
}

impl Right {
    /// All there are, in the order in which they are listed.
    pub(crate) const ALL: [Self; 5] =
        [Self::Read, Self::Settings, Self::Services, Self::Protect, Self::Release];

    /// Its name in `agent.toml` and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Settings => "settings",
            Self::Services => "services",
            Self::Protect => "protect",
            Self::Release => "release",
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Connection {
    /// A process of this machine.
    Local(Local),
    /// Over TCP.
    Remote(SocketAddr),
}

/// A process at the other end of the socket.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    /// As it was when it connected.
    pub(crate) peer: Peer,
    /// Its supplementary groups.
    pub(crate) groups: Vec<u32>,
    /// The process itself; `None` when it has ended or is in another pid namespace.
    pub(crate) pidfd: Option<Arc<OwnedFd>>,
}

/// Who asks. Handlers take it as an argument and say what right they need.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// A user's name, or `token NAME`.
    pub(crate) name: String,
    /// Where from, for the audit log.
    pub(crate) from: String,
    /// The process, when the request came over the socket without a token.
    pub(crate) local: Option<Local>,
    rights: [bool; Right::ALL.len()],
}

impl Caller {
    /// Whether the caller may do this.
    pub(crate) fn may(&self, right: Right) -> bool {
        self.rights[right as usize]
    }

    /// Refuses who may not.
    pub(crate) fn needs(&self, right: Right) -> Result<(), Problem> {
        if self.may(right) {
            return Ok(());
        }
        let detail = format!(
            "{} does not have the right \"{}\"; see [allow] in agent.toml",
            self.name,
            right.name()
        );
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

fn unknown() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "who asks is not known; send \"Authorization: Bearer TOKEN\"",
    )
}

/// Finds out who asks before anything else is done.
pub(crate) async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if let Some(Connection::Local(local)) = request.extensions().get::<Connection>() {
        let local = local.clone();
        let all = local.peer.uid == 0;
        let _ = &app.config.allow;
        let caller = Caller {
            name: format!("uid {}", local.peer.uid),
            from: format!("pid {}", local.peer.pid),
            rights: [all; Right::ALL.len()],
            local: Some(local),
        };
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}
