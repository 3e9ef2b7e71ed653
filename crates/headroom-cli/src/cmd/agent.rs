//! Questions of the command line to the agent, and how its refusals end the program.

use std::time::Duration;

use headroom_api::agent::{AgentError, Response, ask};
use headroom_api::exit::Exit;
use headroom_api::paths;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::print;

/// An answer that needs nobody else comes within this.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks the agent; `None` when none runs.
pub(crate) fn try_agent(
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Option<Response>, Exit> {
    try_agent_for(PATIENCE, method, path, body)
}

/// [`try_agent`] for an answer that others have to be waited for.
pub(crate) fn try_agent_for(
    patience: Duration,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Option<Response>, Exit> {
    match ask(&paths::runtime_dir(), method, path, body, patience) {
        Ok(response) if response.is_success() => Ok(Some(response)),
        Ok(response) => Err(refused(&response)),
        Err(AgentError::NotRunning) => Ok(None),
        Err(error) => Err(print::failed(&error.to_string())),
    }
}

/// Asks the agent, which must run.
pub(crate) fn agent(method: &str, path: &str, body: Option<&Value>) -> Result<Response, Exit> {
    try_agent(method, path, body)?.ok_or_else(|| print::failed(&AgentError::NotRunning.to_string()))
}

/// The answer's body as what was expected.
pub(crate) fn body_of<T: DeserializeOwned>(response: &Response) -> Result<T, Exit> {
    response.json().map_err(|error| print::failed(&error.to_string()))
}

/// Says why the agent refused.
pub(super) fn refused(response: &Response) -> Exit {
    print::problem(&response.detail());
    match response.status {
        400 | 404 => Exit::Usage,
        401 | 403 => Exit::NotAllowed,
        409 => Exit::No,
        _ => Exit::Failed,
    }
}
