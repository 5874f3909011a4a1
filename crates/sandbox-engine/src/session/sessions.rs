//! The sessions of an engine.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::actor::Actor;
use super::error::CreateSessionError;
use super::handle::Session;
use super::options::SessionOptions;
use super::shared::Shared;
use super::start::Start;
use crate::core::Core;
use crate::isolation::Level;
use crate::limits::{DELETE, SESSIONS};
use crate::registry::{Id, Registry};
use crate::shell::Shell;

/// The shell sessions of an engine.
#[derive(Debug)]
pub struct Sessions {
    core: Arc<Core>,
    registry: Arc<Registry<Session>>,
}

impl Sessions {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            registry: Registry::new(SESSIONS, 0),
        }
    }

    /// Starts the shell of a new session.
    ///
    /// Resolves when the shell accepts commands.
    ///
    /// # Errors
    ///
    /// Returns [`CreateSessionError`] if the session was not created.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may or may not have been created.
    pub async fn create(
        &self,
        id: &str,
        options: SessionOptions,
    ) -> Result<Session, CreateSessionError> {
        let env = self.core.environment_with(&options.env)?;
        let reserved = self.registry.reserve(Id::parse(id)?)?;
        let launcher = self.core.launcher();
        let start = Start {
            shell: options
                .shell
                .map_or_else(|| self.core.shell().clone(), Shell::at),
            cwd: launcher.resolve_cwd(options.cwd.as_deref()),
            env,
            isolation: self.core.isolation_or_default(options.isolation),
            limits: options.limits,
            stop: launcher.stopped(),
        };
        let core = Arc::clone(&self.core);
        let created = launcher.start_in_task(async move {
            let (requests, received) = mpsc::channel(REQUESTS);
            let mut shared = Shared::new(&core, reserved.id(), start.shell.clone(), requests);
            shared.level = Level::of(start.isolation.as_ref());
            let shared = Arc::new(shared);
            let launcher = core.launcher();
            let actor = Actor::start(start, launcher, Arc::clone(&shared), received).await?;
            launcher.track(actor.run());
            let session = Session { shared };
            // After the task is tracked: whatever can be found is also waited for by a shutdown.
            reserved.fill(session.clone());
            Ok(session)
        });
        created.await
    }

    /// Returns the session with this id.
    pub fn get(&self, id: &str) -> Option<Session> {
        self.registry.get(id)
    }

    /// Returns all sessions, in the order in which they were created.
    pub fn list(&self) -> Vec<Session> {
        self.registry.list()
    }

    /// Deletes a session: ends all its processes, including detached ones, and discards its commands. Returns false if
    /// there is none with this id.
    ///
    /// Resolves when the processes have ended: TERM, a grace of
    /// [`TERMINATE_GRACE`](crate::limits::TERMINATE_GRACE), KILL. Commands that run or wait end with it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel the deletion.
    pub async fn delete(&self, id: &str) -> bool {
        let Some(session) = self.registry.remove(id) else {
            return false;
        };
        // Removed first: of several callers one deletes, and a new session may have the id already.
        session.shared.doomed.cancel();
        let released = session.shared.released.cancelled();
        // The session's task continues to end what is left, whether this is waited for or not.
        if tokio::time::timeout(DELETE, released).await.is_err() {
            tracing::error!(session = id, "a deleted session does not end");
        }
        true
    }
}

/// The capacity of the channel to a session's task; senders of further requests wait.
const REQUESTS: usize = 16;

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::Engine;

    #[tokio::test(start_paused = true)]
    async fn a_deletion_does_not_wait_without_end() {
        let engine = Engine::builder().build().unwrap();
        let sessions = engine.sessions();
        let (requests, _received) = mpsc::channel(REQUESTS);
        let shell = engine.shell().clone();
        let shared = Arc::new(Shared::new(engine.core(), "stuck", shell, requests));
        // A session without a task never ends.
        let id = Id::parse("stuck").unwrap();
        let reserved = sessions.registry.reserve(id).unwrap();
        reserved.fill(Session { shared });
        let began = Instant::now();
        assert!(sessions.delete("stuck").await);
        assert_eq!(began.elapsed().as_secs(), DELETE.as_secs());
        assert!(sessions.get("stuck").is_none());
    }
}
