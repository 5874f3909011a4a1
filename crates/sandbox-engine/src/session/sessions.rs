//! The sessions of an engine.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::actor::Actor;
use super::error::CreateSessionError;
use super::handle::Session;
use super::options::SessionOptions;
use super::shared::Shared;
use super::start::Start;
use crate::engine::Engine;
use crate::limits::{DELETE, ID_BYTES, SESSIONS};
use crate::shell::Shell;
use crate::spawner::SpawnError;

/// The sessions of an engine.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    list: Vec<Session>,
    /// Ids of those whose shell is being started.
    starting: HashSet<String>,
}

impl Engine {
    /// Starts a session's shell.
    ///
    /// Resolves when the shell takes commands.
    ///
    /// # Errors
    ///
    /// [`CreateSessionError`]; there is no new session then.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the session is made or not.
    pub async fn create_session(
        &self,
        id: &str,
        options: SessionOptions,
    ) -> Result<Session, CreateSessionError> {
        let env = self.environment(&options.env)?;
        if id.is_empty() || id.len() > ID_BYTES {
            return Err(CreateSessionError::Id { limit: ID_BYTES });
        }
        let reserved = Reserved::take(self.clone(), id)?;
        let start = Start {
            shell: options
                .shell
                .map_or_else(|| self.shell().clone(), Shell::at),
            cwd: self.launcher().place(options.cwd.as_deref()),
            env,
            stop: self.launcher().stopped(),
        };
        let engine = self.clone();
        // In a task: a caller who goes away must not leave a shell that nobody owns.
        let made = self.launcher().track(async move {
            let (requests, received) = mpsc::channel(REQUESTS);
            let shell = start.shell.clone();
            let shared = Arc::new(Shared::new(&engine, &reserved.id, shell, requests));
            let launcher = engine.launcher();
            let actor = Actor::start(start, launcher, Arc::clone(&shared), received).await?;
            engine.launcher().track(actor.run());
            let session = Session { shared };
            reserved.fill(session.clone());
            Ok(session)
        });
        made.await
            .map_err(|panic| SpawnError::Os(io::Error::other(panic)))?
    }

    /// The session with this id.
    pub fn session(&self, id: &str) -> Option<Session> {
        let sessions = self.session_list();
        sessions
            .list
            .iter()
            .find(|session| session.id() == id)
            .cloned()
    }

    /// All sessions, in the order in which they were made.
    pub fn sessions(&self) -> Vec<Session> {
        self.session_list().list.clone()
    }

    /// Ends a session with all its processes, wherever they went, and forgets it. False if there is none.
    ///
    /// Resolves when the processes have ended: TERM, a grace of
    /// [`TERMINATE_GRACE`](crate::limits::TERMINATE_GRACE), KILL. Commands that run or wait end with it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take it back.
    pub async fn delete_session(&self, id: &str) -> bool {
        let session = {
            let mut sessions = self.session_list();
            let Some(found) = sessions.list.iter().position(|session| session.id() == id) else {
                return false;
            };
            sessions.list.remove(found)
        };
        session.shared.doomed.cancel();
        let released = session.shared.released.cancelled();
        if tokio::time::timeout(DELETE, released).await.is_err() {
            tracing::error!(session = id, "a deleted session does not end");
        }
        true
    }
}

/// An id that is taken while its session is being made.
struct Reserved {
    engine: Engine,
    id: String,
}

impl Reserved {
    fn take(engine: Engine, id: &str) -> Result<Self, CreateSessionError> {
        let mut sessions = engine.session_list();
        let taken = sessions.list.iter().any(|session| session.id() == id);
        if taken || sessions.starting.contains(id) {
            return Err(CreateSessionError::Exists { id: id.to_owned() });
        }
        if sessions.list.len() + sessions.starting.len() >= SESSIONS {
            return Err(CreateSessionError::TooMany { limit: SESSIONS });
        }
        sessions.starting.insert(id.to_owned());
        drop(sessions);
        Ok(Self {
            engine,
            id: id.to_owned(),
        })
    }

    fn fill(self, session: Session) {
        self.engine.session_list().list.push(session);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.engine.session_list().starting.remove(&self.id);
    }
}

/// Requests that wait for a session's task; more wait to be sent.
const REQUESTS: usize = 16;

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deletion_does_not_wait_without_end() {
        let engine = Engine::builder().build().unwrap();
        let (requests, _received) = mpsc::channel(REQUESTS);
        let shared = Shared::new(&engine, "stuck", engine.shell().clone(), requests);
        let shared = Arc::new(shared);
        // It has no task, so nothing ever ends it.
        Reserved::take(engine.clone(), "stuck")
            .unwrap()
            .fill(Session { shared });
        let began = Instant::now();
        assert!(engine.delete_session("stuck").await);
        assert_eq!(began.elapsed().as_secs(), DELETE.as_secs());
        assert!(engine.session("stuck").is_none());
    }
}
