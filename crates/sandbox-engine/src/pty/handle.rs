//! The handle of a terminal.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::error::ResizePtyError;
use super::input::PtyInput;
use super::output::PtyOutput;
use super::shared::{PtyState, Request, Shared};
use crate::command::{Unanswered, ask};
use crate::isolation::Level;
use crate::record::BeyondEnd;
use crate::registry::Entry;
use crate::resources::Usage;
use crate::terminal::PtySize;
use crate::termination::Termination;

/// A handle to a terminal. Cheap to clone; all clones refer to the same terminal.
///
/// Dropping a handle does not end the terminal; see [`Ptys::delete`](super::Ptys::delete).
#[derive(Debug, Clone)]
pub struct Pty {
    pub(super) shared: Arc<Shared>,
}

impl Entry for Pty {
    fn id(&self) -> &str {
        &self.shared.id
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Pty {
    /// Returns the terminal's id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Returns the working directory of the shell's start, as it was requested.
    pub fn cwd(&self) -> &Path {
        &self.shared.cwd
    }

    /// Returns the variables that were set for the terminal, with `TERM`.
    pub fn env(&self) -> &[(String, String)] {
        &self.shared.env
    }

    /// Returns how strongly the shell is isolated.
    pub fn level(&self) -> Level {
        Level::of(self.shared.isolation.as_ref())
    }

    /// Returns when the terminal was created.
    pub fn created_at(&self) -> SystemTime {
        self.shared.created_at
    }

    /// Returns the current size.
    pub fn size(&self) -> PtySize {
        *self.shared.size()
    }

    /// Returns the state of the terminal.
    pub fn state(&self) -> PtyState {
        self.shared.state.borrow().clone()
    }

    /// Waits until the shell has ended, and returns how. All its output can be read then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn ended(&self) -> Termination {
        let mut state = self.shared.state.subscribe();
        loop {
            if let PtyState::Ended(termination) = &*state.borrow_and_update() {
                return termination.clone();
            }
            if state.changed().await.is_err() {
                unreachable!("the terminal holds the sender");
            }
        }
    }

    /// Returns what the shell has used. `None` before its end, and if it is not known.
    pub fn usage(&self) -> Option<Usage> {
        self.shared.usage.get().copied()
    }

    /// Changes the size and, unless it is the same, notifies the foreground processes by `WINCH`. A terminal that waits
    /// for its start will have the size then.
    ///
    /// # Errors
    ///
    /// Returns [`ResizePtyError`] if the size was not changed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the terminal may or may not have been resized.
    pub async fn resize(&self, size: PtySize) -> Result<(), ResizePtyError> {
        // The start of the shell holds this lock, too: a size that is set here is the one with which
        // the terminal is opened.
        if let Some(_waiting) = &*self.shared.not_started.lock().await {
            *self.shared.size() = size;
            return Ok(());
        }
        let request = |reply| Request::Resize { size, reply };
        match ask(&self.shared.requests, request).await {
            Ok(resized) => resized.map_err(ResizePtyError::Os),
            Err(Unanswered::Ended) => Err(ResizePtyError::Ended),
            Err(Unanswered::Silent) => Err(ResizePtyError::Os(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Returns a reader of the output: what is retained, then what follows, up to the end.
    ///
    /// Without `since` the reader begins with the oldest retained output, at a place where no character and no escape
    /// sequence is cut; otherwise at that offset, after a gap if that is no longer retained.
    ///
    /// The reader is for a client that types, so a program's queries, to which terminals respond by typing (where the
    /// cursor is, what the terminal supports), are shown only one time: without `since`, queries that such a reader has
    /// already received are replaced by as many NULs as the query has bytes. Terminals show nothing for these.
    ///
    /// # Errors
    ///
    /// Returns [`BeyondEnd`] if the output has not reached `since` yet.
    pub fn output(&self, since: Option<u64>) -> Result<PtyOutput, BeyondEnd> {
        PtyOutput::new(Arc::clone(&self.shared), since, true)
    }

    /// Returns a reader as [`output`](Self::output) does, for a client that only watches: its queries do not count as
    /// shown.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`output`](Self::output).
    pub fn watch(&self, since: Option<u64>) -> Result<PtyOutput, BeyondEnd> {
        PtyOutput::new(Arc::clone(&self.shared), since, false)
    }

    /// Returns a new writer of input, with a separate allowance.
    pub fn input(&self) -> PtyInput {
        PtyInput::new(self.shared.requests.clone())
    }

    /// Ends the terminal; all its output has been appended. The state is set before readers reach the end, so that a
    /// client that sees the end can find out how it ended.
    pub(super) fn end(&self, termination: Termination) {
        self.shared.state.send_replace(PtyState::Ended(termination));
        self.shared.record.complete();
    }
}
