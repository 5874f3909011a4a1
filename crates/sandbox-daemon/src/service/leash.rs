//! Commands that end with the connection that started them.

use sandbox_engine::limits::TERMINATE_GRACE;
use sandbox_engine::{Command, Signal};
use tokio::time::timeout;

use super::command::end_of;

/// Ends a command with all its processes if this is dropped before the command has ended: TERM, a grace period, KILL.
pub(crate) struct Leash(Command);

impl Leash {
    pub(crate) fn new(command: &Command) -> Self {
        Self(command.clone())
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if end_of(&self.0).is_some() {
            return;
        }
        let command = self.0.clone();
        tokio::spawn(async move {
            // It has ended meanwhile, or it is queued: then it is ended as soon as it has begun.
            command.begun().await;
            // An error means that it has ended.
            let _ = command.signal(Signal::TERM).await;
            if timeout(TERMINATE_GRACE, command.ended()).await.is_err() {
                let _ = command.signal(Signal::KILL).await;
            }
        });
    }
}
