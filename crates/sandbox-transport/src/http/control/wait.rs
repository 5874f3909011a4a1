//! Waiting for the state of a sandbox.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ControlPlane;
use crate::limits::{SANDBOX_PAUSE, SANDBOX_STATE};
use crate::model::{SandboxInfo, SandboxState};
use crate::{Delivery, Error, ErrorKind};

impl ControlPlane {
    /// Waits until a sandbox is in a state, from what is known about it.
    ///
    /// Nothing is asked if it is in that state already. Other control planes than this project's respond to a change before it
    /// is complete; their API has no way to wait, so they are asked again and again.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`Server`](ErrorKind::Server) if the sandbox fails, and of kind [`Timeout`](ErrorKind::Timeout)
    /// after [`SANDBOX_STATE`].
    pub async fn wait_for(
        &self,
        mut sandbox: SandboxInfo,
        state: SandboxState,
    ) -> Result<SandboxInfo, Error> {
        let deadline = Instant::now() + SANDBOX_STATE;
        let mut pause = FIRST_PAUSE;
        while sandbox.state != state {
            // By itself it reaches no other state.
            if sandbox.state.is_failure() {
                return Err(failed(&sandbox));
            }
            // Before the pause, since a state that is read after it would come too late.
            if Instant::now() + pause > deadline {
                return Err(late(&sandbox, &state));
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(SANDBOX_PAUSE);
            sandbox = self.get(&sandbox.id).await?;
        }
        Ok(sandbox)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);

fn failed(sandbox: &SandboxInfo) -> Error {
    let message = format!("sandbox `{}` has failed", sandbox.name);
    let error = Error::new(ErrorKind::Server, Delivery::Uncertain, message);
    match &sandbox.error_reason {
        Some(reason) => error.with_source(reason.clone()),
        None => error,
    }
}

fn late(sandbox: &SandboxInfo, state: &SandboxState) -> Error {
    let SandboxInfo {
        name, state: now, ..
    } = sandbox;
    let message = format!("sandbox `{name}` is {now}, and not {state} after {SANDBOX_STATE:?}");
    Error::new(ErrorKind::Timeout, Delivery::Uncertain, message)
}
