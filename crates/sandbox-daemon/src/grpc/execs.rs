//! Commands that were started over gRPC, by id and by key.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sandbox_engine::{Command, CommandState};
use sandbox_wire::ErrorCode;
use sandbox_wire::pb;
use tokio::sync::Mutex as AsyncMutex;

use super::convert;
use crate::error::ApiError;
use crate::limits::{KEPT_EXEC_BYTES, KEPT_EXECS};

/// The list. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Execs {
    list: Arc<Mutex<VecDeque<Arc<Started>>>>,
    /// Held by who looks a key up and starts what it names, so that two at once start one command.
    pub(super) starting: Arc<AsyncMutex<()>>,
}

/// A command that was started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) command: Command,
    pub(super) at: SystemTime,
    pub(super) is_combined: bool,
    pub(super) detached: bool,
    /// What was asked for, if it has a key.
    keyed: Option<pb::ExecStart>,
}

impl Execs {
    /// Adds a command that was just started, and forgets those that ended first where there are too many.
    pub(super) fn add(
        &self,
        command: Command,
        is_combined: bool,
        start: pb::ExecStart,
    ) -> Arc<Started> {
        let options = start.options.as_ref();
        let has_key = options.is_some_and(|options| !options.idempotency_key.is_empty());
        let started = Arc::new(Started {
            command,
            at: SystemTime::now(),
            is_combined,
            detached: options.is_some_and(|options| options.detach),
            keyed: has_key.then_some(start),
        });
        let mut list = self.list();
        list.push_back(Arc::clone(&started));
        forget(&mut list);
        started
    }

    pub(super) fn find(&self, id: &str) -> Result<Arc<Started>, ApiError> {
        let list = self.list();
        let found = list.iter().find(|started| started.command.id() == id);
        found
            .cloned()
            .ok_or_else(|| ApiError::process_not_found("command"))
    }

    /// What was started by a request with the key of this one, if it has one.
    pub(super) fn known(&self, start: &pb::ExecStart) -> Result<Option<Arc<Started>>, ApiError> {
        let Some(key) = key(start) else {
            return Ok(None);
        };
        let list = self.list();
        let found = list
            .iter()
            .find(|known| known.keyed.as_ref().and_then(self::key) == Some(key));
        let Some(found) = found else {
            return Ok(None);
        };
        // The offset is where to go on, and no part of what is to be done.
        let same = |known: &pb::ExecStart| {
            pb::ExecStart {
                offset: 0,
                ..known.clone()
            } == pb::ExecStart {
                offset: 0,
                ..start.clone()
            }
        };
        match found.keyed.as_ref().is_some_and(same) {
            true => Ok(Some(Arc::clone(found))),
            false => Err(ApiError::new(
                ErrorCode::Conflict,
                "the idempotency key belongs to another request",
            )),
        }
    }

    pub(super) fn all(&self) -> Vec<pb::ExecInfo> {
        self.list().iter().map(|started| started.info()).collect()
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Arc<Started>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Started {
    pub(super) fn info(&self) -> pb::ExecInfo {
        let termination = match self.command.state() {
            CommandState::Ended(ended) => Some(convert::termination(&ended)),
            CommandState::Queued | CommandState::Running => None,
        };
        let mut description = self.command.text().to_owned();
        description.truncate(description.floor_char_boundary(DESCRIPTION_BYTES));
        pb::ExecInfo {
            exec_id: self.command.id().to_owned(),
            pid: self.command.pid().unwrap_or_default(),
            description,
            started_at: convert::timestamp(self.at),
            termination,
            end_offset: self.command.record().length(),
            input_offset: self.command.input_length(),
            terminal: None,
            detached: self.detached,
        }
    }

    fn has_ended(&self) -> bool {
        matches!(self.command.state(), CommandState::Ended(_))
    }
}

fn forget(list: &mut VecDeque<Arc<Started>>) {
    let ended = |started: &&Arc<Started>| started.has_ended();
    let mut count = list.iter().filter(ended).count();
    let bytes = |started: &Arc<Started>| started.command.record().length();
    let mut total: u64 = list.iter().filter(ended).map(bytes).sum();
    list.retain(|started| {
        let is_over = count > KEPT_EXECS || total > KEPT_EXEC_BYTES;
        if !is_over || !started.has_ended() {
            return true;
        }
        count -= 1;
        total = total.saturating_sub(bytes(started));
        false
    });
}

fn key(start: &pb::ExecStart) -> Option<&str> {
    let options = start.options.as_ref()?;
    Some(options.idempotency_key.as_str()).filter(|key| !key.is_empty())
}

const DESCRIPTION_BYTES: usize = 4096;
