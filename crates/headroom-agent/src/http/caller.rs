//! Who asks, and what they may: by the kernel's word on the socket, by a token over TCP. A token that is
//! sent counts on the socket as well, and then alone: so a web server in front of it can pass requests on.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headroom_sys::peer::Peer;

use super::guesses;
use super::problem::Problem;
use crate::allow::{Names, rights_of};
use crate::state::App;
use crate::store::flows::Asker;
use crate::store::tokens;

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
    #[allow(dead_code, reason = "protect asks for it")]
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
        let how = match self.local {
            Some(_) => "see [allow] in agent.toml",
            None => "make a token that has it",
        };
        let detail = format!("{} does not have the right \"{}\"; {how}", self.name, right.name());
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }

    /// Refuses all but root.
    pub(crate) fn needs_root(&self) -> Result<(), Problem> {
        if self.is_root() {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "only root may do this, on the node itself"))
    }

    /// Whether this is root on the node itself.
    pub(crate) fn is_root(&self) -> bool {
        self.uid() == Some(0)
    }

    /// The user on the node; `None` for a token.
    pub(crate) fn uid(&self) -> Option<u32> {
        self.local.as_ref().map(|local| local.peer.uid)
    }

    /// For the logbook.
    pub(crate) fn asker(&self) -> Asker {
        Asker { who: self.name.clone(), whence: self.from.clone() }
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
        "Authentication credentials were not provided: send \"Authorization: Token …\"",
    )
}

/// What came in place of a token.
enum Sent {
    Nothing,
    Nonsense,
    Secret(String),
}

/// Finds out who asks before anything else is done. A request that says nothing goes on as nobody's, and
/// is refused where somebody is asked for; a token that is none is refused at once.
pub(crate) async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<Connection>().cloned();
    let caller = match (sent(request.headers()), &connection) {
        (Sent::Secret(secret), Some(connection)) => by_token(&app, &secret, connection).await,
        (Sent::Nothing, Some(Connection::Local(local))) => Ok(Some(by_peer(&app, local.clone()))),
        (Sent::Nonsense, _) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "Invalid token: the header is \"Authorization: Token …\" or \"Authorization: Bearer …\"",
        )),
        (Sent::Nothing, _) | (Sent::Secret(_), None) => Ok(None),
    };
    let mut response = match caller {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    match response.status() {
        StatusCode::UNAUTHORIZED => {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
        }
        StatusCode::TOO_MANY_REQUESTS => {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        }
        _ => {}
    }
    response
}

fn sent(headers: &HeaderMap) -> Sent {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Sent::Nothing };
    if values.next().is_some() {
        return Sent::Nonsense;
    }
    let words: Vec<_> = value.to_str().unwrap_or_default().split_ascii_whitespace().collect();
    match words[..] {
        [scheme, secret]
            if scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer") =>
        {
            Sent::Secret(secret.to_owned())
        }
        _ => Sent::Nonsense,
    }
}

async fn by_token(
    app: &App,
    secret: &str,
    connection: &Connection,
) -> Result<Option<Caller>, Problem> {
    let from = match connection {
        Connection::Local(local) => whence(local),
        Connection::Remote(address) => address.to_string(),
    };
    let secret = secret.to_owned();
    let found = app.store.call(move |db| tokens::find(db, &secret)).await?;
    let Some((name, rights)) = found else {
        return Err(match app.guesses.note(guesses::Guesser::of(connection)) {
            true => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many invalid tokens from there; try again in a minute",
            ),
            false => Problem::new(StatusCode::UNAUTHORIZED, "Invalid token."),
        });
    };
    let rights = Right::ALL.map(|right| rights.split(' ').any(|name| name == right.name()));
    Ok(Some(Caller { name: format!("token {name}"), from, local: None, rights }))
}

fn by_peer(app: &App, local: Local) -> Caller {
    let names = Names::read(&app.options.root);
    Caller {
        name: names.user(local.peer.uid),
        from: whence(&local),
        rights: rights_of(&app.config.allow, &names, &local),
        local: Some(local),
    }
}

fn whence(local: &Local) -> String {
    format!("uid {}, pid {}", local.peer.uid, local.peer.pid)
}
