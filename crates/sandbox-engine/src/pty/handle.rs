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
use crate::record::BeyondEnd;
use crate::registry::Entry;
use crate::terminal::PtySize;
use crate::termination::Termination;

/// A terminal. Cheap to clone; all clones are one terminal.
///
/// Dropping it changes nothing; see [`Ptys::delete`](super::Ptys::delete).
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
    /// Returns the id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Where its shell starts, as it was asked for.
    pub fn cwd(&self) -> &Path {
        &self.shared.cwd
    }

    /// The variables that it was given, with `TERM`.
    pub fn env(&self) -> &[(String, String)] {
        &self.shared.env
    }

    /// When it was made.
    pub fn created_at(&self) -> SystemTime {
        self.shared.created_at
    }

    /// Its size now.
    pub fn size(&self) -> PtySize {
        *self.shared.size()
    }

    /// How far it is.
    pub fn state(&self) -> PtyState {
        self.shared.state.borrow().clone()
    }

    /// Resolves when its shell has ended, to how. By then all that it wrote can be read.
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

    /// Changes its size, which its foreground processes are told by `WINCH`, unless it is the same. One that waits for its
    /// start will have it then.
    ///
    /// # Errors
    ///
    /// [`ResizePtyError`]; it has its size still.
    ///
    /// # Cancel safety
    ///
    /// If dropped, it is resized or not.
    pub async fn resize(&self, size: PtySize) -> Result<(), ResizePtyError> {
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

    /// Reads what it shows: what is kept, then what comes, up to the end.
    ///
    /// Without `since` it begins with the oldest that is kept, at a place where no character and no escape sequence is cut;
    /// with it at that offset, behind a gap if that is not kept any more.
    ///
    /// It is for somebody who types, so that a program's queries, which terminals answer by typing (where the cursor is, what
    /// the terminal can), are shown once: without `since`, those that a reader like this has had already are NULs, as many
    /// as the query has bytes. Terminals show nothing for these.
    ///
    /// # Errors
    ///
    /// [`BeyondEnd`] if nothing was shown at `since` yet.
    pub fn output(&self, since: Option<u64>) -> Result<PtyOutput, BeyondEnd> {
        PtyOutput::new(Arc::clone(&self.shared), since, true)
    }

    /// As [`output`](Self::output), for somebody who only watches: no query counts as asked by it.
    ///
    /// # Errors
    ///
    /// As of [`output`](Self::output).
    pub fn watch(&self, since: Option<u64>) -> Result<PtyOutput, BeyondEnd> {
        PtyOutput::new(Arc::clone(&self.shared), since, false)
    }

    /// Somebody who types, with an allowance of their own.
    pub fn input(&self) -> PtyInput {
        PtyInput::new(self.shared.requests.clone())
    }

    /// Everything that it showed has been appended. The state is told before readers learn of the end, so that whoever sees
    /// the end finds out how.
    pub(super) fn end(&self, termination: Termination) {
        self.shared.state.send_replace(PtyState::Ended(termination));
        self.shared.record.complete();
    }
}
