//! The terminals of an engine.

use std::collections::{HashSet, VecDeque};

use super::{CreatePtyError, Pty};
use crate::engine::Engine;
use crate::limits::{ENDED_PTYS, PTYS};

/// The terminals of an engine.
#[derive(Debug, Default)]
pub(crate) struct Ptys {
    list: Vec<Pty>,
    /// Ids of those that are being started.
    starting: HashSet<String>,
    /// Those whose shells ended by themselves, the newest last.
    ended: VecDeque<Pty>,
}

impl Ptys {
    pub(super) fn find(&self, id: &str) -> Option<Pty> {
        let ended = self.ended.iter().rev();
        let mut all = self.list.iter().chain(ended);
        all.find(|pty| pty.id() == id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Pty> {
        self.list.clone()
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Pty> {
        let found = self.list.iter().position(|pty| pty.id() == id)?;
        Some(self.list.remove(found))
    }

    /// Takes one whose shell has ended from the list, unless it was removed; another may have its id by now.
    pub(super) fn retire(&mut self, pty: &Pty) {
        let is_it = |other: &Pty| std::sync::Arc::ptr_eq(&other.shared, &pty.shared);
        let Some(found) = self.list.iter().position(is_it) else {
            return;
        };
        self.ended.retain(|other| other.id() != pty.id());
        self.ended.push_back(self.list.remove(found));
        if self.ended.len() > ENDED_PTYS {
            self.ended.pop_front();
        }
    }
}

/// An id that is taken while its terminal is being made.
#[derive(Debug)]
pub(super) struct Reserved {
    engine: Engine,
    id: String,
}

impl Reserved {
    pub(super) fn take(engine: Engine, id: &str) -> Result<Self, CreatePtyError> {
        let mut ptys = engine.pty_list();
        let is_taken = ptys.list.iter().any(|pty| pty.id() == id);
        if is_taken || ptys.starting.contains(id) {
            return Err(CreatePtyError::Exists { id: id.to_owned() });
        }
        if ptys.list.len() + ptys.starting.len() >= PTYS {
            return Err(CreatePtyError::TooMany { limit: PTYS });
        }
        ptys.starting.insert(id.to_owned());
        drop(ptys);
        Ok(Self {
            engine,
            id: id.to_owned(),
        })
    }

    pub(super) fn fill(self, pty: Pty) {
        let mut ptys = self.engine.pty_list();
        // The id means this one from now on.
        ptys.ended.retain(|ended| ended.id() != self.id);
        ptys.list.push(pty);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.engine.pty_list().starting.remove(&self.id);
    }
}
