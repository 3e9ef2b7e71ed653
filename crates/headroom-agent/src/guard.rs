//! The way to the guard: one question at a time, so that however many ask the agent, the guard is asked
//! no more than it can answer, and what it answered a moment ago is answered again.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headroom_api::guard::{Answer, Request, ask};
use headroom_api::status::Status;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How long a status is as good as new.
const FRESH: Duration = Duration::from_millis(250);
/// A guard that has no time is asked again this often ...
const TRIES: u32 = 4;
/// ... after this.
const PAUSE: Duration = Duration::from_millis(100);

/// The way to the guard.
#[derive(Debug)]
pub(crate) struct Guard {
    runtime_dir: PathBuf,
    last: Mutex<Option<(Instant, Arc<Status>)>>,
    one_at_a_time: Mutex<()>,
}

/// Why the guard did not answer.
#[derive(Debug)]
pub(crate) enum GuardError {
    /// None runs.
    NotRunning,
    /// It said so.
    Refused(String),
    /// What it said of a setting: its name, and what is allowed instead.
    Wrong(String, String),
    /// The socket, or an answer to another question.
    Failed(String),
}

impl Guard {
    pub(crate) fn new(runtime_dir: PathBuf) -> Self {
        Self { runtime_dir, last: Mutex::new(None), one_at_a_time: Mutex::new(()) }
    }

    /// The node as the guard sees it.
    pub(crate) async fn status(&self) -> Result<Arc<Status>, GuardError> {
        // Held while the guard is asked: whoever waits gets the same answer.
        let mut last = self.last.lock().await;
        if let Some((at, status)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(status));
        }
        match self.ask(Request::Status).await? {
            Answer::Status(status) => {
                let status = Arc::new(*status);
                *last = Some((Instant::now(), Arc::clone(&status)));
                Ok(status)
            }
            _ => Err(GuardError::Failed("the guard answered another question".into())),
        }
    }

    /// Forgets what was answered: something has changed.
    pub(crate) async fn forget(&self) {
        *self.last.lock().await = None;
    }

    /// Asks the guard; one that is busy is asked again.
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, GuardError> {
        let _alone = self.one_at_a_time.lock().await;
        for left in (0..TRIES).rev() {
            let (dir, request) = (self.runtime_dir.clone(), request.clone());
            let asked = spawn_blocking(move || ask(&dir, &request)).await;
            let asked = asked.unwrap_or_else(|error| Err(io::Error::other(error)));
            match asked {
                Ok(Answer::Refused { why }) if left > 0 && why.contains("busy") => {}
                Ok(Answer::Refused { why } | Answer::Forbidden { why }) => {
                    return Err(GuardError::Refused(why));
                }
                Ok(Answer::Wrong { name, why }) => return Err(GuardError::Wrong(name, why)),
                Ok(answer) => return Ok(answer),
                Err(error) => match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        return Err(GuardError::NotRunning);
                    }
                    // A guard that ends while it is asked, or is slow: once more is harmless.
                    _ if left > 0 => {}
                    _ => return Err(GuardError::Failed(format!("the guard: {error}"))),
                },
            }
            sleep(PAUSE).await;
        }
        Err(GuardError::Failed("the guard is busy".into()))
    }
}
