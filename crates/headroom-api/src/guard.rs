//! Questions to the running guard, over its socket.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::frame;
use crate::settings::{Change, Settings};
use crate::status::{Rank, Status};

/// The guard answers within this or is not there: it never keeps anybody waiting.
const PATIENCE: Duration = Duration::from_secs(3);

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The node as it is.
    Status,
    /// The whole kill order of a zone.
    Rank {
        /// The zone's path, `/` for the machine.
        zone: String,
    },
    /// Make a process unkillable: its `oom_score_adj` becomes -1000, and relief passes it and its children
    /// by. Only root and the agent may ask.
    Protect {
        /// Which.
        pid: i32,
        /// With the pid, which one for ever.
        start_ticks: u64,
        /// How much it and its children may take, for `status` to show.
        budget_kib: Option<u64>,
    },
    /// Take the protection of a process and of its children back.
    Unprotect {
        /// Which.
        pid: i32,
        /// With the pid, which one for ever.
        start_ticks: u64,
    },
    /// All settings.
    Settings,
    /// Change settings: all that are named or none. Kept, and in force when the answer comes. Only root
    /// and the agent may ask.
    Change {
        /// The new values.
        change: Change,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Rank`].
    Rank(Rank),
    /// To [`Request::Protect`] and [`Request::Unprotect`]: it is done.
    Done,
    /// To [`Request::Settings`] and [`Request::Change`].
    Settings(Settings),
    /// A change named what is no setting, or a value that is not allowed.
    Wrong {
        /// The setting.
        name: String,
        /// What is allowed instead.
        why: String,
    },
    /// The asker may not ask this.
    Forbidden {
        /// Who may.
        why: String,
    },
    /// The request could not be answered.
    Refused {
        /// Why.
        why: String,
    },
}

/// Asks the guard that listens in `runtime_dir`.
///
/// # Errors
///
/// `NotFound` or `ConnectionRefused` when no guard runs; what the socket says otherwise.
pub fn ask(runtime_dir: &Path, request: &Request) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(runtime_dir.join(crate::paths::GUARD_SOCKET))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    frame::write(&mut stream, request)?;
    frame::read(&mut stream, frame::ANSWER_CAP)
}
