//! Which command of a session a request's key has started.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use sandbox_engine::{Command, Engine, NoCommand, Session};
use sandbox_wire::ErrorCode;

use crate::api::session::{no_command, session_of};
use crate::error::ApiError;
use crate::limits::KEPT_KEYS;

/// The keys, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Keys {
    known: Mutex<VecDeque<Known>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Known {
    session_id: String,
    key: String,
    /// The hash of what was asked for, with nothing in it that may differ the next time: a request can be long.
    request: u64,
    command_id: String,
}

/// A command, and whether it was there before.
pub(super) struct Begun {
    pub(super) session: Session,
    pub(super) command: Command,
    pub(super) resumed: bool,
}

impl Keys {
    /// Begins a command, or finds the one that was begun by a request with this key.
    ///
    /// # Errors
    ///
    /// Those of `begin`; and when the key belongs to another request.
    pub(super) fn begin(
        &self,
        engine: &Engine,
        session_id: &str,
        key: &str,
        request: impl FnOnce() -> Vec<u8>,
        begin: impl FnOnce() -> Result<(Session, Command), ApiError>,
    ) -> Result<Begun, ApiError> {
        let new = |(session, command)| Begun {
            session,
            command,
            resumed: false,
        };
        if key.is_empty() {
            return begin().map(new);
        }
        // Held while the command is begun, so that two requests at once begin one.
        let mut keys = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let request = self.hasher.hash_one(request());
        let is_known = |known: &&Known| known.session_id == session_id && known.key == key;
        if let Some(known) = keys.iter().rev().find(is_known) {
            let session = session_of(engine, session_id)?;
            // One of a session that was deleted, whose id is another one's now, is not found.
            match session.command(&known.command_id) {
                Ok(_) | Err(NoCommand::Forgotten) if known.request != request => {
                    let message = "the idempotency key belongs to another request";
                    return Err(ApiError::new(ErrorCode::Conflict, message));
                }
                Ok(command) => {
                    return Ok(Begun {
                        session,
                        command,
                        resumed: true,
                    });
                }
                // It has run, and must not run again.
                Err(none @ NoCommand::Forgotten) => return Err(no_command(none)),
                Err(_) => {}
            }
        }
        let begun = new(begin()?);
        if keys.len() >= KEPT_KEYS {
            keys.pop_front();
        }
        keys.push_back(Known {
            session_id: session_id.to_owned(),
            key: key.to_owned(),
            request,
            command_id: begun.command.id().to_owned(),
        });
        Ok(begun)
    }
}
