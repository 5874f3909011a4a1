//! Sessionless commands that were started, by id.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use sandbox_engine::{Command, OutputMode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use super::command::end_of;
use crate::limits::{BACKGROUND_EXECS, RETAINED_EXEC_BYTES, RETAINED_EXECS};
use crate::sync::lock;

/// The list of commands. Cheap to clone; all clones refer to the same list.
#[derive(Debug, Clone)]
pub(crate) struct Execs {
    list: Arc<Mutex<VecDeque<Arc<Started>>>>,
    /// Places for commands with a soft limit.
    background: Arc<Semaphore>,
}

/// A command that was started.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) command: Command,
    pub(crate) output: OutputMode,
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "a field of gRPC's"))]
    pub(crate) detached: bool,
}

impl Default for Execs {
    fn default() -> Self {
        Self {
            list: Arc::default(),
            background: Arc::new(Semaphore::new(BACKGROUND_EXECS)),
        }
    }
}

impl Execs {
    /// Returns the place of a command with a soft limit, to be held until its end, or `None` if there is no more.
    pub(super) fn background_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.background).try_acquire_owned().ok()
    }

    /// Adds a command that was just started, and removes those that ended first if there are too many.
    pub(super) fn add(&self, started: Started) -> Arc<Started> {
        let started = Arc::new(started);
        let mut list = self.list();
        list.push_back(Arc::clone(&started));
        forget(&mut list);
        started
    }

    /// Returns the command with this id.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<Started>, Error> {
        let list = self.list();
        let found = list.iter().find(|started| started.command.id() == id);
        found.cloned().ok_or_else(|| Error::not_found("command"))
    }

    /// Returns all commands, oldest first.
    #[cfg(feature = "grpc")]
    pub(crate) fn all(&self) -> Vec<Arc<Started>> {
        self.list().iter().cloned().collect()
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Arc<Started>>> {
        lock(&self.list)
    }
}

fn forget(list: &mut VecDeque<Arc<Started>>) {
    let ended = |started: &&Arc<Started>| end_of(&started.command).is_some();
    let mut count = list.iter().filter(ended).count();
    let bytes = |started: &Arc<Started>| started.command.record().length();
    let mut total: u64 = list.iter().filter(ended).map(bytes).sum();
    // In order of their start; a command that runs is retained whatever its age, since its client
    // may look for it.
    list.retain(|started| {
        let is_over = count > RETAINED_EXECS || total > RETAINED_EXEC_BYTES;
        if !is_over || end_of(&started.command).is_none() {
            return true;
        }
        count -= 1;
        total = total.saturating_sub(bytes(started));
        false
    });
}
